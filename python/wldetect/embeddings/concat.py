"""Several embeddings of one vocabulary, side by side, as if they were one wider matrix."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wldetect.embeddings.base import (
    EmbeddingMatrix,
    EmbeddingSource,
    RowIds,
    check_ids,
    special_token_ids,
    token_strings,
)
from wldetect.errors import EmbeddingError

__all__ = ["ConcatMatrix", "ConcatSource"]

_SHOWN_DIFFERENCES = 3


class ConcatMatrix(EmbeddingMatrix):
    """Matrices joined along D, in order. Nothing is copied until rows are asked for.

    Args:
        parts: at least one matrix.
        names: what the parts are called in messages; their positions where it is not given.
        n_rows: V, at most that of each part: the rows of a part from there on are left out. None: that of every part.

    Raises:
        EmbeddingError: there is no part, a part has fewer rows than ``n_rows``, or the parts differ in V where
            ``n_rows`` is None.
    """

    def __init__(self, parts: Sequence[EmbeddingMatrix], names: Sequence[str] = (), n_rows: int | None = None) -> None:
        if not parts:
            raise EmbeddingError("concatenated embeddings: expected at least one part, found none")
        names = names or [f"part {index}" for index in range(len(parts))]
        for name, part in zip(names, parts, strict=True):
            if n_rows is None and part.shape[0] != parts[0].shape[0]:
                raise EmbeddingError(
                    f"concatenated embeddings: expected {parts[0].shape[0]} tokens as in {names[0]}, "
                    f"found {part.shape[0]} in {name}"
                )
            if n_rows is not None and part.shape[0] < n_rows:
                raise EmbeddingError(
                    f"concatenated embeddings: expected at least {n_rows} tokens, found {part.shape[0]} in {name}"
                )
        self._parts = tuple(parts)
        self._n_rows = parts[0].shape[0] if n_rows is None else n_rows

    @property
    def shape(self) -> tuple[int, int]:
        return self._n_rows, sum(part.shape[1] for part in self._parts)

    def rows(self, ids: RowIds) -> NDArray[np.float32]:
        if isinstance(ids, slice):
            ids, n_rows = self._within(ids)
        else:
            check_ids(ids, self._n_rows)
            n_rows = len(ids)
        joined = np.empty((n_rows, self.shape[1]), dtype=np.float32)
        start = 0
        for part in self._parts:
            stop = start + part.shape[1]
            joined[:, start:stop] = part.rows(ids)
            start = stop
        return joined

    def contiguous(self) -> NDArray[np.float32] | None:
        whole = self._parts[0].contiguous() if len(self._parts) == 1 else None
        return None if whole is None else whole[: self._n_rows]

    def parts(self) -> tuple[NDArray[Any], ...] | None:
        stored: list[NDArray[Any]] = []
        for part in self._parts:
            arrays = part.parts()
            if arrays is None:
                return None
            stored += [array[: self._n_rows] for array in arrays]
        return tuple(stored)

    def _within(self, rows: slice) -> tuple[slice, int]:
        """``rows`` with bounds that mean the same in a part with more rows, and their number."""
        start, stop, step = rows.indices(self._n_rows)
        n_rows = len(range(start, stop, step))
        if not n_rows:
            return slice(0, 0), 0
        # Below 0 is before the first row, which a slice cannot say by a number.
        return slice(start, None if stop < 0 else stop, step), n_rows


class ConcatSource(EmbeddingSource):
    """Sources with one tokenizer, joined along D; the first one's tokenizer stands for all.

    The tokenizers are compared when the tokenizer or the matrix is first asked for: same number of tokens, and the same
    string for every id, which is what makes row i of each source a row for the same token.

    Checkpoints pad their embeddings to round numbers of rows, each to its own. Where the sources differ in V, the
    smallest counts, provided that every token past it is a special one, such as the mark of an image: text does not
    contain those, and one that is spelled out in a text is left out, as every token without a row is.

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

    def provenance(self) -> dict[str, object]:
        return {"sha256": self.fingerprint(), "models": [source.provenance() for source in self._sources]}

    def matrix(self) -> EmbeddingMatrix:
        """The joined matrix.

        Raises:
            OSError: as for each source.
            EmbeddingError: as for each source, or the sources differ in their tokens, or in V by rows that tokens need.
        """
        # Before the matrices, which may have to be fetched first.
        tokenizer = self.tokenizer_json()
        matrices = [source.matrix() for source in self._sources]
        names = [source.describe() for source in self._sources]
        n_rows = min(matrix.shape[0] for matrix in matrices)
        if any(matrix.shape[0] != n_rows for matrix in matrices):
            _check_rows_suffice(tokenizer, n_rows, matrices, names)
        return ConcatMatrix(matrices, names, n_rows)

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


def _check_rows_suffice(tokenizer: str, n_rows: int, matrices: Sequence[EmbeddingMatrix], names: Sequence[str]) -> None:
    """Check that no token of text is past the rows that all sources have; their tokens are known to be the same."""
    special = special_token_ids(tokenizer)
    lost = sorted((i, token) for i, token in token_strings(tokenizer).items() if i >= n_rows and i not in special)
    if lost:
        sizes = ", ".join(f"{matrix.shape[0]} in {name}" for matrix, name in zip(matrices, names, strict=True))
        examples = ", ".join(f"{i} {token!r}" for i, token in lost[:_SHOWN_DIFFERENCES])
        more = ", ..." if len(lost) > _SHOWN_DIFFERENCES else ""
        raise EmbeddingError(
            f"models: expected a row for every token in each model, found {sizes}: past row {n_rows - 1} are the ids "
            f"{examples}{more}"
        )
