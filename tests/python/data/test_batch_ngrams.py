"""Rows of n-grams in batches: those of the texts that are tokenized; and by which family of rows a text is scored."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from wldetect import _core
from wldetect.data.batches import Batch, BatchLoader, NgramRows

from .project import definition
from .test_batches import dataset, dataset_of_texts, texts_of

TEXTS = [f"w{number} Wörter\u0130 {number}" for number in range(40)]
NGRAMS = _core.Ngrams(
    n_min=2, n_max=4, whole_words=True, max_words=8, max_letters=64, rows=2**31, splitting="boundaries"
)
TOKENIZER = _core.Tokenizer(definition("wörter"))


def loader(texts: list[str] = TEXTS, batch_size: int = 7, seed: int = 1, **options: Any) -> BatchLoader:
    return BatchLoader(dataset_of_texts(texts), batch_size, seed, tokenizer=TOKENIZER, ngrams=NGRAMS, **options)


def rows_by_text(batches: list[Batch]) -> dict[int, list[int]]:
    found = {}
    for batch in batches:
        assert batch.ngrams is not None
        assert {part.dtype for part in (batch.ngrams.rows, batch.ngrams.offsets, batch.ngrams.lengths)} == {torch.int32}
        assert batch.ngrams.offsets.tolist() == (batch.ngrams.lengths.cumsum(0) - batch.ngrams.lengths).tolist()
        pieces = torch.split(batch.ngrams.rows, batch.ngrams.lengths.tolist())
        found.update(zip(texts_of(batch), (piece.tolist() for piece in pieces), strict=True))
    return found


def keep_by_text(batches: list[Batch]) -> dict[int, tuple[float, float]]:
    found: dict[int, tuple[float, float]] = {}
    for batch in batches:
        assert batch.keep is not None
        assert batch.keep.dtype == torch.float32
        assert batch.keep.shape == (len(batch), 2)
        found.update(zip(texts_of(batch), map(tuple, batch.keep.tolist()), strict=True))
    return found


@pytest.mark.parametrize("prefetch", [0, 2])
@pytest.mark.parametrize("world_size", [1, 3])
def test_rows_are_those_of_the_texts_that_are_tokenized(prefetch: int, world_size: int) -> None:
    def change(given: list[str], rows: NDArray[np.int64], epoch: int) -> list[str]:
        # Every third text loses all of its tokens, and every fifth all of its n-grams.
        return ["" if row % 3 == 0 else "+" if row % 5 == 0 else f"w{row} w{epoch}" for row in rows]

    found = {}
    for rank in range(world_size):
        mine = loader(rank=rank, world_size=world_size, prefetch=prefetch, change=change)
        found.update(rows_by_text(list(mine.epoch(4))))
    for row, text in enumerate(TEXTS):
        used = text if row % 3 == 0 else "+" if row % 5 == 0 else f"w{row} w4"
        assert found[row] == NGRAMS.rows(used).astype(np.int32).tolist()
        assert bool(found[row]) == (row % 3 == 0 or row % 5 != 0)
    assert len(found) == len(TEXTS)


def test_no_rows_unless_asked_for() -> None:
    batches = list(BatchLoader(dataset_of_texts(TEXTS), 7, 1, tokenizer=TOKENIZER, drop_ngrams=0.5).epoch(0))
    assert {(batch.ngrams, batch.keep) for batch in batches} == {(None, None)}
    assert {batch.keep for batch in loader().epoch(0)} == {None}


def test_part_without_texts() -> None:
    (batch,) = loader(["w1", "w2"], rank=0, world_size=3, drop_ngrams=0.5).epoch(0)
    assert (len(batch), batch.total) == (0, 2)
    assert batch.ngrams is not None
    assert [len(batch.ngrams.rows), len(batch.ngrams.offsets), len(batch.ngrams.lengths)] == [0, 0, 0]
    assert batch.keep is not None
    assert batch.keep.shape == (0, 2)


def test_what_a_text_is_scored_by_depends_on_seed_epoch_and_text_alone() -> None:
    shares = {"drop_tokens": 0.3, "drop_ngrams": 0.4}
    known = keep_by_text(list(loader(**shares).epoch(3)))
    assert keep_by_text(list(loader(batch_size=64, prefetch=0, **shares).epoch(3))) == known
    parts = [keep_by_text(list(loader(rank=rank, world_size=2, **shares).epoch(3))) for rank in (0, 1)]
    assert {**parts[0], **parts[1]} == known
    later = keep_by_text(list(loader(**shares).epoch(3, first=4)))
    assert len(later) == 12
    assert later.items() <= known.items()
    assert keep_by_text(list(loader(**shares).epoch(4))) != known
    assert keep_by_text(list(loader(seed=2, **shares).epoch(3))) != known


@pytest.mark.parametrize(("tokens", "ngrams"), [(0.2, 0.3), (0.0, 0.1), (1.0, 0.0), (0.1, 0.9)])
def test_shares(tokens: float, ngrams: float) -> None:
    (batch,) = loader([f"w{number}" for number in range(4000)], 4000, drop_tokens=tokens, drop_ngrams=ngrams).epoch(0)
    assert batch.keep is not None
    assert (batch.keep.sum(1) >= 1).all()
    for share, kept in zip((tokens, ngrams), batch.keep.mean(0).tolist(), strict=True):
        # Five standard deviations of 4,000 draws.
        assert abs(1 - kept - share) <= 5 * (share * (1 - share) / 4000) ** 0.5


def test_a_text_without_ngrams_is_scored_by_its_tokens() -> None:
    texts = ["w1", "+", "w2", "7"] * 10
    found = keep_by_text(list(loader(texts, drop_tokens=1.0).epoch(0)))
    has = {row: bool(len(NGRAMS.rows(text))) for row, text in enumerate(texts)}
    assert set(has.values()) == {True, False}
    assert found == {row: (0.0, 1.0) if has[row] else (1.0, 1.0) for row in range(40)}


def test_what_does_not_go_together() -> None:
    with pytest.raises(ValueError, match="expected a data set of texts to take n-grams of, found one of token ids"):
        BatchLoader(dataset([1]), 1, 0, ngrams=NGRAMS)
    for shares in ({"drop_tokens": 0.6, "drop_ngrams": 0.5}, {"drop_tokens": -0.1}):
        with pytest.raises(ValueError, match="expected shares drop_tokens and drop_ngrams"):
            loader(**shares)


def test_to_device() -> None:
    (batch,) = loader(["w1", "w2"], drop_tokens=0.5).epoch(0)
    moved = batch.to(torch.device("meta"))
    assert isinstance(moved.ngrams, NgramRows)
    assert moved.keep is not None
    parts = (moved.ngrams.rows, moved.ngrams.offsets, moved.ngrams.lengths, moved.keep)
    assert {part.device.type for part in parts} == {"meta"}
    assert moved.keep.shape == (2, 2)
