"""Inverse temperatures: likelihoods against plain sums, and the best of all curves."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from wldetect.calibration import temperature
from wldetect.calibration.temperature import GRID, KNOTS, Likelihoods, fit_inverse_temperatures, log_partitions


def drawn(true: NDArray[np.float64], evidence: NDArray[np.int64], seed: int) -> tuple[NDArray[np.float32], ...]:
    """Logits, and labels that come up as often as the softmax of the logits times ``true`` says."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 3, (len(evidence), 5)).astype(np.float32)
    noise = rng.gumbel(size=logits.shape)
    return logits, (logits * true[evidence][:, None] + noise).argmax(axis=1)


def test_partitions_are_those_of_float64() -> None:
    logits = np.random.default_rng(1).normal(0, 5, (50, 30)).astype(np.float32)
    logits[0] = [1e30, *[-1e30] * 29]
    behind = logits.astype(np.float64) - logits.max(axis=1, keepdims=True)
    expected = np.log(np.exp(behind[:, None, :] * GRID[:, None]).sum(axis=2))
    np.testing.assert_allclose(log_partitions(logits), expected, rtol=1e-5, atol=1e-6)


def test_likelihoods_are_added_up_by_rows() -> None:
    rng = np.random.default_rng(2)
    evidence = np.array([0, 1, 1, 3, KNOTS[-1], KNOTS[-1] + 100])
    logits, labels = rng.normal(0, 2, (6, 4)).astype(np.float32), np.array([0, 1, 2, 3, 0, 1])
    weights = rng.uniform(0.5, 2, 6)
    found = Likelihoods()
    found.add(logits[:4], evidence[:4], labels[:4], weights[:4])
    found.add(logits[4:], evidence[4:], labels[4:], weights[4:])
    expected = np.zeros((KNOTS[-1] + 1, len(GRID)))
    for row, label, n, weight in zip(logits.astype(np.float64), labels, evidence, weights, strict=True):
        if n > 0:
            for place, factor in enumerate(GRID):
                cost = np.log(np.exp(row * factor).sum()) - row[label] * factor
                expected[min(n, KNOTS[-1]), place] += weight * cost
    np.testing.assert_allclose(found.sums, expected, rtol=1e-4, atol=1e-5)
    assert found.texts.tolist()[:4] == [0, 2, 0, 1]
    assert found.texts[-1] == 2


def test_a_curve_is_found_again() -> None:
    rows = np.arange(KNOTS[-1] + 1)
    true = 0.4 * np.maximum(rows, 1) ** 0.4
    evidence = np.random.default_rng(3).integers(1, 65, 40_000)
    logits, labels = drawn(true, evidence, 4)
    found = Likelihoods()
    found.add(logits, evidence, labels, np.ones(len(labels)))
    curve = np.array(fit_inverse_temperatures(found, smoothness=5.0))
    assert len(curve) == 64
    np.testing.assert_allclose(curve, true[1:65], rtol=0.15)
    # Costs of change make it flatter, in the end as flat as one number.
    flat = fit_inverse_temperatures(found, smoothness=1e9)
    assert len(set(flat)) == 1 and min(curve) < flat[0] < max(curve)


def test_no_curve_is_better(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a grid so coarse that all curves can be tried."""
    monkeypatch.setattr(temperature, "GRID", GRID[:: len(GRID) // 4])
    monkeypatch.setattr(temperature, "KNOTS", (1, 2, 5, 9))
    grid = temperature.GRID
    assert len(grid) == 5
    rng = np.random.default_rng(5)
    for smoothness in (0.0, 3.0, 50.0):
        found = Likelihoods()
        found.sums = rng.uniform(0, 100, found.sums.shape)
        found.texts[1:] = 1

        def cost(places: tuple[int, ...], found: Likelihoods = found, smoothness: float = smoothness) -> float:
            total = 0.0
            for rows in range(1, 10):
                place = float(np.interp(np.log(rows), np.log([1, 2, 5, 9]), places))
                total += float(np.interp(place, range(5), found.sums[rows]))
            return total + smoothness * sum(((b - a) / 16) ** 2 for a, b in itertools.pairwise(places))

        best = min(itertools.product(range(5), repeat=4), key=cost)
        curve = fit_inverse_temperatures(found, smoothness)
        assert len(curve) == 9
        assert [curve[knot - 1] for knot in (1, 2, 5, 9)] == [float(f"{grid[place]:.4g}") for place in best]


def test_few_texts_and_none() -> None:
    assert fit_inverse_temperatures(Likelihoods()) == [float(f"{GRID[0]:.4g}")]
    found = Likelihoods()
    evidence = np.full(2000, 30)
    logits, labels = drawn(np.full(31, 2.0), evidence, 6)
    found.add(logits, evidence, labels, np.ones(2000))
    curve = fit_inverse_temperatures(found)
    # The last knot that is reached is 24; where there are no texts, the curve is flat.
    assert len(curve) == 24 and len(set(curve)) == 1
    assert curve[0] == pytest.approx(2, rel=0.2)
