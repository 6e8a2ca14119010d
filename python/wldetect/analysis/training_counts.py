"""Whether the languages that a model is weak at are those that it was trained on little."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from wldetect.analysis.figures import BLUE, DPI, GREY, INK, RED, describe, new_figure
from wldetect.analysis.model import read_json_object
from wldetect.analysis.statistics import spearman
from wldetect.errors import ArtifactError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "LanguageScore",
    "draw_training_counts",
    "format_worst",
    "labelled_languages",
    "rank_correlation",
    "read_language_scores",
]

_WIDTH, _HEIGHT = 11.0, 7.0
_MOST_LABELS = 20
_F1_TICKS = (0, 50, 80, 90, 95, 98, 99, 99.5, 99.8, 99.9, 100)
# Points: room between a point and its name, width of the longest name, height of a line.
_BESIDE, _NAME_WIDTH, _LINE = 8.0, 42.0, 8.5


@dataclass(frozen=True)
class LanguageScore:
    """One language of a model.

    Attributes:
        label: its code.
        trained: texts of it that the model was trained on.
        texts: texts of it that were scored.
        precision: of the evaluation, 0..1.
        recall: of the evaluation, 0..1.
        f1: of the evaluation, 0..1.
    """

    label: str
    trained: int
    texts: int
    precision: float
    recall: float
    f1: float


def read_language_scores(provenance: Path, results: Path) -> list[LanguageScore]:
    """Put the training counts of a model beside its scores, for the languages that have both, sorted by code.

    Args:
        provenance: ``provenance.json`` of the model directory.
        results: the JSON file of an evaluation.

    Raises:
        OSError: a file cannot be read.
        ArtifactError: a file is not what it should be, or they have no language in common.
    """
    record, evaluation = read_json_object(provenance), read_json_object(results)
    try:
        kept = {str(label): int(count) for label, count in record["corpus"]["kept"].items()}
    except (KeyError, TypeError, AttributeError, ValueError):
        raise ArtifactError(f"{provenance}: corpus.kept: expected texts by language, found none") from None
    try:
        scores = evaluation["per_language"]
        found = [
            LanguageScore(
                label,
                kept[label],
                int(scores[label]["support"]),
                float(scores[label]["precision"]),
                float(scores[label]["recall"]),
                float(scores[label]["f1"]),
            )
            for label in sorted(kept.keys() & scores.keys())
        ]
    except (KeyError, TypeError, AttributeError) as error:
        raise ArtifactError(f"{results}: per_language: expected the scores of an evaluation, found {error!r}") from None
    if not found:
        raise ArtifactError(f"{results}: per_language: expected languages of {provenance}, found none of them")
    return found


def format_worst(scores: Sequence[LanguageScore], n: int = 30) -> str:
    """The ``n`` languages of the lowest F1 as a Markdown table, with what all of them say about training counts."""
    lines = [
        f"{len(scores)} languages; rank correlation of training texts and F1: {_number(rank_correlation(scores))}",
        "",
        "| language | training texts | scored texts | precision | recall | F1 |",
        "|---|---:|---:|---:|---:|---:|",
        *(
            f"| {one.label} | {one.trained:,} | {one.texts:,} | {one.precision:.2%} | {one.recall:.2%} | {one.f1:.2%} |"
            for one in _worst(scores)[:n]
        ),
    ]
    return "\n".join(lines)


def rank_correlation(scores: Sequence[LanguageScore]) -> float | None:
    """Spearman's, of training texts and F1; None where one of them does not vary."""
    return spearman(np.array([one.trained for one in scores]), np.array([one.f1 for one in scores]))


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:+.3f}"


def _worst(scores: Sequence[LanguageScore]) -> list[LanguageScore]:
    return sorted(scores, key=lambda one: (one.f1, one.label))


def draw_training_counts(scores: Sequence[LanguageScore], name: str) -> Figure:
    """F1 against training texts, both axes logarithmic: that of F1 in what it lacks to 100 %.

    The languages of the lowest F1, twenty at most, and the one that was trained on least are labelled.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    figure = new_figure(_WIDTH, _HEIGHT, f"{name}: texts trained on, and F1")
    axes = figure.subplots()
    labelled = labelled_languages(scores)
    for group, colour in (([one for one in scores if one not in labelled], BLUE), (labelled, RED)):
        axes.scatter([one.trained for one in group], [_lacking(one) for one in group], s=18, color=colour, linewidth=0)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_yscale("symlog", linthresh=0.1, linscale=0.5)
    axes.set_yticks([100 - f1 for f1 in _F1_TICKS], [f"{f1:g}" for f1 in _F1_TICKS])
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_ylim(150, -0.02)
    axes.margins(x=0.08)
    correlation = _number(rank_correlation(scores))
    describe(axes, f"{len(scores)} languages, rank correlation {correlation}", "texts trained on", "F1, %")
    _label(figure, axes, labelled)
    return figure


def labelled_languages(scores: Sequence[LanguageScore]) -> list[LanguageScore]:
    """The languages to label; see `draw_training_counts`."""
    low = [one for one in _worst(scores) if one.f1 < 1][:_MOST_LABELS]
    least = min(scores, key=lambda one: (one.trained, one.label))
    return low if least in low else [*low, least]


def _lacking(one: LanguageScore) -> float:
    return 100 * (1 - one.f1)


def _label(figure: Figure, axes: Axes, outliers: Sequence[LanguageScore]) -> None:
    """Name the points, each name to the right of its own, moved down where it would cover another."""
    # Lays out the panel, so that places on the page are known.
    figure.draw_without_rendering()
    points = 72 / DPI
    placed: list[tuple[float, float]] = []
    for one in sorted(outliers, key=lambda one: (-one.f1, one.label)):
        x, y = (float(value) * points for value in axes.transData.transform((one.trained, _lacking(one))))
        left, height = x + _BESIDE, y
        while any(abs(left - other_x) < _NAME_WIDTH and abs(height - other_y) < _LINE for other_x, other_y in placed):
            height -= 1
        placed.append((left, height))
        axes.annotate(
            one.label,
            (one.trained, _lacking(one)),
            xytext=(_BESIDE, height - y),
            textcoords="offset points",
            fontsize=7.5,
            color=INK,
            va="center",
            parse_math=False,
            arrowprops={"arrowstyle": "-", "color": GREY, "linewidth": 0.5, "shrinkA": 0, "shrinkB": 2},
        )
