"""Reports: the JSON file, the heat map, the table."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from wldetect.evaluation import (
    EvaluationResult,
    class_scores,
    confused_pairs,
    format_table,
    overall_scores,
    results_file_name,
    write_heat_map,
    write_json,
)
from wldetect.evaluation.reliability import reliability


def result_of(confusion: Sequence[Sequence[int]] | NDArray[np.int64], languages: Sequence[str]) -> EvaluationResult:
    matrix = np.asarray(confusion, dtype=np.int64)
    classes = class_scores(matrix, languages)
    return EvaluationResult(
        scores=overall_scores(matrix, (0.9, None)),
        unknown=1,
        reliability=reliability(np.array([0.9, 0.7]), np.array([True, False])),
        classes=classes,
        pairs=confused_pairs(matrix, languages),
        languages=list(languages),
        confusion=matrix,
        labels_not_in_model={"ace_Arab": 3},
        labels_without_texts=sorted(one.label for one in classes if not one.support),
        model="tiny",
        table="e3m4",
        features="all",
        pooling="average",
        data="data/flores.parquet",
        split="dev",
        date="2025-01-31T12:00:00+00:00",
        version="1.2.3",
        threads=None,
        seconds=0.5,
        n_bytes=3000,
    )


SMALL = result_of(
    [[6, 0, 0, 2, 2], [0, 10, 0, 0, 0], [1, 1, 8, 0, 0], [0, 0, 0, 0, 0]],
    ["zsm_Latn", "ell_Grek", "eng_Latn", "fra_Latn"],
)


def test_json(tmp_path: Path) -> None:
    path = tmp_path / "new" / results_file_name("dev")
    write_json(SMALL, path)
    assert path.name == "flores_dev_results.json"
    found = json.loads(path.read_text(encoding="utf-8"))
    assert list(found) == ["overall", "calibration", "per_language", "confused_pairs", "provenance"]
    assert found["overall"]["accuracy"] == 24 / 30
    assert found["overall"]["mean_confidence_wrong"] is None
    assert found["overall"]["unknown"] == 1
    calibration = found["calibration"]
    assert (calibration["texts"], calibration["accuracy"], len(calibration["bins"])) == (2, 0.5, 15)
    assert calibration["expected_calibration_error"] == pytest.approx((0.1 + 0.7) / 2)
    assert list(found["per_language"]) == ["ell_Grek", "eng_Latn", "zsm_Latn"]
    assert found["per_language"]["eng_Latn"] == {
        "support": 10,
        "true_positives": 8,
        "false_positives": 0,
        "precision": 1.0,
        "recall": 0.8,
        "f1": pytest.approx(16 / 18),
        "false_positive_rate": 0.0,
    }
    assert found["confused_pairs"][0] == {"true": "zsm_Latn", "predicted": "fra_Latn", "count": 2, "share": 0.2}
    assert len(found["confused_pairs"]) == 3
    provenance = found["provenance"]
    assert (provenance["texts_per_second"], provenance["bytes_per_second"]) == (60.0, 6000.0)
    assert provenance["labels_not_in_model"] == {"ace_Arab": 3}
    assert provenance["labels_without_texts"] == ["fra_Latn"]
    assert provenance["date"] == "2025-01-31T12:00:00+00:00"
    first = path.read_bytes()
    write_json(SMALL, path)
    assert path.read_bytes() == first


def test_failed_writing_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text("old", encoding="utf-8")
    with pytest.raises(TypeError):
        write_json(replace(SMALL, data=object()), path)  # type: ignore[arg-type]
    assert path.read_text(encoding="utf-8") == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["results.json"]


def test_table() -> None:
    lines = format_table(SMALL).splitlines()
    text = "\n".join(lines)
    assert "Accuracy     80.00 % (24 right, 2 unanswered, of them 1 und)" in text
    assert "Calibration  expected error 0.4000: mean confidence 0.800, 0.500 of the most probable languages" in text
    assert "e3m4 table, average pooling, 4 languages" in text
    assert "data/flores.parquet, split dev: 30 texts of 3 languages" in text
    assert "mean 0.900 when right" in text
    assert "wrong" not in text
    assert "60 texts/s, 0.01 MB/s with one thread a core (0.50 s)" in text
    assert "3 texts of 1 label that the model does not know: ace_Arab 3" in text
    assert "for 1 language of the model: fra_Latn" in text
    start = lines.index("The 3 worst of 3 languages, by F1 (%)")
    # zsm_Latn: 6 of 10 found, 7 answers; false positives 1 of 20.
    row = "zsm_Latn 10 85.7 60.0 70.6 5.000 to fra_Latn 2, from eng_Latn 1"
    assert " ".join(lines[start + 2].split()) == row
    assert lines[start + 3].split()[:2] == ["eng_Latn", "10"]
    assert " ".join(lines[start + 4].split()) == "ell_Grek 10 90.9 100.0 95.2 5.000 from eng_Latn 1"
    assert lines[start + 6] == "The 3 most confused of 3 pairs"
    assert lines[start + 8].split() == ["zsm_Latn", "fra_Latn", "2", "20.0"]
    assert len(lines) == start + 11


def test_table_shows_as_many_as_asked_for() -> None:
    assert "The 1 worst of 3 languages" in format_table(SMALL, worst=1)
    assert "worst" not in format_table(SMALL, worst=0)


def test_table_without_mistakes() -> None:
    text = format_table(result_of([[5, 0, 0], [0, 5, 0]], ["a", "b"]))
    assert "Accuracy     100.00 %" in text
    assert "worst" not in text
    assert "confused" not in text


LABELS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)


@settings(max_examples=50)
@example(["0"], 0, "\x1e")
@given(st.lists(LABELS, min_size=1, max_size=12, unique=True), st.integers(0, 2**32 - 1), st.text(max_size=200))
def test_table_fits_a_terminal(languages: list[str], seed: int, name: str) -> None:
    n = len(languages)
    counts = np.random.default_rng(seed).integers(0, 200_000, size=(n, n + 1)) + 1
    result = replace(result_of(counts, languages), data=name, labels_not_in_model=dict.fromkeys(languages, 12345))
    for line in format_table(result).splitlines():
        assert len(line) <= 100
        assert line == line.rstrip()


def pixels(path: Path) -> NDArray[np.float32]:
    image: NDArray[np.float32] = matplotlib.image.imread(path)
    return image[..., :3]


def red_share(image: NDArray[np.float32]) -> float:
    """Share of the pixels that are clearly of the scale of mistakes: far more red than blue."""
    return float((image[..., 0] - image[..., 2] > 0.3).mean())


def test_heat_map_shows_one_mistake_in_a_thousand(tmp_path: Path) -> None:
    languages = [f"l{i:02d}_{'Latn' if i % 3 else 'Cyrl'}" for i in range(56)]
    perfect = np.hstack([np.eye(56, dtype=np.int64) * 1000, np.zeros((56, 1), dtype=np.int64)])
    mistaken = perfect.copy()
    mistaken[3, 50], mistaken[3, 3] = 1, 999
    for name, confusion in (("perfect", perfect), ("mistaken", mistaken)):
        write_heat_map(result_of(confusion, languages), tmp_path / f"{name}.png")
    without, with_one = pixels(tmp_path / "perfect.png"), pixels(tmp_path / "mistaken.png")
    assert without.shape == with_one.shape
    # A cell is 0.17 inches, 25 pixels wide; both images have the same colour bar.
    added = (red_share(with_one) - red_share(without)) * without[..., 0].size
    assert added == pytest.approx(25**2, rel=0.2)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["mistaken.png", "perfect.png"]


@pytest.mark.parametrize("n", [1, 2, 148, 400])
def test_heat_map_of_any_size(n: int, tmp_path: Path) -> None:
    confusion = np.random.default_rng(n).poisson(0.02, size=(n, n + 1)) + np.eye(n, n + 1, dtype=np.int64) * 20
    write_heat_map(result_of(confusion, [f"l{i:03d}_S{i % 7}" for i in range(n)]), tmp_path / "map.png")
    height, width, _ = pixels(tmp_path / "map.png").shape
    assert 900 <= height <= 3000
    assert height <= width <= 3200


def test_heat_map_with_hostile_names(tmp_path: Path) -> None:
    # Formulas, letters that the font does not have, no script, a very long code; and a label without texts.
    languages = ["$x^$_Latn", "\U0001d7d8\u1234\u13a0", "_", "a" * 60, "none"]
    confusion = np.array([[0, 5, 0, 0, 0, 1], [1, 5, 0, 0, 1, 0], [0, 0, 3, 0, 0, 0], [0, 2, 0, 3, 0, 0], [0] * 6])
    result = replace(result_of(confusion, languages), data="$\\frac{" + "d" * 300, model="$")
    write_heat_map(result, tmp_path / "map.png")
    assert pixels(tmp_path / "map.png").shape[0] > 700


def test_heat_map_failure_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_heat_map(SMALL, tmp_path / "map.png")
    assert list(tmp_path.iterdir()) == []
