"""From the ``model`` or ``models`` of a configuration to an open embedding source."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from wldetect.embeddings.base import EmbeddingSource
from wldetect.embeddings.concat import ConcatSource
from wldetect.embeddings.gguf import GGUFSource
from wldetect.embeddings.hub import HubSource
from wldetect.embeddings.local import LocalSource
from wldetect.embeddings.pypi import assemble
from wldetect.errors import EmbeddingError
from wldetect.files import default_cache_dir

__all__ = ["ModelConfigLike", "ModelSourceConfigLike", "open_source", "open_sources"]

_PYPI = "pypi:"


class ModelSourceConfigLike(Protocol):
    """What is read of one model of a configuration."""

    @property
    def name(self) -> str: ...
    @property
    def hidden_dim(self) -> int: ...
    @property
    def embedding_layer_name(self) -> str: ...
    @property
    def shard_pattern(self) -> str | None: ...
    @property
    def source(self) -> str | None: ...
    @property
    def revision(self) -> str | None: ...
    @property
    def sha256(self) -> str | None: ...


class ModelConfigLike(Protocol):
    """What is read of a model configuration: its one or several models, in order."""

    @property
    def sources(self) -> Sequence[ModelSourceConfigLike]: ...


def open_source(model: ModelSourceConfigLike, config_path: Path, cache_dir: Path | None = None) -> EmbeddingSource:
    """Open the source of one model.

    ``source`` is a directory or a GGUF file (a relative path is looked up beside ``config_path``, then in the current
    directory), ``pypi:`` and the name of an installed package that holds a GGUF file in parts, or else the id of a
    model on the hub. Where it is absent, ``name`` is that id.

    Args:
        model: the model's configuration.
        config_path: the file it came from, for relative paths and for messages.
        cache_dir: where derived files are kept; None for `default_cache_dir`.

    Raises:
        OSError: a file of the source cannot be read.
        EmbeddingError: the source does not exist, cannot be fetched, is malformed or does not match the configuration;
            begins with ``config_path``.
        MissingExtraError: a package that the source needs is not installed.
    """
    cache_dir = default_cache_dir() if cache_dir is None else cache_dir
    try:
        return _open(model, config_path, cache_dir)
    except EmbeddingError as error:
        raise type(error)(f"{config_path}: {error}") from error


def open_sources(model_config: ModelConfigLike, config_path: Path, cache_dir: Path | None = None) -> EmbeddingSource:
    """Open every model of a configuration: the one source itself, or a `ConcatSource` over several.

    Raises:
        as `open_source`.
    """
    sources = [open_source(model, config_path, cache_dir) for model in model_config.sources]
    return sources[0] if len(sources) == 1 else ConcatSource(sources)


def _open(model: ModelSourceConfigLike, config_path: Path, cache_dir: Path) -> EmbeddingSource:
    name, hidden_dim, source = model.embedding_layer_name, model.hidden_dim, model.source
    path = None
    if source is not None and source.startswith(_PYPI):
        _refuse_revision(model, source)
        # The checksum is compared while the parts are joined.
        return GGUFSource(assemble(source[len(_PYPI) :], model.sha256, cache_dir), name, hidden_dim, cache_dir)
    if source is not None:
        path = _find(source, config_path)
    if path is None:
        if model.sha256 is not None:
            raise EmbeddingError(f"sha256: expected for a GGUF file only, found with the hub id {source or model.name}")
        return HubSource(source or model.name, name, hidden_dim, cache_dir, model.revision, model.shard_pattern)
    _refuse_revision(model, str(path))
    if path.is_dir():
        if model.sha256 is not None:
            raise EmbeddingError(f"sha256: expected for a GGUF file only, found with the directory {path}")
        return LocalSource(path, name, hidden_dim, model.shard_pattern)
    if path.suffix.lower() != ".gguf":
        raise EmbeddingError(f"source: expected a directory or a .gguf file, found {path}")
    return GGUFSource(path, name, hidden_dim, cache_dir, model.sha256)


def _refuse_revision(model: ModelSourceConfigLike, source: str) -> None:
    if model.revision is not None:
        raise EmbeddingError(f"revision: expected for a model on the hub only, found with {source}")


def _find(source: str, config_path: Path) -> Path | None:
    """The path that ``source`` names, or None where it can only be a hub id."""
    path = Path(source).expanduser()
    candidates = [path] if path.is_absolute() else [config_path.parent / path, path]
    for candidate in candidates:
        if candidate.exists():
            return candidate
    looks_like_path = source.startswith((".", "~", "/", "\\")) or (os.sep == "\\" and "\\" in source)
    if path.is_absolute() or looks_like_path or path.suffix.lower() == ".gguf" or source.count("/") > 1:
        raise EmbeddingError(f"source: expected an existing path, found neither {' nor '.join(map(str, candidates))}")
    return None
