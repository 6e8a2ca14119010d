"""Figures that are drawn without a display and written as PNG, the same bytes whenever they are drawn."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from wldetect.files import atomic_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["BLUE", "DPI", "GREY", "INK", "RED", "describe", "new_figure", "save_png"]

DPI = 120
INK, GREY, BLUE, RED = "#2b2b2b", "#9aa0a6", "#3366aa", "#c0392b"


def new_figure(width: float, height: float, title: str) -> Figure:
    """An empty figure of ``width`` x ``height`` inches that lays out its panels by itself."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    # Names are the user's: a dollar sign in one does not start a formula.
    figure.suptitle(title, fontsize=13, fontweight="bold", color=INK, parse_math=False)
    return figure


def describe(axes: Axes, title: str, x: str, y: str) -> None:
    """Title and axis labels of one panel, and a quiet grid."""
    axes.set_title(title, fontsize=10, color=INK, loc="left")
    axes.set_xlabel(x, fontsize=9, color=INK)
    axes.set_ylabel(y, fontsize=9, color=INK)
    axes.tick_params(which="both", labelsize=8, color=GREY, labelcolor=INK)
    axes.grid(visible=True, color="#e6e8ea", linewidth=0.6)
    axes.set_axisbelow(True)
    for name, spine in axes.spines.items():
        spine.set_visible(name in ("left", "bottom"))
        spine.set_color(GREY)


def save_png(figure: Figure, path: Path) -> None:
    """Write ``figure`` under a temporary name, renamed when it is whole. The file names no program and no date.

    Raises:
        OSError: the file cannot be written.
    """
    with atomic_path(path) as temporary, warnings.catch_warnings():
        # A language code may have letters that the font lacks; it is then drawn with a box in their place.
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        with temporary.open("wb") as file:
            figure.savefig(file, format="png", dpi=DPI, metadata={"Software": None})
