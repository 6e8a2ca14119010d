"""Every way to read the embeddings gives the same rows, sums and gradients as the matrix in float32."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from wldetect.embeddings.base import ArrayMatrix, EmbeddingMatrix, RowIds
from wldetect.embeddings.concat import ConcatMatrix
from wldetect.training import lookup as lookup_module
from wldetect.training.lookup import EmbeddingLookup, GatheredLookup, MappedLookup, WholeLookup, make_lookup, on_device

CPU = torch.device("cpu")
ROWS = 30


def array(width: int, dtype: str, seed: int = 0) -> NDArray[Any]:
    values = np.random.default_rng(seed).standard_normal((ROWS, width)).astype(np.float32)
    return (values.view(np.uint32) >> 16).astype(np.uint16) if dtype == "bfloat16" else values.astype(dtype)


class Strange(EmbeddingMatrix):
    """A matrix that is stored in a way of its own."""

    def __init__(self, matrix: EmbeddingMatrix) -> None:
        self._matrix = matrix

    @property
    def shape(self) -> tuple[int, int]:
        return self._matrix.shape

    def rows(self, ids: RowIds) -> NDArray[np.float32]:
        return self._matrix.rows(ids)

    def contiguous(self) -> None:
        return None

    def parts(self) -> None:
        return None


MATRICES: dict[str, EmbeddingMatrix] = {
    "float32": ArrayMatrix(array(6, "float32")),
    "float16": ArrayMatrix(array(6, "float16")),
    "bfloat16": ArrayMatrix(array(6, "bfloat16")),
    "several": ConcatMatrix(
        [
            ArrayMatrix(array(70, "bfloat16", 1)),
            ArrayMatrix(array(3, "float32", 2)),
            ArrayMatrix(array(5, "float16", 3)),
        ]
    ),
}


def lookups(matrix: EmbeddingMatrix) -> dict[str, EmbeddingLookup]:
    parts = matrix.parts()
    assert parts is not None
    return {
        "mapped": MappedLookup(parts),
        "whole": WholeLookup(*(on_device(part, CPU) for part in parts)),
        "gathered": GatheredLookup(matrix, CPU),
        "strange": GatheredLookup(Strange(matrix), CPU),
    }


@pytest.mark.parametrize("name", list(MATRICES))
def test_every_lookup_reads_the_same(name: str) -> None:
    matrix = MATRICES[name]
    rng = np.random.default_rng(5)
    lengths = np.array([3, 0, 40, 1, 0])
    ids = torch.from_numpy(rng.integers(0, ROWS, int(lengths.sum())).astype(np.int32))
    offsets = torch.from_numpy((np.cumsum(lengths) - lengths).astype(np.int32))
    owners = torch.from_numpy(np.repeat(np.arange(len(lengths)), lengths))
    values = rng.standard_normal(len(ids)).astype(np.float32)
    gradient = torch.from_numpy(rng.standard_normal((len(lengths), matrix.shape[1])).astype(np.float32))
    expected_rows = torch.from_numpy(matrix.rows(ids.numpy()))
    for kind, lookup in lookups(matrix).items():
        assert lookup.shape == matrix.shape, kind
        assert torch.equal(lookup.rows(ids), expected_rows), kind
        assert torch.equal(lookup.rows(ids.long()), expected_rows), kind
        weights = torch.from_numpy(values).requires_grad_()
        sums = lookup.weighted_sums(ids, offsets, weights)
        expected = torch.zeros(len(lengths), matrix.shape[1])
        expected.index_add_(0, owners, expected_rows * weights.detach().unsqueeze(1))
        torch.testing.assert_close(sums, expected, rtol=1e-5, atol=1e-5, msg=kind)
        sums.backward(gradient)  # type: ignore[no-untyped-call]
        torch.testing.assert_close(
            weights.grad, (expected_rows * gradient[owners]).sum(1), rtol=1e-5, atol=1e-4, msg=kind
        )


def test_a_gradient_of_any_layout_is_taken() -> None:
    lookup = MappedLookup([ArrayMatrix(array(6, "float32")).parts()[0]])  # type: ignore[index]
    ids, offsets = torch.tensor([1, 2, 3], dtype=torch.int32), torch.tensor([0, 2], dtype=torch.int32)
    gradients: list[Tensor] = []
    for shape in ((2, 6), (6, 2)):
        weights = torch.ones(3, requires_grad=True)
        factor = torch.arange(12.0).reshape(2, 6)
        sums = lookup.weighted_sums(ids, offsets, weights)
        (sums * factor if shape == (2, 6) else (sums.T * factor.T.contiguous()).T).sum().backward()
        assert weights.grad is not None
        gradients.append(weights.grad)
    assert torch.equal(gradients[0], gradients[1])


def test_the_lookup_of_each_matrix_and_device(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = MATRICES["several"]
    said: list[str] = []
    assert isinstance(make_lookup(matrix, CPU, said.append), MappedLookup)
    assert isinstance(make_lookup(Strange(matrix), CPU, said.append), GatheredLookup)
    # A device that torch has everywhere, in place of a GPU: nothing is computed on it.
    meta = torch.device("meta")
    assert isinstance(make_lookup(matrix, meta, said.append), WholeLookup)
    assert isinstance(make_lookup(Strange(matrix), meta, said.append), GatheredLookup)
    monkeypatch.setattr(lookup_module, "_free_bytes", lambda _: 3 << 30)
    assert isinstance(make_lookup(matrix, meta, said.append), WholeLookup)
    assert said == []
    monkeypatch.setattr(lookup_module, "_free_bytes", lambda _: 1 << 30)
    assert isinstance(make_lookup(matrix, meta, said.append), GatheredLookup)
    expected = "embeddings: 2.1 GB needed to keep them on meta, 1.1 GB are free: they stay in the host's memory"
    assert len(said) == 1
    assert said[0].startswith(expected)


def test_embeddings_stay_as_they_are_stored() -> None:
    for name, dtype in (("float32", torch.float32), ("float16", torch.float16), ("bfloat16", torch.bfloat16)):
        (part,) = MATRICES[name].parts() or ()
        tensor = on_device(part, CPU)
        assert tensor.dtype == dtype
        assert tensor.data_ptr() == part.ctypes.data
        assert np.array_equal(tensor.float().numpy(), MATRICES[name].rows(slice(None)))
