"""Scores against loops that follow the definitions word for word, and one example worked out by hand."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from wldetect.evaluation import (
    NO_ANSWER,
    ConfusedPair,
    class_scores,
    confused_pairs,
    confusion_matrix,
    mean_confidences,
    overall_scores,
)

LABELS = ["a", "b", "c"]
# Label a: four texts, of which one is taken for b and one has no answer. Label b: two texts, both right.
# Label c: none, but it is given to a third text of b.
TRUE = np.array([0, 0, 0, 0, 1, 1, 1])
PREDICTED = np.array([0, 0, 1, NO_ANSWER, 1, 1, 2])


def test_hand_computed_matrix() -> None:
    expected = [[2, 1, 0, 1], [0, 2, 1, 0], [0, 0, 0, 0]]
    matrix = confusion_matrix(TRUE, PREDICTED, 3)
    assert matrix.dtype == np.int64
    assert matrix.tolist() == expected


def test_hand_computed_class_scores() -> None:
    a, b, c = class_scores(confusion_matrix(TRUE, PREDICTED, 3), LABELS)
    assert (a.label, a.support, a.true_positives, a.false_positives) == ("a", 4, 2, 0)
    assert (a.precision, a.recall, a.f1, a.false_positive_rate) == pytest.approx((1.0, 0.5, 2 / 3, 0.0))
    assert (b.label, b.support, b.true_positives, b.false_positives) == ("b", 3, 2, 1)
    assert (b.precision, b.recall, b.f1) == pytest.approx((2 / 3, 2 / 3, 2 / 3))
    assert b.false_positive_rate == 0.25
    assert (c.support, c.false_positives, c.precision, c.recall, c.f1) == (0, 1, 0.0, 0.0, 0.0)
    assert c.false_positive_rate == pytest.approx(1 / 7)
    assert a.accuracy == a.recall


def test_hand_computed_overall_scores() -> None:
    confidences = mean_confidences(TRUE, PREDICTED, np.array([0.9, 0.7, 0.6, 0.0, 0.8, 0.8, 0.2]))
    assert confidences == pytest.approx((0.8, 0.4))
    scores = overall_scores(confusion_matrix(TRUE, PREDICTED, 3), confidences)
    assert (scores.n, scores.n_correct, scores.unanswered) == (7, 4, 1)
    assert scores.accuracy == pytest.approx(4 / 7)
    # Label c has no texts, so it is in none of the means.
    assert scores.macro_precision == pytest.approx((1 + 2 / 3) / 2)
    assert scores.macro_recall == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert scores.macro_f1 == pytest.approx(2 / 3)
    assert scores.macro_false_positive_rate == pytest.approx(1 / 8)
    assert (scores.mean_confidence_correct, scores.mean_confidence_wrong) == confidences


def test_hand_computed_pairs() -> None:
    matrix = confusion_matrix(TRUE, PREDICTED, 3)
    assert confused_pairs(matrix, LABELS) == [ConfusedPair("a", "b", 1, 0.25), ConfusedPair("b", "c", 1, 1 / 3)]
    assert confused_pairs(matrix, LABELS, limit=1) == [ConfusedPair("a", "b", 1, 0.25)]


def test_pairs_are_ordered_by_count_then_name() -> None:
    matrix = np.array([[0, 2, 5, 0], [2, 0, 0, 9], [1, 1, 0, 0]], dtype=np.int64)
    ordered = [(pair.true, pair.predicted, pair.count) for pair in confused_pairs(matrix, ["z", "y", "x"])]
    assert ordered == [("z", "x", 5), ("y", "z", 2), ("z", "y", 2), ("x", "y", 1), ("x", "z", 1)]


def test_no_texts_at_all() -> None:
    nothing = np.array([], dtype=np.int64)
    matrix = confusion_matrix(nothing, nothing, 2)
    assert matrix.tolist() == [[0, 0, 0], [0, 0, 0]]
    scores = overall_scores(matrix, mean_confidences(nothing, nothing, np.array([])))
    assert (scores.n, scores.accuracy, scores.macro_f1, scores.macro_false_positive_rate) == (0, 0.0, 0.0, 0.0)
    assert (scores.mean_confidence_correct, scores.mean_confidence_wrong) == (None, None)


def test_one_label_has_no_texts_of_others() -> None:
    (only,) = class_scores(confusion_matrix(np.array([0, 0]), np.array([0, NO_ANSWER]), 1), ["a"])
    assert (only.false_positive_rate, only.precision, only.recall) == (0.0, 1.0, 0.5)


@pytest.mark.parametrize(
    ("true", "predicted", "message"),
    [
        ([0, 1], [0], "one length"),
        ([0, 2], [0, 0], "true: expected label numbers from 0 to 1, found 0 to 2"),
        ([0, -1], [0, 0], "true: expected label numbers from 0 to 1, found -1 to 0"),
        ([0, 1], [0, 2], "predicted: expected label numbers from -1 to 1, found 0 to 2"),
        ([0, 1], [0, -2], "predicted: expected label numbers from -1 to 1, found -2 to 0"),
    ],
)
def test_bad_label_numbers(true: list[int], predicted: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        confusion_matrix(np.array(true), np.array(predicted), 2)


def test_matrix_of_wrong_shape() -> None:
    square = np.zeros((2, 2), dtype=np.int64)
    for call in (lambda: class_scores(square, ["a", "b"]), lambda: overall_scores(square)):
        with pytest.raises(ValueError, match=r"expected shape \(2, 3\), found \(2, 2\)"):
            call()
    with pytest.raises(ValueError, match=r"expected shape \(1, 2\), found \(2, 3\)"):
        confused_pairs(np.zeros((2, 3), dtype=np.int64), ["a"])


@st.composite
def answers(draw: st.DrawFn) -> tuple[int, NDArray[np.int64], NDArray[np.int64]]:
    n = draw(st.integers(1, 5))
    pairs = draw(st.lists(st.tuples(st.integers(0, n - 1), st.integers(NO_ANSWER, n - 1)), max_size=40))
    columns = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return n, columns[:, 0], columns[:, 1]


def divide(above: float, below: float) -> float:
    return above / below if below else 0.0


@given(answers())
def test_against_loops(case: tuple[int, NDArray[np.int64], NDArray[np.int64]]) -> None:
    n, true, predicted = case
    rows = list(zip(true.tolist(), predicted.tolist(), strict=True))
    matrix = confusion_matrix(true, predicted, n)
    labels = [f"l{i}" for i in range(n)]

    present = []
    for label, scores in enumerate(class_scores(matrix, labels)):
        support = sum(t == label for t, _ in rows)
        given_to = sum(p == label for _, p in rows)
        hits = sum(t == p == label for t, p in rows)
        precision, recall = divide(hits, given_to), divide(hits, support)
        assert scores.label == labels[label]
        assert (scores.support, scores.true_positives, scores.false_positives) == (support, hits, given_to - hits)
        assert scores.precision == pytest.approx(precision)
        assert scores.recall == pytest.approx(recall)
        assert scores.f1 == pytest.approx(divide(2 * precision * recall, precision + recall))
        assert scores.false_positive_rate == pytest.approx(divide(given_to - hits, len(rows) - support))
        if support:
            present.append(scores)

    overall = overall_scores(matrix)
    assert overall.n == len(rows)
    assert overall.n_correct == sum(t == p for t, p in rows)
    assert overall.unanswered == sum(p == NO_ANSWER for _, p in rows)
    assert overall.accuracy == pytest.approx(divide(overall.n_correct, len(rows)))
    for macro, name in (
        (overall.macro_precision, "precision"),
        (overall.macro_recall, "recall"),
        (overall.macro_f1, "f1"),
        (overall.macro_false_positive_rate, "false_positive_rate"),
    ):
        assert macro == pytest.approx(divide(sum(getattr(one, name) for one in present), len(present)))

    wrong = [(t, p) for t, p in rows if t != p != NO_ANSWER]
    pairs = confused_pairs(matrix, labels)
    assert {(pair.true, pair.predicted): pair.count for pair in pairs} == {
        (labels[t], labels[p]): wrong.count((t, p)) for t, p in wrong
    }
    for pair in pairs:
        assert pair.share == pytest.approx(pair.count / sum(labels[t] == pair.true for t, _ in rows))


@given(answers(), st.randoms(use_true_random=False))
def test_mean_confidences_against_loops(case: tuple[int, NDArray[np.int64], NDArray[np.int64]], random: Random) -> None:
    _, true, predicted = case
    # Where there is no answer, whatever stands there must not be read.
    values = [float("nan") if p == NO_ANSWER else random.random() for p in predicted.tolist()]
    right = [v for v, t, p in zip(values, true.tolist(), predicted.tolist(), strict=True) if t == p]
    wrong = [v for v, t, p in zip(values, true.tolist(), predicted.tolist(), strict=True) if t != p != NO_ANSWER]
    found = mean_confidences(true, predicted, np.array(values, dtype=np.float64))
    for mean, chosen in zip(found, (right, wrong), strict=True):
        assert mean is None if not chosen else mean == pytest.approx(sum(chosen) / len(chosen))
