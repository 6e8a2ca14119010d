"""Joining embeddings along D, and the check that their tokens are the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from wldetect.embeddings.base import ArrayMatrix
from wldetect.embeddings.concat import ConcatMatrix, ConcatSource
from wldetect.embeddings.local import LocalSource
from wldetect.errors import EmbeddingError

from .builders import matrix, word_tokenizer, write_directory


def open_directory(directory: Path, width: int) -> LocalSource:
    return LocalSource(directory, "model.embed_tokens", width, directory)


def test_rows_are_those_of_the_parts_side_by_side() -> None:
    first, second, third = matrix(9, 3, seed=1), matrix(9, 5, seed=2).astype(np.float16), matrix(9, 1, seed=3)
    joined = ConcatMatrix([ArrayMatrix(first), ArrayMatrix(second), ArrayMatrix(third)])
    expected = np.concatenate([first, second.astype(np.float32), third], axis=1)
    assert joined.shape == (9, 9)
    assert joined.contiguous() is None
    ids = np.array([8, 0, 0, 3], dtype=np.uint32)
    assert np.array_equal(joined.rows(ids), expected[ids])
    assert joined.rows(ids).flags.c_contiguous
    for part in (slice(None), slice(2, 5), slice(7, 99), slice(5, 2), slice(None, None, 3), slice(-2, None)):
        assert np.array_equal(joined.rows(part), expected[part])
    with pytest.raises(IndexError, match="expected 0 to 8"):
        joined.rows(np.array([9]))


def test_one_part_is_as_contiguous_as_it_was() -> None:
    values = matrix(9, 3)
    whole = ConcatMatrix([ArrayMatrix(values)]).contiguous()
    assert whole is not None
    assert np.shares_memory(whole, values)


def test_different_numbers_of_tokens_are_refused() -> None:
    with pytest.raises(EmbeddingError, match="expected 9 tokens as in left, found 8 in right"):
        ConcatMatrix([ArrayMatrix(matrix(9, 3)), ArrayMatrix(matrix(8, 3))], ["left", "right"])
    with pytest.raises(EmbeddingError, match="expected 9 tokens as in part 0, found 8 in part 1"):
        ConcatMatrix([ArrayMatrix(matrix(9, 3)), ArrayMatrix(matrix(8, 3))])


def test_nothing_to_join_is_refused() -> None:
    with pytest.raises(EmbeddingError, match="at least one part"):
        ConcatMatrix([])
    with pytest.raises(EmbeddingError, match="at least one source"):
        ConcatSource([])


def test_sources_of_one_tokenizer(tmp_path: Path) -> None:
    values = [matrix(4, 3, seed=1), matrix(4, 5, seed=2)]
    sources = [
        open_directory(write_directory(tmp_path / name, part), part.shape[1])
        for name, part in zip("ab", values, strict=True)
    ]
    joined = ConcatSource(sources)
    assert np.array_equal(joined.matrix().rows(slice(None)), np.concatenate(values, axis=1))
    assert joined.tokenizer_json() == sources[0].tokenizer_json()
    assert joined.describe() == " + ".join(source.describe() for source in sources)
    assert joined.fingerprint() == ConcatSource(sources).fingerprint()
    different = {joined.fingerprint(), ConcatSource(sources[::-1]).fingerprint(), sources[0].fingerprint()}
    assert len(different) == 3


def test_same_tokens_written_differently_are_accepted(tmp_path: Path) -> None:
    sources = [open_directory(write_directory(tmp_path / name, matrix(4, 3)), 3) for name in "ab"]
    path = tmp_path / "b" / "tokenizer.json"
    path.write_text(" " + path.read_text(encoding="utf-8"), encoding="utf-8")
    assert ConcatSource(sources).matrix().shape == (4, 6)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["a", "x", "c", "y"], "at 2 ids.*token 1: expected 'b', found 'x'; token 3: expected 'd', found 'y'$"),
        (["a", "b", "c"], "at 1 ids.*token 3: expected 'd', found None$"),
        (["a", "b", "c", "d", "e"], "at 1 ids.*token 4: expected None, found 'e'$"),
        (list("vwxyz"), "at 5 ids.*token 0: .*; token 1: .*; token 2: expected 'c', found 'x'$"),
    ],
)
def test_different_tokens_are_refused(tmp_path: Path, words: list[str], expected: str) -> None:
    sources = [open_directory(write_directory(tmp_path / name, matrix(4, 3)), 3) for name in "ab"]
    (tmp_path / "b" / "tokenizer.json").write_text(word_tokenizer(words), encoding="utf-8")
    for ask in (ConcatSource(sources).matrix, ConcatSource(sources).tokenizer_json):
        with pytest.raises(EmbeddingError, match=expected) as caught:
            ask()
        assert f"{len(words)} tokens in {sources[1].describe()}" in str(caught.value)
