"""Which options are worth their time, and that a plot of them can be drawn."""

from __future__ import annotations

from pathlib import Path

import matplotlib.image
import pytest

from wldetect.analysis.figures import save_png
from wldetect.evaluation.trade_plot import Trade, draw_trades, frontier

SLOW, FAST, WORSE, TIE = (
    Trade("slow", 3.0, 0.9),
    Trade("fast", 1.0, 0.5),
    Trade("worse", 2.0, 0.4),
    Trade("tie", 1.0, 0.4),
)
BETWEEN = Trade("between $", 2.0, 0.7)


@pytest.mark.parametrize(
    ("trades", "expected"),
    [
        ([], []),
        ([SLOW], [SLOW]),
        ([SLOW, WORSE, FAST, TIE], [FAST, SLOW]),
        ([WORSE, SLOW, BETWEEN, FAST], [FAST, BETWEEN, SLOW]),
        # As accurate, but slower.
        ([Trade("later", 3.0, 0.5), FAST], [FAST]),
    ],
)
def test_frontier(trades: list[Trade], expected: list[Trade]) -> None:
    assert frontier(trades) == expected


def test_a_panel_for_each_set(tmp_path: Path) -> None:
    figure = draw_trades({"words1": [SLOW, FAST, WORSE], "sentences": [BETWEEN], "none": []}, "options")
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["words1", "sentences", "none"]
    lines = [[line.get_xydata().tolist() for line in axes.lines] for axes in figure.axes]
    # The line of those that are worth it, and a point for each of the others.
    assert lines == [[[[1.0, 50.0], [3.0, 90.0]], [[2.0, 40.0]]], [[[2.0, 70.0]]], [[]]]
    save_png(figure, tmp_path / "trade.png")
    assert matplotlib.image.imread(tmp_path / "trade.png").std() > 0
