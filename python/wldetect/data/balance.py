"""Choosing rows: configured languages only, minimum and maximum counts, and weights that balance languages."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Selection", "balance_weights", "select_rows"]


@dataclass(frozen=True)
class Selection:
    """Which rows are used.

    Attributes:
        rows: int64 [n], ascending: indices of the chosen rows.
        found: int64 [L]: rows of each configured label before choosing.
        kept: int64 [L]: rows of each configured label that were chosen; 0 for a label that was dropped.
    """

    rows: NDArray[np.int64]
    found: NDArray[np.int64]
    kept: NDArray[np.int64]


def select_rows(
    codes: NDArray[np.integer],
    sources: NDArray[np.integer],
    labels: Sequence[str],
    *,
    seed: int,
    minimum: int = 0,
    maximum: int | None = None,
    source_maxima: Sequence[int | None] = (),
    importance: NDArray[np.float64] | None = None,
) -> Selection:
    """Choose rows label by label, without replacement.

    A label with fewer than ``minimum`` rows, or none, is dropped. Where there are too many rows, first of a source
    with its own maximum and then in all, they are drawn with probability proportional to ``importance``. What is
    drawn for one label depends on the seed, its name and its rows alone, not on the other labels.

    Args:
        codes: int [N], index into ``labels`` of each row, negative for rows of other languages.
        sources: int [N], index of the source of each row.
        labels: the configured language codes.
        seed: of the draw.
        minimum: labels with fewer rows are dropped.
        maximum: the most rows of one label.
        source_maxima: the most rows of one label from each source; None for no limit.
        importance: float64 [N], at least 0, relative chance of a row to be drawn; rows of 0 are drawn last.
    """
    order = np.argsort(codes, kind="stable")
    bounds = np.searchsorted(codes[order], np.arange(len(labels) + 1))
    found = np.diff(bounds)
    chosen: list[NDArray[np.int64]] = []
    for index, label in enumerate(labels):
        rows = order[bounds[index] : bounds[index + 1]]
        if len(rows) < max(minimum, 1):
            continue
        rng = np.random.default_rng([seed, zlib.crc32(label.encode())])
        # A row's key is the waiting time of a clock that rings at the rate of its importance: the first k to ring
        # are a weighted draw without replacement (Efraimidis and Spirakis, 2006).
        waiting = rng.exponential(size=len(rows))
        weight = np.ones(len(rows)) if importance is None else importance[rows]
        with np.errstate(divide="ignore"):
            keys = waiting / weight
        # Rows that never ring follow the others, in random order.
        ranking = np.lexsort((waiting, keys))
        rows = rows[ranking]
        for source, cap in enumerate(source_maxima):
            if cap is not None:
                of_source = sources[rows] == source
                rows = rows[~of_source | (np.cumsum(of_source) <= cap)]
        chosen.append(rows[:maximum])
    picked = np.sort(np.concatenate(chosen)) if chosen else np.zeros(0, dtype=np.int64)
    kept = np.bincount(codes[picked], minlength=len(labels)) if len(picked) else np.zeros(len(labels), dtype=np.int64)
    return Selection(picked.astype(np.int64), found.astype(np.int64), kept.astype(np.int64))


def balance_weights(labels: NDArray[np.integer], n_labels: int, power: float) -> NDArray[np.float32]:
    """Loss weights that make rare languages count more: inverse count ** ``power``, with mean 1 over the rows.

    Args:
        labels: int [N], label index of each row.
        n_labels: number of labels.
        power: 0 changes nothing, 1 gives every language the same total weight.

    Returns:
        float32 [N].
    """
    counts = np.bincount(labels, minlength=n_labels).astype(np.float64)
    weights = (counts[labels] / len(labels)) ** -power
    balanced: NDArray[np.float32] = (weights / weights.mean()).astype(np.float32)
    return balanced
