"""Joining embeddings along D, and the check that their tokens are the same."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wldetect.embeddings.base import ArrayMatrix
from wldetect.embeddings.concat import ConcatMatrix, ConcatSource
from wldetect.embeddings.local import LocalSource
from wldetect.errors import EmbeddingError

from .builders import matrix, word_tokenizer, write_directory


def open_directory(directory: Path, width: int) -> LocalSource:
    return LocalSource(directory, "model.embed_tokens", width)


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


@given(
    n_rows=st.integers(1, 6),
    bounds=st.tuples(*[st.one_of(st.none(), st.integers(-9, 9))] * 2),
    step=st.one_of(st.none(), st.integers(-3, 3).filter(bool)),
)
def test_rows_past_the_end_are_left_out(n_rows: int, bounds: tuple[int | None, int | None], step: int | None) -> None:
    """Parts with more rows than the whole has are as good as cut off."""
    first, second = matrix(6, 2, seed=1), matrix(8, 3, seed=2)
    joined = ConcatMatrix([ArrayMatrix(first), ArrayMatrix(second)], n_rows=n_rows)
    expected = np.concatenate([first[:n_rows], second[:n_rows]], axis=1)
    assert joined.shape == expected.shape
    part = slice(*bounds, step)
    assert np.array_equal(joined.rows(part), expected[part])
    with pytest.raises(IndexError, match=f"expected 0 to {n_rows - 1}"):
        joined.rows(np.array([0, n_rows]))
    assert np.array_equal(np.concatenate(joined.parts() or (), axis=1), expected)


def test_parts_are_those_of_the_parts() -> None:
    arrays = [matrix(9, 3), matrix(9, 5).astype(np.float16), np.ones((9, 2), np.uint16)]
    inner = ConcatMatrix([ArrayMatrix(array) for array in arrays[1:]])
    parts = ConcatMatrix([ArrayMatrix(arrays[0]), inner]).parts()
    assert parts is not None
    assert all(np.shares_memory(part, array) for part, array in zip(parts, arrays, strict=True))
    assert not any(part.flags.writeable for part in parts)
    transposed = ArrayMatrix(matrix(3, 9).T)
    assert transposed.parts() is None
    assert ConcatMatrix([ArrayMatrix(arrays[0]), transposed]).parts() is None


def test_more_rows_than_a_part_has_are_refused() -> None:
    with pytest.raises(EmbeddingError, match="expected at least 9 tokens, found 8 in right"):
        ConcatMatrix([ArrayMatrix(matrix(9, 3)), ArrayMatrix(matrix(8, 3))], ["left", "right"], 9)


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


def padded(tmp_path: Path, tokenizer: str) -> ConcatSource:
    """Sources of 4 and 6 rows whose tokenizer is ``tokenizer``."""
    sources = []
    for name, n_rows in (("a", 4), ("b", 6)):
        sources.append(open_directory(write_directory(tmp_path / name, matrix(n_rows, 3, seed=n_rows)), 3))
        (tmp_path / name / "tokenizer.json").write_text(tokenizer, encoding="utf-8")
    return ConcatSource(sources)


def with_added(tokenizer: str, **tokens: dict[str, object]) -> str:
    added = [{"content": content, **facts} for content, facts in tokens.items()]
    return json.dumps({**json.loads(tokenizer), "added_tokens": added})


def test_padding_rows_are_left_out(tmp_path: Path) -> None:
    """Those past the last token, and those of marks that no text contains."""
    words = word_tokenizer(["a", "b", "c", "d"])
    for name, tokenizer in (("plain", words), ("mark", with_added(words, image={"id": 4, "special": True}))):
        joined = padded(tmp_path / name, tokenizer).matrix()
        assert joined.shape == (4, 6)
        expected = np.concatenate([matrix(4, 3, seed=4), matrix(6, 3, seed=6)[:4]], axis=1)
        assert np.array_equal(joined.rows(slice(None)), expected)


def test_rows_that_a_token_needs_are_refused(tmp_path: Path) -> None:
    words = word_tokenizer(["a", "b", "c", "d"])
    added = with_added(words, x={"id": 5}, y={"id": 4, "special": False}, z={"id": 3, "special": False})
    for name, tokenizer, expected in (
        ("words", word_tokenizer(list("abcdef")), "4 'e', 5 'f'"),
        ("added", added, "4 'y', 5 'x'"),
        ("many", word_tokenizer(list("abcdefgh")), "4 'e', 5 'f', 6 'g', ..."),
    ):
        source = padded(tmp_path / name, tokenizer)
        with pytest.raises(EmbeddingError) as caught:
            source.matrix()
        sizes = [
            f"{rows} in {open_directory(tmp_path / name / part, 3).describe()}" for part, rows in (("a", 4), ("b", 6))
        ]
        assert str(caught.value) == (
            f"models: expected a row for every token in each model, found {', '.join(sizes)}: past row 3 are the ids "
            f"{expected}"
        )


def test_provenance_is_that_of_each(tmp_path: Path) -> None:
    sources = [open_directory(write_directory(tmp_path / name, matrix(4, 3)), 3) for name in "ab"]
    joined = ConcatSource(sources)
    expected = {"sha256": joined.fingerprint(), "models": [source.provenance() for source in sources]}
    assert joined.provenance() == expected
