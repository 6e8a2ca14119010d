"""Accuracy against length in words, by group of scripts, and of noise and capitals, of one model or several."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from wldetect.analysis.figures import GREY, INK, describe, new_figure
from wldetect.evaluation.report import short
from wldetect.evaluation.script_groups import ScriptGroup
from wldetect.evaluation.suite import SetKind
from wldetect.evaluation.suite_scores import ModelScores, SuiteResult

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_suite"]

# Told apart by readers who see no red and green, too; markers and widths tell more of them apart.
_COLOURS = ("#3366aa", "#c0392b", "#e69f00", "#2a9d6f", "#8e5ea2", "#4db6d0", "#8c6d46")
_MARKERS = "osD^vPX"
_ALL = "all languages"
_PANEL_WIDTH, _PANEL_HEIGHT, _SMALLEST_WIDTH = 4.6, 3.6, 6.5
_MOST_COLUMNS = 3
# Letters of the names under a panel of bars, beyond which they are slanted so as not to meet.
_MOST_LEVEL_LETTERS = 36


def draw_suite(result: SuiteResult) -> Figure:
    """One model: a panel with a line for each group. Several: a panel for each group with a line for each model.

    A point is a set of a length, at the mean number of words of the group's texts. One panel more has bars, for the
    sets of no length. Panels of which there is nothing to show are left out.
    """
    lengths = [name for name in result.sets if SetKind.of(name).of_length]
    others = [name for name in result.sets if not SetKind.of(name).of_length]
    groups = [group for group in ScriptGroup if group in set(result.groups.values())]
    several = len(result.models) > 1
    # None stands for all groups together.
    panels: list[ScriptGroup | None] = ([None, *groups] if several else [None]) if lengths else []
    n_panels = len(panels) + bool(others)
    columns = min(n_panels, _MOST_COLUMNS)
    rows = -(-n_panels // columns)
    scale = 1.0 if several else 1.4
    names = ", ".join(short(model.name) for model in result.models)
    figure = new_figure(
        max(columns * _PANEL_WIDTH * scale, _SMALLEST_WIDTH),
        rows * _PANEL_HEIGHT * scale + 0.4,
        f"{names}: accuracy on short, noisy and shouted text",
    )
    # The bars of one model are few.
    widths = [2.4, 1.0] if panels and others and not several else None
    axes = figure.subplots(rows, columns, squeeze=False, width_ratios=widths).flat
    lowest = _lowest(result, lengths)
    for panel in panels:
        here = next(axes)
        if several:
            _draw_models(here, result, lengths, panel)
        else:
            _draw_groups(here, result, lengths, groups)
        _finish(here, lowest)
    if others:
        _draw_bars(next(axes), result, others, legend=several and not panels)
    for unused in axes:
        unused.set_visible(False)
    return figure


def _lowest(result: SuiteResult, lengths: Sequence[str]) -> float:
    """Where the accuracy axis of all panels begins, a whole number of tens."""
    shares = [
        share
        for model in result.models
        for name in lengths
        for share in (model.sets[name].scores.accuracy, *(one.accuracy for one in model.sets[name].groups.values()))
    ]
    return max(0.0, 10.0 * math.floor(10 * min(shares, default=0.0) - 0.2))


def _draw_groups(axes: Axes, result: SuiteResult, lengths: Sequence[str], groups: Sequence[ScriptGroup]) -> None:
    """A line for each group of scripts, and one for all languages."""
    model = result.models[0]
    for group, colour, marker in zip(groups, _COLOURS, _MARKERS, strict=False):
        count = sum(one is group for one in result.groups.values())
        x, y = _curve(result, model, lengths, group)
        axes.plot(x, y, color=colour, marker=marker, markersize=4, linewidth=1.4, label=f"{group.value} ({count})")
    x, y = _curve(result, model, lengths, None)
    label = f"{_ALL} ({len(result.groups)})"
    axes.plot(x, y, color=INK, marker="o", markersize=5, linewidth=2.6, label=label, zorder=3)
    _describe(axes, "accuracy against length, by group of scripts (languages)")


def _draw_models(axes: Axes, result: SuiteResult, lengths: Sequence[str], group: ScriptGroup | None) -> None:
    """A line for each model."""
    for number, model in enumerate(result.models):
        x, y = _curve(result, model, lengths, group)
        axes.plot(x, y, marker=_MARKERS[number % len(_MARKERS)], markersize=4, linewidth=1.6, **_style(number, model))
    count = sum(group is None or one is group for one in result.groups.values())
    _describe(axes, f"{_ALL if group is None else group.value} ({count})")


def _curve(
    result: SuiteResult, model: ModelScores, lengths: Sequence[str], group: ScriptGroup | None
) -> tuple[list[float], list[float]]:
    """Mean words and accuracy in per cent of the sets that have texts of ``group``, None for all, by mean words."""
    points = []
    for name in lengths:
        facts, scores = result.sets[name], model.sets[name]
        if group is None:
            points.append((facts.all.mean_words, 100 * scores.scores.accuracy))
        elif group in facts.groups:
            points.append((facts.groups[group].mean_words, 100 * scores.groups[group].accuracy))
    points.sort()
    return [x for x, _ in points], [y for _, y in points]


def _draw_bars(axes: Axes, result: SuiteResult, names: Sequence[str], legend: bool) -> None:
    """A bar for each set and model; other panels say which colour is which model's, unless ``legend``."""
    width = 0.8 / len(result.models)
    places = np.arange(len(names))
    for number, model in enumerate(result.models):
        heights = [100 * model.sets[name].scores.accuracy for name in names]
        offset = (number - (len(result.models) - 1) / 2) * width
        bars = axes.bar(places + offset, heights, 0.92 * width, **_style(number, model))
        axes.bar_label(bars, [f"{height:.1f}" for height in heights], fontsize=7, color=INK, padding=1)
    describe(axes, f"other sets, {_ALL}", "", "accuracy (%)")
    shown = [short(name) for name in names]
    slanted = sum(map(len, shown)) > _MOST_LEVEL_LETTERS
    slant: dict[str, Any] = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if slanted else {}
    axes.set_xticks(places, shown, parse_math=False, **slant)
    axes.grid(visible=False, axis="x")
    # Room for the numbers on top.
    axes.set_ylim(0, 108)
    if legend:
        _legend(axes, loc="upper left", bbox_to_anchor=(0.0, -0.3 if slanted else -0.1))


def _style(number: int, model: ModelScores) -> dict[str, Any]:
    return {"color": _COLOURS[number % len(_COLOURS)], "label": short(model.name)}


def _describe(axes: Axes, title: str) -> None:
    describe(axes, title, "mean words of a text", "accuracy (%)")
    _legend(axes, loc="lower right")


def _finish(axes: Axes, lowest: float) -> None:
    """Lengths on a logarithmic scale with a few round numbers, and accuracy up to 100 %."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator([1, 2, 5, 10, 20, 50, 100, 200, 500]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_ylim(lowest, 102)
    axes.axhline(100, color=GREY, linewidth=0.6, zorder=1)


def _legend(axes: Axes, **place: Any) -> None:
    for text in axes.legend(fontsize=7.5, frameon=False, **place).get_texts():
        text.set(color=INK, parse_math=False)
