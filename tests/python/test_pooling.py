"""Gather and pooling through Python, against float64 numpy; softmax; which arrays are taken and which refused."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from wldetect._core import fp8_decode, fp8_encode, pool, softmax

DType = Literal["e3m4", "e4m3fn", "float32"]
Pooling = Literal["average", "logsumexp", "max"]
Stored = NDArray[np.uint8] | NDArray[np.float32]
DTYPES: tuple[DType, ...] = ("e3m4", "e4m3fn", "float32")
POOLINGS: tuple[Pooling, ...] = ("average", "logsumexp", "max")

each_dtype = pytest.mark.parametrize("dtype", DTYPES)
each_pooling = pytest.mark.parametrize("pooling", POOLINGS)


def store(values: NDArray[np.float32], dtype: DType) -> Stored:
    return values if dtype == "float32" else fp8_encode(values, dtype)


def reference(
    table: Stored,
    ids: NDArray[np.uint32],
    dtype: DType,
    pooling: Pooling,
    scale: float = 1.0,
    mask: NDArray[np.uint8] | None = None,
) -> NDArray[np.float64] | None:
    """The same in float64."""
    values = table if dtype == "float32" else fp8_decode(table.astype(np.uint8), dtype)
    logits = values.astype(np.float64) * np.float64(np.float32(scale))
    kept = [i for i in ids.tolist() if i < len(logits) and (mask is None or mask[i] == 0)]
    if not kept:
        return None
    rows = logits[kept]
    pooled: NDArray[np.float64]
    if pooling == "average":
        pooled = rows.mean(axis=0)
    elif pooling == "max":
        pooled = rows.max(axis=0)
    else:
        pooled = np.logaddexp.reduce(rows, axis=0)
    return pooled


def assert_close(found: NDArray[np.float32] | None, expected: NDArray[np.float64] | None, largest: float) -> None:
    """1e-5 relative; where logits (at most ``largest``) cancel, what their float64 rounding leaves."""
    if found is None or expected is None:
        assert found is None and expected is None
        return
    assert found.dtype == np.float32 and found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-13 * largest + float(np.finfo(np.float32).tiny))


@st.composite
def cases(draw: st.DrawFn) -> dict[str, Any]:
    """Arguments of ``pool``: a table of any dtype, ids in and past it, a mask or none."""
    rows, columns = draw(st.integers(1, 20)), draw(st.integers(1, 12))
    dtype = draw(st.sampled_from(DTYPES))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    largest = {"e3m4": 15.5, "e4m3fn": 448.0, "float32": 300.0}[dtype]
    values = generator.uniform(-largest, largest, (rows, columns)) * 10 ** generator.uniform(-3, 0, (rows, columns))
    ids = st.lists(st.one_of(st.integers(0, rows + 1), st.sampled_from([rows, 2**31, 2**32 - 1])), max_size=40)
    mask = st.lists(st.sampled_from([0, 0, 0, 1, 255]), min_size=rows, max_size=rows)
    drawn_mask = draw(st.none() | mask)
    return {
        "table": store(values.astype(np.float32), dtype),
        "ids": np.array(draw(ids), dtype=np.uint32),
        "dtype": dtype,
        "pooling": draw(st.sampled_from(POOLINGS)),
        "scale": draw(st.floats(2**-10, 10.0, width=32)),
        "mask": None if drawn_mask is None else np.array(drawn_mask, dtype=np.uint8),
    }


@settings(max_examples=400, deadline=None)
@given(cases())
def test_pooling_agrees_with_float64(case: dict[str, Any]) -> None:
    assert_close(pool(**case), reference(**case), largest=4480.0)


@each_dtype
@each_pooling
def test_a_table_of_the_real_width(dtype: DType, pooling: Pooling) -> None:
    generator = np.random.default_rng(7)
    table = store(generator.normal(0, 4, (3000, 148)).astype(np.float32), dtype)
    for length in (1, 8, 512):
        ids = generator.integers(0, 3000, length, dtype=np.uint32)
        found = pool(table, ids, dtype=dtype, pooling=pooling, scale=0.37)
        assert_close(found, reference(table, ids, dtype, pooling, 0.37), largest=10.0)


@each_dtype
def test_logsumexp_of_large_logits_is_finite(dtype: DType) -> None:
    # 15 x 20 and 300 x 1 are exact in the formats.
    unit, scale = (15.0, 20.0) if dtype == "e3m4" else (288.0, 300 / 288)
    table = store(np.array([[unit, -unit, unit], [unit, -unit, -unit]], dtype=np.float32), dtype)
    ids = np.array([0, 1], dtype=np.uint32)
    found = pool(table, ids, dtype=dtype, pooling="logsumexp", scale=scale)
    assert found is not None
    np.testing.assert_allclose(found, [300 + np.log(2), -300 + np.log(2), 300], rtol=1e-6)
    probabilities = softmax(found)
    assert np.isfinite(probabilities).all()
    np.testing.assert_allclose(probabilities, [2 / 3, 0, 1 / 3], rtol=1e-4, atol=1e-30)


@each_dtype
@each_pooling
def test_nothing_to_pool_is_none(dtype: DType, pooling: Pooling) -> None:
    table = store(np.ones((2, 3), dtype=np.float32), dtype)
    empty = np.array([], dtype=np.uint32)
    outside = np.array([2, 2**32 - 1], dtype=np.uint32)
    both = np.array([0, 1], dtype=np.uint32)
    masked = np.array([1, 255], dtype=np.uint8)
    assert pool(table, empty, dtype=dtype, pooling=pooling) is None
    assert pool(table, outside, dtype=dtype, pooling=pooling) is None
    assert pool(table, both, dtype=dtype, pooling=pooling, mask=masked) is None
    assert pool(table[:0], both, dtype=dtype, pooling=pooling) is None
    assert pool(table, both, dtype=dtype, pooling=pooling, mask=np.zeros(2, dtype=np.uint8)) is not None


@pytest.mark.parametrize("format", ["e3m4", "e4m3fn"])
def test_the_average_of_fp8_rows_does_not_depend_on_their_order(format: Literal["e3m4", "e4m3fn"]) -> None:
    generator = np.random.default_rng(11)
    table = fp8_encode(generator.normal(0, 5, (500, 20)).astype(np.float32), format)
    ids = generator.integers(0, 500, 400, dtype=np.uint32)
    first = pool(table, ids, dtype=format, pooling="average", scale=0.25)
    assert first is not None
    for _ in range(20):
        other = pool(table, generator.permutation(ids), dtype=format, pooling="average", scale=0.25)
        assert other is not None and other.tobytes() == first.tobytes()


@each_dtype
def test_layouts_other_than_c_order_are_refused(dtype: DType) -> None:
    table = store(np.arange(12, dtype=np.float32).reshape(3, 4), dtype)
    ids = np.array([0, 1], dtype=np.uint32)
    message = r"^{}: expected a C-contiguous array, found another layout$"
    fortran = np.empty_like(table, order="F")
    fortran[...] = table
    others: list[Stored] = [fortran, table[:, ::2], table[::2], table.T, table[::-1]]
    for other in others:
        with pytest.raises(TypeError, match=message.format("table")):
            pool(other, ids, dtype=dtype, pooling="max")
    with pytest.raises(TypeError, match=message.format("ids")):
        pool(table, np.zeros(4, dtype=np.uint32)[::2], dtype=dtype, pooling="max")
    with pytest.raises(TypeError, match=message.format("mask")):
        pool(table, ids, dtype=dtype, pooling="max", mask=np.zeros(6, dtype=np.uint8)[::2])


def test_arrays_of_another_type_are_refused() -> None:
    table, ids = np.zeros((3, 4), dtype=np.float32), np.zeros(2, dtype=np.uint32)
    valid: dict[str, Any] = {"table": table, "ids": ids, "dtype": "float32", "pooling": "max"}
    bad: list[tuple[dict[str, Any], str]] = [
        ({"dtype": "e3m4"}, "table: expected a 2-dimensional numpy array of uint8, found 2-dimensional float32"),
        ({"table": table[0]}, "table: expected a 2-dimensional numpy array of float32, found 1-dimensional float32"),
        ({"table": table.tolist()}, "table: expected a 2-dimensional numpy array of float32, found list"),
        (
            {"table": np.zeros(17, dtype=np.uint8)[1:].view(np.float32).reshape(2, 2)},
            "table: expected a 2-dimensional numpy array of float32, found a misaligned one",
        ),
        (
            {"ids": ids.astype(np.int64)},
            "ids: expected a 1-dimensional numpy array of uint32, found 1-dimensional int64",
        ),
        ({"ids": [0, 1]}, "ids: expected a 1-dimensional numpy array of uint32, found list"),
        (
            {"mask": np.zeros(3, dtype=bool)},
            "mask: expected a 1-dimensional numpy array of uint8, found 1-dimensional bool",
        ),
    ]
    for changes, message in bad:
        with pytest.raises(TypeError) as caught:
            pool(**valid | changes)
        assert str(caught.value) == message


def test_values_out_of_their_domain_are_refused() -> None:
    table, ids = np.zeros((3, 4), dtype=np.float32), np.zeros(2, dtype=np.uint32)
    valid: dict[str, Any] = {"table": table, "ids": ids, "dtype": "float32", "pooling": "max"}
    bad: list[tuple[dict[str, Any], str]] = [
        ({"pooling": "mean"}, 'pooling: expected "average", "logsumexp" or "max", found "mean"'),
        ({"dtype": "float64"}, 'table: expected "e3m4", "e4m3fn" or "float32", found "float64"'),
        ({"scale": 0.0}, "table: expected a positive finite scale, found 0"),
        ({"scale": -2.0}, "table: expected a positive finite scale, found -2"),
        ({"scale": float("nan")}, "table: expected a positive finite scale, found NaN"),
        ({"scale": float("inf")}, "table: expected a positive finite scale, found inf"),
        ({"mask": np.zeros(2, dtype=np.uint8)}, "mask: expected one byte for each of 3 rows, found 2"),
    ]
    for changes, message in bad:
        with pytest.raises(ValueError) as caught:
            pool(**valid | changes)
        assert str(caught.value) == message


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(-300, 300, width=32), min_size=1, max_size=200))
def test_softmax_agrees_with_float64(values: list[float]) -> None:
    logits = np.array(values, dtype=np.float32)
    found = softmax(logits)
    shifted = np.exp(logits.astype(np.float64) - float(logits.max()))
    np.testing.assert_allclose(found, shifted / shifted.sum(), rtol=1e-4, atol=1e-37)
    assert found.sum(dtype=np.float64) == pytest.approx(1.0, abs=1e-5)
    np.testing.assert_array_equal(logits, np.array(values, dtype=np.float32))


def test_softmax_at_its_edges() -> None:
    largest = np.finfo(np.float32).max
    assert softmax(np.array([largest, 0, -largest], dtype=np.float32)).tolist() == [1, 0, 0]
    assert softmax(np.array([], dtype=np.float32)).shape == (0,)
    strided = np.array([1, 9, 2, 9], dtype=np.float32)[::2]
    np.testing.assert_array_equal(softmax(strided), softmax(strided.copy()))
    with pytest.raises(TypeError, match=r"^logits: expected a 1-dimensional numpy array of float32, found 1-dimens"):
        softmax(np.zeros(2))  # type: ignore[arg-type]
