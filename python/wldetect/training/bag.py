"""Weighted sums of rows of the frozen embeddings, by the Rust core, as a differentiable function of the weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from wldetect._core import EmbeddingBag

__all__ = ["gather_rows", "weighted_sums"]


def weighted_sums(bag: EmbeddingBag, ids: Tensor, offsets: Tensor, weights: Tensor) -> Tensor:
    """The sum of each text's rows of ``bag``, each times its weight: float32 [B, D], on the CPU.

    The gradient of the weights is taken; the rows are frozen. Both are the same to the bit in every run.

    Args:
        bag: the embeddings [V, D].
        ids: int32 [T]: the tokens of all texts, end to end.
        offsets: int32 [B]: where each text's tokens begin.
        weights: float32 [T].
    """
    sums: Tensor = _WeightedSums.apply(bag, ids, offsets, weights)  # type: ignore[no-untyped-call]
    return sums


def gather_rows(bag: EmbeddingBag, ids: Tensor) -> Tensor:
    """The rows ``ids`` (integers [n], on the CPU) of ``bag`` as they are: float32 [n, D]."""
    ids = ids.to(torch.int32)
    positions = torch.arange(len(ids), dtype=torch.int32)
    return weighted_sums(bag, ids, positions, torch.ones(len(ids)))


class _WeightedSums(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, bag: EmbeddingBag, ids: Tensor, offsets: Tensor, weights: Tensor) -> Tensor:
        ctx.bag = bag
        ctx.save_for_backward(ids, offsets)
        # As many threads as torch takes, so that its own settings count.
        threads = torch.get_num_threads()
        return torch.from_numpy(bag.forward(ids.numpy(), offsets.numpy(), weights.detach().numpy(), threads=threads))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, None, None, Tensor]:
        ids, offsets = ctx.saved_tensors
        threads = torch.get_num_threads()
        dots = ctx.bag.backward(ids.numpy(), offsets.numpy(), gradient.contiguous().numpy(), threads=threads)
        return None, None, None, torch.from_numpy(dots)
