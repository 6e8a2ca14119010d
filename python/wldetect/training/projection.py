"""Projections of single tokens, for the poolings that need every token's logits, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from wldetect.config import Precision
from wldetect.training.lookup import EmbeddingLookup

__all__ = ["project_tokens"]

# Float32 embeddings that are held at a time.
_CHUNK_BYTES = 64 << 20


def project_tokens(
    lookup: EmbeddingLookup,
    ids: Tensor,
    weight: Tensor,
    dropout: float = 0.0,
    precision: Precision = Precision.float32,
    chunk_bytes: int = _CHUNK_BYTES,
) -> Tensor:
    """Embeddings times a projection: float32 [n, L], differentiable in the projection.

    Rows are gathered some at a time, and again for the gradient, so that there are never ``n`` of them.

    Args:
        lookup: the frozen embeddings [V, D].
        ids: integers [n].
        weight: the projection, float32 [L, D].
        dropout: share of the embeddings' numbers that are zeroed; the others are scaled up.
        precision: of the factors and of each chunk's product; sums over chunks are float32.
        chunk_bytes: about how much memory the rows of a chunk take.
    """
    chunk = max(chunk_bytes // (4 * weight.shape[1]), 1)
    # One number of the generator, which is seeded anew for each step, decides all zeros, the second time too.
    seed = int(torch.randint(2**62, ())) if dropout else 0
    source = _Source(lookup, ids, dropout, seed, chunk, precision)
    projected: Tensor = _ProjectTokens.apply(source, weight)  # type: ignore[no-untyped-call]
    return projected


@dataclass(frozen=True)
class _Source:
    """The rows of ``ids``, ``chunk`` at a time, the same whenever they are asked for."""

    lookup: EmbeddingLookup
    ids: Tensor
    dropout: float
    seed: int
    chunk: int
    precision: Precision

    def chunks(self) -> Iterator[tuple[slice, Tensor]]:
        generator = torch.Generator(self.ids.device).manual_seed(self.seed)
        for first in range(0, len(self.ids), self.chunk):
            part = slice(first, first + self.chunk)
            rows = self.lookup.rows(self.ids[part])
            if self.dropout:
                kept = torch.empty_like(rows).bernoulli_(1 - self.dropout, generator=generator)
                rows = rows * kept.div_(1 - self.dropout)
            yield part, self.rounded(rows)

    def rounded(self, factor: Tensor) -> Tensor:
        return factor.bfloat16() if self.precision is Precision.bfloat16 else factor


class _ProjectTokens(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, source: _Source, weight: Tensor) -> Tensor:
        ctx.source, ctx.shape = source, weight.shape
        factor = source.rounded(weight).T
        projected = weight.new_empty(len(source.ids), len(weight))
        for part, rows in source.chunks():
            projected[part] = rows @ factor
        return projected

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor]:
        total = gradient.new_zeros(ctx.shape)
        factor = ctx.source.rounded(gradient)
        for part, rows in ctx.source.chunks():
            total += factor[part].T @ rows
        return None, total
