"""The few statistics that several analyses need."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["ranks", "sign_test_deviations", "spearman"]


def ranks(values: NDArray[Any]) -> NDArray[np.float64]:
    """The rank of each value, float64 [n], from 1 for the smallest; equal values share the mean of their ranks."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    means: NDArray[np.float64] = (last - (counts - 1) / 2)[inverse]
    return means


def spearman(left: NDArray[Any], right: NDArray[Any]) -> float | None:
    """Spearman's rank correlation of two arrays [n], -1 to 1; None where one of them does not vary."""
    a, b = (ranks(values) - (len(values) + 1) / 2 for values in (left, right))
    norm = math.sqrt(float(a @ a) * float(b @ b))
    return float(a @ b) / norm if norm > 0 else None


def sign_test_deviations(gained: int, lost: int) -> float:
    """By how many standard deviations ``gained - lost`` differs from 0, if either were as likely for every change.

    The normal approximation of the sign test, which for answers that are right or wrong is McNemar's.
    """
    changed = gained + lost
    return (gained - lost) / math.sqrt(changed) if changed else 0.0
