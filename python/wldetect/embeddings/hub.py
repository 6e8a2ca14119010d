"""Embeddings and tokenizer from a model on a hub, of which nothing but the embedding is fetched."""

from __future__ import annotations

from pathlib import Path

from wldetect.embeddings.base import ArrayMatrix, EmbeddingMatrix, EmbeddingSource, file_fingerprint
from wldetect.embeddings.checkpoint import locate_embedding, tokenizer_text
from wldetect.embeddings.hub_client import HubClient
from wldetect.embeddings.hub_repository import HubRepository
from wldetect.embeddings.hub_tensor import HubTensor, open_tensor
from wldetect.errors import EmbeddingError

__all__ = ["HubSource"]


class HubSource(EmbeddingSource):
    """The input embedding of a model on a hub.

    It is found through the checkpoint's index or the first bytes of its safetensors file, and only its own bytes are
    fetched, into ``<cache_dir>/hub/<organization>--<name>/``, when the matrix or the fingerprint is first asked for.
    A file that the client library's cache has as a whole is mapped there instead, and a server that does not hand out
    parts of files is asked for the whole one. ``config.json`` and ``tokenizer.json`` go through the client library and
    its cache.

    Args:
        repo: the model's id, ``organization/name``.
        tensor_name: the tensor, with or without ``.weight``; see `find_embedding` for what it may stand for.
        hidden_dim: D as configured.
        cache_dir: where the embedding is kept.
        revision: branch, tag or commit; None: the main branch. What it is at the moment is looked up once.
        shard_pattern: look only into the files whose names match it.

    Raises:
        OSError: the cache cannot be read or written.
        EmbeddingError: there is no such model or revision, no access to it, or the tensor is missing, ambiguous, of
            another type or of another shape; or the hub cannot be reached and the cache does not have it.
        MissingExtraError: the client library is not installed.
    """

    def __init__(
        self,
        repo: str,
        tensor_name: str,
        hidden_dim: int,
        cache_dir: Path,
        revision: str | None = None,
        shard_pattern: str | None = None,
    ) -> None:
        self._files = HubRepository(HubClient(repo), revision, cache_dir)
        self._tensor = locate_embedding(self._files, tensor_name, hidden_dim, shard_pattern)
        self._opened: HubTensor | None = None
        self._fingerprint: str | None = None

    def describe(self) -> str:
        return f"{self._files.label(self._tensor.file)}: {self._tensor.describe()}"

    def fingerprint(self) -> str:
        """The digest of the bytes as they are now, compared with what it was when they were fetched.

        Raises:
            OSError: as `matrix`.
            EmbeddingError: as `matrix`, or the digests differ.
        """
        if self._fingerprint is None:
            opened, entry = self._open(), self._tensor.entry
            found = file_fingerprint(opened.path, *opened.span, entry.dtype, entry.shape)
            if opened.sha256 not in (None, found):
                raise EmbeddingError(
                    f"{opened.path}: sha256: expected {opened.sha256}, as when it was fetched, found {found}: delete "
                    f"the file to fetch it again"
                )
            self._fingerprint = found
        return self._fingerprint

    def provenance(self) -> dict[str, object]:
        return {
            **super().provenance(),
            "repository": self._files.client.repo,
            "revision": self._files.revision,
            "commit": self._files.commit,
            "file": self._tensor.file,
            "tensor": self._tensor.name,
        }

    def matrix(self) -> EmbeddingMatrix:
        return ArrayMatrix(self._open().array)

    def tokenizer_json(self) -> str:
        return tokenizer_text(self._files)

    def _open(self) -> HubTensor:
        if self._opened is None:
            self._opened = open_tensor(self._files, self._tensor)
        return self._opened
