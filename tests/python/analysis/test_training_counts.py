"""Training counts against F1: which languages are taken, listed and labelled."""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib.image
import pytest
from matplotlib.text import Text

from wldetect import ArtifactError
from wldetect.analysis.figures import DPI, save_png
from wldetect.analysis.training_counts import (
    LanguageScore,
    draw_training_counts,
    format_worst,
    labelled_languages,
    read_language_scores,
)

SCORES = [LanguageScore(f"l{i:02d}_Latn", 1000 + i, 50, 1.0, 0.99, 0.99 + i / 10_000) for i in range(20)]
SCORES += [LanguageScore("bad_Latn", 4000, 50, 0.5, 0.4, 0.45), LanguageScore("few_Latn", 10, 50, 1.0, 1.0, 1.0)]


def write(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def test_counts_meet_scores(model: Path, tmp_path: Path) -> None:
    scores = {"support": 9, "precision": 0.5, "recall": 0.25, "f1": 1 / 3}
    results = write(tmp_path / "r.json", {"per_language": {"ell_Grek": scores, "eng_Latn": scores}})
    found = read_language_scores(model / "provenance.json", results)
    # English was not trained on, and German not scored.
    assert found == [LanguageScore("ell_Grek", 20, 9, 0.5, 0.25, 1 / 3)]


@pytest.mark.parametrize(
    ("provenance", "results", "message"),
    [
        ({}, {}, "p.json: corpus.kept: expected texts by language, found none"),
        ({"corpus": {"kept": {"a": "x"}}}, {}, "p.json: corpus.kept"),
        ([], {}, "p.json: expected a JSON object, found list"),
        ({"corpus": {"kept": {"a": 1}}}, {}, "r.json: per_language: expected the scores of an evaluation"),
        ({"corpus": {"kept": {"a": 1}}}, {"per_language": {"a": {}}}, "found KeyError"),
        ({"corpus": {"kept": {"a": 1}}}, {"per_language": {"b": {}}}, "found none of them"),
    ],
)
def test_other_files_are_refused(provenance: object, results: object, message: str, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=message):
        read_language_scores(write(tmp_path / "p.json", provenance), write(tmp_path / "r.json", results))


def test_the_worst_are_listed_first() -> None:
    lines = format_worst(SCORES, 2).splitlines()
    assert lines[0].startswith("22 languages; rank correlation of training texts and F1: +")
    assert lines[-2] == "| bad_Latn | 4,000 | 50 | 50.00% | 40.00% | 45.00% |"
    assert lines[-1] == "| l00_Latn | 1,000 | 50 | 100.00% | 99.00% | 99.00% |"


def test_the_worst_and_the_least_trained_are_labelled(tmp_path: Path) -> None:
    labels = [one.label for one in labelled_languages(SCORES)]
    assert labels == ["bad_Latn", *(f"l{i:02d}_Latn" for i in range(19)), "few_Latn"]
    assert [one.label for one in labelled_languages(SCORES[-1:])] == ["few_Latn"]
    figure = draw_training_counts(SCORES, "$tiny")
    (axes,) = figure.axes
    others, labelled = (collection.get_offsets().tolist() for collection in axes.collections)  # type: ignore[union-attr]
    # What the F1 lacks to 100 %, downwards.
    assert others == [[1019, pytest.approx(0.81)]]
    assert labelled[0] == [4000, pytest.approx(55)] and labelled[-1] == [10, 0]
    assert axes.get_ylim()[0] > axes.get_ylim()[1]
    ticks = dict(zip(axes.get_yticks(), (tick.get_text() for tick in axes.get_yticklabels()), strict=True))
    assert ticks[5] == "95" and ticks[0] == "100"
    assert sorted(text.get_text() for text in axes.texts) == sorted(labels)
    assert axes.get_xscale() == "log"
    save_png(figure, tmp_path / "counts.png")
    width, height = figure.get_size_inches()
    assert matplotlib.image.imread(tmp_path / "counts.png").shape[:2] == (round(height * DPI), round(width * DPI))


def test_labels_of_close_points_do_not_cover_each_other() -> None:
    close = [*SCORES, *(LanguageScore(f"x{i:02d}_Latn", 2000, 50, 0.5, 0.5, 0.5) for i in range(10))]
    figure = draw_training_counts(close, "tiny")
    figure.draw_without_rendering()
    # Without the lines that lead to the points.
    boxes = [Text.get_window_extent(text) for text in figure.axes[0].texts]
    assert len(boxes) == 21
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other.padded(-2)) for other in boxes[i + 1 :])


def test_one_language(tmp_path: Path) -> None:
    save_png(draw_training_counts(SCORES[:1], "one"), tmp_path / "one.png")
    assert "none" in format_worst(SCORES[:1]).splitlines()[0]
