"""Statistics against definitions worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wldetect.analysis.statistics import ranks, sign_test_deviations, spearman


@settings(deadline=None)
@given(st.lists(st.integers(-5, 5), max_size=40))
def test_ranks_are_means_over_equal_values(values: list[int]) -> None:
    expected = [
        sum(other < value for other in values) + (sum(other == value for other in values) + 1) / 2 for value in values
    ]
    assert ranks(np.array(values)).tolist() == expected


def test_rank_correlation() -> None:
    rising = np.array([1, 2, 3, 4])
    assert spearman(rising, rising**5) == pytest.approx(1)
    assert spearman(rising, -np.exp(rising)) == pytest.approx(-1)
    # 1 - 6 * (squared differences of the ranks: 1, 1, 0, 0) / (4 * 15).
    assert spearman(rising, np.array([20, 10, 30, 40])) == pytest.approx(0.8)
    assert spearman(rising, np.ones(4)) is None


def test_deviations_of_the_sign_test() -> None:
    assert sign_test_deviations(0, 0) == 0
    assert sign_test_deviations(9, 0) == 3
    assert sign_test_deviations(40, 60) == pytest.approx(-20 / math.sqrt(100))
