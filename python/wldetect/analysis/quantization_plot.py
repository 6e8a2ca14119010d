"""Four panels: where the values of a table lie, and what each way to store them costs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from wldetect.analysis.figures import BLUE, INK, RED, describe, new_figure
from wldetect.analysis.quantization import Measured, QuantizationResult
from wldetect.analysis.variants import DEFAULT_VARIANT, SMALLEST_NORMAL, Fp8Name, Granularity
from wldetect.export.quantize import TableDType

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_quantization"]

_WIDTH, _HEIGHT = 13.5, 9.5
_COLOURS: dict[Fp8Name, str] = {"e3m4": BLUE, "e4m3fn": RED}
_MARKERS = {Granularity.TENSOR: "o", Granularity.LANGUAGE: "^"}


def draw_quantization(result: QuantizationResult) -> Figure:
    """Magnitudes of the table; errors, answers changed and size of every variant."""
    figure = new_figure(_WIDTH, _HEIGHT, f"{result.model}: what storing the table in 8-bit floats costs")
    panels = figure.subplots(2, 2)
    _draw_magnitudes(panels[0, 0], result)
    names = list(dict.fromkeys(one.variant.range_name for one in result.variants))
    _draw_by_range(panels[0, 1], result, names, lambda one: one.errors.rms)
    panels[0, 1].set_yscale("log")
    describe(panels[0, 1], "Root mean square error", "where the largest magnitude lands", "RMS error, logits")
    _draw_by_range(
        panels[1, 0],
        result,
        names,
        lambda one: 100 * (one.accuracy - result.float_accuracy),
        lambda one: _deviation(one, result.n_texts),
    )
    panels[1, 0].axhline(0, color=INK, linewidth=1)
    # Differences of some texts and of thousands in one panel.
    panels[1, 0].set_yscale("symlog", linthresh=0.05)
    describe(
        panels[1, 0],
        f"Accuracy against float32 ({100 * result.float_accuracy:.3f} %, {result.n_texts:,} texts)",
        "where the largest magnitude lands",
        "difference and its standard deviation, percentage points",
    )
    _draw_sizes(panels[1, 1], result)
    return figure


def _draw_magnitudes(axes: Axes, result: QuantizationResult) -> None:
    """How many values lie at each power of two, and from where on each format at the default range is normal."""
    edges, millions = result.magnitude_edges, result.magnitudes / 1e6
    axes.stairs(millions, edges, fill=True, color="#b7c9e2")
    # The smallest tenth of a thousandth would take up half of the panel.
    shares = np.cumsum(millions) / max(float(millions.sum()), 1e-12)
    axes.set_xlim(float(edges[int(np.searchsorted(shares, 1e-4))]), float(edges[-1]) + 1)
    places: list[tuple[Fp8Name, float]] = [("e3m4", 0.98), ("e4m3fn", 0.92)]
    for name, height in places:
        range_ = DEFAULT_VARIANT.used_range * TableDType(name).max_finite
        normal = float(edges[-1]) + float(np.log2(SMALLEST_NORMAL[name] / range_))
        axes.axvline(normal, color=_COLOURS[name], linestyle="--", linewidth=1.2)
        axes.annotate(
            f"{name.upper()} is subnormal below this",
            (normal, height),
            xycoords=("data", "axes fraction"),
            fontsize=8,
            color=_COLOURS[name],
            va="top",
            ha="right" if name == "e3m4" else "left",
            xytext=(-4 if name == "e3m4" else 4, 0),
            textcoords="offset points",
        )
    describe(axes, "Magnitudes of the table", "magnitude, binary logarithm of logits", "values, millions")


def _deviation(one: Measured, n_texts: int) -> float:
    """Standard deviation of the difference in accuracy from float32, percentage points."""
    changed = one.against_float.gained + one.against_float.lost
    return 100 * math.sqrt(changed) / max(n_texts, 1)


def _draw_by_range(
    axes: Axes,
    result: QuantizationResult,
    names: list[str],
    value: Callable[[Measured], float],
    deviation: Callable[[Measured], float] | None = None,
) -> None:
    """A line for each format and granularity over the ranges ``names``; side by side, so that none hides another."""
    lines = [(name, granularity) for name in _COLOURS for granularity in Granularity]
    for number, (name, granularity) in enumerate(lines):
        chosen = [
            one for one in result.variants if (one.variant.format, one.variant.granularity) == (name, granularity)
        ]
        shift = 0.08 * (number - (len(lines) - 1) / 2)
        axes.errorbar(
            [names.index(one.variant.range_name) + shift for one in chosen],
            [value(one) for one in chosen],
            yerr=None if deviation is None else [deviation(one) for one in chosen],
            color=_COLOURS[name],
            marker=_MARKERS[granularity],
            markersize=4,
            linewidth=1,
            linestyle="-" if granularity is Granularity.TENSOR else ":",
            label=f"{name.upper()} {granularity.value}",
        )
    axes.set_xticks(range(len(names)), names)
    axes.tick_params(axis="x", rotation=30)
    axes.legend(fontsize=8, frameon=False)


def _draw_sizes(axes: Axes, result: QuantizationResult) -> None:
    """Without the variants that clip, whose errors lie far above.

    Of each granularity of E3M4, points are labelled that lie apart; those of E4M3FN lie all in one place.
    """
    chosen = [one for one in result.variants if one.variant.quantile == 1.0]
    labelled: list[tuple[Granularity, float]] = []
    for one in sorted(chosen, key=lambda one: one.variant != DEFAULT_VARIANT):
        variant, size = one.variant, one.compressed / 1e6
        place = (size, one.errors.rms)
        axes.plot(*place, color=_COLOURS[variant.format], marker=_MARKERS[variant.granularity], markersize=5)
        close = any(other is variant.granularity and abs(size - at) < 0.03 * size for other, at in labelled)
        if variant.format == "e3m4" and not close:
            labelled.append((variant.granularity, size))
            below = variant.granularity is Granularity.TENSOR
            axes.annotate(
                variant.range_name,
                place,
                fontsize=7.5,
                color=INK,
                ha="right" if below else "left",
                va="top" if below else "bottom",
                xytext=(-4, -3) if below else (4, 3),
                textcoords="offset points",
            )
    axes.margins(0.12)
    axes.set_yscale("log")
    describe(axes, "Size after compression, without clipping", "codes and scales after zlib, MB", "RMS error, logits")
