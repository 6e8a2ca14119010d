"""Thresholds: the best of all, a label's own as far as it has answers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wldetect.calibration import thresholds
from wldetect.calibration.thresholds import Worth, choose_thresholds

ANSWERS = st.lists(
    st.tuples(st.sampled_from([k / 8 for k in range(9)]), st.booleans(), st.sampled_from([0.5, 1.0, 3.0])),
    min_size=1,
    max_size=40,
)
PRECISIONS = st.sampled_from([0.0, 0.125, 0.5, 0.875])


@given(ANSWERS, PRECISIONS)
def test_worth_is_what_is_left(answers: list[tuple[float, bool, float]], precision: float) -> None:
    probabilities, right, weights = (np.array([one[k] for one in answers]) for k in range(3))
    worth = Worth(probabilities, right, weights, precision)
    for threshold in (0.0, 0.125, 0.3, 0.5, 1.0, 1.1):
        expected = sum(weight * (is_right - precision) for p, is_right, weight in answers if p >= threshold)
        assert worth.at(np.array([threshold]))[0] == pytest.approx(expected)
    candidates = worth.candidates()
    assert candidates[0] == 0 and candidates[-1] == 1
    between = candidates[1:-1]
    assert len(between) == len(set(probabilities.tolist())) - 1 and not set(between) & set(probabilities)


@given(ANSWERS, PRECISIONS)
def test_the_common_threshold_is_the_best(answers: list[tuple[float, bool, float]], precision: float) -> None:
    probabilities, right, weights = (np.array([one[k] for one in answers]) for k in range(3))
    predicted = np.zeros(len(answers), dtype=np.int64)
    own, common = choose_thresholds(["a", "b"], predicted, probabilities, right, weights, precision)
    worth = Worth(probabilities, right, weights, precision)
    grid = np.array([k / 16 for k in range(17)])
    best = worth.at(grid).max()
    assert worth.at(np.array([common]))[0] == pytest.approx(best)
    # The lowest that is as good, of those that tell answers apart.
    candidates = worth.candidates()
    assert (worth.at(candidates)[candidates < common - 1e-4] < best - 1e-12).all()
    # A label without answers has it, and here the other one as well.
    assert own == {"a": common, "b": common}


def test_a_label_has_its_own_threshold_if_it_has_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    # Answers of "a" are right from 0.3 on, those of "b" from 0.7 on.
    probabilities = np.tile(np.linspace(0.005, 0.995, 100), 2)
    predicted = np.repeat([0, 1], 100)
    right = probabilities > np.where(predicted == 0, 0.3, 0.7)
    arguments = (["a", "b"], predicted, probabilities, right, np.ones(200), 0.4)
    monkeypatch.setattr(thresholds, "PRIOR_ANSWERS", 0)
    assert choose_thresholds(*arguments)[0] == {"a": 0.3, "b": 0.7}
    # Of all answers from 0.3 to 0.7, half are right, which is enough.
    monkeypatch.setattr(thresholds, "PRIOR_ANSWERS", 10**6)
    found, common = choose_thresholds(*arguments)
    assert common == 0.3
    assert found == {"a": common, "b": common}


def test_labels_that_are_never_right_are_never_answers() -> None:
    probabilities = np.linspace(0.01, 0.99, 99)
    never = np.zeros(99, dtype=np.bool_)
    nobody, common = choose_thresholds(["a"], never.astype(np.int64), probabilities, never, np.ones(99), 0.25)
    # At 1, nothing is left.
    assert (nobody, common) == ({"a": 1.0}, 1.0)
    assert choose_thresholds(["a"], np.array([], dtype=np.int64), np.array([]), never[:0], np.array([]), 0.25) == (
        {"a": 0.0},
        0.0,
    )
