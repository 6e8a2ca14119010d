"""The confusion matrix of an evaluation as a heat map. Lengths are inches, sizes of letters points (72 an inch)."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from wldetect.evaluation.metrics import ClassScores
from wldetect.evaluation.report import short
from wldetect.evaluation.run import EvaluationResult
from wldetect.files import atomic_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["write_heat_map"]

_LONGEST_NAME = 50
_DPI = 150
_SMALLEST_LETTERS = 4.5
_LETTER_HEIGHT = 0.75
_INK = "#2b2b2b"
_RULE = "#9aa0a6"


def write_heat_map(result: EvaluationResult, path: Path) -> None:
    """Draw the confusion matrix as a PNG, at once: after an interruption there is the old file or the new one.

    A row is a language of the texts, a column the language that they were taken for; both are sorted by script and
    then by code, so that languages of one script stand together. Mistakes are drawn on a logarithmic scale, because
    one text in a thousand is to be seen beside one in two; the diagonal has a scale of its own.

    Raises:
        OSError: the file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    languages, shares = _sorted_shares(result)
    side = float(np.clip(0.17 * len(languages), 5.0, 14.0))
    letters = min(9.0, _LETTER_HEIGHT * 72 * side / len(languages))
    step = int(np.ceil(_SMALLEST_LETTERS / letters))
    letters = max(letters, _SMALLEST_LETTERS)
    margin = 0.5 + 0.62 * letters / 72 * max(len(short(language)) for language in languages)
    panel, top = 3.6, 1.25
    width, height = margin + side + panel, margin + side + top
    figure = Figure(figsize=(width, height), dpi=_DPI, facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((margin / width, margin / height, side / width, side / height))
    _draw_cells(figure, axes, shares, panel_left=(margin + side + 0.45) / width, inch=(1 / width, 1 / height))
    _draw_labels(axes, languages, letters, step, points_a_cell=72 * side / len(languages))
    figure.text(
        margin / width,
        1 - 0.3 / height,
        f"Accuracy {100 * result.scores.accuracy:.2f} %   macro-F1 {100 * result.scores.macro_f1:.2f} %",
        fontsize=16,
        fontweight="bold",
        color=_INK,
        va="center",
    )
    name = result.data if len(result.data) <= _LONGEST_NAME else f"...{result.data[3 - _LONGEST_NAME :]}"
    data = f"{name} ({result.split})" if result.split else name
    subtitle = f"{result.model}, {result.table} table, {result.scores.n:,} texts of {data}"
    if result.scores.unanswered:
        subtitle += f", {result.scores.unanswered:,} of them without an answer"
    # Names are the user's: a dollar sign in one does not start a formula.
    figure.text(margin / width, 1 - 0.58 / height, subtitle, fontsize=9, color=_INK, va="center", parse_math=False)
    _draw_pairs(figure, result, left=(margin + side + 0.45) / width, bottom=margin / height, inch=1 / height, side=side)
    with atomic_path(path) as temporary, warnings.catch_warnings():
        # A language code may have letters that the font lacks; it is then drawn with a box in their place.
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        with temporary.open("wb") as file:
            figure.savefig(file, format="png", dpi=_DPI)


def _sorted_shares(result: EvaluationResult) -> tuple[list[str], NDArray[np.float64]]:
    """Languages that have texts or were given to some, sorted by script; and shares of each row's texts, [n, n].

    The row of a language without texts is NaN.
    """
    confusion = result.confusion
    seen = np.flatnonzero(confusion.sum(axis=1) + confusion[:, :-1].sum(axis=0))
    order = sorted(seen.tolist(), key=lambda i: (_script(result.languages[i]), result.languages[i]))
    counts = confusion[np.ix_(order, order)].astype(np.float64)
    support = confusion.sum(axis=1)[order, None]
    shares = np.divide(counts, support, out=np.full(counts.shape, np.nan), where=support > 0)
    return [result.languages[i] for i in order], shares


def _script(language: str) -> str:
    return language.rpartition("_")[2] if "_" in language else ""


def _draw_cells(
    figure: Figure, axes: Axes, shares: NDArray[np.float64], panel_left: float, inch: tuple[float, float]
) -> None:
    """Fill the cells and draw both colour bars, at the top of the panel beside them."""
    from matplotlib import colormaps
    from matplotlib.colors import LinearSegmentedColormap, LogNorm, Normalize
    from matplotlib.ticker import FuncFormatter, NullLocator

    n = len(shares)
    on_diagonal = np.eye(n, dtype=bool)
    wrong = np.ma.masked_where(on_diagonal | ~(shares > 0), shares)
    right = np.ma.masked_where(~on_diagonal | np.isnan(shares), shares)
    # The palest colours of the maps are left out, because a single wrong text must stand out from the paper.
    reds = LinearSegmentedColormap.from_list("mistakes", colormaps["YlOrRd"](np.linspace(0.25, 1.0, 256)))
    blues = LinearSegmentedColormap.from_list("right", colormaps["Blues"](np.linspace(0.05, 0.6, 256)))
    smallest = min(float(wrong.min()), 0.01) if wrong.count() else 0.001
    lowest = 10.0 ** np.floor(np.log10(smallest))
    bars: list[tuple[Any, str]] = [
        (axes.imshow(right, cmap=blues, norm=Normalize(0, 1), interpolation="none"), "taken for itself"),
        (axes.imshow(wrong, cmap=reds, norm=LogNorm(lowest, 1), interpolation="none"), "taken for another"),
    ]
    top = axes.get_position().y1
    for position, (image, name) in enumerate(bars):
        bottom = top - (0.42 + 0.62 * position) * inch[1]
        bar = figure.add_axes((panel_left, bottom, 2.6 * inch[0], 0.14 * inch[1]))
        figure.colorbar(image, cax=bar, orientation="horizontal")
        bar.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g} %"))
        bar.xaxis.set_minor_locator(NullLocator())
        bar.tick_params(labelsize=7, color=_RULE, labelcolor=_INK, length=2)
        bar.set_title(f"Share of a language's texts {name}", fontsize=8, color=_INK, loc="left", pad=3)
        for spine in bar.spines.values():
            spine.set_visible(False)


def _draw_labels(axes: Axes, languages: Sequence[str], letters: float, step: int, points_a_cell: float) -> None:
    """Label every ``step``-th row and column, and mark where one script ends and the next begins."""
    n = len(languages)
    places = range(0, n, step)
    shown = [short(languages[place]) for place in places]
    axes.set_xticks(places, shown, fontsize=letters, rotation=90, parse_math=False)
    axes.set_yticks(places, shown, fontsize=letters, parse_math=False)
    axes.tick_params(length=1.5, width=0.4, pad=1.5, color=_RULE, labelcolor=_INK)
    axes.set_xlabel("taken for", fontsize=9, color=_INK)
    axes.set_ylabel("language of the text", fontsize=9, color=_INK)
    edges = np.arange(n + 1) - 0.5
    # Where cells are smaller than this, lines between them would only grey the paper.
    if points_a_cell > 4:
        axes.hlines(edges, -0.5, n - 0.5, color="#eceff1", linewidth=0.3, zorder=0)
        axes.vlines(edges, -0.5, n - 0.5, color="#eceff1", linewidth=0.3, zorder=0)
    scripts = [_script(language) for language in languages]
    starts = [i for i in range(n) if i == 0 or scripts[i] != scripts[i - 1]]
    for start, end in zip(starts, [*starts[1:], n], strict=True):
        if start:
            axes.axhline(start - 0.5, color=_RULE, linewidth=0.5)
            axes.axvline(start - 0.5, color=_RULE, linewidth=0.5)
        room = (end - start) * points_a_cell
        name, size = short(scripts[start]), min(8.0, max(letters, _SMALLEST_LETTERS + 1))
        if room < size / 1.3:
            continue
        fits = room > 0.75 * size * len(name)
        axes.text(
            (start + end - 1) / 2,
            -0.5 - 4 / points_a_cell,
            name,
            fontsize=size,
            color=_INK,
            ha="center",
            va="bottom",
            rotation=0 if fits else 90,
            parse_math=False,
        )
    for spine in axes.spines.values():
        spine.set(color=_RULE, linewidth=0.5)
    axes.set(xlim=(-0.5, n - 0.5), ylim=(n - 0.5, -0.5))


def _draw_pairs(figure: Figure, result: EvaluationResult, left: float, bottom: float, inch: float, side: float) -> None:
    """List the hardest languages and the most confused pairs under the colour bars, as many as there is room for."""
    line = 0.155
    room = int((side - 1.5) / line)
    hardest = sorted((one for one in result.classes if one.support and one.f1 < 1), key=_by_f1)[: max(room // 3 - 2, 0)]
    pairs = result.pairs[: max(min(room - len(hardest) - 4, 40), 0)]
    rows: list[tuple[str, bool]] = []
    if pairs:
        rows.append(("Most confused, % of the texts of the first", True))
        rows += [
            (f"{100 * pair.share:5.1f}  {short(pair.true)} \u2192 {short(pair.predicted)}", False) for pair in pairs
        ]
        rows += [("", False), ("Lowest F1, %", True)]
        rows += [(f"{100 * one.f1:5.1f}  {short(one.label)}", False) for one in hardest]
    else:
        rows.append(("No two languages were confused.", True))
    for number, (text, heading) in enumerate(rows):
        figure.text(
            left,
            bottom + (side - 1.5 - line * number) * inch,
            text,
            fontsize=8 if heading else 7.5,
            family="sans-serif" if heading else "monospace",
            fontweight="bold" if heading else "normal",
            color=_INK,
            va="center",
            parse_math=False,
        )


def _by_f1(one: ClassScores) -> tuple[float, str]:
    return one.f1, one.label
