"""Reliability: bins, the expected calibration error, and the plot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wldetect.analysis.figures import save_png
from wldetect.evaluation.reliability import BINS, reliability
from wldetect.evaluation.reliability_plot import draw_reliability

ANSWERS = st.lists(
    st.tuples(
        st.one_of(st.floats(0, 1), st.sampled_from([k / BINS for k in range(BINS + 1)])),
        st.booleans(),
        st.floats(0.01, 10),
    ),
    max_size=60,
)


@given(ANSWERS)
def test_against_loops(answers: list[tuple[float, bool, float]]) -> None:
    probabilities, right, weights = (np.array([one[k] for one in answers]) for k in range(3))
    found = reliability(probabilities.astype(float), right.astype(bool), weights.astype(float))
    total = sum(weight for _, _, weight in answers)
    error = 0.0
    for number, one in enumerate(found.bins):
        own = [
            (p, r, w)
            for p, r, w in answers
            if (p * BINS >= number or number == 0) and (p * BINS < number + 1 or number == BINS - 1)
        ]
        mass = sum(w for _, _, w in own)
        if not own:
            assert (one.share, one.mean_confidence, one.accuracy) == (0.0, None, None)
            continue
        confidence, accuracy = (sum(w * part for *parts, w in own for part in [parts[k]]) / mass for k in (0, 1))
        assert one.share == pytest.approx(mass / total)
        assert (one.mean_confidence, one.accuracy) == (pytest.approx(confidence), pytest.approx(accuracy))
        error += mass / total * abs(confidence - accuracy)
    assert found.texts == len(answers)
    if answers:
        assert found.expected_calibration_error == pytest.approx(error, abs=1e-12)
        assert found.accuracy == pytest.approx(sum(w for _, r, w in answers if r) / total)
    else:
        assert (found.expected_calibration_error, found.accuracy, found.mean_confidence) == (None, None, None)


def test_what_means_what_it_says() -> None:
    probabilities = np.array([0.5] * 10 + [1.0] * 3)
    right = np.array([True, False] * 5 + [True] * 3)
    assert reliability(probabilities, right).expected_calibration_error == 0
    assert reliability(probabilities, ~right).expected_calibration_error == pytest.approx(3 / 13)
    # Of float32, which the detector gives.
    assert reliability(probabilities.astype(np.float32), right).bins[-1].share == pytest.approx(3 / 13)


def test_bad_arrays() -> None:
    with pytest.raises(ValueError, match="expected arrays of one length"):
        reliability(np.array([0.5]), np.array([True, False]))
    for wrong in (-0.1, 1.1, np.nan):
        with pytest.raises(ValueError, match="probabilities: expected 0 to 1"):
            reliability(np.array([0.5, wrong]), np.array([True, False]))


@pytest.mark.parametrize("count", [0, 1, 5])
def test_plot(count: int, tmp_path: Path) -> None:
    found, nothing = (reliability(np.array(p), np.array(p) > 0.5) for p in ([0.2, 0.7, 0.9], []))
    panels = {f"set $ {number}": [("before", nothing), ("after", found)] for number in range(count)}
    figure = draw_reliability("model $x: confidence", panels)
    assert sum(axes.get_visible() for axes in figure.axes) == count
    for axes in figure.axes[:count]:
        assert [text.get_text() for text in axes.get_legend().get_texts()] == ["before: no texts", "after: error 0.200"]
    save_png(figure, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
