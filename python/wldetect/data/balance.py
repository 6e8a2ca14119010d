"""Choosing rows: minimum and maximum counts, shares of languages, and weights that balance languages.

What is chosen follows from counts and from one random number a row, which can be computed again at any time. So
nothing is remembered of a row but how often it is taken, and one language at a time is decided.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wldetect.data.mixing import GOLDEN, mix64

__all__ = [
    "FrequentRows",
    "Selection",
    "balance_factors",
    "random_numbers",
    "row_keys",
    "select_rows",
    "share_out",
    "smallest",
]

# Where the keys of rows of importance 0 begin: above those of all other rows.
_LAST = 2.0**940


@dataclass(frozen=True)
class Selection:
    """Which rows are used, and how often.

    Attributes:
        kept: int64 [L]: rows of each label that are left by the minimum and the maxima; 0 for a label that was dropped.
        repeats: unsigned int [N]: how often each row is used: label by label, of a label source by source, of a source
            in order.
        starts: int64 [L + 1]: label l has ``repeats[starts[l]:starts[l + 1]]``.
    """

    kept: NDArray[np.int64]
    repeats: NDArray[np.unsignedinteger]
    starts: NDArray[np.int64]

    @property
    def total(self) -> int:
        """Texts in all, repeated ones counted as often as they are used."""
        return int(self.repeats.sum(dtype=np.int64))


@dataclass(frozen=True)
class FrequentRows:
    """How much more often than once the rows of a source are used.

    Attributes:
        repeats: how often on average over the rows of a label that are used. Each is in proportion to its frequency.
        frequencies: L: one number at least 0 for each row; None for a label without rows.
    """

    repeats: float
    frequencies: Sequence[NDArray[np.floating] | None]


def select_rows(
    counts: NDArray[np.int64],
    labels: Sequence[str],
    *,
    seed: int,
    minimum: int = 0,
    maximum: int | None = None,
    source_maxima: Sequence[int | None] | None = None,
    importance: Sequence[Sequence[NDArray[np.floating] | None]] | None = None,
    alpha: float | None = None,
    max_repeats: int = 1,
    frequent: Sequence[FrequentRows | None] | None = None,
) -> Selection:
    """Choose rows label by label, without replacement.

    A label with fewer than ``minimum`` rows, or none, is dropped. Where there are too many rows, first of a source
    with its own maximum and then in all, they are drawn with probability proportional to ``importance``. What is
    drawn for one label depends on the seed, its name and its rows alone, not on the other labels.

    With ``alpha`` each label then has its share of as many texts as there would be without it (`share_out`): rows are
    taken equally often, but for one time more of those that are drawn first.

    Args:
        counts: int64 [S, L]: rows of each label in each source.
        labels: the language codes.
        seed: of the draw.
        minimum: labels with fewer rows are dropped.
        maximum: the most rows of one label.
        source_maxima: S: the most rows of one label from each source; None for no limit.
        importance: S x L arrays, one number at least 0 for each row, the relative chance to be drawn (rows of 0 are
            drawn last); None for rows that all have 1.
        alpha: the power of the shares; None: every row once.
        max_repeats: how often a row may be taken, with ``alpha``.
        frequent: S: for sources whose rows are used more often the more frequent they are; None for others.
    """
    n_sources, n_labels = counts.shape
    caps = [None] * n_sources if source_maxima is None else list(source_maxima)
    capped = np.array([row if cap is None else np.minimum(row, cap) for row, cap in zip(counts, caps, strict=True)])
    found = counts.sum(0)
    kept = np.zeros(n_labels, dtype=np.int64) + capped.sum(0)
    if maximum is not None:
        kept = np.minimum(kept, maximum)
    kept[found < max(minimum, 1)] = 0
    quota = kept if alpha is None else share_out(kept, alpha, max_repeats)
    starts = np.concatenate([[0], np.cumsum(found)])
    most = 1 if alpha is None else max_repeats
    repeats = np.zeros(starts[-1], dtype=np.min_scalar_type(most) if frequent is None else np.uint32)
    for label in np.flatnonzero(kept).tolist():
        mine = repeats[starts[label] : starts[label + 1]]
        if quota[label] == kept[label] == found[label]:
            mine[:] = 1
            _repeat_frequent(mine, frequent, counts[:, label], label, f"{seed} {labels[label]}")
            continue
        weights = [None if importance is None else importance[source][label] for source in range(n_sources)]
        keys = np.concatenate(
            [
                row_keys(seed, labels[label], source, int(counts[source, label]), weights[source])
                for source in range(n_sources)
            ]
        )
        # What is left out has a key that is larger than any.
        end = np.cumsum(counts[:, label])
        for source in np.flatnonzero(capped[:, label] < counts[:, label]).tolist():
            part = keys[end[source] - counts[source, label] : end[source]]
            part[~smallest(part, int(capped[source, label]))] = np.inf
        taken = smallest(keys, int(kept[label]))
        times, more = divmod(int(quota[label]), int(kept[label]))
        mine[taken] = times
        mine[smallest(keys, more)] += 1
        _repeat_frequent(mine, frequent, counts[:, label], label, f"{seed} {labels[label]}")
    return Selection(kept, repeats, starts)


def _repeat_frequent(
    mine: NDArray[np.unsignedinteger],
    frequent: Sequence[FrequentRows | None] | None,
    counts: NDArray[np.int64],
    label: int,
    stream: str,
) -> None:
    """Add to ``mine``, how often the rows of a label are used, what `FrequentRows` says of those that are."""
    ends = np.cumsum(counts)
    for source, (rows, end) in enumerate(zip(frequent or (), ends.tolist(), strict=bool(frequent))):
        frequencies = None if rows is None else rows.frequencies[label]
        if rows is None or frequencies is None:
            continue
        part = mine[end - counts[source] : end]
        shares = np.where(part > 0, frequencies, 0.0).astype(np.float64)
        if shares.sum() > 0:
            more = rows.repeats * np.count_nonzero(part) * shares / shares.sum()
            # Rounded at random, so that rare rows are used as often on average as they are to be.
            part += (more + random_numbers(f"repeats {stream} {source}", 0, len(part))).astype(part.dtype)


def row_keys(
    seed: int, label: str, source: int, count: int, importance: NDArray[np.floating] | None = None
) -> NDArray[np.float64]:
    """The order in which ``count`` rows of one label and source are drawn: those with the smallest keys first.

    A row's key is the waiting time of a clock that rings at the rate of its importance: the first k to ring are a
    weighted draw without replacement (Efraimidis and Spirakis, 2006). Rows that never ring follow the others, in
    random order.

    Returns:
        float64 [count], above 0 and finite.
    """
    stream = json.dumps([seed, label, source])
    waiting: NDArray[np.float64] = -np.log(random_numbers(stream, 0, count))
    if importance is None:
        return waiting
    with np.errstate(divide="ignore", over="ignore"):
        keys = np.minimum(waiting / importance.astype(np.float64), _LAST)
    # No waiting time is below 2^-54.
    ordered: NDArray[np.float64] = np.where(importance > 0, keys, waiting * 2.0**1000)
    return ordered


def random_numbers(stream: str, first: int, count: int) -> NDArray[np.float64]:
    """Numbers ``first`` to ``first + count`` of a random sequence (SplitMix64) that ``stream`` names.

    Returns:
        float64 [count], uniform between 0 and 1, neither of which occurs.
    """
    start = int.from_bytes(hashlib.blake2b(stream.encode(), digest_size=8).digest(), "little")
    state = np.arange(first + 1, first + 1 + count, dtype=np.uint64) * GOLDEN + np.uint64(start)
    # In the middle of one of 2^52 intervals, so that neither end is rounded to.
    numbers: NDArray[np.float64] = ((mix64(state) >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52
    return numbers


def smallest(keys: NDArray[np.float64], count: int) -> NDArray[np.bool_]:
    """Which ``count`` of ``keys`` are the smallest; of equal ones the first."""
    if count >= len(keys):
        return np.ones(len(keys), dtype=np.bool_)
    if count == 0:
        return np.zeros(len(keys), dtype=np.bool_)
    bound = np.partition(keys, count - 1)[count - 1]
    chosen: NDArray[np.bool_] = keys < bound
    chosen[np.flatnonzero(keys == bound)[: count - int(chosen.sum())]] = True
    return chosen


def share_out(counts: NDArray[np.int64], alpha: float, max_repeats: int) -> NDArray[np.int64]:
    """Texts for each label, in proportion to ``counts`` ** ``alpha``, as many in all as ``counts``.

    No label gets more than ``max_repeats`` times its count; what it would get more goes to the others.

    Args:
        counts: int64 [L], at least 0.
        alpha: 1 gives ``counts`` back, 0 the same to each label that has any.
        max_repeats: at least 1.

    Returns:
        int64 [L].
    """
    limits = counts * max_repeats
    shares = np.where(counts > 0, counts.astype(np.float64) ** alpha, 0.0)
    exact = np.zeros(len(counts))
    full = counts == 0
    while not full.all():
        left = counts.sum() - limits[full].sum()
        exact[~full] = left * (shares[~full] / shares[~full].sum())
        above = ~full & (exact > limits)
        if not above.any():
            break
        full |= above
    exact[full] = limits[full]
    texts = np.floor(exact).astype(np.int64)
    # Rounded so that the sum is exact: up where most is cut off.
    missing = int(counts.sum() - texts.sum())
    rounded_up = np.argsort(np.where(full, 1.0, texts - exact), kind="stable")[:missing]
    texts[rounded_up] += 1
    return texts


def balance_factors(counts: NDArray[np.integer | np.floating], power: float) -> NDArray[np.float64]:
    """Loss weights a label that make rare languages count more: share of the texts ** -``power``.

    Args:
        counts: int or float, of any shape: texts of each label; one without any has the factor 0.
        power: 0 changes nothing, 1 gives every language the same total weight.

    Returns:
        float64, of the shape of ``counts``.
    """
    shares = counts / max(counts.sum(), 1)
    factors = np.zeros(counts.shape)
    factors[counts > 0] = shares[counts > 0] ** -power
    return factors
