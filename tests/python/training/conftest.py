"""Small embeddings and data sets for the trainer's tests."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Generator

import numpy as np
import pytest

from wldetect.data.batches import Batch, BatchLoader
from wldetect.data.dataset import DatasetReport, TokenizedDataset

MakeDataset = Callable[..., TokenizedDataset]


class StoppingLoader(BatchLoader):
    """Presses Ctrl-C while the batch with a given number is being made."""

    def __init__(self, dataset: TokenizedDataset, at: int, *, seed: int) -> None:
        super().__init__(dataset, 16, seed)
        self._left = at

    def epoch(self, number: int, first: int = 0) -> Generator[Batch, None, None]:
        for batch in super().epoch(number, first):
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGINT)
            yield batch


@pytest.fixture
def make_dataset() -> MakeDataset:
    """A factory of random data sets in which each label prefers tokens of its own."""

    def make(n_texts: int = 200, n_tokens: int = 50, n_labels: int = 4, longest: int = 9) -> TokenizedDataset:
        rng = np.random.default_rng(7)
        labels = rng.integers(0, n_labels, n_texts).astype(np.int32)
        lengths = rng.integers(1, longest + 1, n_texts)
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        owners = np.repeat(labels, lengths)
        own = owners + n_labels * rng.integers(0, n_tokens // n_labels, len(owners))
        ids = np.where(rng.random(len(owners)) < 0.7, own, rng.integers(0, n_tokens, len(owners))).astype(np.int32)
        names = [f"l{index}" for index in range(n_labels)]
        counts = dict(zip(names, np.bincount(labels, minlength=n_labels).tolist(), strict=True))
        report = DatasetReport("0" * 64, [("random", n_texts)], names, counts, counts, [], {}, 0, len(ids))
        weights = rng.uniform(0.5, 1.5, n_texts).astype(np.float32)
        return TokenizedDataset.from_arrays(ids, offsets, labels, weights / weights.mean(), report)

    return make
