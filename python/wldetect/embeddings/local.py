"""Embeddings and tokenizer from a local directory in the layout of Hugging Face models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wldetect.embeddings.base import ArrayMatrix, EmbeddingMatrix, EmbeddingSource, file_fingerprint
from wldetect.embeddings.checkpoint import CheckpointFiles, StoredTensor, locate_embedding, tokenizer_text
from wldetect.embeddings.safetensors_file import MAPPED_AS, SafetensorsEntry, read_safetensors_header

__all__ = ["LocalSource", "map_tensor"]


class LocalSource(EmbeddingSource):
    """A directory with ``model.safetensors``, or shards and their index, beside ``tokenizer.json`` and ``config.json``.

    The tensor (float32, float16 or bfloat16) is memory-mapped where it is, so that nothing is cached. Its shape must
    agree with the ``hidden_size`` and ``vocab_size`` that ``config.json`` states, at the top or under ``text_config``.

    Args:
        directory: the model's directory.
        tensor_name: the tensor, with or without ``.weight``; see `find_embedding` for what it may stand for.
        hidden_dim: D as configured.
        shard_pattern: look only into the files whose names match it.

    Raises:
        OSError: the directory or a shard is missing or unreadable.
        EmbeddingError: a file is malformed, or the tensor is missing, ambiguous, of another type or of another shape.
    """

    def __init__(self, directory: Path, tensor_name: str, hidden_dim: int, shard_pattern: str | None = None) -> None:
        self._files = _Directory(directory)
        self._tensor = locate_embedding(self._files, tensor_name, hidden_dim, shard_pattern)
        self._path = directory / self._tensor.file
        self._array = map_tensor(self._path, self._tensor)
        self._fingerprint: str | None = None

    def describe(self) -> str:
        return f"{self._path}: {self._tensor.describe()}"

    def fingerprint(self) -> str:
        if self._fingerprint is None:
            entry = self._tensor.entry
            self._fingerprint = file_fingerprint(self._path, entry.start, entry.end, entry.dtype, entry.shape)
        return self._fingerprint

    def matrix(self) -> EmbeddingMatrix:
        return ArrayMatrix(self._array)

    def tokenizer_json(self) -> str:
        return tokenizer_text(self._files)


def map_tensor(path: Path, tensor: StoredTensor) -> NDArray[Any]:
    """The tensor as a read-only array [V, D] over its bytes in the safetensors file ``path``.

    Nothing aligns the data of that format: the array may start at any byte.

    Raises:
        OSError: the file cannot be mapped.
    """
    entry = tensor.entry
    shape = (entry.shape[0], entry.shape[1])
    return np.memmap(path, dtype=MAPPED_AS[entry.dtype], mode="r", offset=entry.start, shape=shape)


class _Directory(CheckpointFiles):
    def __init__(self, directory: Path) -> None:
        self._directory = directory

    @property
    def where(self) -> str:
        return str(self._directory)

    def names(self) -> list[str]:
        return sorted(path.name for path in self._directory.iterdir() if path.is_file())

    def path(self, name: str) -> Path:
        return self._directory / name

    def header(self, name: str) -> dict[str, SafetensorsEntry]:
        return read_safetensors_header(self._directory / name)

    def label(self, name: str) -> str:
        return str(self._directory / name)
