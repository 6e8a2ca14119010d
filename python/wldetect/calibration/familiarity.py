"""What an answer needs beside its probability, so that texts of languages that a model does not have get none.

A softmax tells which of the model's languages a text is most like, not whether it is like any. Sentences of a relative
of one of them have probabilities near 1. What differs is the logit before the softmax: it is an average over rows, and
that of a label's own texts lies within a narrow range, below which most texts of unknown languages fall. So the score
of an answer is the logit's distance from the mean of the label's own texts, in standard deviations, plus `ODDS_WEIGHT`
times the log odds of its probability. (Lee et al., A Simple Unified Framework for Detecting Out-of-Distribution Samples
and Adversarial Attacks, 2018, use the distance from the nearest class in the same way.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wldetect.calibration.thresholds import choose_thresholds

__all__ = ["FROM_EVIDENCE", "ODDS_WEIGHT", "Answers", "Familiarity", "fit_familiarity", "log_odds"]

FROM_EVIDENCE = 8
"""Rows of shorter texts vary too much to tell."""
ODDS_WEIGHT = 1.0
"""Standard deviations that a unit of log odds counts for."""

# As many texts the mean of all labels counts for, and their variance, beside the texts of one.
_PRIOR_MEAN = 5
_PRIOR_VARIANCE = 10
# Must agree with the Rust core's answers module.
_MOST_ODDS = 1e6


@dataclass(frozen=True, eq=False)
class Answers:
    """What a model says of n texts.

    Attributes:
        predicted: int64 [n], the most probable label of each.
        logits: float [n], of these labels, before any temperature.
        probabilities: float [n], of these labels, calibrated.
        evidence: int64 [n], rows that were pooled.
    """

    predicted: NDArray[np.int64]
    logits: NDArray[np.floating]
    probabilities: NDArray[np.floating]
    evidence: NDArray[np.int64]


@dataclass(frozen=True)
class Familiarity:
    """What the detector compares: texts of ``from_evidence`` rows or more are answered where the logit of the most
    probable label plus its weight times its log odds is at least the least of this label.

    Attributes:
        from_evidence: number of rows.
        odds_weights: by label.
        least: by label.
    """

    from_evidence: int
    odds_weights: dict[str, float]
    least: dict[str, float]

    def holds(self, languages: Sequence[str], answers: Answers) -> NDArray[np.bool_]:
        """Whether n texts are familiar, bool [n]; ``languages`` are labels by index."""
        weights = np.array([self.odds_weights[language] for language in languages])
        least = np.array([self.least[language] for language in languages])
        sums = answers.logits + weights[answers.predicted] * log_odds(answers.probabilities)
        familiar: NDArray[np.bool_] = (sums >= least[answers.predicted]) | (answers.evidence < self.from_evidence)
        return familiar


def log_odds(probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """ln(p / (1 - p)), of odds of a million at most."""
    exact = probabilities.astype(np.float64)
    with np.errstate(divide="ignore"):
        odds: NDArray[np.float64] = np.log(np.minimum(exact / (1 - exact), _MOST_ODDS))
    return odds


def fit_familiarity(
    languages: Sequence[str],
    answers: Answers,
    right: NDArray[np.bool_],
    weights: NDArray[np.floating],
    precision: float,
) -> Familiarity:
    """Choose the least score of each label, as `choose_thresholds` chooses thresholds.

    Args:
        languages: labels by index.
        answers: to n texts.
        right: whether the labels are right, [n]; not for texts of languages that the model does not have.
        weights: how much each text counts, above 0, [n].
        precision: share of right answers that is just good enough.
    """
    long = answers.evidence >= FROM_EVIDENCE
    predicted, right, logits = answers.predicted[long], right[long], answers.logits[long].astype(np.float64)
    means, spreads = _own_logits(len(languages), predicted[right], logits[right])
    scores = (logits - means[predicted]) / spreads[predicted] + ODDS_WEIGHT * log_odds(answers.probabilities[long])
    least, _ = choose_thresholds(languages, predicted, scores, right, weights[long], precision, bounds=None)
    return Familiarity(
        FROM_EVIDENCE,
        {language: float(f"{ODDS_WEIGHT * spreads[index]:.5g}") for index, language in enumerate(languages)},
        {
            language: float(f"{means[index] + spreads[index] * least[language]:.5g}")
            for index, language in enumerate(languages)
        },
    )


def _own_logits(
    n_labels: int, labels: NDArray[np.int64], logits: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of the logit of each label over its own texts, drawn towards those of all."""
    mean, variance = (float(logits.mean()), float(logits.var())) if len(logits) else (0.0, 1.0)
    counts = np.bincount(labels, minlength=n_labels)
    means = (np.bincount(labels, logits, n_labels) + _PRIOR_MEAN * mean) / (counts + _PRIOR_MEAN)
    squares = np.bincount(labels, (logits - means[labels]) ** 2, n_labels)
    spreads = np.sqrt((squares + _PRIOR_VARIANCE * variance) / (counts + _PRIOR_VARIANCE))
    return means, np.maximum(spreads, 1e-3)
