"""Six panels: how often tokens were seen, what their weights became, and what a threshold keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from wldetect.analysis.figures import BLUE, GREY, INK, RED, describe, new_figure
from wldetect.analysis.weights import TokenWeights, count_bins, threshold_effects, threshold_ladder

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_weights"]

_WIDTH, _HEIGHT = 15.0, 8.6
# Where tokens that were never seen stand on a logarithmic axis.
_UNSEEN = 0.3


def draw_weights(tokens: TokenWeights, threshold: int, name: str) -> Figure:
    """The six panels for ``tokens``; ``threshold`` is marked in them, and ``name`` is the model's, for the title."""
    figure = new_figure(_WIDTH, _HEIGHT, f"{name}: token frequency in training and learned weights")
    panels = figure.subplots(2, 3)
    _draw_counts(panels[0, 0], tokens, threshold)
    _draw_weight_histogram(panels[0, 1], tokens, threshold)
    _draw_density(figure, panels[0, 2], tokens, tokens.weights, threshold)
    describe(panels[0, 2], "Weight against count", "times seen in training", "learned weight")
    _draw_bins(panels[1, 0], tokens)
    _draw_kept(panels[1, 1], tokens, threshold)
    _draw_density(figure, panels[1, 2], tokens, tokens.row_norms, threshold)
    describe(panels[1, 2], "Row of the table against count", "times seen in training", "norm of the row, logits")
    return figure


def _draw_counts(axes: Axes, tokens: TokenWeights, threshold: int) -> None:
    """Tokens by count, in bins of about equal width on the logarithmic axis; those never seen in a bar of their own."""
    seen = tokens.counts[tokens.counts > 0]
    # Whole numbers, so that no bin lies between two counts.
    edges = np.unique(np.ceil(np.geomspace(1, max(int(seen.max(initial=1)), 10) + 1, 41)))
    axes.hist(seen, bins=list(edges), color=BLUE)
    unseen = len(tokens.counts) - len(seen)
    axes.bar([_UNSEEN], [unseen], width=0.2, color=GREY)
    axes.annotate(
        f"never: {unseen:,}", (_UNSEEN, unseen), xytext=(-9, 2), textcoords="offset points", fontsize=8, color=INK
    )
    _count_axis(axes, tokens, threshold)
    axes.set_yscale("symlog", linthresh=10)
    # Room for the number on the bar.
    axes.set_ylim(0, 3 * max(axes.get_ylim()[1], 10))
    describe(axes, "How often tokens were seen", "times seen in training", "tokens")


def _draw_weight_histogram(axes: Axes, tokens: TokenWeights, threshold: int) -> None:
    """Weights of the tokens at or over the threshold, and of those under it."""
    low, high = float(tokens.weights.min(initial=0)), float(tokens.weights.max(initial=1))
    edges = list(np.linspace(low, high, 81))
    frequent = tokens.counts >= threshold
    axes.hist(
        [tokens.weights[frequent], tokens.weights[~frequent]],
        bins=edges,
        stacked=True,
        color=[BLUE, RED],
        label=[f"seen {threshold:,} times or more", f"seen fewer than {threshold:,} times"],
    )
    axes.set_yscale("log")
    axes.legend(fontsize=8, frameon=False)
    describe(axes, "Learned weights (1 at the start)", "learned weight", "tokens")


def _draw_density(figure: Figure, axes: Axes, tokens: TokenWeights, values: np.ndarray, threshold: int) -> None:
    """Where tokens lie, by count and ``values`` [V], as hexagons."""
    x = np.where(tokens.counts > 0, tokens.counts, _UNSEEN)
    hexagons = axes.hexbin(x, values, xscale="log", bins="log", gridsize=60, mincnt=1, cmap="viridis", linewidths=0.1)
    bar = figure.colorbar(hexagons, ax=axes, pad=0.01)
    bar.ax.tick_params(labelsize=7, labelcolor=INK)
    bar.set_label("tokens", fontsize=8, color=INK)
    _count_axis(axes, tokens, threshold)


def _draw_bins(axes: Axes, tokens: TokenWeights) -> None:
    bins = count_bins(tokens)
    places = list(range(len(bins)))
    medians = [one.median for one in bins]
    errors = [[one.median - one.lower for one in bins], [one.upper - one.median for one in bins]]
    axes.errorbar(places, medians, yerr=errors, fmt="o", color=BLUE, ecolor=GREY, elinewidth=2, capsize=3, markersize=5)
    names = [f"{one.first:,}" if one.first == one.last else f"from {one.first:,}" for one in bins]
    axes.set_xticks(places, ["never" if one.last == 0 else label for one, label in zip(bins, names, strict=True)])
    axes.tick_params(axis="x", rotation=45)
    axes.set_ylim(bottom=0)
    describe(axes, "Magnitude of the weight: median, quartiles", "times seen in training", "|learned weight|")


def _draw_kept(axes: Axes, tokens: TokenWeights, threshold: int) -> None:
    effects = threshold_effects(tokens.counts, threshold_ladder(int(tokens.counts.max(initial=0))))
    thresholds = [effect.threshold for effect in effects]
    kept = [100 * (1 - effect.share_masked) for effect in effects]
    occurrences = [100 * (1 - effect.share_lost) for effect in effects]
    axes.plot(thresholds, kept, color=BLUE, marker="o", markersize=3, label="tokens kept")
    axes.plot(thresholds, occurrences, color=RED, marker="o", markersize=3, label="occurrences kept")
    axes.axvline(threshold, color=INK, linestyle="--", linewidth=1)
    axes.set_xscale("log")
    axes.set_ylim(0, 103)
    axes.legend(fontsize=8, frameon=False)
    describe(axes, "What a threshold keeps", "threshold: tokens seen fewer times are masked", "share kept, %")


def _count_axis(axes: Axes, tokens: TokenWeights, threshold: int) -> None:
    """A logarithmic axis of counts with a place for "never" left of 1, and the threshold marked."""
    from matplotlib.ticker import NullLocator

    largest = max(int(tokens.counts.max(initial=1)), 10)
    decades = [10**power for power in range(len(str(largest)))]
    axes.set_xscale("log")
    axes.set_xlim(_UNSEEN / 2, largest * 1.5)
    axes.set_xticks([_UNSEEN, *decades], ["never", *(_short(one) for one in decades)])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.axvline(threshold, color=RED, linestyle="--", linewidth=1)


def _short(count: int) -> str:
    """10k for 10,000, and so on."""
    for size, letter in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= size:
            return f"{count // size}{letter}"
    return str(count)
