"""Several embeddings of one vocabulary, side by side, as if they were one wider matrix."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wldetect.embeddings.base import EmbeddingMatrix, EmbeddingSource, RowIds, token_strings
from wldetect.errors import EmbeddingError

__all__ = ["ConcatMatrix", "ConcatSource"]

_SHOWN_DIFFERENCES = 3


class ConcatMatrix(EmbeddingMatrix):
    """Matrices of the same V joined along D, in order. Nothing is copied until rows are asked for.

    Args:
        parts: at least one matrix.
        names: what the parts are called in messages; their positions where it is not given.

    Raises:
        EmbeddingError: there is no part, or the parts differ in V.
    """

    def __init__(self, parts: Sequence[EmbeddingMatrix], names: Sequence[str] = ()) -> None:
        if not parts:
            raise EmbeddingError("concatenated embeddings: expected at least one part, found none")
        names = names or [f"part {index}" for index in range(len(parts))]
        for name, part in zip(names[1:], parts[1:], strict=True):
            if part.shape[0] != parts[0].shape[0]:
                raise EmbeddingError(
                    f"concatenated embeddings: expected {parts[0].shape[0]} tokens as in {names[0]}, "
                    f"found {part.shape[0]} in {name}"
                )
        self._parts = tuple(parts)

    @property
    def shape(self) -> tuple[int, int]:
        return self._parts[0].shape[0], sum(part.shape[1] for part in self._parts)

    def rows(self, ids: RowIds) -> NDArray[np.float32]:
        n_tokens, width = self.shape
        n_rows = len(range(*ids.indices(n_tokens))) if isinstance(ids, slice) else len(ids)
        joined = np.empty((n_rows, width), dtype=np.float32)
        start = 0
        for part in self._parts:
            stop = start + part.shape[1]
            joined[:, start:stop] = part.rows(ids)
            start = stop
        return joined

    def contiguous(self) -> NDArray[np.float32] | None:
        return self._parts[0].contiguous() if len(self._parts) == 1 else None

    def parts(self) -> tuple[NDArray[Any], ...] | None:
        arrays: list[NDArray[Any]] = []
        for part in self._parts:
            stored = part.parts()
            if stored is None:
                return None
            arrays += stored
        return tuple(arrays)


class ConcatSource(EmbeddingSource):
    """Sources with one tokenizer, joined along D; the first one's tokenizer stands for all.

    The tokenizers are compared when the tokenizer or the matrix is first asked for: same number of tokens, and the same
    string for every id, which is what makes row i of each source a row for the same token.

    Raises:
        EmbeddingError: there is no source.
    """

    def __init__(self, sources: Sequence[EmbeddingSource]) -> None:
        if not sources:
            raise EmbeddingError("concatenated embeddings: expected at least one source, found none")
        self._sources = tuple(sources)
        self._tokenizer: str | None = None

    def describe(self) -> str:
        return " + ".join(source.describe() for source in self._sources)

    def fingerprint(self) -> str:
        digest = hashlib.sha256(b"concatenated\n")
        for source in self._sources:
            digest.update(f"{source.fingerprint()}\n".encode())
        return digest.hexdigest()

    def matrix(self) -> EmbeddingMatrix:
        """The joined matrix.

        Raises:
            EmbeddingError: as for each source, or the sources differ in V or in their tokens.
        """
        matrix = ConcatMatrix(
            [source.matrix() for source in self._sources], [source.describe() for source in self._sources]
        )
        self.tokenizer_json()
        return matrix

    def tokenizer_json(self) -> str:
        if self._tokenizer is None:
            first, *others = self._sources
            text = first.tokenizer_json()
            for other in others:
                _check_same_tokens(first.describe(), text, other.describe(), other.tokenizer_json())
            self._tokenizer = text
        return self._tokenizer


def _check_same_tokens(first_name: str, first: str, other_name: str, other: str) -> None:
    if first == other:
        return
    expected, found = token_strings(first), token_strings(other)
    different = sorted(i for i in expected.keys() | found.keys() if expected.get(i) != found.get(i))
    if different:
        examples = "; ".join(
            f"token {i}: expected {expected.get(i)!r}, found {found.get(i)!r}" for i in different[:_SHOWN_DIFFERENCES]
        )
        raise EmbeddingError(
            f"models: the tokenizers differ at {len(different)} ids ({len(expected)} tokens in {first_name}, "
            f"{len(found)} tokens in {other_name}): {examples}"
        )
