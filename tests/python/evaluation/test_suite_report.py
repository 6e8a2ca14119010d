"""Reports of a suite: the JSON file, the table, the plot."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from wldetect.analysis.figures import save_png
from wldetect.evaluation import ClassScores, Scores
from wldetect.evaluation.reliability import reliability
from wldetect.evaluation.script_groups import ScriptGroup
from wldetect.evaluation.suite_plot import draw_suite
from wldetect.evaluation.suite_report import (
    format_suite_table,
    suite_file_name,
    suite_reliability_file_name,
    write_suite_json,
)
from wldetect.evaluation.suite_scores import GroupFacts, GroupScores, ModelScores, SetFacts, SetScores, SuiteResult

LATIN, CYRILLIC = ScriptGroup.LATIN, ScriptGroup.CYRILLIC
GROUPS = {"deu_Latn": LATIN, "eng_Latn": LATIN, "rus_Cyrl": CYRILLIC}


def set_scores(correct: int) -> SetScores:
    """Scores of a set of 400 texts."""
    scores = Scores(400, correct, 2, correct / 400, 0.5, 0.5, correct / 500, 0.01)
    classes = [ClassScores("rus_Cyrl", 100, 50, 3, 0.9, 0.5, 0.6, 0.01)]
    groups = {LATIN: GroupScores(correct / 500, 0.25), CYRILLIC: GroupScores(0.75, 0.5)}
    rated = reliability(np.full(4, 0.75), np.arange(4) < 2)
    return SetScores(scores, 1, rated, None if correct == 0 else 0.8125, groups, classes, 0.5)


def result_of(models: Sequence[str], names: Sequence[str]) -> SuiteResult:
    """Each set is longer than the one before it, and better known."""
    facts = {
        name: SetFacts(
            f"{name}.parquet",
            GroupFacts(3, 400, float(1 + number)),
            {LATIN: GroupFacts(2, 300, 1.0 + 2 * number), CYRILLIC: GroupFacts(1, 100, 1.5 + number)},
            7,
        )
        for number, name in enumerate(names)
    }
    return SuiteResult(
        sets=facts,
        models=[
            ModelScores(
                model, "average", 4, {name: set_scores(100 * number + 10 * k) for number, name in enumerate(names)}
            )
            for k, model in enumerate(models)
        ],
        groups=GROUPS,
        left_out={"fra_Latn": list(models)},
        table="e3m4",
        features="all",
        date="2025-01-31T12:00:00+00:00",
        version="1.2.3",
        threads=None,
    )


ALONE = result_of(["tiny"], ["words1", "words2", "upper", "sentences"])
BESIDE = result_of(["new/m", "old/m", "third"], ["words1", "upper", "sentences"])


def test_file_names() -> None:
    assert suite_file_name(ALONE, ".json") == "short_results.json"
    assert suite_file_name(BESIDE, ".png") == "short_comparison.png"
    other = replace(ALONE, table="float32", features="tokens")
    assert suite_file_name(other, ".json") == "short_results_float32_tokens.json"
    assert suite_reliability_file_name(other) == "short_reliability_float32_tokens.png"


def test_json(tmp_path: Path) -> None:
    path = tmp_path / "new" / "short.json"
    write_suite_json(ALONE, path)
    found = json.loads(path.read_text(encoding="utf-8"))
    assert list(found) == ["sets", "models", "groups", "left_out", "provenance"]
    assert list(found["sets"]) == ["words1", "words2", "upper", "sentences"]
    assert found["sets"]["words2"] == {
        "data": "words2.parquet",
        "description": "so many successive words",
        "texts": 400,
        "languages": 3,
        "mean_words": 2.0,
        "left_out": 7,
        "per_group": {
            "Latin": {"texts": 300, "languages": 2, "mean_words": 3.0},
            "Cyrillic": {"texts": 100, "languages": 1, "mean_words": 2.5},
        },
    }
    assert found["sets"]["upper"]["description"] == "sentences in capitals"
    (model,) = found["models"]
    assert (model["model"], model["pooling"], model["languages"]) == ("tiny", "average", 4)
    one = model["sets"]["words2"]
    assert list(one) == ["overall", "calibration", "per_group", "per_language", "seconds", "texts_per_second"]
    assert (one["overall"]["accuracy"], one["overall"]["macro_f1"]) == (0.25, 0.2)
    assert (one["overall"]["unanswered"], one["overall"]["mean_probability"]) == (2, 0.8125)
    assert (one["overall"]["unknown"], one["calibration"]["expected_calibration_error"]) == (1, 0.25)
    assert one["per_group"]["Latin"] == {"accuracy": 0.2, "macro_f1": 0.25}
    assert one["per_language"]["rus_Cyrl"]["f1"] == 0.6
    assert one["texts_per_second"] == 800
    assert found["groups"] == {"Latin": ["deu_Latn", "eng_Latn"], "Cyrillic": ["rus_Cyrl"]}
    assert found["left_out"] == {"fra_Latn": ["tiny"]}
    assert found["provenance"]["suite"] == "short"

    with pytest.raises(TypeError):
        write_suite_json(replace(ALONE, version=object()), path)  # type: ignore[arg-type]
    assert json.loads(path.read_text(encoding="utf-8")) == found
    assert list(path.parent.iterdir()) == [path]


def rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


def test_table() -> None:
    found = rows(format_suite_table(ALONE))
    assert found[:2] == [["table", "e3m4,", "all"], ["model", "tiny:", "4", "languages,", "average", "pooling"]]
    assert found[3] == ["set", "texts", "accuracy", "macro-F1", "mean", "prob.", "cal.", "error", "und", "no", "answer"]
    assert found[4:8] == [
        ["words1", "400", "0.00", "0.00", "-", "0.2500", "0.25", "0.25"],
        ["words2", "400", "25.00", "20.00", "0.812", "0.2500", "0.25", "0.25"],
        ["upper", "400", "50.00", "40.00", "0.812", "0.2500", "0.25", "0.25"],
        ["sentences", "400", "75.00", "60.00", "0.812", "0.2500", "0.25", "0.25"],
    ]
    assert found[9:] == [["left", "out", "1", "language", "that", "the", "model", "lacks:", "fra_Latn"]]
    assert "e3m4, tokens only" in format_suite_table(replace(ALONE, features="tokens"))


def test_table_of_several_models() -> None:
    left_out = {"fra_Latn": ["new/m", "old/m", "third"], "nld_Latn": ["third"], "spa_Latn": ["old/m", "third"]}
    text = format_suite_table(replace(BESIDE, left_out=left_out | {"swe_Latn": ["third"]}))
    found = rows(text)
    assert found[1:4] == [f"{letter} {name}: 4 languages, average pooling".split() for letter, name in
                          zip("ABC", ["new/m", "old/m", "third"], strict=True)]  # fmt: skip
    assert found[5:7] == [["A", "B", "C"], ["set", "texts", *["accuracy", "macro-F1"] * 3]]
    assert found[8] == ["upper", "400", "25.00", "20.00", "27.50", "22.00", "30.00", "24.00"]
    lines = text.splitlines()
    # Every letter stands over the end of its model's columns.
    assert [lines[5].index(letter) for letter in "ABC"] == [end - 1 for end in (44, 68, 92)]
    assert {len(line) for line in lines[5:10]} == {92}
    assert [line for line in lines if line.startswith("left out")] == [
        "left out  1 language that no model knows: fra_Latn",
        "left out  2 languages that third lacks: nld_Latn, swe_Latn",
        "left out  1 language that old/m and third lack: spa_Latn",
    ]


def test_plot_of_one_model() -> None:
    lines, bars = draw_suite(ALONE).axes
    curves = {str(line.get_label()): line.get_xydata().tolist() for line in lines.lines if line.get_label()[0] != "_"}
    assert curves == {
        # Mean words, and accuracy in per cent.
        "Latin (2)": [[1, 0], [3, 20], [7, 60]],
        "Cyrillic (1)": [[1.5, 75], [2.5, 75], [4.5, 75]],
        "all languages (3)": [[1, 0], [2, 25], [4, 75]],
    }
    assert [patch.get_height() for patch in bars.patches] == [50]
    assert [(label.get_text(), label.get_rotation()) for label in bars.get_xticklabels()] == [("upper", 0)]


@pytest.mark.parametrize("models", [["tiny"], ["new", "old"]])
@pytest.mark.parametrize("more", [[], ["words1", "words2"]])
def test_names_of_many_sets_do_not_meet(models: list[str], more: list[str]) -> None:
    names = ["no_accents", "no_case", "no_punctuation", "noise10", "noise25", "upper"]
    figure = draw_suite(result_of(models, [*more, *names]))
    bars = next(axes for axes in figure.axes if axes.get_title(loc="left") == "other sets, all languages")
    figure.draw_without_rendering()
    labels = bars.get_xticklabels()
    assert [label.get_text() for label in labels] == names
    steps = np.diff(bars.transData.transform([(place, 0.0) for place in bars.get_xticks()])[:, 0])
    for label, step in zip(labels[1:], steps, strict=True):
        # Parallel lines of text, each as far below the next one as their slant makes it.
        distance = step * np.sin(np.radians(label.get_rotation()))
        assert distance > label.get_fontsize() * figure.dpi / 72


def test_plot_of_several_models() -> None:
    figure = draw_suite(BESIDE)
    shown = [axes for axes in figure.axes if axes.get_visible()]
    titles = ["all languages (3)", "Latin (2)", "Cyrillic (1)", "other sets, all languages"]
    assert [axes.get_title(loc="left") for axes in shown] == titles
    latin = {str(line.get_label()): line.get_xydata().tolist() for line in shown[1].lines[:3]}
    assert latin == {"new/m": [[1, 0], [5, 40]], "old/m": [[1, 2], [5, 42]], "third": [[1, 4], [5, 44]]}
    # Panels can be compared by eye.
    assert len({axes.get_ylim() for axes in shown[:3]}) == 1
    assert [patch.get_height() for patch in shown[3].patches] == pytest.approx([25, 27.5, 30])


@pytest.mark.parametrize("models", [["one"], ["$x^$", "a" * 60, *(f"m{number}" for number in range(9))]])
@pytest.mark.parametrize("names", [["words1"], ["upper", "$\\frac{"], ["sentences", "x"]])
def test_plots_of_anything(models: list[str], names: list[str], tmp_path: Path) -> None:
    save_png(draw_suite(result_of(models, names)), tmp_path / "plot.png")
    assert [path.name for path in tmp_path.iterdir()] == ["plot.png"]
    assert (tmp_path / "plot.png").read_bytes().endswith(b"IEND\xaeB`\x82")
    assert format_suite_table(result_of(models, names)).count("\n") > 4
