"""Scores of single-label classification, from a confusion matrix.

Every ratio whose denominator is zero is 0.0. A text without an answer counts as wrong: it lowers the recall of its
label and is a false positive of none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "NO_ANSWER",
    "ClassScores",
    "ConfusedPair",
    "Scores",
    "class_scores",
    "confused_pairs",
    "confusion_matrix",
    "mean_confidences",
    "overall_scores",
]

NO_ANSWER = -1
"""Stands for "no language" among predicted label numbers."""


@dataclass(frozen=True)
class ClassScores:
    """Scores of one label; all ratios in 0..1.

    Attributes:
        label: the label.
        support: texts that have it.
        true_positives: of those, the ones that were given it.
        false_positives: texts of other labels that were given it.
        precision: true positives / texts that were given it.
        recall: true positives / support.
        f1: harmonic mean of precision and recall.
        false_positive_rate: false positives / texts of other labels.
    """

    label: str
    support: int
    true_positives: int
    false_positives: int
    precision: float
    recall: float
    f1: float
    false_positive_rate: float

    @property
    def accuracy(self) -> float:
        """Share of the label's texts that were answered right: the same number as ``recall``."""
        return self.recall


@dataclass(frozen=True)
class Scores:
    """Scores over all texts; the macro scores are means over the labels that have texts, each counting the same.

    Attributes:
        n: texts scored.
        n_correct: of those, the ones that were given their own label.
        unanswered: of those, the ones that were given no label; unknown languages are among them.
        accuracy: ``n_correct / n``.
        macro_precision: mean of ``ClassScores.precision``.
        macro_recall: mean of ``ClassScores.recall``.
        macro_f1: mean of ``ClassScores.f1``.
        macro_false_positive_rate: mean of ``ClassScores.false_positive_rate``.
        mean_confidence_correct: mean probability of the answers that were right; None when there were none.
        mean_confidence_wrong: the same for the answers that were wrong, texts without an answer left out.
    """

    n: int
    n_correct: int
    unanswered: int
    accuracy: float
    macro_precision: float
    macro_recall: float
    macro_f1: float
    macro_false_positive_rate: float
    mean_confidence_correct: float | None = None
    mean_confidence_wrong: float | None = None


@dataclass(frozen=True)
class ConfusedPair:
    """How often texts of one label were given another.

    Attributes:
        true: the label the texts have.
        predicted: the label they were given.
        count: how many texts.
        share: ``count`` / all texts of the label ``true``.
    """

    true: str
    predicted: str
    count: int
    share: float


def confusion_matrix(true: NDArray[np.integer], predicted: NDArray[np.integer], n: int) -> NDArray[np.int64]:
    """Count every combination of true and predicted label.

    Args:
        true: label numbers in 0..n-1, [texts].
        predicted: label numbers in 0..n-1, or ``NO_ANSWER``, [texts].
        n: number of labels.

    Returns:
        int64 [n, n + 1]; the row is the true label, the column the predicted one, the last column "no answer".

    Raises:
        ValueError: the arrays have different lengths, or a number is out of its range.
    """
    if true.ndim != 1 or true.shape != predicted.shape:
        raise ValueError(f"expected two arrays of one length, found shapes {true.shape} and {predicted.shape}")
    for name, values, lowest in (("true", true, 0), ("predicted", predicted, NO_ANSWER)):
        if values.size and not (lowest <= int(values.min()) and int(values.max()) < n):
            found = f"{int(values.min())} to {int(values.max())}"
            raise ValueError(f"{name}: expected label numbers from {lowest} to {n - 1}, found {found}")
    columns = np.where(predicted == NO_ANSWER, n, predicted)
    cells = true.astype(np.int64) * (n + 1) + columns
    return np.bincount(cells, minlength=n * (n + 1)).astype(np.int64).reshape(n, n + 1)


def class_scores(confusion: NDArray[np.int64], labels: Sequence[str]) -> list[ClassScores]:
    """Score every label of a confusion matrix [n, n + 1] whose rows are ``labels``, in their order.

    Labels without texts are scored too: they can still have false positives.

    Raises:
        ValueError: the matrix does not have the shape that the labels ask for.
    """
    _check_shape(confusion, len(labels))
    rates = _Rates(confusion)
    return [
        ClassScores(
            label=label,
            support=int(rates.support[i]),
            true_positives=int(rates.true_positives[i]),
            false_positives=int(rates.false_positives[i]),
            precision=float(rates.precision[i]),
            recall=float(rates.recall[i]),
            f1=float(rates.f1[i]),
            false_positive_rate=float(rates.false_positive_rate[i]),
        )
        for i, label in enumerate(labels)
    ]


def overall_scores(
    confusion: NDArray[np.int64], confidences: tuple[float | None, float | None] = (None, None)
) -> Scores:
    """Score a whole confusion matrix [n, n + 1]; ``confidences`` is what ``mean_confidences`` returned, if known.

    Raises:
        ValueError: the matrix does not have one column more than it has rows.
    """
    _check_shape(confusion, len(confusion))
    rates = _Rates(confusion)
    n = int(confusion.sum())
    n_correct = int(rates.true_positives.sum())
    present = rates.support > 0

    def macro(values: NDArray[np.float64]) -> float:
        return float(values[present].mean()) if present.any() else 0.0

    return Scores(
        n=n,
        n_correct=n_correct,
        unanswered=int(confusion[:, -1].sum()),
        accuracy=n_correct / n if n else 0.0,
        macro_precision=macro(rates.precision),
        macro_recall=macro(rates.recall),
        macro_f1=macro(rates.f1),
        macro_false_positive_rate=macro(rates.false_positive_rate),
        mean_confidence_correct=confidences[0],
        mean_confidence_wrong=confidences[1],
    )


def confused_pairs(confusion: NDArray[np.int64], labels: Sequence[str], limit: int | None = None) -> list[ConfusedPair]:
    """List the pairs of different labels of a confusion matrix [n, n + 1], the most frequent first.

    Ties are in the order of the labels' names. Texts without an answer are in no pair. At most ``limit`` pairs are
    returned; None: all that occur.

    Raises:
        ValueError: the matrix does not have the shape that the labels ask for.
    """
    _check_shape(confusion, len(labels))
    support = confusion.sum(axis=1)
    wrong = confusion[:, :-1].copy()
    np.fill_diagonal(wrong, 0)
    rows, columns = np.nonzero(wrong)
    pairs = [
        ConfusedPair(labels[i], labels[j], int(wrong[i, j]), int(wrong[i, j]) / int(support[i]))
        for i, j in zip(rows.tolist(), columns.tolist(), strict=True)
    ]
    pairs.sort(key=lambda pair: (-pair.count, pair.true, pair.predicted))
    return pairs if limit is None else pairs[:limit]


def mean_confidences(
    true: NDArray[np.integer], predicted: NDArray[np.integer], probabilities: NDArray[np.floating]
) -> tuple[float | None, float | None]:
    """Average the probabilities of the right answers, and of the wrong ones; None where there is no such answer.

    Args:
        true: label numbers, [texts].
        predicted: label numbers, or ``NO_ANSWER``, [texts].
        probabilities: of the predicted labels, [texts]; what stands where there is no answer is not read.
    """
    correct = true == predicted
    wrong = ~correct & (predicted != NO_ANSWER)
    right_mean, wrong_mean = (
        float(probabilities[chosen].mean(dtype=np.float64)) if chosen.any() else None for chosen in (correct, wrong)
    )
    return right_mean, wrong_mean


class _Rates:
    """Per-label counts and ratios of a confusion matrix [n, n + 1], each an array [n]."""

    def __init__(self, confusion: NDArray[np.int64]) -> None:
        answers = confusion[:, :-1]
        predicted = answers.sum(axis=0)
        self.support = confusion.sum(axis=1)
        self.true_positives = np.diagonal(answers)
        self.false_positives = predicted - self.true_positives
        self.precision = _ratio(self.true_positives, predicted)
        self.recall = _ratio(self.true_positives, self.support)
        # Equal to the harmonic mean of precision and recall, and defined where one of them is not.
        self.f1 = _ratio(2 * self.true_positives, predicted + self.support)
        self.false_positive_rate = _ratio(self.false_positives, confusion.sum() - self.support)


def _ratio(above: NDArray[np.int64], below: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.divide(above, below, out=np.zeros(above.shape, dtype=np.float64), where=below != 0)


def _check_shape(confusion: NDArray[np.int64], n: int) -> None:
    if confusion.shape != (n, n + 1):
        raise ValueError(f"confusion: expected shape {(n, n + 1)}, found {confusion.shape}")
