"""Accuracy against the time that detection takes, of models that were trained with different options."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wldetect.analysis.figures import BLUE, GREY, INK, describe, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Trade", "draw_trades", "frontier"]


@dataclass(frozen=True)
class Trade:
    """What a model takes and gives on one set of texts.

    Attributes:
        name: of the option.
        time: of detection, as a multiple of what it takes by tokens alone.
        accuracy: share of the texts whose language is found.
    """

    name: str
    time: float
    accuracy: float


def frontier(trades: Sequence[Trade]) -> list[Trade]:
    """Those that no other is both at least as fast and more accurate than, the fastest first."""
    best: list[Trade] = []
    for trade in sorted(trades, key=lambda one: (one.time, -one.accuracy)):
        if not best or trade.accuracy > best[-1].accuracy:
            best.append(trade)
    return best


def draw_trades(sets: dict[str, Sequence[Trade]], title: str) -> Figure:
    """A panel for each set: a point an option, and a line through those that are worth their time."""
    figure = new_figure(8.2 * len(sets), 6.2, title)
    for axes, (name, trades) in zip(figure.subplots(1, len(sets), squeeze=False).flat, sets.items(), strict=True):
        _draw(axes, name, trades)
    return figure


def _draw(axes: Axes, name: str, trades: Sequence[Trade]) -> None:
    best = frontier(trades)
    axes.plot(
        [one.time for one in best],
        [100 * one.accuracy for one in best],
        color=BLUE,
        linewidth=1.6,
        marker="o",
        zorder=3,
    )
    for one in trades:
        point, worth_it = (one.time, 100 * one.accuracy), one in best
        if not worth_it:
            axes.plot(*point, color=GREY, marker="o", markersize=3.5)
        axes.annotate(
            one.name,
            point,
            xytext=(5, 4 if worth_it else -3),
            textcoords="offset points",
            fontsize=7 if worth_it else 6,
            color=INK if worth_it else GREY,
            parse_math=False,
        )
    describe(axes, name, "time of detection, as a multiple of tokens alone", "accuracy (%)")
    # Options are close together at the top, and few are far below: the axis shows the upper half of them in full.
    accuracies = sorted(100 * one.accuracy for one in trades)
    if accuracies:
        lowest, highest = accuracies[len(accuracies) // 4], accuracies[-1]
        margin = max(0.15 * (highest - lowest), 0.05)
        axes.set_ylim(bottom=math.floor(10 * (lowest - 2 * margin)) / 10, top=highest + margin)
