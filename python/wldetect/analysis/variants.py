"""Ways to store a table in 8-bit floats: what is scaled to where, the errors that leaves, the codes that it uses."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from wldetect import _core
from wldetect.export.quantize import TableDType

__all__ = [
    "DEFAULT_VARIANT",
    "SMALLEST_NORMAL",
    "CodeUse",
    "Errors",
    "Fp8Name",
    "Granularity",
    "Variant",
    "all_variants",
    "choose_scales",
    "code_use",
    "encoded_chunks",
    "table_errors",
]

Fp8Name = Literal["e3m4", "e4m3fn"]
_CHUNK_ROWS = 8192


class Granularity(Enum):
    """How many scales a table has."""

    TENSOR = "per tensor"
    LANGUAGE = "per language"


@dataclass(frozen=True)
class Variant:
    """One way to store a table.

    Attributes:
        format: ``e3m4`` or ``e4m3fn``.
        granularity: one scale, or one a language (column).
        used_range: where ``quantile`` of the magnitudes lands, as a share of the format's largest finite value.
        quantile: 1 for the largest magnitude; less lets the rest of the values saturate.
    """

    format: Fp8Name
    granularity: Granularity
    used_range: float
    quantile: float = 1.0

    @property
    def dtype(self) -> TableDType:
        """The format as the dtype of a table."""
        return TableDType(self.format)

    @property
    def range_name(self) -> str:
        """Such as ``90 %`` of the range, or ``99.9 % clip`` where the values over that quantile saturate."""
        return f"{100 * self.used_range:g} %" if self.quantile == 1.0 else f"clip at {100 * self.quantile:g} %"


DEFAULT_VARIANT = Variant("e3m4", Granularity.TENSOR, 0.9)
"""What `wldetect train` writes."""

_USED_RANGES = (0.125, 0.25, 0.5, 0.75, 0.9, 1.0)
_QUANTILES = (0.9999, 0.999, 0.99)


def all_variants() -> list[Variant]:
    """Both formats, one scale or one a language, parts of the range up to all of it, and clipping at quantiles."""
    formats: tuple[Fp8Name, ...] = ("e3m4", "e4m3fn")
    return [
        variant
        for name in formats
        for granularity in Granularity
        for variant in (
            *(Variant(name, granularity, used) for used in _USED_RANGES),
            *(Variant(name, granularity, 1.0, quantile) for quantile in _QUANTILES),
        )
    ]


def choose_scales(logits: NDArray[np.float32], variant: Variant) -> NDArray[np.float32]:
    """What stored values are multiplied by to give ``logits`` [V, L]: float32 [1], or [L] for one scale a language.

    A column of zeros, or a table of zeros, has the scale 1.
    """
    axis = None if variant.granularity is Granularity.TENSOR else 0
    magnitudes = np.abs(logits)
    if variant.quantile == 1.0:
        landing = magnitudes.max(axis=axis, initial=0.0)
    else:
        landing = np.quantile(magnitudes, variant.quantile, axis=axis, overwrite_input=True)
    landing = np.atleast_1d(landing).astype(np.float64)
    scales = (landing / (variant.used_range * variant.dtype.max_finite)).astype(np.float32)
    # A quantile may be zero where the largest value is not: with any scale, what is larger then saturates.
    return np.where(scales > 0, scales, np.float32(1.0))


def encoded_chunks(
    logits: NDArray[np.float32], scales: NDArray[np.float32], name: Fp8Name
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.uint8]]]:
    """Chunks of rows of ``logits`` and their codes."""
    for first in range(0, len(logits), _CHUNK_ROWS):
        rows = logits[first : first + _CHUNK_ROWS]
        yield rows, _core.fp8_encode(rows / scales, name)


@dataclass(frozen=True)
class Errors:
    """Errors of a stored table against the float32 table, over all its values.

    Attributes:
        mean_absolute: mean of |stored - exact|, in logits.
        maximum: the largest, in logits.
        relative: mean of |stored - exact| / |exact| over the values that are not 0.
        rms: root of the mean square, in logits.
    """

    mean_absolute: float
    maximum: float
    relative: float
    rms: float


@dataclass(frozen=True)
class CodeUse:
    """How the codes of a format are used, in shares of 0..1.

    Attributes:
        codes: of the format's finite codes, those that occur.
        saturated: of the values, those at the largest finite magnitude.
        subnormal: of the values, those in the subnormal range, zero left out.
        zero: of the values, those stored as zero.
    """

    codes: float
    saturated: float
    subnormal: float
    zero: float


SMALLEST_NORMAL: dict[Fp8Name, float] = {"e3m4": 2.0**-2, "e4m3fn": 2.0**-6}
"""Smallest normal magnitude of each format: 2 ** (1 - bias)."""


def table_errors(
    logits: NDArray[np.float32], scales: NDArray[np.float32], name: Fp8Name
) -> tuple[Errors, NDArray[np.int64]]:
    """Errors of storing ``logits`` [V, L], and how often each of the 256 codes occurs, int64 [256].

    Sums run in float64.
    """
    absolute, squared, relative, maximum, n_nonzero = 0.0, 0.0, 0.0, 0.0, 0
    histogram = np.zeros(256, dtype=np.int64)
    for rows, codes in encoded_chunks(logits, scales, name):
        exact = rows.astype(np.float64)
        error = np.abs(_core.fp8_decode(codes, name) * scales.astype(np.float64) - exact)
        magnitude = np.abs(exact)
        nonzero = magnitude > 0
        absolute += float(error.sum())
        squared += float((error * error).sum())
        relative += float((error[nonzero] / magnitude[nonzero]).sum())
        n_nonzero += int(np.count_nonzero(nonzero))
        maximum = max(maximum, float(error.max(initial=0.0)))
        histogram += np.bincount(codes.reshape(-1), minlength=256)
    n = max(logits.size, 1)
    return Errors(absolute / n, maximum, relative / max(n_nonzero, 1), math.sqrt(squared / n)), histogram


def code_use(histogram: NDArray[np.int64], name: Fp8Name) -> CodeUse:
    """Shares of codes and values, from how often each code occurs, int64 [256]."""
    values = np.abs(_core.fp8_decode(np.arange(256, dtype=np.uint8), name))
    finite = np.isfinite(values)
    n = max(int(histogram.sum()), 1)

    def share(codes: NDArray[np.bool_]) -> float:
        return int(histogram[codes].sum()) / n

    return CodeUse(
        codes=int(np.count_nonzero(histogram[finite])) / int(np.count_nonzero(finite)),
        saturated=share(finite & (values == TableDType(name).max_finite)),
        subnormal=share(finite & (values > 0) & (values < SMALLEST_NORMAL[name])),
        zero=share(values == 0),
    )
