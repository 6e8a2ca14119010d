"""Choosing rows: properties that hold for any rows, and the chances of a row to be chosen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from wldetect.data.balance import Selection, balance_weights, select_rows

LABELS = ("deu_Latn", "eng_Latn", "fra_Latn", "zul_Latn")

# Per row: label (-1: of another language), source, importance.
some_rows = st.lists(
    st.tuples(st.integers(-1, 3), st.integers(0, 2), st.sampled_from([0.0, 0.5, 1.0, 30.0])), max_size=60
)
caps = st.none() | st.integers(1, 12)


def select(rows: list[tuple[int, int, float]], labels: tuple[str, ...] = LABELS, **options: Any) -> Selection:
    codes, sources, importance = zip(*rows, strict=True) if rows else ((), (), ())
    options.setdefault("importance", np.array(importance, dtype=np.float64))
    options.setdefault("seed", 42)
    return select_rows(np.array(codes, dtype=np.int32), np.array(sources, dtype=np.int64), labels, **options)


@given(
    rows=some_rows, seed=st.integers(0, 2**40), minimum=st.integers(0, 10), maximum=caps, limits=st.tuples(*[caps] * 3)
)
def test_selection(
    rows: list[tuple[int, int, float]], seed: int, minimum: int, maximum: int | None, limits: tuple[int | None, ...]
) -> None:
    chosen = select(rows, seed=seed, minimum=minimum, maximum=maximum, source_maxima=limits)
    assert chosen.rows.dtype == chosen.found.dtype == chosen.kept.dtype == np.int64
    # Ascending, hence without duplicates.
    assert (np.diff(chosen.rows) > 0).all()
    for code in range(len(LABELS)):
        mine = [row for row in chosen.rows if rows[row][0] == code]
        assert chosen.found[code] == sum(row[0] == code for row in rows)
        assert chosen.kept[code] == len(mine)
        if chosen.found[code] < max(minimum, 1):
            assert not mine
            continue
        # As many as the caps allow, and no more.
        of_sources = [sum(row[:2] == (code, source) for row in rows) for source in range(3)]
        allowed = [count if cap is None else min(count, cap) for count, cap in zip(of_sources, limits, strict=True)]
        assert len(mine) == min(sum(allowed), sum(allowed) if maximum is None else maximum)
        for source, cap in enumerate(allowed):
            assert sum(rows[row][1] == source for row in mine) <= cap
    assert all(rows[row][0] >= 0 for row in chosen.rows)
    again = select(rows, seed=seed, minimum=minimum, maximum=maximum, source_maxima=limits)
    np.testing.assert_array_equal(again.rows, chosen.rows)


@given(rows=some_rows, maximum=st.integers(1, 12))
def test_rows_without_importance_are_drawn_last(rows: list[tuple[int, int, float]], maximum: int) -> None:
    chosen = set(select(rows, maximum=maximum).rows.tolist())
    for code in range(len(LABELS)):
        mine = [row for row in range(len(rows)) if rows[row][0] == code]
        if any(rows[row][2] == 0 for row in mine if row in chosen):
            assert all(row in chosen for row in mine if rows[row][2] > 0)


@given(
    mine=st.lists(st.tuples(st.just(0), st.just(0), st.sampled_from([0.0, 1.0, 30.0])), min_size=5, max_size=20),
    others=st.lists(st.tuples(st.integers(0, 2), st.just(0), st.just(1.0)), max_size=20),
    data=st.data(),
)
def test_other_labels_change_nothing(
    mine: list[tuple[int, int, float]], others: list[tuple[int, int, float]], data: st.DataObject
) -> None:
    """Rows of other labels come, go, and move between those of the first one, whose index changes as well."""
    order = data.draw(st.permutations(range(len(mine) + len(others))))
    places = sorted(order[: len(mine)])
    mixed = dict(zip(places, ((3, *row[1:]) for row in mine), strict=True))
    mixed.update(zip(order[len(mine) :], others, strict=True))
    alone = select(mine, maximum=4)
    beside = select([mixed[place] for place in range(len(mixed))], ("x", "y", "z", LABELS[0]), maximum=4)
    assert [places.index(row) for row in beside.rows if mixed[row][0] == 3] == alone.rows.tolist()


def test_seed_and_label_choose_other_rows() -> None:
    rows = [(code, 0, 1.0) for code in (0, 1) for _ in range(500)]
    first, second = (select(rows, seed=seed, maximum=50).rows for seed in (1, 2))
    assert set(first.tolist()) != set(second.tolist())
    ours, theirs = first[first < 500], first[first >= 500] - 500
    assert ours.tolist() != theirs.tolist()


def test_no_rows() -> None:
    chosen = select([])
    assert (chosen.rows.tolist(), chosen.found.tolist(), chosen.kept.tolist()) == ([], [0] * 4, [0] * 4)
    chosen = select([(-1, 0, 1.0)] * 3)
    assert (chosen.rows.tolist(), chosen.found.tolist(), chosen.kept.tolist()) == ([], [0] * 4, [0] * 4)


def test_minimum_counts_what_is_found_not_what_is_kept() -> None:
    rows = [(0, 0, 1.0)] * 10 + [(1, 0, 1.0)] * 4
    chosen = select(rows, minimum=5, maximum=3)
    assert chosen.found.tolist() == [10, 4, 0, 0]
    assert chosen.kept.tolist() == [3, 0, 0, 0]


def test_every_row_is_as_likely_without_importance() -> None:
    counts = np.zeros(10)
    for seed in range(1000):
        counts[select([(0, 0, 1.0)] * 10, seed=seed, maximum=3, importance=None).rows] += 1
    # Five standard deviations of a draw of 3 in 10.
    np.testing.assert_allclose(counts / 1000, 0.3, atol=5 * (0.3 * 0.7 / 1000) ** 0.5)


def test_first_draw_is_in_proportion_to_importance() -> None:
    shares = np.array([0.0, 0.05, 0.25, 0.7])
    counts = np.zeros(4)
    for seed in range(2000):
        counts[select([(0, 0, share * 8) for share in shares], seed=seed, maximum=1).rows] += 1
    np.testing.assert_allclose(counts / 2000, shares, atol=5 * (0.25 / 2000) ** 0.5)
    assert counts[0] == 0


def test_share_of_frequent_rows() -> None:
    # Frequent rows are nine times as likely; a draw of 1 in 100 hardly changes what is left to draw from.
    rows = [(0, 0, 9.0)] * 5000 + [(0, 0, 1.0)] * 5000
    frequent = np.concatenate([select(rows, seed=seed, maximum=100).rows < 5000 for seed in range(30)])
    assert frequent.mean() == pytest.approx(0.9, abs=0.03)


def test_cap_of_a_source_keeps_its_important_rows() -> None:
    rows = [(0, 0, 1.0)] * 5 + [(0, 1, 1e-9)] * 50 + [(0, 1, 1.0)] * 5
    chosen = select(rows, source_maxima=[None, 5]).rows
    assert chosen.tolist() == [0, 1, 2, 3, 4, *range(55, 60)]


@given(
    labels=arrays.arrays(np.int32, st.integers(1, 40), elements=st.integers(0, 5)),
    power=st.floats(0, 1),
)
def test_balance_weights(labels: np.ndarray[Any, np.dtype[np.int32]], power: float) -> None:
    weights = balance_weights(labels, 6, power)
    assert weights.dtype == np.float32
    assert weights.shape == labels.shape
    assert weights.mean() == pytest.approx(1, rel=1e-5)
    counts = np.bincount(labels)
    for label in np.unique(labels):
        for other in np.unique(labels):
            ratio = weights[labels == label][0] / weights[labels == other][0]
            assert ratio == pytest.approx((counts[other] / counts[label]) ** power, rel=1e-4)


@given(labels=arrays.arrays(np.int32, st.integers(1, 40), elements=st.integers(0, 5)))
def test_ends_of_the_power(labels: np.ndarray[Any, np.dtype[np.int32]]) -> None:
    assume(len(np.unique(labels)) > 1)
    np.testing.assert_array_equal(balance_weights(labels, 6, 0.0), np.ones(len(labels), np.float32))
    totals = np.bincount(labels, balance_weights(labels, 6, 1.0))
    np.testing.assert_allclose(totals[totals > 0], len(labels) / len(np.unique(labels)), rtol=1e-5)
