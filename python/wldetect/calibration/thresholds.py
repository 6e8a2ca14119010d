"""The least probability with which a label is an answer rather than "unknown".

An answer that is right in fewer than a share p of such cases costs more than it brings, if a right one is worth 1 - p
and a wrong one costs p: the rule of rejection by Chow (On Optimum Recognition Error and Reject Tradeoff, 1970). With
perfect probabilities the threshold would be p. With those of a model, a label has the threshold with which its answers
to held-out texts are worth most, so that labels which are given too easily need more. As improbable answers are few,
those of all labels count beside its own, as much as `PRIOR_ANSWERS` of them: a label without answers has the threshold
of all.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["PRIOR_ANSWERS", "Worth", "choose_thresholds"]

PRIOR_ANSWERS = 1000
"""As many answers the average of all labels counts for, beside the answers of one."""


class Worth:
    """What answers are worth if those below a threshold are not given.

    Args:
        probabilities: of the answers, [n].
        right: whether they are right, [n].
        weights: how much each counts, above 0, [n].
        precision: share of right answers that is just good enough, 0 to below 1.
    """

    def __init__(
        self,
        probabilities: NDArray[np.floating],
        right: NDArray[np.bool_],
        weights: NDArray[np.floating],
        precision: float,
    ) -> None:
        order = np.argsort(probabilities, kind="stable")
        self._values = probabilities[order].astype(np.float64)
        gains = (weights * (right - precision))[order]
        # Of the answers from each place on; past the last one, nothing.
        self._sums = np.append(np.cumsum(gains[::-1])[::-1], 0.0)

    def at(self, thresholds: NDArray[np.float64]) -> NDArray[np.float64]:
        """What is left of the worth at each of ``thresholds``: float64, of their shape."""
        worth: NDArray[np.float64] = self._sums[np.searchsorted(self._values, thresholds, side="left")]
        return worth

    def candidates(self) -> NDArray[np.float64]:
        """Thresholds that tell answers apart, rising: 0, halfway between successive probabilities, and 1."""
        values = np.unique(self._values)
        return np.concatenate([[0.0], (values[1:] + values[:-1]) / 2, [1.0]])


def choose_thresholds(
    languages: Sequence[str],
    predicted: NDArray[np.int64],
    probabilities: NDArray[np.floating],
    right: NDArray[np.bool_],
    weights: NDArray[np.floating],
    precision: float,
) -> tuple[dict[str, float], float]:
    """A threshold for each label, the lowest of several that are as good.

    Args:
        languages: labels by index.
        predicted: the most probable label of each text, [n].
        probabilities: of these labels, calibrated, [n].
        right: whether they are right, [n].
        weights: how much each text counts, above 0, [n].
        precision: see `Worth`.

    Returns:
        thresholds by label, and that of all labels together, of four decimals.
    """
    everything = Worth(probabilities, right, weights, precision)
    candidates = everything.candidates()
    common = float(candidates[everything.at(candidates).argmax()])
    share = PRIOR_ANSWERS / max(len(predicted), 1)
    thresholds = {}
    for index, language in enumerate(languages):
        own = predicted == index
        worth = Worth(probabilities[own], right[own], weights[own], precision)
        candidates = np.union1d(worth.candidates(), [common])
        best = (worth.at(candidates) + share * everything.at(candidates)).argmax()
        thresholds[language] = round(float(candidates[best]), 4)
    return thresholds, round(common, 4)
