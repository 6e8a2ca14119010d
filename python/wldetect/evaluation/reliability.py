"""Whether probabilities mean what they say: confidence against accuracy, and the expected calibration error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["BINS", "Reliability", "ReliabilityBin", "reliability"]

BINS = 15
"""Bins of the same width, from 0 to 1, as in Guo et al. (2017)."""


@dataclass(frozen=True)
class ReliabilityBin:
    """The texts whose most probable label has a probability in one bin.

    Attributes:
        lower: the least probability of the bin, which is in it.
        upper: the largest, which is in the next one, except of the last bin.
        share: of all texts, by weight.
        mean_confidence: mean probability of their most probable labels; None where there is no text.
        accuracy: share of them whose most probable label is right; None where there is no text.
    """

    lower: float
    upper: float
    share: float
    mean_confidence: float | None
    accuracy: float | None


@dataclass(frozen=True)
class Reliability:
    """Confidence against accuracy, over texts of which anything is known.

    Texts that are answered "unknown" count with their most probable label: a threshold does not make a probability
    better.

    Attributes:
        texts: their number; those of which the model knows nothing are left out.
        accuracy: share of them whose most probable label is right; None where there is no text.
        mean_confidence: mean probability of their most probable labels; None where there is no text.
        expected_calibration_error: mean, over texts, of the difference between confidence and accuracy of the bin that
            the text is in: 15 bins of equal width over the probability of the most probable label (Guo, Pleiss, Sun and
            Weinberger, On Calibration of Modern Neural Networks, 2017); None where there is no text.
        bins: the bins, in order.
    """

    texts: int
    accuracy: float | None
    mean_confidence: float | None
    expected_calibration_error: float | None
    bins: list[ReliabilityBin]


def reliability(
    probabilities: NDArray[np.floating], right: NDArray[np.bool_], weights: NDArray[np.floating] | None = None
) -> Reliability:
    """Compare the probabilities of most probable labels with how often they are right.

    Args:
        probabilities: of the most probable labels, in 0..1, [texts].
        right: whether these labels are the texts' own, [texts].
        weights: how much each text counts, above 0, [texts]; None: all the same.

    Raises:
        ValueError: the arrays differ in length, or a probability is not in 0..1.
    """
    given = np.ones(len(probabilities)) if weights is None else np.asarray(weights, dtype=np.float64)
    values = np.asarray(probabilities, dtype=np.float64)
    if not (values.shape == right.shape == given.shape):
        raise ValueError(f"expected arrays of one length, found shapes {values.shape}, {right.shape}, {given.shape}")
    if values.size and not (float(values.min()) >= 0 and float(values.max()) <= 1):
        raise ValueError(f"probabilities: expected 0 to 1, found {float(values.min())} to {float(values.max())}")
    places = np.minimum((values * BINS).astype(np.int64), BINS - 1)
    mass, confident, accurate = (
        np.bincount(places, weights=given * part, minlength=BINS) for part in (1.0, values, right)
    )
    total = float(mass.sum())
    bins = [
        ReliabilityBin(
            lower=number / BINS,
            upper=(number + 1) / BINS,
            share=float(mass[number]) / total if total else 0.0,
            mean_confidence=float(confident[number] / mass[number]) if mass[number] else None,
            accuracy=float(accurate[number] / mass[number]) if mass[number] else None,
        )
        for number in range(BINS)
    ]
    if not total:
        return Reliability(0, None, None, None, bins)
    return Reliability(
        texts=len(values),
        accuracy=float(accurate.sum()) / total,
        mean_confidence=float(confident.sum()) / total,
        expected_calibration_error=float(np.abs(confident - accurate).sum()) / total,
        bins=bins,
    )
