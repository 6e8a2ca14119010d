"""Models on the loopback hub, and what opening one gives."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from loopback_hub import LoopbackHub, Repository
from wldetect.embeddings.hub import HubSource
from wldetect.errors import EmbeddingError

from .builders import matrix, safetensors_bytes, stored_as, word_tokenizer

NAME = "model.embed_tokens.weight"
REPO = "org/tiny"
VALUES = matrix(4, 5)
SHARDS = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")


def single(dtype: str = "F32", name: str = NAME) -> dict[str, bytes]:
    """The files of a model whose tensors are in one file."""
    tensors = {"model.norm.weight": stored_as(matrix(1, 3), dtype), name: stored_as(VALUES, dtype)}
    return {
        "config.json": json.dumps({"hidden_size": 5, "vocab_size": 4}).encode(),
        "model.safetensors": safetensors_bytes({**tensors, "z": stored_as(matrix(3, 3), dtype)}),
        "tokenizer.json": word_tokenizer(["a", "b", "c", "d"]).encode(),
        "README.md": b"about",
    }


def sharded() -> dict[str, bytes]:
    """The files of one in two shards; the embedding is in the second."""
    tensors = [
        {"x": stored_as(matrix(9, 9), "F32")},
        {"y": stored_as(matrix(2, 2), "F32"), NAME: stored_as(VALUES, "F32")},
    ]
    weight_map = {name: shard for shard, inside in zip(SHARDS, tensors, strict=True) for name in inside}
    files = {shard: safetensors_bytes(inside) for shard, inside in zip(SHARDS, tensors, strict=True)}
    index = json.dumps({"metadata": {}, "weight_map": weight_map}).encode()
    return {**files, "model.safetensors.index.json": index, "tokenizer.json": single()["tokenizer.json"]}


def put(hub: LoopbackHub, files: Mapping[str, bytes], **options: Any) -> Repository:
    repository = hub.add(Repository(REPO, **options))
    repository.commit(files)
    return repository


def open_model(tmp_path: Path, name: str = NAME, width: int = 5, **options: Any) -> HubSource:
    return HubSource(REPO, name, width, tmp_path / "cache", **options)


def fetched(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "cache").rglob("*.npy"))


def error_of(tmp_path: Path, *arguments: Any, **options: Any) -> str:
    with pytest.raises(EmbeddingError) as caught:
        open_model(tmp_path, *arguments, **options).matrix()
    assert "\n" not in str(caught.value)
    return str(caught.value)
