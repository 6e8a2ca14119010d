"""The frozen embeddings as the model reads them: mapped, kept on the device, or gathered batch by batch."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from wldetect._core import EmbeddingBag
from wldetect.embeddings.base import EmbeddingMatrix
from wldetect.training.bag import gather_rows, weighted_sums

__all__ = ["EmbeddingLookup", "GatheredLookup", "MappedLookup", "WholeLookup", "make_lookup"]

# Of a device's free memory, what is left to the batches: activations, gradients, the optimizer.
_BATCH_BYTES = 2 << 30


class EmbeddingLookup(ABC):
    """Rows [V, D] of the frozen embeddings, as float32 whatever they are stored as, on one device."""

    shape: tuple[int, int]

    @abstractmethod
    def rows(self, ids: Tensor) -> Tensor:
        """The rows of ``ids`` (integers [n]), float32 [n, D]."""

    def weighted_sums(self, ids: Tensor, offsets: Tensor, weights: Tensor) -> Tensor:
        """The sum of each text's rows, each times its weight: float32 [B, D], differentiable in the weights.

        Args:
            ids: int32 [T]: the tokens of all texts, end to end.
            offsets: int32 [B]: where each text's tokens begin.
            weights: float32 [T].
        """
        unique, positions = torch.unique(ids, return_inverse=True)
        return _sums(self.rows(unique), positions.to(torch.int32), offsets, weights)


class MappedLookup(EmbeddingLookup):
    """Embeddings on the CPU that the Rust core reads where they lie. Nothing as large as the rows is ever made.

    Args:
        parts: arrays [V, D_i] as `EmbeddingMatrix.parts` gives them.
    """

    def __init__(self, parts: Sequence[NDArray[Any]]) -> None:
        self._bag = EmbeddingBag(parts)
        self.shape = self._bag.shape

    def rows(self, ids: Tensor) -> Tensor:
        return gather_rows(self._bag, ids)

    def weighted_sums(self, ids: Tensor, offsets: Tensor, weights: Tensor) -> Tensor:
        return weighted_sums(self._bag, ids, offsets, weights)


class WholeLookup(EmbeddingLookup):
    """All embeddings on the device as they are stored; those of several models stay several tensors.

    Args:
        parts: float32, float16 or bfloat16 [V, D_i], on one device.
    """

    def __init__(self, *parts: Tensor) -> None:
        self.shape = (parts[0].shape[0], sum(part.shape[1] for part in parts))
        self._parts = parts

    def rows(self, ids: Tensor) -> Tensor:
        return _joined([part.index_select(0, ids).float() for part in self._parts])

    def weighted_sums(self, ids: Tensor, offsets: Tensor, weights: Tensor) -> Tensor:
        sums = []
        for part in self._parts:
            if part.dtype == torch.float32:
                sums.append(_sums(part, ids, offsets, weights))
            else:
                # Rows of the batch alone are widened, one part after another.
                unique, positions = torch.unique(ids, return_inverse=True)
                rows = part.index_select(0, unique).float()
                sums.append(_sums(rows, positions.to(torch.int32), offsets, weights))
        return _joined(sums)


class GatheredLookup(EmbeddingLookup):
    """Embeddings in the host's memory for another device, or stored in a way of their own: a batch's rows are gathered.

    They cross to the device as they are stored, from pinned memory where the device is a GPU.
    """

    def __init__(self, matrix: EmbeddingMatrix, device: torch.device) -> None:
        self.shape = matrix.shape
        self._matrix = matrix
        self._parts = matrix.parts()
        self._device = device

    def rows(self, ids: Tensor) -> Tensor:
        wanted = ids.cpu().numpy()
        if self._parts is None:
            return torch.from_numpy(self._matrix.rows(wanted)).to(self._device)
        return _joined([self._picked(part, wanted).float() for part in self._parts])

    def _picked(self, part: NDArray[Any], ids: NDArray[np.integer[Any]]) -> Tensor:
        shape, pinned = (len(ids), part.shape[1]), self._device.type == "cuda"
        dtype = torch.float32 if part.dtype == np.float32 else torch.int16
        buffer = torch.empty(shape, dtype=dtype, pin_memory=pinned)
        np.take(part, ids, axis=0, out=buffer.numpy().view(part.dtype), mode="clip")
        return _typed(buffer.to(self._device, non_blocking=True), part.dtype)


def make_lookup(matrix: EmbeddingMatrix, device: torch.device, say: Callable[[str], None] = print) -> EmbeddingLookup:
    """The fastest way to read ``matrix`` from ``device``; ``say`` is called with a line where that is a slow one."""
    parts = matrix.parts()
    if parts is None:
        return GatheredLookup(matrix, device)
    if device.type == "cpu":
        return MappedLookup(parts)
    needed = sum(part.nbytes for part in parts) + _BATCH_BYTES
    free = _free_bytes(device)
    if free is not None and free < needed:
        say(
            f"embeddings: {needed / 1e9:.1f} GB needed to keep them on {device}, {free / 1e9:.1f} GB are free: they "
            "stay in the host's memory, and the rows of each batch are copied to the device"
        )
        return GatheredLookup(matrix, device)
    return WholeLookup(*(on_device(part, device) for part in parts))


def on_device(part: NDArray[Any], device: torch.device) -> Tensor:
    """An array of `EmbeddingMatrix.parts` as a tensor of the same precision on ``device``."""
    with warnings.catch_warnings():
        # The array is mapped read-only, which torch cannot express; nothing writes to frozen embeddings.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        # Not every version of torch takes uint16.
        stored = torch.from_numpy(part if part.dtype == np.float32 else part.view(np.int16))
    return _typed(stored.to(device), part.dtype)


def _typed(stored: Tensor, dtype: np.dtype[Any]) -> Tensor:
    """``stored``, whose 16-bit numbers are integers so far, as what the array's ``dtype`` says that they are."""
    match dtype.kind, dtype.itemsize:
        case "f", 2:
            return stored.view(torch.float16)
        case "u", 2:
            return stored.view(torch.bfloat16)
    return stored


def _free_bytes(device: torch.device) -> int | None:
    """What is free on ``device``, or None where nobody says."""
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else None


def _sums(rows: Tensor, positions: Tensor, offsets: Tensor, weights: Tensor) -> Tensor:
    return F.embedding_bag(positions, rows, offsets, mode="sum", per_sample_weights=weights)


def _joined(parts: Sequence[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(list(parts), dim=1)
