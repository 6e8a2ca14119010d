"""Counts against weights: what thresholds mask, the rules of recommendations, the report, the six panels."""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wldetect import ArtifactError
from wldetect.analysis.counts import TokenCounts
from wldetect.analysis.figures import DPI, save_png
from wldetect.analysis.model import open_model
from wldetect.analysis.weight_plot import draw_weights
from wldetect.analysis.weights import (
    TokenWeights,
    analyze_weights,
    count_bins,
    format_report,
    report_json,
    threshold_effects,
    threshold_ladder,
    threshold_recommendations,
)
from wldetect.export.quantize import TableDType

from .conftest import COUNTS, WEIGHTS, WORDS


@settings(deadline=None)
@given(st.lists(st.integers(0, 1000), max_size=60), st.lists(st.integers(1, 1200), min_size=1, max_size=5))
def test_effects_are_those_counted_one_by_one(counts: list[int], thresholds: list[int]) -> None:
    for effect in threshold_effects(np.array(counts, dtype=np.int64), thresholds):
        under = [count for count in counts if count < effect.threshold]
        assert (effect.masked, effect.lost) == (len(under), sum(under))
        assert effect.share_masked == (len(under) / len(counts) if counts else 0)
        assert effect.share_lost == (sum(under) / sum(counts) if sum(counts) else 0)
    assert [
        effect.threshold for effect in threshold_effects(np.array(counts, dtype=np.int64), thresholds)
    ] == thresholds


@pytest.mark.parametrize(
    ("largest", "ladder"),
    [(0, [1]), (1, [1]), (9, [1, 2, 5]), (10, [1, 2, 5, 10]), (499, [1, 2, 5, 10, 20, 50, 100, 200])],
)
def test_the_ladder_of_thresholds(largest: int, ladder: list[int]) -> None:
    assert threshold_ladder(largest) == ladder


def test_recommendations_keep_their_rules() -> None:
    # 10,000 occurrences of the rare, 10 million in all: 0.1 % is at a threshold of 200, where 1,000 x 10 are lost.
    counts = np.array([0] * 50 + [10] * 1000 + [300] * 300 + [9_900_000], dtype=np.int64)
    found = [(one.effect.threshold, one.effect.masked) for one in threshold_recommendations(counts)]
    assert found == [(1, 50), (10, 50), (200, 1050), (5_000_000, 1350)]
    shares = [0.0, 0.0001, 0.001, 0.01]
    for one, limit in zip(threshold_recommendations(counts), shares, strict=True):
        assert one.effect.share_lost <= limit
    assert "0.10%" in threshold_recommendations(counts)[2].rule
    # Nothing was ever seen.
    assert [one.effect.threshold for one in threshold_recommendations(np.zeros(4, dtype=np.int64))] == [1]


def test_weights_come_from_the_model(model: Path, counts: TokenCounts) -> None:
    tokens = analyze_weights(open_model(model, TableDType.FLOAT32), counts)
    assert tokens.counts.tolist() == COUNTS
    assert tokens.weights.tolist() == WEIGHTS
    np.testing.assert_allclose(tokens.row_norms, np.linalg.norm(list(WORDS.values()), axis=1), rtol=1e-6)
    e3m4 = analyze_weights(open_model(model), counts)
    np.testing.assert_allclose(e3m4.row_norms, tokens.row_norms, rtol=1 / 32)


def test_a_model_without_weights_is_refused(model: Path, counts: TokenCounts) -> None:
    path = model / "projection.safetensors"
    path.write_bytes((model / "lookup_table_float32.safetensors").read_bytes())
    with pytest.raises(
        ArtifactError, match=r"projection.safetensors: token_weights: expected float32 \[5, 1\], found none"
    ):
        analyze_weights(open_model(model), counts)


def test_bins_hold_quartiles() -> None:
    counts = np.array([0, 0, 1, 2, 3, 9, 10, 29, 30, 100], dtype=np.int64)
    weights = np.array([1, 1, -2, 4, 5, 7, 1, 2, -8, 0.5], dtype=np.float32)
    bins = count_bins(TokenWeights(counts, weights, np.abs(weights)))
    assert [(one.first, one.last, one.tokens) for one in bins] == [
        (0, 0, 2),
        (1, 2, 2),
        (3, 9, 2),
        (10, 29, 2),
        (30, 99, 1),
        (100, 299, 1),
    ]
    assert [one.median for one in bins] == [1, 3, 6, 1.5, 8, 0.5]
    assert (bins[1].lower, bins[1].upper) == (2.5, 3.5)


def test_the_report_says_what_the_numbers_are(model: Path, counts: TokenCounts) -> None:
    tokens = analyze_weights(open_model(model), counts)
    text = format_report(tokens, counts, 10, {3: "die\n"})
    assert "5 tokens, 4 of them (80.0%) seen in training: 1,519 occurrences in 77 texts" in text
    lines = [line.split() for line in text.splitlines()]
    assert ["10", "2", "40.0%", "9", "0.5925%"] in lines
    assert ["1", "1", "20.0%", "0", "0.0000%"] in lines
    # The one rare token that was seen, its string escaped.
    assert text.splitlines()[-1].split() == ["3", "9", "3.000", '"die\\n"']
    assert all(line == line.rstrip() for line in text.splitlines())
    report = report_json(tokens, counts, 10)
    assert json.loads(json.dumps(report)) == report
    assert report["threshold"]["masked"] == 2
    assert [one["threshold"] for one in report["thresholds"]] == threshold_ladder(1000)
    # Counts 9, 10, 500, 1000 against magnitudes 3, 2, 1.5, 0.5.
    assert report["spearman_count_weight"] == pytest.approx(-1)


def test_six_panels_hold_the_data(model: Path, counts: TokenCounts, tmp_path: Path) -> None:
    tokens = analyze_weights(open_model(model, TableDType.FLOAT32), counts)
    figure = draw_weights(tokens, 10, "tiny $model")
    panels = [axes for axes in figure.axes if axes.get_title(loc="left")]
    assert len(panels) == 6
    seen, weights, scatter, bins, kept, norms = panels
    assert sum(patch.get_height() for patch in seen.patches) == 5  # type: ignore[attr-defined]
    assert sum(patch.get_height() for patch in weights.patches) == 5  # type: ignore[attr-defined]
    for axes, values in ((scatter, tokens.weights), (norms, tokens.row_norms)):
        hexagons = axes.collections[0]
        assert int(np.sum(hexagons.get_array())) == 5
        heights = hexagons.get_offsets()[:, 1]  # type: ignore[index]
        step = (values.max() - values.min()) / 20
        assert values.min() - step <= heights.min() and heights.max() <= values.max() + step
    assert [tick.get_text() for tick in bins.get_xticklabels()] == [
        "never",
        "from 3",
        "from 10",
        "from 300",
        "from 1,000",
    ]
    tokens_kept, occurrences_kept = kept.lines[:2]
    assert list(tokens_kept.get_xdata()) == threshold_ladder(1000)
    assert tokens_kept.get_ydata()[3] == pytest.approx(60)  # type: ignore[index]
    assert occurrences_kept.get_ydata()[3] == pytest.approx(100 * 1510 / 1519)  # type: ignore[index]
    for axes in (seen, scatter, norms, kept):
        assert [10, 10] in [list(line.get_xdata()) for line in axes.lines]

    path = tmp_path / "new" / "panels.png"
    save_png(figure, path)
    width, height = figure.get_size_inches()
    assert matplotlib.image.imread(path).shape[:2] == (round(height * DPI), round(width * DPI))
    first = path.read_bytes()
    assert first.startswith(b"\x89PNG") and b"Matplotlib" not in first
    save_png(draw_weights(tokens, 10, "tiny $model"), path)
    assert path.read_bytes() == first


def test_panels_of_a_vocabulary_that_was_never_seen(tmp_path: Path) -> None:
    nothing = TokenWeights(np.zeros(3, dtype=np.int64), np.ones(3, dtype=np.float32), np.zeros(3, dtype=np.float32))
    save_png(draw_weights(nothing, 10, "none"), tmp_path / "panels.png")
    assert (tmp_path / "panels.png").stat().st_size > 10_000
