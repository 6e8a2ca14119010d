"""Batches: every text once an epoch, in an order that can be reached in the middle, with the right tokens."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from wldetect.data.batches import Batch, BatchLoader
from wldetect.data.dataset import DatasetReport, TokenizedDataset


def dataset(lengths: list[int]) -> TokenizedDataset:
    """Texts of the given lengths; the weight of text i is i, so that batches can be mapped back."""
    rng = np.random.default_rng(7)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    ids = rng.integers(0, 2**31 - 1, int(offsets[-1])).astype(np.int32)
    labels = rng.integers(0, 9, len(lengths)).astype(np.int32)
    weights = np.arange(len(lengths), dtype=np.float32)
    report = DatasetReport("", [], [], {}, {}, [], {}, 0, int(offsets[-1]))
    return TokenizedDataset(ids, offsets, labels, weights, report, Path())


def texts_of(batch: Batch) -> list[int]:
    return [int(weight) for weight in batch.weights]


def contents(batches: list[Batch]) -> list[list[Any]]:
    return [[torch.as_tensor(value).tolist() for value in vars(batch).values()] for batch in batches]


lengths_of_texts = st.lists(st.integers(1, 9), min_size=1, max_size=40)


@given(lengths=lengths_of_texts, size=st.integers(1, 50), seed=st.integers(0, 2**40), epoch=st.integers(0, 100))
def test_epoch_equals_a_naive_loop(lengths: list[int], size: int, seed: int, epoch: int) -> None:
    data = dataset(lengths)
    loader = BatchLoader(data, size, seed)
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
            ids += data.ids[data.offsets[text] : data.offsets[text + 1]].tolist()
        assert batch.ids.tolist() == ids
        assert batch.offsets.tolist() == offsets
        assert batch.lengths.tolist() == [lengths[text] for text in texts_of(batch)]
        assert batch.labels.tolist() == [int(data.labels[text]) for text in texts_of(batch)]
        types = [batch.ids.dtype, batch.offsets.dtype, batch.lengths.dtype, batch.labels.dtype, batch.weights.dtype]
        assert types == [torch.int32, torch.int32, torch.int32, torch.int64, torch.float32]


@given(lengths=lengths_of_texts, size=st.integers(1, 9), first=st.integers(0, 45))
def test_first_goes_on_exactly(lengths: list[int], size: int, first: int) -> None:
    data = dataset(lengths)
    whole = contents(list(BatchLoader(data, size, 3).epoch(5)))
    assert contents(list(BatchLoader(data, size, 3).epoch(5, first))) == whole[first:]


def test_order_depends_on_seed_and_epoch_alone() -> None:
    data = dataset([1] * 100)

    def order(seed: int, epoch: int, size: int = 7) -> list[int]:
        return [text for batch in BatchLoader(data, size, seed).epoch(epoch) for text in texts_of(batch)]

    known = order(1, 0)
    assert known == order(1, 0) == order(1, 0, size=64)
    orders = [order(seed, epoch) for seed in (0, 1, 2) for epoch in (0, 1, 2)]
    assert len({tuple(one) for one in orders}) == 9
    # Neither the order of the rows, nor one that an epoch merely shifts.
    assert known != sorted(known)
    loader = BatchLoader(data, 7, 1)
    skipped = [text for batch in loader.epoch(1) for text in texts_of(batch)]
    assert skipped == order(1, 1)


@pytest.mark.parametrize(("texts", "size", "batches"), [(0, 4, 0), (1, 4, 1), (4, 4, 1), (5, 4, 2), (8, 1, 8)])
def test_number_of_batches(texts: int, size: int, batches: int) -> None:
    loader = BatchLoader(dataset([2] * texts), size, 0)
    assert len(loader) == batches == len(list(loader.epoch(0)))


def test_to_device() -> None:
    (batch,) = BatchLoader(dataset([1, 2]), 2, 0).epoch(0)
    assert batch.to(torch.device("cpu")) is batch
    moved = batch.to(torch.device("meta"))
    tensors = [name for name, value in vars(batch).items() if isinstance(value, torch.Tensor)]
    assert len(tensors) == 5
    assert {getattr(moved, name).device.type for name in tensors} == {"meta"}
    assert [getattr(moved, name).shape for name in tensors] == [getattr(batch, name).shape for name in tensors]
    assert moved.total == batch.total == 2


def test_importing_the_data_package_does_not_import_torch() -> None:
    heavy = "{'torch', 'datasets', 'pyarrow'}"
    program = f"import sys, wldetect.data.sources, wldetect.data.dataset; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
