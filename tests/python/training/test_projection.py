"""Projections of tokens in chunks: the same numbers, gradients and zeros as all at once."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from wldetect.config import Precision
from wldetect.training.lookup import EmbeddingLookup, WholeLookup
from wldetect.training.projection import project_tokens

ROWS, HIDDEN, LANGUAGES = 30, 16, 5


class Counting(EmbeddingLookup):
    """Remembers how many rows were asked for at a time."""

    def __init__(self, embeddings: Tensor) -> None:
        self._lookup = WholeLookup(embeddings)
        self.shape = self._lookup.shape
        self.asked: list[int] = []

    def rows(self, ids: Tensor) -> Tensor:
        self.asked.append(len(ids))
        return self._lookup.rows(ids)


def tensors(seed: int = 0) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    rng = np.random.default_rng(seed)
    embeddings = torch.from_numpy(rng.standard_normal((ROWS, HIDDEN)).astype(np.float32))
    weight = torch.from_numpy(rng.standard_normal((LANGUAGES, HIDDEN)).astype(np.float32)).requires_grad_()
    ids = torch.from_numpy(rng.permutation(ROWS)[:23])
    gradient = torch.from_numpy(rng.standard_normal((23, LANGUAGES)).astype(np.float32))
    return embeddings, weight, ids, gradient


@pytest.mark.parametrize("rows", [1, 7, 23, 100])
def test_chunks_equal_the_whole(rows: int) -> None:
    embeddings, weight, ids, gradient = tensors()
    lookup = Counting(embeddings)
    projected = project_tokens(lookup, ids, weight, chunk_bytes=rows * HIDDEN * 4)
    torch.testing.assert_close(projected, embeddings[ids] @ weight.detach().T)
    projected.backward(gradient)  # type: ignore[no-untyped-call]
    torch.testing.assert_close(weight.grad, gradient.T @ embeddings[ids])
    assert max(lookup.asked) == min(rows, 23)
    # Once for the values and once for the gradient.
    assert sum(lookup.asked) == 2 * 23


def test_even_a_row_that_is_too_large_is_projected() -> None:
    embeddings, weight, ids, _ = tensors()
    lookup = Counting(embeddings)
    projected = project_tokens(lookup, ids, weight, chunk_bytes=1)
    torch.testing.assert_close(projected, embeddings[ids] @ weight.detach().T)


@pytest.mark.parametrize("rows", [5, 100])
def test_dropout_zeroes_the_same_numbers_for_the_gradient(rows: int) -> None:
    """With languages as many as dimensions and the identity as projection, what is projected is what was left."""
    embeddings, _, ids, _ = tensors()
    weight = torch.eye(HIDDEN, requires_grad=True)
    torch.manual_seed(3)
    left = project_tokens(WholeLookup(embeddings), ids, weight, dropout=0.25, chunk_bytes=rows * HIDDEN * 4)
    kept = left != 0
    assert 0.6 < kept.float().mean() < 0.9
    torch.testing.assert_close(left[kept], embeddings[ids][kept] / 0.75)
    left.sum().backward()  # type: ignore[no-untyped-call]
    # The gradient of a sum over languages: what was left, summed over the tokens.
    assert weight.grad is not None
    torch.testing.assert_close(weight.grad, left.detach().sum(0).expand(HIDDEN, HIDDEN))
    torch.manual_seed(3)
    again = project_tokens(WholeLookup(embeddings), ids, weight, dropout=0.25, chunk_bytes=rows * HIDDEN * 4)
    assert torch.equal(left, again)
    other = project_tokens(WholeLookup(embeddings), ids, weight, dropout=0.25, chunk_bytes=rows * HIDDEN * 4)
    assert not torch.equal(left, other)


def test_half_the_precision_is_near() -> None:
    embeddings, weight, ids, gradient = tensors()
    projected = project_tokens(WholeLookup(embeddings), ids, weight, precision=Precision.bfloat16)
    expected = embeddings[ids] @ weight.detach().T
    assert projected.dtype == torch.float32
    torch.testing.assert_close(projected, expected, rtol=0.02, atol=0.1)
    assert not torch.equal(projected, expected)
    projected.backward(gradient)  # type: ignore[no-untyped-call]
    assert weight.grad is not None
    assert weight.grad.dtype == torch.float32
    torch.testing.assert_close(weight.grad, gradient.T @ embeddings[ids], rtol=0.02, atol=0.2)
