"""Inverse temperatures by the amount of evidence, that make the labels of held-out texts most probable.

The negative log likelihood of a text is computed for each inverse temperature of a grid, and added up by the number of
rows that the text's logits were pooled from. A curve over that number is then chosen as a whole: straight lines between
knots, both axes logarithmic, whose values are of the grid. As the cost of a piece depends on its two ends alone, the
best of all curves is found by dynamic programming (Viterbi), without starting values or steps.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

__all__ = ["GRID", "KNOTS", "Likelihoods", "fit_inverse_temperatures", "log_partitions"]

_PER_OCTAVE = 16
_LOWEST, _HIGHEST = -4, 4

GRID: NDArray[np.float64] = 2.0 ** (np.arange((_HIGHEST - _LOWEST) * _PER_OCTAVE + 1) / _PER_OCTAVE + _LOWEST)
"""Inverse temperatures that are tried, float64 [G]: sixteen an octave, from 1/16 to 16."""

KNOTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
"""Numbers of rows at which a curve may bend."""

_SMOOTHNESS = 50.0
"""What a change by one octave from one knot to the next costs: as much as so many nats of negative log likelihood."""


class Likelihoods:
    """Negative log likelihoods of texts, added up by the number of rows, for every inverse temperature of `GRID`."""

    def __init__(self) -> None:
        self.sums: NDArray[np.float64] = np.zeros((KNOTS[-1] + 1, len(GRID)))
        """Float64 [rows, G]. More rows than at the last knot count as many."""
        self.texts: NDArray[np.int64] = np.zeros(KNOTS[-1] + 1, dtype=np.int64)
        """How many texts there are of each number of rows."""

    def add(
        self,
        logits: NDArray[np.float32],
        evidence: NDArray[np.int64],
        labels: NDArray[np.int64],
        weights: NDArray[np.float64],
    ) -> None:
        """Add texts.

        Args:
            logits: float32 [n, L], before any temperature.
            evidence: int64 [n], rows that these were pooled from; texts of 0 rows are left out.
            labels: int64 [n], the right labels.
            weights: float64 [n], how much each text counts.
        """
        some = evidence > 0
        logits, evidence, labels, weights = (
            logits[some],
            np.minimum(evidence[some], KNOTS[-1]),
            labels[some],
            weights[some],
        )
        behind = logits.max(axis=1).astype(np.float64) - logits[np.arange(len(labels)), labels]
        costs = log_partitions(logits) + behind[:, None] * GRID
        np.add.at(self.sums, evidence, costs * weights[:, None])
        np.add.at(self.texts, evidence, 1)


def log_partitions(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    """The log of the sum of exp(b (logit - the largest logit)), for each b of `GRID`: float64 [n, G].

    An octave more is a square, so that exponentials are computed for the lowest octave only.
    """
    behind = logits - logits.max(axis=1, keepdims=True)
    sums = np.empty((len(logits), len(GRID)))
    for first in range(_PER_OCTAVE):
        powers = np.exp(behind * np.float32(GRID[first]))
        for place in range(first, len(GRID), _PER_OCTAVE):
            sums[:, place] = powers.sum(axis=1)
            powers *= powers
    logs: NDArray[np.float64] = np.log(sums)
    return logs


def fit_inverse_temperatures(found: Likelihoods, smoothness: float = _SMOOTHNESS) -> list[float]:
    """The curve of the least negative log likelihood plus ``smoothness`` times the squares of its changes in octaves.

    Returns:
        the inverse temperature for 1 row, 2 rows, ... up to the last knot that any text reaches, at least one number;
        of four significant digits.
    """
    reached = np.flatnonzero(found.texts)
    most = int(reached[-1]) if len(reached) else 1
    knots = [knot for knot in KNOTS if knot <= most]
    # Rows past the last knot that is reached have its value.
    sums = found.sums[: knots[-1] + 1].copy()
    sums[knots[-1]] += found.sums[knots[-1] + 1 :].sum(axis=0)
    grid = np.arange(len(GRID), dtype=np.float64)
    change = smoothness * ((grid[:, None] - grid) / _PER_OCTAVE) ** 2

    best, came_from = sums[knots[0]], []
    for left, right in pairwise(knots):
        cost = best[:, None] + change + _between(sums, left, right)
        came_from.append(cost.argmin(axis=0))
        best = cost.min(axis=0)
    places = [int(best.argmin())]
    for step in reversed(came_from):
        places.append(int(step[places[-1]]))
    rows = np.arange(1, knots[-1] + 1)
    curve = np.interp(np.log(rows), np.log(knots), np.log(GRID[places[::-1]]))
    return [float(f"{value:.4g}") for value in np.exp(curve)]


def _between(sums: NDArray[np.float64], left: int, right: int) -> NDArray[np.float64]:
    """The cost of the numbers of rows past the knot ``left``, up to ``right``, for each pair of values: [G, G]."""
    size = len(GRID)
    costs = np.zeros((size, size))
    for rows in range(left + 1, right + 1):
        share = np.log(rows / left) / np.log(right / left)
        # Values lie between those of the grid where a number of rows lies between knots.
        place = (1 - share) * np.arange(size)[:, None] + share * np.arange(size)
        below = np.minimum(place.astype(np.int64), size - 2)
        own = sums[rows]
        costs += own[below] + (place - below) * (own[below + 1] - own[below])
    return costs
