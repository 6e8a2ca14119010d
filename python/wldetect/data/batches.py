"""Batches of tokenized texts in a seeded random order that any epoch and step can be reached in directly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from wldetect.data.dataset import TokenizedDataset

__all__ = ["Batch", "BatchLoader"]


@dataclass(frozen=True)
class Batch:
    """B texts with T tokens in all.

    Attributes:
        ids: int32 [T]: the tokens of all texts end to end, without padding.
        offsets: int32 [B]: where each text's tokens begin.
        lengths: int32 [B]: how many each text has, at least one.
        labels: int64 [B].
        weights: float32 [B]: loss weights.
        total: texts of the whole batch, of which another process may have some.
    """

    ids: Tensor
    offsets: Tensor
    lengths: Tensor
    labels: Tensor
    weights: Tensor
    total: int

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device) -> Batch:
        """The same batch on ``device``."""
        if device.type == "cpu":
            return self
        tensors = (self.ids, self.offsets, self.lengths, self.labels, self.weights)
        ids, offsets, lengths, labels, weights = (tensor.to(device, non_blocking=True) for tensor in tensors)
        return Batch(ids, offsets, lengths, labels, weights, self.total)


class BatchLoader:
    """Shuffled batches of a data set. The order depends on the seed and the epoch alone."""

    def __init__(
        self, dataset: TokenizedDataset, batch_size: int, seed: int, *, rank: int = 0, world_size: int = 1
    ) -> None:
        self._dataset = dataset
        self._batch_size = batch_size
        self._seed = seed
        self._rank = rank
        self._world_size = world_size
        self.waited = 0.0

    def __len__(self) -> int:
        """Batches in one epoch; the last one may be smaller."""
        return -(-len(self._dataset) // self._batch_size)

    def epoch(self, number: int, first: int = 0) -> Iterator[Batch]:
        """The batches of epoch ``number`` from the one with index ``first`` on."""
        order = np.random.default_rng([self._seed, number]).permutation(len(self._dataset))
        for index in range(first, len(self)):
            rows = order[index * self._batch_size : (index + 1) * self._batch_size]
            yield self._batch(np.array_split(rows, self._world_size)[self._rank], len(rows))

    def _batch(self, rows: np.ndarray, total: int) -> Batch:
        data = self._dataset
        begins = data.offsets[rows]
        lengths = data.offsets[rows + 1] - begins
        offsets = np.cumsum(lengths) - lengths
        positions = np.repeat(begins - offsets, lengths) + np.arange(int(lengths.sum()))
        return Batch(
            ids=torch.from_numpy(np.asarray(data.ids[positions])),
            offsets=torch.from_numpy(offsets.astype(np.int32)),
            lengths=torch.from_numpy(lengths.astype(np.int32)),
            labels=torch.from_numpy(data.labels[rows].astype(np.int64)),
            weights=torch.from_numpy(data.weights[rows]),
            total=total,
        )
