"""`EmbeddingBag` from Python: what it borrows, what it computes, what it refuses. The loops are tested in Rust."""

from __future__ import annotations

import gc
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from wldetect._core import EmbeddingBag

ROWS = 20


def frozen(array: NDArray[Any]) -> NDArray[Any]:
    array.flags.writeable = False
    return array


def stored(values: NDArray[np.float32], dtype: str) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """``values`` as stored, and what they are then."""
    if dtype == "bfloat16":
        bits = (values.view(np.uint32) >> 16).astype(np.uint16)
        return frozen(bits), (bits.astype(np.uint32) << 16).view(np.float32)
    cast = values.astype(dtype)
    return frozen(cast), cast.astype(np.float32)


def part(rng: np.random.Generator, width: int, dtype: str) -> tuple[NDArray[Any], NDArray[np.float32]]:
    return stored(rng.standard_normal((ROWS, width)).astype(np.float32), dtype)


DTYPES = st.sampled_from(["float32", "float16", "bfloat16"])


@settings(max_examples=60, deadline=None)
@given(
    shapes=st.lists(st.tuples(DTYPES, st.integers(1, 70)), min_size=1, max_size=3),
    lengths=st.lists(st.integers(0, 40), max_size=8),
    threads=st.sampled_from([None, 1, 3]),
    seed=st.integers(0, 999),
)
def test_sums_and_gradients_are_those_of_one_wide_matrix(
    shapes: list[tuple[str, int]], lengths: list[int], threads: int | None, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    parts, values = zip(*(part(rng, width, dtype) for dtype, width in shapes), strict=True)
    matrix = np.concatenate(values, axis=1, dtype=np.float64)
    bag = EmbeddingBag(parts)
    assert bag.shape == matrix.shape
    total = sum(lengths)
    ids = rng.integers(0, ROWS, total).astype(np.int32)
    offsets = (np.cumsum(lengths) - lengths).astype(np.int32)
    weights = rng.standard_normal(total).astype(np.float32)
    gradient = rng.standard_normal((len(lengths), matrix.shape[1])).astype(np.float32)
    owners = np.repeat(np.arange(len(lengths)), lengths)

    sums = bag.forward(ids, offsets, weights, threads=threads)
    expected = np.zeros((len(lengths), matrix.shape[1]))
    np.add.at(expected, owners, matrix[ids] * weights[:, None])
    assert (sums.dtype, sums.flags.c_contiguous) == (np.float32, True)
    np.testing.assert_allclose(sums, expected, rtol=1e-4, atol=1e-4)
    dots = bag.backward(ids, offsets, gradient, threads=threads)
    assert dots.dtype == np.float32
    np.testing.assert_allclose(dots, (matrix[ids] * gradient[owners]).sum(axis=1), rtol=1e-4, atol=1e-4)


def test_rows_are_read_from_a_mapped_file_at_any_alignment(tmp_path: Path) -> None:
    values = np.arange(12, dtype=np.float32).reshape(4, 3)
    path = tmp_path / "rows"
    path.write_bytes(b"\0" + values.tobytes())
    mapped = np.memmap(path, dtype=np.float32, mode="r", offset=1, shape=(4, 3))
    bag = EmbeddingBag([mapped])
    one = np.ones(1, np.float32)
    zero = np.zeros(1, np.int32)
    del mapped
    gc.collect()
    np.testing.assert_array_equal(bag.forward(np.array([2], np.int32), zero, one)[0], values[2])


def test_many_threads_may_use_one_bag() -> None:
    rng = np.random.default_rng(0)
    array, _ = part(rng, 3000, "bfloat16")
    bag = EmbeddingBag([array])
    ids = rng.integers(0, ROWS, 2000).astype(np.int32)
    offsets = np.arange(0, 2000, 20, dtype=np.int32)
    weights = rng.standard_normal(2000).astype(np.float32)
    expected = bag.forward(ids, offsets, weights, threads=1)
    found: list[NDArray[np.float32]] = []
    workers = [threading.Thread(target=lambda: found.append(bag.forward(ids, offsets, weights))) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(found) == 4
    for sums in found:
        assert np.array_equal(sums, expected)


GOOD = "a read-only, C-contiguous 2-dimensional numpy array of float32, float16 or uint16"


@pytest.mark.parametrize(
    ("array", "found"),
    [
        (np.zeros((3, 4), np.float32), "a writable one"),
        (frozen(np.zeros((3, 4), np.float64)), "2-dimensional float64"),
        (frozen(np.zeros((3, 4), np.int16)), "2-dimensional int16"),
        (frozen(np.zeros((3, 4), ">f4")), "2-dimensional >f4"),
        (frozen(np.zeros(12, np.float32)), "1-dimensional float32"),
        (frozen(np.zeros((3, 4), np.float32).T), "another layout"),
        (frozen(np.zeros((3, 4), np.float32)[:, :2]), "another layout"),
        ([[1.0]], "list"),
        (None, "NoneType"),
    ],
)
def test_other_arrays_are_refused(array: Any, found: str) -> None:
    good = frozen(np.zeros((3, 4), np.float32))
    with pytest.raises(TypeError) as caught:
        EmbeddingBag([good, array])
    assert str(caught.value) == f"parts[1]: expected {GOOD}, found {found}"


def test_parts_that_do_not_fit_are_refused() -> None:
    parts = [frozen(np.zeros((rows, 2), np.float32)) for rows in (3, 4)]
    with pytest.raises(ValueError, match=r"^parts\[1\]: expected 3 rows, found 4$"):
        EmbeddingBag(parts)
    with pytest.raises(ValueError, match=r"^parts: expected at least one, found none$"):
        EmbeddingBag([])
    with pytest.raises(ValueError, match=r"found 0 columns"):
        EmbeddingBag([frozen(np.zeros((3, 0), np.float32))])


def test_other_arguments_are_refused() -> None:
    bag = EmbeddingBag([frozen(np.zeros((3, 2), np.float32))])
    ids, offsets = np.array([0, 2], np.int32), np.array([0, 1], np.int32)
    weights, gradient = np.ones(2, np.float32), np.ones((2, 2), np.float32)
    for method, last in ((bag.forward, weights), (bag.backward, gradient)):
        call: Any = method
        assert call(ids, offsets, last).size in (2, 4)
        with pytest.raises(ValueError, match=r"^ids\[1\]: expected a row below 3, found 3$"):
            call(np.array([0, 3], np.int32), offsets, last)
        with pytest.raises(ValueError, match=r"^ids\[0\]: expected a row below 3, found -1$"):
            call(np.array([-1, 0], np.int32), offsets, last)
        with pytest.raises(ValueError, match=r"^offsets\[0\]: expected 0 to 0, found 1$"):
            call(ids, np.array([1, 1], np.int32), last)
        with pytest.raises(ValueError, match=r": expected \d values, found \d$"):
            call(ids, offsets, last[:1])
        with pytest.raises(ValueError, match=r"^threads: expected at least 1, found 0$"):
            call(ids, offsets, last, threads=0)
        with pytest.raises(
            TypeError, match=r"^ids: expected a 1-dimensional numpy array of int32, found 1-dim.* int64$"
        ):
            call(ids.astype(np.int64), offsets, last)
        with pytest.raises(TypeError, match=r"-dimensional numpy array of float32, found .*float64$"):
            call(ids, offsets, last.astype(np.float64))
        with pytest.raises(TypeError, match=r"^ids: expected a C-contiguous array"):
            call(np.zeros(4, np.int32)[::2], offsets, last)
