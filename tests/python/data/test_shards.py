"""Shards: every text once, whole, at a random place, whatever it came with."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wldetect.data import shards as module
from wldetect.data.shards import Shard, ShardWriter, gather, read_shard

# What of a text is told apart: its values, label and weight.
Text = tuple[tuple[int, ...], int, float]
some_texts = st.lists(
    st.tuples(
        st.lists(st.integers(0, 255), min_size=1, max_size=6).map(tuple),
        st.integers(0, 4),
        st.integers(0, 9).map(float),
        st.integers(1, 3),
    ),
    max_size=40,
)


def texts_of(shard: Shard) -> list[Text]:
    bounds = shard.offsets.tolist()
    return [
        (tuple(shard.values[begin:end].tolist()), label, weight)
        for begin, end, label, weight in zip(
            bounds[:-1], bounds[1:], shard.labels.tolist(), shard.weights.tolist(), strict=True
        )
    ]


def write(
    directory: Path, texts: list[tuple[tuple[int, ...], int, float, int]], *, size: int, shard_texts: int, seed: int = 1
) -> list[Shard]:
    """Write ``texts``, ``size`` at a time, and read them back."""
    directory.mkdir()
    total = sum(repeats for *_, repeats in texts)
    writer = ShardWriter(directory, total, shard_texts, seed, holds_texts=False)
    for first in range(0, len(texts), size):
        values, labels, weights, repeats = zip(*texts[first : first + size], strict=True)
        writer.add(
            np.array([value for one in values for value in one], dtype=np.int32),
            np.concatenate([[0], np.cumsum([len(one) for one in values])]),
            np.array(labels, dtype=np.int32),
            np.array(weights, dtype=np.float32),
            np.array(repeats),
        )
    done: list[int] = []
    sizes = writer.finish(np.arange(5)[::-1], done.append)
    assert sorted(path.name for path in directory.iterdir()) == list(sizes)
    assert sum(done) == total
    shards = [read_shard(directory / name) for name in sizes]
    assert [len(shard) for shard in shards] == list(sizes.values())
    assert all(len(shard) for shard in shards)
    return shards


@settings(deadline=None)
@given(
    texts=some_texts, size=st.integers(1, 41), shard_texts=st.integers(1, 50), moved=st.sampled_from([1, 10, 1 << 22])
)
def test_every_text_is_there_as_often_as_it_should(
    texts: list[tuple[tuple[int, ...], int, float, int]],
    size: int,
    shard_texts: int,
    moved: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_MOVED", moved)
        shards = write(tmp_path_factory.mktemp("shards") / "a", texts, size=size, shard_texts=shard_texts)
    found = sorted(text for shard in shards for text in texts_of(shard))
    # Labels are written as their new numbers.
    assert found == sorted((values, 4 - label, weight) for values, label, weight, times in texts for _ in range(times))


def test_order_does_not_depend_on_how_texts_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [((number, 7), 0, 1.0, 1 + number % 2) for number in range(60)]
    whole = write(tmp_path / "a", texts, size=60, shard_texts=20)
    monkeypatch.setattr(module, "_MOVED", 9)
    pieces = write(tmp_path / "b", texts, size=7, shard_texts=20)
    assert [texts_of(shard) for shard in pieces] == [texts_of(shard) for shard in whole]
    other = write(tmp_path / "c", texts, size=60, shard_texts=20, seed=2)
    assert [texts_of(shard) for shard in other] != [texts_of(shard) for shard in whole]


def test_texts_are_shuffled(tmp_path: Path) -> None:
    texts = [((number,), 0, 1.0, 1) for number in range(1000)]
    shards = write(tmp_path / "a", texts, size=100, shard_texts=250)
    assert len(shards) == 4
    for shard in shards:
        # About as many in each, and in each from all over: five standard deviations.
        assert len(shard) == pytest.approx(250, abs=5 * (1000 * 0.25 * 0.75) ** 0.5)
        assert shard.values.mean() == pytest.approx(499.5, abs=5 * 1000 / 12**0.5 / 250**0.5)
        steps = np.sign(np.diff(shard.values))
        assert abs(steps.sum()) < 5 * len(shard) ** 0.5
    (one,) = write(tmp_path / "b", texts, size=100, shard_texts=1000)
    assert one.values.tolist() != sorted(one.values.tolist())


def test_bytes(tmp_path: Path) -> None:
    writer = ShardWriter(tmp_path, 2, 10, 1, holds_texts=True)
    values = np.frombuffer("grüß".encode() + b"x", np.uint8)
    writer.add(values, np.array([0, 6, 7]), np.zeros(2, np.int32), np.ones(2, np.float32), np.ones(2, np.int64))
    assert writer.finish(np.arange(1), lambda _: None) == {"shard-00000": 2}
    shard = read_shard(tmp_path / "shard-00000")
    assert shard.values.dtype == np.uint8
    bounds = shard.offsets.tolist()
    assert sorted(shard.values[a:b].tobytes().decode() for a, b in pairwise(bounds)) == [
        "grüß",
        "x",
    ]


@settings(deadline=None)
@given(pieces=st.lists(st.lists(st.integers(0, 99), max_size=5), max_size=10), data=st.data())
def test_gather(pieces: list[list[int]], data: st.DataObject) -> None:
    values = np.array([value for piece in pieces for value in piece], dtype=np.int32)
    lengths = np.array([len(piece) for piece in pieces], dtype=np.int64)
    begins = np.cumsum(lengths) - lengths
    rows = np.array(data.draw(st.lists(st.integers(0, len(pieces) - 1), max_size=20)) if pieces else [], dtype=np.int64)
    expected = [value for row in rows for value in pieces[row]]
    for size in (1, 4, 1 << 17):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "_GATHERED", size)
            assert gather(values, begins[rows], lengths[rows]).tolist() == expected
