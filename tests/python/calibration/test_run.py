"""Calibrating a small model directory: what is fitted, what is written, and what the detector makes of it."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from wldetect import ArtifactError, DataError, WLDetect
from wldetect.calibration.report import (
    JSON_FILE,
    PLOT_FILE,
    format_calibration,
    install_calibration,
    write_reports,
)
from wldetect.calibration.run import CalibrationResult, calibrate
from wldetect.evaluation import LabelledTexts
from wldetect.export.quantize import TableDType
from wldetect.export.table_file import read_table_file

MakeModel = Callable[..., Path]
LABELS = ["a", "b"]
# Sure of themselves beyond what is true: one word in four is of the other language.
WORDS = {"ja": [4.0, 0.0], "no": [0.0, 4.0]}


def held_out(count: int = 1500, words: int = 3) -> LabelledTexts:
    rng = random.Random(7)
    texts, labels = [], []
    for label, own, other in (("a", "ja", "no"), ("b", "no", "ja")):
        for _ in range(count):
            texts.append(" ".join(own if rng.random() < 0.75 else other for _ in range(words)))
            labels.append(label)
    return LabelledTexts(texts, labels, "held.parquet", "train")


@pytest.fixture
def model(make_model_dir: MakeModel) -> Path:
    make_model_dir(LABELS, WORDS, dtype="float32")
    return make_model_dir(LABELS, WORDS)


@pytest.fixture
def result(model: Path) -> CalibrationResult:
    return calibrate(model, held_out(), samples_per_label=1200, threads=1)


def test_probabilities_become_what_they_say(model: Path, result: CalibrationResult) -> None:
    assert list(result.ways) == ["all", "tokens"] and result.ways["all"] == result.ways["tokens"]
    way = result.ways["all"]
    assert (way.answers["a"] + way.answers["b"], result.texts_by_label["a"]) == (result.texts, result.texts // 2)
    one = way.lengths["1 word"]
    # Before: e^4 : 1 for what is true in three of four cases.
    assert one.before.mean_confidence == pytest.approx(0.982, abs=1e-3)
    assert one.before.expected_calibration_error == pytest.approx(0.23, abs=0.05)
    assert one.after.expected_calibration_error == pytest.approx(0, abs=0.06)
    assert list(way.lengths) == ["whole texts", "1 word", "2 words"]
    before = WLDetect.load(model).predict_arrays(["ja", "no ja ja"])
    install_calibration(result, model)
    after = WLDetect.load(model)
    labels, probabilities = after.predict_arrays(["ja", "no ja ja"])
    assert labels.tolist() == before[0].tolist()
    assert 0.68 < probabilities[0] < 0.8
    # What the detector says is what the report was made from.
    texts = held_out()
    again = calibrate(model, texts, samples_per_label=1200, threads=1)
    assert again.ways == result.ways


def test_the_detector_gives_what_was_reported(model: Path, result: CalibrationResult) -> None:
    install_calibration(result, model)
    texts = held_out()
    found, probabilities = WLDetect.load(model, threshold=0.0).predict_arrays(texts.texts)
    right = np.array([LABELS[label] == own for label, own in zip(found, texts.labels, strict=True)])
    # All texts rather than the 1,200 of a label that were drawn.
    rated = result.ways["all"].lengths["whole texts"].after
    assert probabilities.mean() == pytest.approx(rated.mean_confidence, abs=0.02)
    assert right.mean() == pytest.approx(rated.accuracy, abs=0.03)


def test_thresholds_follow_from_the_precision(model: Path) -> None:
    # A language whose word is of the other one in nine of ten cases.
    texts = [("ja", "a")] * 900 + [("no", "a")] * 900 + [("no", "b")] * 100 + [("ja", "b")] * 1
    held = LabelledTexts([text for text, _ in texts], [label for _, label in texts], "held.parquet")
    found = calibrate(model, held, precision=0.6, samples_per_label=2000)
    # Labels count the same: "no" is right in 99 of 100 + 50 cases.
    assert found.ways["all"].precision_before["b"] == pytest.approx(99 / 149, abs=0.01)
    assert found.ways["all"].thresholds["b"] == 0
    strict = calibrate(model, held, precision=0.7, samples_per_label=2000)
    assert strict.ways["all"].thresholds["b"] > strict.ways["all"].thresholds["a"] == 0


def test_every_table_is_written_and_nothing_else_changes(model: Path, result: CalibrationResult) -> None:
    kinds = (TableDType.E3M4, TableDType.FLOAT32)
    before = [read_table_file(model / dtype.file_name, dtype) for dtype in kinds]
    files = {path.name for path in model.iterdir()}
    assert install_calibration(result, model) == [model / dtype.file_name for dtype in kinds]
    assert {path.name for path in model.iterdir()} == files
    for dtype, old in zip(kinds, before, strict=True):
        new = read_table_file(model / dtype.file_name, dtype)
        np.testing.assert_array_equal(new.stored, old.stored)
        assert {key: value for key, value in new.metadata.items() if key != "calibration"} == old.metadata
        content = json.loads(new.metadata["calibration"])
        assert list(content) == ["all", "tokens"]
        assert content["all"]["thresholds"] == result.ways["all"].thresholds
        loaded = WLDetect.load(model, table=dtype.value)
        assert loaded.predict("ja") is not None


def test_each_family_of_rows_has_its_own(make_model_dir: MakeModel) -> None:
    rng = np.random.default_rng(1)
    rows = rng.normal(0, 4, (32, 2)).astype(np.float32)
    model = make_model_dir(LABELS, WORDS, ngrams=rows)
    result = calibrate(model, held_out(), samples_per_label=100)
    assert list(result.ways) == ["all", "tokens", "ngrams"]
    curves = [result.ways[way].inverse_temperatures for way in result.ways]
    assert curves[0] != curves[1] != curves[2]
    install_calibration(result, model)
    for way in result.ways:
        assert WLDetect.load(model, features=way).predict("ja no") is not None


def test_reports(result: CalibrationResult, tmp_path: Path) -> None:
    reports = tmp_path / "reports"
    assert write_reports(result, reports) == [reports / JSON_FILE, reports / PLOT_FILE]
    found = json.loads((reports / JSON_FILE).read_text(encoding="utf-8"))
    assert list(found)[:3] == ["ways", "texts", "other_texts"]
    assert found["ways"]["all"]["lengths"]["1 word"]["after"]["texts"] == 2400
    assert (found["precision"], found["samples_per_label"], found["table"]) == (0.1, 1200, "e3m4")
    assert (reports / PLOT_FILE).read_bytes().startswith(b"\x89PNG")
    first = {path.name: path.read_bytes() for path in reports.iterdir()}
    write_reports(result, reports)
    assert {path.name: path.read_bytes() for path in reports.iterdir()} == first
    lines = format_calibration(result).splitlines()
    assert lines[0] == f"{result.texts:,} texts and crops of 2 of 2 labels"
    assert [line.split()[:2] for line in lines[2:5]] == [["all", "whole"], ["all", "1"], ["all", "2"]]
    assert max(map(len, lines)) <= 100


def test_what_cannot_be_calibrated(model: Path, result: CalibrationResult, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected texts of the model's 2 labels"):
        calibrate(model, LabelledTexts(["ja"], ["c"], "other"))
    with pytest.raises(FileNotFoundError):
        calibrate(tmp_path / "nowhere", held_out(2))
    with pytest.raises(ArtifactError, match="expected one or more lookup tables, found none"):
        install_calibration(result, tmp_path / "nowhere")
