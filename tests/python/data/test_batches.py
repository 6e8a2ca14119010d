"""Batches: every text once an epoch, in an order that can be reached in the middle, with the right tokens."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from wldetect import _core
from wldetect.data.batches import Batch, BatchLoader
from wldetect.data.dataset import DatasetReport, TokenizedDataset
from wldetect.data.encoding import Encoding
from wldetect.data.shards import Shard

from .project import definition

TENSORS = [name for name in Batch.__dataclass_fields__ if name not in ("total", "ngrams", "keep")]


class Held(TokenizedDataset):
    """A data set of several shards in memory that notes which are read, and how many are alive."""

    def load(self, index: int) -> Shard:
        self.report.unknown[str(len(self.report.unknown))] = index
        return super().load(index)

    @property
    def loaded(self) -> list[int]:
        return list(self.report.unknown.values())


def dataset(*lengths: list[int]) -> Held:
    """Shards of texts of the given lengths; the weight of text i is i, so that batches can be mapped back."""
    rng = np.random.default_rng(7)
    shards = []
    first = 0
    for mine in lengths:
        offsets = np.concatenate([[0], np.cumsum(mine)]).astype(np.int64)
        ids = rng.integers(0, 2**31 - 1, int(offsets[-1])).astype(np.int32)
        labels = rng.integers(0, 9, len(mine)).astype(np.int32)
        weights = np.arange(first, first + len(mine), dtype=np.float32)
        shards.append(Shard(ids, offsets, labels, weights))
        first += len(mine)
    report = DatasetReport("", [], [], {}, {}, [], {}, 0, 0)
    sizes = np.array([len(mine) for mine in lengths], dtype=np.int64)
    return Held(report, None, sizes, np.ones((9, 1), np.float32), None, shards)


def texts_of(batch: Batch) -> list[int]:
    return [int(weight) for weight in batch.weights]


def contents(batches: list[Batch]) -> list[list[Any]]:
    return [[batch.total, *(getattr(batch, name).tolist() for name in TENSORS)] for batch in batches]


def text_of(data: TokenizedDataset, text: int) -> tuple[list[int], int]:
    """Ids and label of a text, by its number."""
    firsts = np.concatenate([[0], np.cumsum(data.sizes)])
    index = int(np.searchsorted(firsts, text, side="right")) - 1
    shard, row = TokenizedDataset.load(data, index), text - int(firsts[index])
    return shard.values[shard.offsets[row] : shard.offsets[row + 1]].tolist(), int(shard.labels[row])


lengths_of_texts = st.lists(st.integers(1, 9), min_size=1, max_size=40)
lengths_of_shards = st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=15), min_size=1, max_size=6)


@settings(deadline=None)
@given(
    lengths=lengths_of_shards,
    size=st.integers(1, 50),
    seed=st.integers(0, 2**40),
    epoch=st.integers(0, 100),
    prefetch=st.integers(0, 3),
)
def test_epoch_equals_a_naive_loop(lengths: list[list[int]], size: int, seed: int, epoch: int, prefetch: int) -> None:
    data = dataset(*lengths)
    loader = BatchLoader(data, size, seed, prefetch=prefetch)
    batches = list(loader.epoch(epoch))
    assert len(batches) == len(loader)
    # All are full but the last one.
    assert [len(batch) for batch in batches[:-1]] == [size] * (len(batches) - 1)
    assert len(batches[-1]) == len(data) - size * (len(batches) - 1) > 0
    assert sorted(text for batch in batches for text in texts_of(batch)) == list(range(len(data)))
    for batch in batches:
        ids: list[int] = []
        offsets: list[int] = []
        for text in texts_of(batch):
            offsets.append(len(ids))
            ids += text_of(data, text)[0]
        assert batch.total == len(batch)
        assert batch.ids.tolist() == ids
        assert batch.offsets.tolist() == offsets
        assert batch.lengths.tolist() == [len(text_of(data, text)[0]) for text in texts_of(batch)]
        assert batch.labels.tolist() == [text_of(data, text)[1] for text in texts_of(batch)]
        types = [batch.ids.dtype, batch.offsets.dtype, batch.lengths.dtype, batch.labels.dtype, batch.weights.dtype]
        assert types == [torch.int32, torch.int32, torch.int32, torch.int64, torch.float32]
    # Shards come one after the other, and each is read once.
    assert sorted(data.loaded) == list(range(len(lengths)))
    firsts = np.cumsum([0, *map(len, lengths)])
    order = [text for batch in batches for text in texts_of(batch)]
    owners = (np.searchsorted(firsts, order, side="right") - 1).tolist()
    assert [owner for owner, before in zip(owners, [-1, *owners], strict=False) if owner != before] == data.loaded


@settings(deadline=None)
@given(lengths=lengths_of_shards, size=st.integers(1, 9), first=st.integers(0, 45), prefetch=st.integers(0, 2))
def test_first_goes_on_exactly(lengths: list[list[int]], size: int, first: int, prefetch: int) -> None:
    data = dataset(*lengths)
    whole = contents(list(BatchLoader(data, size, 3, prefetch=0).epoch(5)))
    loaded = data.loaded
    data.report.unknown.clear()
    assert contents(list(BatchLoader(data, size, 3, prefetch=prefetch).epoch(5, first))) == whole[first:]
    # Nothing is read of what lies before.
    texts = data.sizes[loaded].cumsum()
    assert data.loaded == [shard for shard, end in zip(loaded, texts, strict=True) if end > first * size]


@settings(deadline=None)
@given(
    lengths=lengths_of_shards,
    size=st.integers(1, 20),
    world_size=st.integers(1, 7),
    first=st.integers(0, 4),
    prefetch=st.integers(0, 2),
)
def test_ranks_share_the_global_batch(
    lengths: list[list[int]], size: int, world_size: int, first: int, prefetch: int
) -> None:
    data = dataset(*lengths)
    whole = list(BatchLoader(data, size, 3, prefetch=0).epoch(2, first))
    ranks = [
        list(BatchLoader(data, size, 3, rank=rank, world_size=world_size, prefetch=prefetch).epoch(2, first))
        for rank in range(world_size)
    ]
    for index, batch in enumerate(whole):
        parts = [rank[index] for rank in ranks]
        assert {part.total for part in parts} == {batch.total} == {len(batch)}
        assert max(map(len, parts)) - min(map(len, parts)) <= 1
        for name in ("ids", "lengths", "labels", "weights"):
            assert torch.equal(torch.cat([getattr(part, name) for part in parts]), getattr(batch, name))
        for part in parts:
            assert part.offsets.tolist() == (part.lengths.cumsum(0) - part.lengths).tolist()


def test_part_without_texts() -> None:
    data = dataset([1, 2])
    (batch,) = BatchLoader(data, 5, 0, rank=0, world_size=3).epoch(0)
    assert (len(batch), batch.total) == (0, 2)
    assert {name: tuple(getattr(batch, name).shape) for name in TENSORS} == dict.fromkeys(TENSORS, (0,))
    assert batch.ids.dtype == batch.offsets.dtype == batch.lengths.dtype == torch.int32


def test_order_depends_on_seed_and_epoch_alone() -> None:
    data = dataset([1] * 60, [1] * 40)

    def order(seed: int, epoch: int, size: int = 7) -> list[int]:
        return [text for batch in BatchLoader(data, size, seed).epoch(epoch) for text in texts_of(batch)]

    known = order(1, 0)
    assert known == order(1, 0) == order(1, 0, size=64)
    orders = [order(seed, epoch) for seed in (0, 1, 2) for epoch in (0, 1, 2)]
    assert len({tuple(one) for one in orders}) == 9
    # Shards, too, take turns.
    assert {one[0] < 60 for one in orders} == {True, False}
    # Neither the order of the rows, nor one that an epoch merely shifts.
    assert known != sorted(known)
    loader = BatchLoader(data, 7, 1)
    skipped = [text for batch in loader.epoch(1) for text in texts_of(batch)]
    assert skipped == order(1, 1)


@pytest.mark.parametrize(("texts", "size", "batches"), [(0, 4, 0), (1, 4, 1), (4, 4, 1), (5, 4, 2), (8, 1, 8)])
def test_number_of_batches(texts: int, size: int, batches: int) -> None:
    loader = BatchLoader(dataset([2] * texts), size, 0)
    assert len(loader) == batches == len(list(loader.epoch(0)))


@pytest.mark.parametrize("prefetch", [0, 3])
def test_no_more_than_two_shards_are_held(prefetch: int) -> None:
    class Counted(Shard):
        alive = most = 0

        def __init__(self, *arrays: Any) -> None:
            super().__init__(*arrays)
            Counted.alive += 1
            Counted.most = max(Counted.most, Counted.alive)

        def __del__(self) -> None:
            Counted.alive -= 1

    class Fresh(Held):
        def load(self, index: int) -> Shard:
            shard = super().load(index)
            return Counted(shard.values, shard.offsets, shard.labels, shard.weights)

    data = dataset(*[[1] * 10] * 8)
    fresh = Fresh(data.report, None, data.sizes, data.factors, None, data._held)
    # A batch of more than one shard, and one of less.
    for size in (25, 4):
        assert len(list(BatchLoader(fresh, size, 1, prefetch=prefetch).epoch(0))) == len(BatchLoader(fresh, size, 1))
    assert Counted.most == (2 if prefetch else 1)
    assert Counted.alive == 0


def test_one_shard_is_read_once() -> None:
    data = dataset([1] * 10)
    loader = BatchLoader(data, 4, 1)
    for epoch in range(3):
        assert len(list(loader.epoch(epoch))) == 3
    assert data.loaded == [0]


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate() if thread.name.startswith(("prefetch", "shard"))}


def test_closing_ends_the_work_ahead() -> None:
    data = dataset(*[[1] * 50] * 4)
    loader = BatchLoader(data, 3, 1, prefetch=2)
    batches = loader.epoch(0)
    next(batches)
    assert threads()
    batches.close()  # type: ignore[attr-defined]
    assert threads() == set()
    # What is dropped is closed, too.
    batches = loader.epoch(0)
    next(batches)
    del batches
    assert threads() == set()
    # Most of it was never asked for, and so not read.
    assert len(data.loaded) <= 2 * 2


@pytest.mark.parametrize("prefetch", [0, 2])
def test_errors_reach_who_waits(prefetch: int) -> None:
    class Broken(Held):
        def load(self, index: int) -> Shard:
            if len(self.loaded) == 2:
                raise FileNotFoundError(2, "gone", "shard")
            return super().load(index)

    data = dataset(*[[1] * 6] * 4)
    broken = Broken(data.report, None, data.sizes, data.factors, None, data._held)
    found = []
    with pytest.raises(FileNotFoundError, match="gone"):
        found += list(BatchLoader(broken, 3, 1, prefetch=prefetch).epoch(0))
    seen = []
    data.report.unknown.clear()
    with pytest.raises(FileNotFoundError):
        for batch in BatchLoader(broken, 3, 1, prefetch=prefetch).epoch(0):
            seen.append(len(batch))
    # All that came before the shard that is missing.
    assert seen == [3] * 4
    assert threads() == set()


def test_waiting_is_counted() -> None:
    loader = BatchLoader(dataset([1] * 50), 5, 1, prefetch=0)
    assert loader.waited == 0
    list(loader.epoch(0))
    first = loader.waited
    assert first > 0
    list(loader.epoch(1))
    assert loader.waited > first


def dataset_of_texts(texts: list[str], n_rows: int = 1000, max_length: int | None = None) -> TokenizedDataset:
    """Two shards of texts; the weight of text i is i."""
    shards = []
    for rows in (range(len(texts) // 2), range(len(texts) // 2, len(texts))):
        encoded = [texts[row].encode() for row in rows]
        offsets = np.cumsum([0, *map(len, encoded)], dtype=np.int64)
        values = np.frombuffer(b"".join(encoded), np.uint8)
        shards.append(Shard(values, offsets, np.zeros(len(rows), np.int32), np.array(rows, np.float32)))
    sizes = np.array([len(shard) for shard in shards], dtype=np.int64)
    report = DatasetReport("", [], [], {}, {}, [], {}, 0, 0)
    return TokenizedDataset(report, None, sizes, np.ones((1, 1), np.float32), Encoding(max_length, n_rows, 1), shards)


@pytest.mark.parametrize("prefetch", [0, 2])
@pytest.mark.parametrize("world_size", [1, 3])
def test_changed_texts(prefetch: int, world_size: int) -> None:
    texts = [f"w{number} w{number + 1} wörter" for number in range(20)]
    data = dataset_of_texts(texts)
    tokenizer = _core.Tokenizer(definition("wörter"))
    seen: list[tuple[str, int, int]] = []

    def change(given: list[str], rows: NDArray[np.int64], epoch: int) -> list[str]:
        assert rows.dtype == np.int64
        seen.extend(zip(given, rows.tolist(), [epoch] * len(given), strict=True))
        # Every third text loses all of its tokens.
        return ["" if row % 3 == 0 else f"w{row} w{epoch}" for row in rows]

    found: dict[int, list[int]] = {}
    for rank in range(world_size):
        loader = BatchLoader(
            data, 6, 1, rank=rank, world_size=world_size, prefetch=prefetch, change=change, tokenizer=tokenizer
        )
        for batch in loader.epoch(4):
            for row, begin, length in zip(texts_of(batch), batch.offsets, batch.lengths, strict=True):
                found[row] = batch.ids[begin : begin + length].tolist()
            assert len(batch.ids) == batch.lengths.sum()
    assert sorted(seen) == sorted((text, row, 4) for row, text in enumerate(texts))
    for row, text in enumerate(texts):
        assert found[row] == tokenizer.encode(text if row % 3 == 0 else f"w{row} w4").tolist()


def test_unchanged_texts_and_limits() -> None:
    tokenizer = _core.Tokenizer(definition())
    texts = ["w1 w2 w40 w3", "w40 w5", "w6"]
    data = dataset_of_texts(texts, n_rows=40, max_length=3)
    (batch,) = BatchLoader(data, 9, 1, tokenizer=tokenizer).epoch(0)
    ids = dict(zip(texts_of(batch), torch.split(batch.ids, batch.lengths.tolist()), strict=True))
    # Truncated first; then the ids without a row are left out, as in detection.
    assert [ids[row].tolist() for row in range(3)] == [[2, 3], [6], [7]]


def test_what_does_not_go_together() -> None:
    tokenizer = _core.Tokenizer(definition())
    with pytest.raises(ValueError, match="expected a data set of texts to change, found one of token ids"):
        BatchLoader(dataset([1]), 1, 0, change=lambda texts, rows, epoch: texts, tokenizer=tokenizer)
    with pytest.raises(ValueError, match="expected a tokenizer"):
        BatchLoader(dataset_of_texts(["w1", "w2"]), 1, 0)
    with pytest.raises(ValueError, match="expected a rank from 0 to 1, found 2"):
        BatchLoader(dataset([1]), 1, 0, rank=2, world_size=2)


def test_to_device() -> None:
    (batch,) = BatchLoader(dataset([1, 2]), 2, 0).epoch(0)
    assert batch.to(torch.device("cpu")) is batch
    moved = batch.to(torch.device("meta"))
    assert {getattr(moved, name).device.type for name in TENSORS} == {"meta"}
    assert [getattr(moved, name).shape for name in TENSORS] == [getattr(batch, name).shape for name in TENSORS]
    assert moved.total == 2


def test_arrays_in_memory() -> None:
    data = dataset([2, 1])
    shard = data.load(0)
    again = TokenizedDataset.from_arrays(shard.values, shard.offsets, shard.labels, shard.weights, data.report)  # type: ignore[arg-type]
    assert (len(again), again.path, again.encoding, again.cleaning_report) == (2, None, None, None)
    assert contents(list(BatchLoader(again, 2, 1).epoch(0))) == contents(list(BatchLoader(data, 2, 1).epoch(0)))


def test_importing_the_data_package_does_not_import_torch() -> None:
    heavy = "{'torch', 'datasets', 'pyarrow'}"
    program = f"import sys, wldetect.data.sources, wldetect.data.dataset; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
