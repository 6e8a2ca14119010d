"""The interface every embedding source offers, and the matrix over one memory-mapped array."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from wldetect.errors import EmbeddingError

__all__ = [
    "ArrayMatrix",
    "EmbeddingMatrix",
    "EmbeddingSource",
    "RowIds",
    "check_hidden_dim",
    "check_ids",
    "file_fingerprint",
    "special_token_ids",
    "tensor_fingerprint",
    "token_strings",
]

RowIds: TypeAlias = "NDArray[np.integer[Any]] | slice"
_BLOCK_BYTES = 2**20


class EmbeddingMatrix(ABC):
    """A read-only matrix of token embeddings, one row a token, read as float32 whatever it is stored as."""

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int]:
        """(V, D): the number of tokens and the number of dimensions of a token."""

    @abstractmethod
    def rows(self, ids: RowIds) -> NDArray[np.float32]:
        """The rows of ``ids`` (1-D, any integer dtype, any order, repeats allowed; or a slice).

        Returns float32 [n, D], newly allocated and C-contiguous, so that the caller may write into it.

        Raises:
            IndexError: an id is negative or not below V.
            TypeError: ``ids`` is neither a slice nor a 1-D array of integers.
        """

    @abstractmethod
    def contiguous(self) -> NDArray[np.float32] | None:
        """The whole matrix as a read-only, aligned, C-contiguous float32 array [V, D] if it is stored as one.

        Nothing is read or copied: the pages come from the file when they are touched. None for every other way of
        storing it; use `rows` then.
        """

    @abstractmethod
    def parts(self) -> tuple[NDArray[Any], ...] | None:
        """The stored arrays whose rows, side by side in this order, are the rows of the matrix.

        Each is [V, D_i], read-only and C-contiguous, of float32, float16, or uint16 that holds the bits of bfloat16;
        the D_i add up to D. Nothing is read or copied. Alignment is not guaranteed: a tensor mapped in a safetensors
        file starts wherever the file put it. None where the matrix is not stored like that; use `rows` then.
        """


class EmbeddingSource(ABC):
    """Somewhere embeddings come from, together with the tokenizer whose ids are the rows."""

    @abstractmethod
    def describe(self) -> str:
        """One line for messages: the file, the tensor, its shape and how it is stored."""

    @abstractmethod
    def fingerprint(self) -> str:
        """SHA-256 (hex) of the tensor's stored bytes, storage type and shape: equal content, equal fingerprint."""

    @abstractmethod
    def matrix(self) -> EmbeddingMatrix:
        """The embeddings, memory-mapped.

        Raises:
            OSError: a file cannot be read or written.
            EmbeddingError: the tensor cannot be read as float32 or cannot be fetched, or there is no room for the
                cached copy.
        """

    @abstractmethod
    def tokenizer_json(self) -> str:
        """The whole text of a ``tokenizer.json``, in the format of the ``tokenizers`` library.

        Raises:
            EmbeddingError: the tokenizer is missing, malformed, or cannot be rebuilt exactly.
        """

    def provenance(self) -> dict[str, object]:
        """Where the embeddings come from, as plain data for the record of a training run.

        ``source`` is what `describe` says, ``sha256`` what `fingerprint` does; kinds of sources add keys of their own.

        Raises:
            as `fingerprint`.
        """
        return {"source": self.describe(), "sha256": self.fingerprint()}


class ArrayMatrix(EmbeddingMatrix):
    """A matrix over one array, usually memory-mapped: float32, float16, or the bits of bfloat16 as uint16.

    A bfloat16 is the upper half of a float32, so that reading one is a shift and loses nothing.
    """

    def __init__(self, array: NDArray[Any]) -> None:
        if array.ndim != 2 or array.dtype.kind + str(array.dtype.itemsize) not in ("f4", "f2", "u2"):
            raise EmbeddingError(
                f"embedding array: expected 2 dimensions of float32, float16 or uint16 (bfloat16 bits), "
                f"found {array.ndim} of {array.dtype}"
            )
        # A plain view: indexing the memmap subclass costs far more a call.
        self._array: NDArray[Any] = array.view(np.ndarray)
        self._array.flags.writeable = False

    @property
    def shape(self) -> tuple[int, int]:
        return self._array.shape[0], self._array.shape[1]

    def rows(self, ids: RowIds) -> NDArray[np.float32]:
        if isinstance(ids, slice):
            picked = self._array[ids]
        else:
            check_ids(ids, self._array.shape[0])
            picked = self._array[ids]
        if picked.dtype.kind == "u":
            bits = picked.astype(np.uint32, order="C")
            bits <<= 16
            return bits.view(np.float32)
        # Indexing by an array has copied already; a slice is still a view of the file.
        return picked.astype(np.float32, order="C", copy=isinstance(ids, slice))

    def contiguous(self) -> NDArray[np.float32] | None:
        array = self._array
        usable = array.dtype == np.float32 and array.flags.c_contiguous and array.flags.aligned
        return array if usable else None

    def parts(self) -> tuple[NDArray[Any], ...] | None:
        usable = self._array.dtype.isnative and self._array.flags.c_contiguous
        return (self._array,) if usable else None


def check_ids(ids: NDArray[np.integer[Any]], n_rows: int) -> None:
    """Check that ``ids`` are row numbers of a matrix of ``n_rows``; raises as `EmbeddingMatrix.rows`."""
    if not isinstance(ids, np.ndarray) or ids.ndim != 1 or ids.dtype.kind not in "iu":
        raise TypeError("ids: expected a slice or a 1-D numpy array of integers")
    if ids.size and (int(ids.min()) < 0 or int(ids.max()) >= n_rows):
        raise IndexError(f"ids: expected 0 to {n_rows - 1}, found {int(ids.min())} to {int(ids.max())}")


def check_hidden_dim(expected: int, shape: Sequence[int], tensor: str, file: Path | str) -> None:
    """Compare the configured ``hidden_dim`` with a tensor's shape (V, D).

    Raises:
        EmbeddingError: they differ.
    """
    if shape[1] != expected:
        raise EmbeddingError(
            f"hidden_dim: expected {expected} (config), "
            f"found {shape[1]} (tensor {tensor}, {shape[0]} x {shape[1]} in {file})"
        )


def tensor_fingerprint(data: NDArray[Any], dtype: str, shape: Sequence[int]) -> str:
    """SHA-256 (hex) of a tensor: its storage type by name, its shape and the bytes of ``data`` (C-contiguous)."""
    digest = _fingerprint_of(dtype, shape)
    digest.update(data.reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def file_fingerprint(path: Path, start: int, end: int, dtype: str, shape: Sequence[int]) -> str:
    """`tensor_fingerprint` of the bytes [start, end) of a file, which are read rather than mapped: pages of a mapping
    count as memory of the process.

    Raises:
        OSError: the file cannot be read.
        EmbeddingError: it ends before ``end``.
    """
    digest = _fingerprint_of(dtype, shape)
    with path.open("rb") as file:
        file.seek(start)
        left = end - start
        while left:
            block = file.read(min(left, _BLOCK_BYTES))
            if not block:
                raise EmbeddingError(f"{path}: truncated: expected {left} bytes more")
            digest.update(block)
            left -= len(block)
    return digest.hexdigest()


def _fingerprint_of(dtype: str, shape: Sequence[int]) -> hashlib._Hash:
    return hashlib.sha256(f"{dtype} {' x '.join(map(str, shape))}\n".encode())


def token_strings(tokenizer_json: str) -> dict[int, str]:
    """Every token of a ``tokenizer.json`` by id: the model's vocabulary and the added tokens.

    Raises:
        EmbeddingError: the text is not a ``tokenizer.json`` with a vocabulary.
    """
    try:
        document = json.loads(tokenizer_json)
        vocabulary = document["model"]["vocab"]
        if isinstance(vocabulary, dict):
            tokens = {int(token_id): str(token) for token, token_id in vocabulary.items()}
        else:
            # Unigram keeps a list of [piece, score] in the order of the ids.
            tokens = {token_id: str(entry[0]) for token_id, entry in enumerate(vocabulary)}
        tokens.update((int(added["id"]), str(added["content"])) for added in document.get("added_tokens") or ())
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise EmbeddingError(f"tokenizer.json: expected a tokenizer with a vocabulary, found {error!r}") from error
    return tokens


def special_token_ids(tokenizer_json: str) -> set[int]:
    """The ids of the added tokens that a ``tokenizer.json`` calls special: marks that ordinary text does not contain.

    Raises:
        EmbeddingError: the text is not a ``tokenizer.json``.
    """
    try:
        added = json.loads(tokenizer_json).get("added_tokens") or ()
        return {int(token["id"]) for token in added if token.get("special") is True}
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise EmbeddingError(f"tokenizer.json: expected a list of added tokens, found {error!r}") from error
