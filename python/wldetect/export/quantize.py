"""One scale a table, and its values in 8-bit floats."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from wldetect import _core

__all__ = ["E3M4_STEP", "TableDType", "choose_scale", "quantize"]

E3M4_STEP = 2.0**-6
"""The smallest value of E3M4; all others are multiples of it."""


class TableDType(Enum):
    """How a table's values are stored; the value is the name the Rust core knows it by."""

    E3M4 = "e3m4"
    E4M3FN = "e4m3fn"
    FLOAT32 = "float32"

    @property
    def file_id(self) -> int:
        """What stands for it in the tensor ``dtype`` of a table file."""
        return {TableDType.E3M4: 26, TableDType.E4M3FN: 0, TableDType.FLOAT32: 1}[self]

    @property
    def max_finite(self) -> float:
        """The largest value that can be stored."""
        return {TableDType.E3M4: 15.5, TableDType.E4M3FN: 448.0, TableDType.FLOAT32: float(np.finfo("f4").max)}[self]

    @property
    def file_name(self) -> str:
        """Name of the table file in a model directory."""
        stem = "lookup_table_float32" if self is TableDType.FLOAT32 else f"lookup_table_fp8_{self.value}"
        return f"{stem}.safetensors"


# Leaves room for rounding up, and for nothing else: the format is used to the full.
_USED_RANGE = 0.9


def choose_scale(largest: float, dtype: TableDType) -> float:
    """What stored values are multiplied by to give logits: the largest magnitude lands at 90 % of the range.

    Args:
        largest: the largest magnitude in the table, finite.
        dtype: what the table is stored as; float32 needs no scale.
    """
    if dtype is TableDType.FLOAT32 or largest == 0.0:
        return 1.0
    # As float32, because that is how the file keeps it.
    return float(np.float32(largest / (_USED_RANGE * dtype.max_finite)))


def quantize(
    chunks: Iterable[NDArray[np.float32]], scale: float, dtype: TableDType, step: float = E3M4_STEP
) -> NDArray[np.generic]:
    """The whole table as stored: uint8 codes, or float32, [rows, L].

    Args:
        chunks: rows of the table in order, float32 [n, L].
        scale: from `choose_scale`.
        dtype: what to store.
        step: a power of two from `E3M4_STEP` to 1/2. Values stored as E3M4 are the nearest that are multiples of it:
            the larger, the fewer codes occur, and the smaller the file becomes when it is compressed. The other dtypes
            do not mind it.

    Raises:
        ValueError: a value is NaN.
    """
    match dtype:
        case TableDType.FLOAT32:
            return np.concatenate(list(chunks))
        case TableDType.E3M4:
            return np.concatenate(
                [_core.fp8_encode(_coarse(chunk / np.float32(scale), step), "e3m4") for chunk in chunks]
            )
        case TableDType.E4M3FN:
            return np.concatenate([_core.fp8_encode(chunk / np.float32(scale), "e4m3fn") for chunk in chunks])


def _coarse(values: NDArray[np.float32], step: float) -> NDArray[np.float32]:
    """The multiples of ``step`` that are nearest, where E3M4 has all of them; elsewhere it has no others."""
    if step == E3M4_STEP:
        return values
    # Four bits of mantissa: sixteen steps of that size below the next power of two.
    return np.where(np.abs(values) < 16 * step, np.rint(values / np.float32(step)) * np.float32(step), values)
