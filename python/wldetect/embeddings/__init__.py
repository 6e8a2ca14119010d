"""Embedding sources: where the static token embeddings and their tokenizer come from."""

from __future__ import annotations

from wldetect.embeddings.base import ArrayMatrix, EmbeddingMatrix, EmbeddingSource
from wldetect.embeddings.concat import ConcatMatrix, ConcatSource
from wldetect.embeddings.gguf import GGUFSource
from wldetect.embeddings.hub import HubSource
from wldetect.embeddings.local import LocalSource
from wldetect.embeddings.resolve import open_source, open_sources

__all__ = [
    "ArrayMatrix",
    "ConcatMatrix",
    "ConcatSource",
    "EmbeddingMatrix",
    "EmbeddingSource",
    "GGUFSource",
    "HubSource",
    "LocalSource",
    "open_source",
    "open_sources",
]
