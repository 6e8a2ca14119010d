"""Finding the embedding in the files of a model, wherever the files are, and comparing it with the configuration."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from wldetect.embeddings.base import check_hidden_dim
from wldetect.embeddings.safetensors_file import SafetensorsEntry, check_matrix
from wldetect.embeddings.tensor_names import find_embedding, listed
from wldetect.errors import EmbeddingError

__all__ = ["CheckpointFiles", "StoredTensor", "locate_embedding", "read_object", "tokenizer_text"]

_SINGLE, _INDEX, _CONFIG, _TOKENIZER = (
    "model.safetensors",
    "model.safetensors.index.json",
    "config.json",
    "tokenizer.json",
)
_SUFFIX = ".safetensors"
# Files of weights that are not read, named where nothing else is there.
_OTHER_WEIGHTS = (".bin", ".gguf", ".pth", ".pt", ".h5", ".msgpack", ".onnx", ".ckpt", ".npz")


class CheckpointFiles(ABC):
    """The files of one model in the layout of the hub: a directory, or a repository at one commit."""

    @property
    @abstractmethod
    def where(self) -> str:
        """What to call the whole in messages."""

    @abstractmethod
    def names(self) -> list[str]:
        """The names of all files, sorted; those in folders with the folder, with ``/``."""

    @abstractmethod
    def path(self, name: str) -> Path:
        """Where a small file can be read.

        Raises:
            OSError: it cannot be read.
            EmbeddingError: it cannot be fetched.
        """

    @abstractmethod
    def header(self, name: str) -> dict[str, SafetensorsEntry]:
        """The tensors of one safetensors file.

        Raises:
            OSError: the file is missing or unreadable.
            EmbeddingError: it is malformed, or cannot be fetched.
        """

    def label(self, name: str) -> str:
        """What to call one file in messages."""
        return f"{self.where}/{name}"


@dataclass(frozen=True)
class StoredTensor:
    """A tensor and the file that holds it.

    Attributes:
        file: the name of the file among those of the model.
        name: the tensor's exact name.
        entry: where it is in the file, its type and its shape (V, D).
    """

    file: str
    name: str
    entry: SafetensorsEntry

    def describe(self) -> str:
        """Name, shape and type for messages."""
        return f"{self.name} ({self.entry.shape[0]} x {self.entry.shape[1]}, {self.entry.dtype})"


def locate_embedding(
    files: CheckpointFiles, tensor_name: str, hidden_dim: int, shard_pattern: str | None = None
) -> StoredTensor:
    """Find the input embedding.

    It is looked for in ``model.safetensors``, or where ``model.safetensors.index.json`` says, or in the only
    safetensors file there is.

    Args:
        files: the model's files.
        tensor_name: the configured name; see `find_embedding` for what it may stand for.
        hidden_dim: D as configured.
        shard_pattern: look only into the files whose names match it, with or without an index.

    Raises:
        OSError: a file is missing or unreadable.
        EmbeddingError: a file is malformed, the tensor is missing or ambiguous, of another type than float32, float16
            or bfloat16, or of another shape than configured or than ``config.json`` says.
    """
    names = files.names()
    if _INDEX in names and not (_SINGLE in names and shard_pattern is None):
        weight_map = _read_weight_map(files)
        inside = _matching(files, sorted(set(weight_map.values())), shard_pattern)
        owners = {tensor: shard for tensor, shard in weight_map.items() if shard in inside}
    else:
        inside = _shards(files, names, shard_pattern)
        owners = {tensor: shard for shard in inside for tensor in files.header(shard)}
    searched = files.label(inside[0]) if len(inside) == 1 else f"{files.where} ({listed(inside)})"
    name = find_embedding(tensor_name, owners, searched)
    shard = owners[name]
    entries = files.header(shard)
    if name not in entries:
        raise EmbeddingError(f"{files.label(shard)}: expected the tensor {name} that {_INDEX} puts there, found none")
    entry = entries[name]
    check_matrix(entry, name, files.label(shard))
    check_hidden_dim(hidden_dim, entry.shape, name, files.label(shard))
    if _CONFIG in names:
        _check_config(files.path(_CONFIG), files.label(_CONFIG), entry.shape[0], entry.shape[1])
    return StoredTensor(shard, name, entry)


def tokenizer_text(files: CheckpointFiles) -> str:
    """The text of ``tokenizer.json``.

    Raises:
        OSError: the file is unreadable.
        EmbeddingError: there is none, or it is not JSON.
    """
    if _TOKENIZER not in files.names():
        raise EmbeddingError(
            f"{files.where}: expected {_TOKENIZER}, the tokenizer that the embeddings belong to, found none"
        )
    try:
        text = files.path(_TOKENIZER).read_text(encoding="utf-8")
        json.loads(text)
    except (ValueError, RecursionError) as error:
        raise EmbeddingError(f"{files.label(_TOKENIZER)}: expected JSON in UTF-8: {error}") from error
    return text


def read_object(path: Path, where: str) -> dict[str, Any]:
    """A file that holds one JSON object.

    Raises:
        OSError: the file is missing or unreadable.
        EmbeddingError: it is something else; begins with ``where``.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise EmbeddingError(f"{where}: expected JSON in UTF-8: {error}") from error
    if not isinstance(value, dict):
        raise EmbeddingError(f"{where}: expected a JSON object, found {type(value).__name__}")
    return value


def _read_weight_map(files: CheckpointFiles) -> Mapping[str, str]:
    where = files.label(_INDEX)
    weight_map = read_object(files.path(_INDEX), where).get("weight_map")
    if not isinstance(weight_map, dict):
        raise EmbeddingError(f"{where}: weight_map: expected file names by tensor, found {weight_map!r}"[:300])
    for tensor, shard in weight_map.items():
        # A plain name: an index must not lead out of its own directory.
        if not isinstance(shard, str) or Path(shard).name != shard or shard in ("", ".."):
            raise EmbeddingError(f"{where}: weight_map.{tensor}: expected a file name, found {shard!r}")
    return weight_map


def _shards(files: CheckpointFiles, names: list[str], pattern: str | None) -> list[str]:
    """The files to look into where there is no index, or none that is asked."""
    inside_folders = pattern is not None and "/" in pattern
    shards = [name for name in names if name.endswith(_SUFFIX) and (inside_folders or "/" not in name)]
    if pattern is not None:
        return _matching(files, shards, pattern)
    if _SINGLE in shards or len(shards) == 1:
        return [_SINGLE if _SINGLE in shards else shards[0]]
    if shards:
        raise EmbeddingError(
            f"{files.where}: expected {_SINGLE} or {_INDEX}, found neither, but {listed(shards)}: choose among them "
            f"with shard_pattern"
        )
    others = [name for name in names if name.lower().endswith((_SUFFIX, *_OTHER_WEIGHTS))]
    found = f"neither, but {listed(others)}" if others else "neither, and no other file of weights"
    raise EmbeddingError(f"{files.where}: expected {_SINGLE} or {_INDEX}, found {found}")


def _matching(files: CheckpointFiles, shards: list[str], pattern: str | None) -> list[str]:
    if pattern is None:
        return shards
    inside = [shard for shard in shards if fnmatchcase(shard, pattern)]
    if not inside:
        raise EmbeddingError(
            f"{files.where}: shard_pattern: expected one that matches any of {listed(shards)}, found {pattern!r}"
        )
    return inside


def _check_config(path: Path, where: str, n_tokens: int, width: int) -> None:
    config = read_object(path, where)
    # Models of several modalities keep the language model's sizes one level down.
    nested = config.get("text_config")
    for section in (config, nested if isinstance(nested, dict) else {}):
        for key, found in (("hidden_size", width), ("vocab_size", n_tokens)):
            expected = section.get(key)
            if expected is not None and expected != found:
                raise EmbeddingError(f"{where}: {key}: expected {found} (the embedding tensor), found {expected!r}")
