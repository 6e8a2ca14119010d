"""Embeddings and tokenizer from a local directory in the layout of Hugging Face models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wldetect.embeddings.base import (
    ArrayMatrix,
    EmbeddingMatrix,
    EmbeddingSource,
    check_hidden_dim,
    tensor_fingerprint,
)
from wldetect.embeddings.safetensors_file import SafetensorsEntry, read_safetensors_header
from wldetect.errors import EmbeddingError

__all__ = ["LocalSource"]

_SINGLE, _INDEX = "model.safetensors", "model.safetensors.index.json"
# How each storage type is mapped; numpy has no bfloat16, so its bits are mapped as integers.
_MAPPED_AS = {"F32": "<f4", "F16": "<f2", "BF16": "<u2"}


class LocalSource(EmbeddingSource):
    """A directory with ``model.safetensors``, or shards and their index, beside ``tokenizer.json`` and ``config.json``.

    The tensor (float32, float16 or bfloat16) is memory-mapped where it is, so that nothing is cached. Its shape must
    agree with the ``hidden_size`` and ``vocab_size`` that ``config.json`` states, at the top or under ``text_config``.

    Args:
        directory: the model's directory.
        tensor_name: the tensor, with or without ``.weight``.
        hidden_dim: D as configured.
        cache_dir: unused, for sources of every kind are opened alike.

    Raises:
        OSError: the directory or a shard is missing or unreadable.
        EmbeddingError: a file is malformed, or the tensor is missing, of another type or of another shape.
    """

    def __init__(self, directory: Path, tensor_name: str, hidden_dim: int, cache_dir: Path) -> None:
        self._directory = directory
        self._file, self._name, self._entry = _locate(directory, tensor_name)
        shape = self._entry.shape
        if len(shape) != 2 or 0 in shape:
            raise EmbeddingError(
                f"{self._file}: tensor {self._name}: shape: expected tokens x dimensions, found {list(shape)}"
            )
        if self._entry.dtype not in _MAPPED_AS:
            raise EmbeddingError(
                f"{self._file}: tensor {self._name}: dtype: expected one of {', '.join(_MAPPED_AS)}, "
                f"found {self._entry.dtype}"
            )
        check_hidden_dim(hidden_dim, shape, self._name, self._file)
        _check_config(directory / "config.json", shape[0], shape[1])
        self._array: NDArray[Any] = np.memmap(
            self._file,
            dtype=_MAPPED_AS[self._entry.dtype],
            mode="r",
            offset=self._entry.start,
            shape=(shape[0], shape[1]),
        )
        self._fingerprint: str | None = None

    def describe(self) -> str:
        return f"{self._file}: {self._name} ({self._array.shape[0]} x {self._array.shape[1]}, {self._entry.dtype})"

    def fingerprint(self) -> str:
        if self._fingerprint is None:
            self._fingerprint = tensor_fingerprint(self._array, self._entry.dtype, self._array.shape)
        return self._fingerprint

    def matrix(self) -> EmbeddingMatrix:
        return ArrayMatrix(self._array)

    def tokenizer_json(self) -> str:
        path = self._directory / "tokenizer.json"
        try:
            text = path.read_text(encoding="utf-8")
            json.loads(text)
        except FileNotFoundError as error:
            raise EmbeddingError(
                f"{self._directory}: expected tokenizer.json, the tokenizer that the embeddings belong to, found none"
            ) from error
        except (ValueError, RecursionError) as error:
            raise EmbeddingError(f"{path}: expected JSON in UTF-8: {error}") from error
        return text


def _locate(directory: Path, name: str) -> tuple[Path, str, SafetensorsEntry]:
    """The file that holds the tensor, the tensor's exact name, and where it is."""
    single, index = directory / _SINGLE, directory / _INDEX
    if single.is_file():
        entries = read_safetensors_header(single)
        exact = _match(name, list(entries), single)
        return single, exact, entries[exact]
    if not index.is_file():
        raise EmbeddingError(f"{directory}: expected {_SINGLE} or {_INDEX}, found neither")
    weight_map = _read_object(index).get("weight_map")
    if not isinstance(weight_map, dict):
        raise EmbeddingError(f"{index}: weight_map: expected file names by tensor, found {weight_map!r}"[:300])
    exact = _match(name, list(weight_map), index)
    shard = weight_map[exact]
    # A plain name: an index must not lead out of its own directory.
    if not isinstance(shard, str) or Path(shard).name != shard or shard in ("", ".."):
        raise EmbeddingError(f"{index}: weight_map.{exact}: expected a file name, found {shard!r}")
    entries = read_safetensors_header(directory / shard)
    if exact not in entries:
        raise EmbeddingError(f"{directory / shard}: expected the tensor {exact} that {_INDEX} puts there, found none")
    return directory / shard, exact, entries[exact]


def _match(name: str, names: list[str], file: Path) -> str:
    stem = name.removesuffix(".weight")
    for candidate in (name, f"{stem}.weight", stem):
        if candidate in names:
            return candidate
    likely = [n for n in sorted(names) if any(part in n for part in ("embed", "wte", "tok_emb"))] or sorted(names)
    listed = ", ".join(likely[:5]) + (", ..." if len(likely) > 5 else "") if likely else "no tensor at all"
    raise EmbeddingError(f"{file}: embedding_layer_name: expected one of {listed}, found {name!r}")


def _read_object(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise EmbeddingError(f"{path}: expected JSON in UTF-8: {error}") from error
    if not isinstance(value, dict):
        raise EmbeddingError(f"{path}: expected a JSON object, found {type(value).__name__}")
    return value


def _check_config(path: Path, n_tokens: int, width: int) -> None:
    if not path.is_file():
        return
    config = _read_object(path)
    # Models of several modalities keep the language model's sizes one level down.
    nested = config.get("text_config")
    for section in (config, nested if isinstance(nested, dict) else {}):
        for key, found in (("hidden_size", width), ("vocab_size", n_tokens)):
            expected = section.get(key)
            if expected is not None and expected != found:
                raise EmbeddingError(f"{path}: {key}: expected {found} (the embedding tensor), found {expected!r}")
