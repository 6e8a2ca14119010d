"""Choosing rows: equal to writing it down row by row, and the chances of a row to be chosen."""

from __future__ import annotations

from collections import Counter
from itertools import chain
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wldetect.data.balance import balance_factors, random_numbers, row_keys, select_rows, share_out, smallest

from . import oracle
from .oracle import Row

LABELS = ("deu_Latn", "eng_Latn", "fra_Latn", "zul_Latn")
N_SOURCES = 3

some_rows = st.lists(
    st.tuples(st.integers(-1, 3), st.integers(0, N_SOURCES - 1), st.sampled_from([0.0, 0.5, 1.0, 30.0])), max_size=60
)
caps = st.none() | st.integers(1, 12)


def select(rows: list[Row], labels: tuple[str, ...] = LABELS, weighted: bool = True, **options: Any) -> list[int]:
    """How often each of ``rows`` is taken; those of a source are one after the other, as they are read."""
    options.setdefault("seed", 42)
    places: dict[tuple[int, int], list[int]] = {}
    for row, (code, source, _) in enumerate(rows):
        if code >= 0:
            places.setdefault((source, code), []).append(row)
    each = [[places.get((source, code), []) for code in range(len(labels))] for source in range(N_SOURCES)]
    counts = np.array([[len(found) for found in of_source] for of_source in each], dtype=np.int64)
    importance = [[np.array([rows[row][2] for row in found], np.float32) for found in of_source] for of_source in each]
    chosen = select_rows(counts, labels, importance=importance if weighted else None, **options)
    np.testing.assert_array_equal(np.diff(chosen.starts), counts.sum(0))
    order = [row for code in range(len(labels)) for of_source in each for row in of_source[code]]
    times = dict(zip(order, chosen.repeats.tolist(), strict=True))
    assert chosen.total == sum(times.values())
    return [times.get(row, 0) for row in range(len(rows))]


def taken(times: list[int]) -> list[int]:
    return [row for row, count in enumerate(times) if count]


@settings(deadline=None)
@given(
    rows=some_rows, seed=st.integers(0, 2**40), minimum=st.integers(0, 10), maximum=caps, limits=st.tuples(*[caps] * 3)
)
def test_selection_equals_the_oracle(
    rows: list[Row], seed: int, minimum: int, maximum: int | None, limits: tuple[int | None, ...]
) -> None:
    options: dict[str, Any] = {"seed": seed, "minimum": minimum, "maximum": maximum, "source_maxima": limits}
    times = select(rows, **options)
    assert set(times) <= {0, 1}
    assert taken(times) == sorted(chain.from_iterable(oracle.chosen_rows(rows, LABELS, **options).values()))


@settings(deadline=None)
@given(
    rows=some_rows, maximum=caps, limits=st.tuples(*[caps] * 3), alpha=st.floats(0, 1), max_repeats=st.integers(1, 300)
)
def test_sampling_equals_the_oracle(
    rows: list[Row], maximum: int | None, limits: tuple[int | None, ...], alpha: float, max_repeats: int
) -> None:
    options: dict[str, Any] = {"seed": 5, "maximum": maximum, "source_maxima": limits}
    times = select(rows, alpha=alpha, max_repeats=max_repeats, **options)
    left = oracle.chosen_rows(rows, LABELS, **options)
    kept = [len(left[label]) for label in range(len(LABELS))]
    # As many texts as without it.
    assert sum(times) == sum(kept)
    quota = share_out(np.array(kept, dtype=np.int64), alpha, max_repeats)
    expected = Counter[int]()
    for label, order in left.items():
        for position in range(quota[label]):
            expected[order[position % len(order)]] += 1
    assert dict(expected) == {row: count for row, count in enumerate(times) if count}


@settings(deadline=None)
@given(
    counts=st.lists(st.integers(0, 1000), min_size=1, max_size=12),
    alpha=st.floats(0, 1),
    max_repeats=st.integers(1, 20),
)
def test_shares_equal_the_oracle(counts: list[int], alpha: float, max_repeats: int) -> None:
    texts = share_out(np.array(counts, dtype=np.int64), alpha, max_repeats)
    assert texts.sum() == sum(counts)
    assert (texts <= np.array(counts) * max_repeats).all()
    exact = oracle.exact_shares(counts, alpha, max_repeats)
    # Rounded up or down, but for the rounding of the arithmetic itself.
    assert (np.abs(texts - exact) < 1 + 1e-6).all()


def test_ends_of_alpha() -> None:
    counts = np.array([0, 1, 7, 100, 5000], dtype=np.int64)
    np.testing.assert_array_equal(share_out(counts, 1.0, 4), counts)
    np.testing.assert_array_equal(share_out(counts, 0.3, 1), counts)
    np.testing.assert_array_equal(share_out(counts, 0.0, 10**6), [0, 1277, 1277, 1277, 1277])
    # What small languages cannot take goes to the others, in proportion.
    np.testing.assert_array_equal(share_out(counts, 0.0, 4), [0, 4, 28, 400, 4676])
    np.testing.assert_array_equal(share_out(np.zeros(3, dtype=np.int64), 0.5, 4), [0, 0, 0])


@settings(deadline=None)
@given(rows=some_rows, maximum=st.integers(1, 12))
def test_rows_without_importance_are_drawn_last(rows: list[Row], maximum: int) -> None:
    chosen = set(taken(select(rows, maximum=maximum)))
    for code in range(len(LABELS)):
        mine = [row for row in range(len(rows)) if rows[row][0] == code]
        if any(rows[row][2] == 0 for row in mine if row in chosen):
            assert all(row in chosen for row in mine if rows[row][2] > 0)


@settings(deadline=None)
@given(
    mine=st.lists(st.tuples(st.just(0), st.just(0), st.sampled_from([0.0, 1.0, 30.0])), min_size=5, max_size=20),
    others=st.lists(st.tuples(st.integers(0, 2), st.just(0), st.just(1.0)), max_size=20),
    data=st.data(),
)
def test_other_labels_change_nothing(mine: list[Row], others: list[Row], data: st.DataObject) -> None:
    """Rows of other labels come, go, and move between those of the first one, whose index changes as well."""
    order = data.draw(st.permutations(range(len(mine) + len(others))))
    places = sorted(order[: len(mine)])
    mixed = dict(zip(places, ((3, *row[1:]) for row in mine), strict=True))
    mixed.update(zip(order[len(mine) :], others, strict=True))
    alone = select(mine, maximum=4)
    beside = select([mixed[place] for place in range(len(mixed))], ("x", "y", "z", LABELS[0]), maximum=4)
    assert [places.index(row) for row in taken(beside) if mixed[row][0] == 3] == taken(alone)


def test_seed_label_and_source_choose_other_rows() -> None:
    rows = [(code, source, 1.0) for code in (0, 1) for source in (0, 1) for _ in range(500)]
    first, second = (np.array(taken(select(rows, seed=seed, source_maxima=[50] * 3))) for seed in (1, 2))
    assert set(first.tolist()) != set(second.tolist())
    groups = [tuple((first[first // 500 == group] % 500).tolist()) for group in range(4)]
    assert len(set(groups)) == 4
    assert {len(group) for group in groups} == {50}


def test_no_rows() -> None:
    assert select([]) == []
    assert select([(-1, 0, 1.0)] * 3) == [0, 0, 0]


def test_minimum_counts_what_is_found_not_what_is_kept() -> None:
    times = select([(0, 0, 1.0)] * 10 + [(1, 0, 1.0)] * 4, minimum=5, maximum=3)
    assert (sum(times[:10]), sum(times[10:])) == (3, 0)


def test_every_row_is_as_likely_without_importance() -> None:
    counts = np.zeros(10)
    for seed in range(1000):
        counts += select([(0, 0, 1.0)] * 10, seed=seed, maximum=3, weighted=False)
    # Five standard deviations of a draw of 3 in 10.
    np.testing.assert_allclose(counts / 1000, 0.3, atol=5 * (0.3 * 0.7 / 1000) ** 0.5)


def test_first_draw_is_in_proportion_to_importance() -> None:
    shares = np.array([0.0, 0.05, 0.25, 0.7])
    counts = np.zeros(4)
    for seed in range(2000):
        counts += select([(0, 0, share * 8) for share in shares], seed=seed, maximum=1)
    np.testing.assert_allclose(counts / 2000, shares, atol=5 * (0.25 / 2000) ** 0.5)
    assert counts[0] == 0


def test_share_of_frequent_rows() -> None:
    # Frequent rows are nine times as likely; a draw of 1 in 100 hardly changes what is left to draw from.
    rows = [(0, 0, 9.0)] * 5000 + [(0, 0, 1.0)] * 5000
    frequent = np.concatenate([np.array(taken(select(rows, seed=seed, maximum=100))) < 5000 for seed in range(30)])
    assert frequent.mean() == pytest.approx(0.9, abs=0.03)


def test_cap_of_a_source_keeps_its_important_rows() -> None:
    rows = [(0, 0, 1.0)] * 5 + [(0, 1, 1e-9)] * 50 + [(0, 1, 1.0)] * 5
    assert taken(select(rows, source_maxima=[None, 5, None])) == [0, 1, 2, 3, 4, *range(55, 60)]


def test_keys_of_extreme_importance() -> None:
    importance = np.array([0.0, 1e-45, 1e38, 1.0, 0.0], dtype=np.float32)
    keys = row_keys(1, "deu_Latn", 0, 5, importance)
    assert np.isfinite(keys).all()
    assert np.argsort(keys).tolist()[:3] == [2, 3, 1]
    # Rows of other sources come before those of importance 0, whatever theirs is.
    assert row_keys(1, "deu_Latn", 1, 1000).max() < keys[[0, 4]].min()


def test_random_numbers_equal_the_oracle() -> None:
    found = random_numbers("name", 5, 50)
    np.testing.assert_array_equal(found, [oracle.random_number("name", 5 + index) for index in range(50)])
    many = random_numbers("another", 0, 100_000)
    # Five standard deviations of the mean of uniform numbers.
    assert many.mean() == pytest.approx(0.5, abs=5 * (1 / 12 / 100_000) ** 0.5)
    assert 0 < many.min() < many.max() < 1


@settings(deadline=None)
@given(keys=st.lists(st.sampled_from([1.0, 2.0, 3.0, 4.0]), max_size=20), count=st.integers(0, 22))
def test_smallest(keys: list[float], count: int) -> None:
    expected = sorted(range(len(keys)), key=lambda row: (keys[row], row))[:count]
    assert np.flatnonzero(smallest(np.array(keys), count)).tolist() == sorted(expected)


@settings(deadline=None)
@given(counts=st.lists(st.integers(0, 40), min_size=1, max_size=8), power=st.floats(0, 1))
def test_balance_factors(counts: list[int], power: float) -> None:
    factors = balance_factors(np.array(counts), power)
    for count, factor in zip(counts, factors, strict=True):
        assert factor == pytest.approx((count / sum(counts)) ** -power if count else 0, rel=1e-12)


def test_ends_of_the_power() -> None:
    counts = np.array([1, 20, 0, 300])
    np.testing.assert_array_equal(balance_factors(counts, 0.0), [1, 1, 0, 1])
    totals = balance_factors(counts, 1.0) * counts
    np.testing.assert_allclose(totals[counts > 0], counts.sum(), rtol=1e-12)
