"""Accuracy against confidence, bin by bin, and how many texts are in each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from wldetect.analysis.figures import BLUE, GREY, INK, RED, describe, new_figure
from wldetect.evaluation.reliability import BINS, Reliability
from wldetect.evaluation.report import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_reliability"]

_PANEL_WIDTH, _PANEL_HEIGHT, _SMALLEST_WIDTH = 3.0, 3.2, 5.0
_MOST_COLUMNS = 6
# The first of several lines is what the others are to be better than.
_COLOURS = (RED, BLUE)


def draw_reliability(title: str, panels: Mapping[str, Sequence[tuple[str, Reliability]]]) -> Figure:
    """Draw a panel for each set of texts, with one or two lines each, the second where it is to be better than the
    first.

    A point is a bin of confidence: its mean confidence, and how often its texts are right. Where probabilities mean
    what they say, points lie on the diagonal. Bars from the bottom are the shares of texts in the bins of the last
    line.

    Args:
        title: of the figure.
        panels: by name, lines as pairs of a name and what was found, at least one line and at most two.
    """
    columns = max(1, min(len(panels), _MOST_COLUMNS))
    rows = max(1, -(-len(panels) // columns))
    figure = new_figure(max(columns * _PANEL_WIDTH, _SMALLEST_WIDTH), rows * _PANEL_HEIGHT + 0.4, title)
    places = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes, (name, lines) in zip(places, panels.items(), strict=False):
        _draw_panel(axes, printable(name), lines)
    for axes in places[len(panels) :]:
        axes.set_visible(False)
    return figure


def _draw_panel(axes: Axes, name: str, lines: Sequence[tuple[str, Reliability]]) -> None:
    describe(axes, name, "confidence", "accuracy")
    axes.title.set_parse_math(False)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_aspect("equal")
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle="--")
    last = lines[-1][1]
    axes.bar(
        [one.lower for one in last.bins], [one.share for one in last.bins], 1 / BINS, align="edge", color="#d6dde6"
    )
    for (label, found), colour in zip(lines, _COLOURS[-len(lines) :], strict=True):
        points = [
            (one.mean_confidence, one.accuracy)
            for one in found.bins
            if one.mean_confidence is not None and one.accuracy is not None
        ]
        error = found.expected_calibration_error
        shown = "no texts" if error is None else f"error {error:.3f}"
        axes.plot(
            [x for x, _ in points],
            [y for _, y in points],
            color=colour,
            marker="o",
            markersize=3,
            linewidth=1.2,
            label=f"{label}: {shown}" if label else shown,
        )
    # Below the diagonal there is room, but for the bar of the surest texts.
    axes.legend(loc="lower right", bbox_to_anchor=(0.93, 0.04), fontsize=7, frameon=False, labelcolor=INK)
