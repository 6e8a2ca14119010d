"""`wldetect calibrate`: what it writes, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from wldetect import WLDetect
from wldetect.cli import main
from wldetect.data.held_out import text_hash

from .project import Fails, Run

LABELS = ["deu_Latn", "eng_Latn"]
WORDS = {"der": [4.0, 0.0], "the": [0.0, 4.0]}


@pytest.fixture
def model(make_model_dir: Callable[..., Path]) -> Path:
    return make_model_dir(LABELS, WORDS)


def write(path: Path) -> Path:
    """Every fourth text is of the other language."""
    pairs = [
        (" ".join([own if number % 4 else other] * (1 + number % 3)), label)
        for own, other, label in (("der", "the", "deu_Latn"), ("the", "der", "eng_Latn"))
        for number in range(120)
    ]
    path.parent.mkdir(exist_ok=True)
    pq.write_table(pa.table({"text": [one[0] for one in pairs], "language": [one[1] for one in pairs]}), path)
    return path


@pytest.mark.parametrize("whole_directory", [False, True])
def test_files(whole_directory: bool, model: Path, run: Run, tmp_path: Path) -> None:
    data = write(tmp_path / "held" / "held_out.parquet")
    before = {path.name for path in model.iterdir()}
    source = data.parent if whole_directory else data
    outcome = run("calibrate", "--model-path", str(model), "--data", str(source), "--threads", "1")
    assert outcome.status == 0, outcome.err
    written = ["calibration_results.json", "calibration_results.png"]
    assert {path.name for path in model.iterdir()} - before == set(written)
    paths = [model / name for name in ("lookup_table_fp8_e3m4.safetensors", *written)]
    assert outcome.out.endswith(f"wrote: {', '.join(map(str, paths))}\n")
    assert "240 texts" not in outcome.out and "of 2 of 2 labels" in outcome.out
    found = WLDetect.load(model).predict("der")
    assert found is not None and found[0] == "deu_Latn" and 0.6 < found[1] < 0.85


def test_sentences_of_an_evaluation_set(model: Path, fails: Fails, run: Run, tmp_path: Path) -> None:
    data, sentence = tmp_path / "held.parquet", "der the der the"
    pq.write_table(pa.table({"text": ["der", sentence], "language": LABELS}), data)
    forbidden = tmp_path / "dev.hashes"
    arguments = ["calibrate", "--model-path", str(model), "--data", str(data), "--forbidden", str(forbidden)]
    forbidden.write_text(f"{text_hash('der')}\n{text_hash('the der the der')}\n", encoding="utf-8")
    assert run(*arguments).status == 0
    forbidden.write_text(f"{text_hash('Der, the der, the.')}\n", encoding="utf-8")
    before = (model / "lookup_table_fp8_e3m4.safetensors").read_bytes()
    message = f"{data}: label eng_Latn: expected no sentence of {forbidden}, found {sentence!r}"
    assert fails(arguments) == message
    assert (model / "lookup_table_fp8_e3m4.safetensors").read_bytes() == before
    others = [*arguments[:3], "--data", str(write(tmp_path / "more.parquet")), "--others", str(data), *arguments[-2:]]
    assert fails(others) == message


def test_options(model: Path, run: Run, tmp_path: Path, make_model_dir: Callable[..., Path]) -> None:
    make_model_dir(LABELS, WORDS, dtype="float32")
    data = write(tmp_path / "held.parquet")
    options = ["--table", "float32", "--precision", "0", "--samples-per-label", "40", "--seed", "3"]
    outcome = run("calibrate", "--model-path", str(model), "--data", str(data), *options)
    assert outcome.status == 0, outcome.err
    found = json.loads((model / "calibration_results.json").read_text(encoding="utf-8"))
    assert (found["table"], found["precision"], found["samples_per_label"], found["seed"]) == ("float32", 0, 40, 3)
    # Nothing is too improbable where no right answer is dispensable.
    assert set(found["ways"]["all"]["thresholds"].values()) == {0}
    for table in ("e3m4", "float32"):
        assert WLDetect.load(model, table=table).predict("der") is not None  # type: ignore[arg-type]


def test_texts_of_other_languages(model: Path, run: Run, fails: Fails, tmp_path: Path) -> None:
    data, others = write(tmp_path / "held.parquet"), tmp_path / "others.parquet"
    pq.write_table(pa.table({"text": ["der the der"] * 9, "language": ["nld_Latn"] * 9}), others)
    arguments = ["calibrate", "--model-path", str(model), "--data", str(data), "--others"]
    outcome = run(*arguments, str(others), "--other-share", "0.3")
    assert outcome.status == 0, outcome.err
    assert "in other languages" in outcome.out and "others unknown" in outcome.out
    found = json.loads((model / "calibration_results.json").read_text(encoding="utf-8"))
    assert (found["other_share"], found["other_texts"]) == (0.3, 9 * 3)
    assert list(found["ways"]["all"]["long_texts"]) == ["from_evidence", "thresholds"]
    assert WLDetect.load(model).predict("der") is not None
    pq.write_table(pa.table({"text": ["der"], "language": ["deu_Latn"]}), others)
    assert "found none" in fails([*arguments, str(others)])
    for wrong in ("0", "1", "x"):
        with pytest.raises(SystemExit):
            main([*arguments, str(others), "--other-share", wrong])


def test_what_is_refused(model: Path, fails: Fails, tmp_path: Path) -> None:
    arguments = ["calibrate", "--model-path", str(model), "--data"]
    fails([*arguments, str(tmp_path / "absent.parquet")], "absent.parquet")
    evaluation = write(tmp_path / "dev.parquet")
    settings = {
        "data": str(evaluation),
        "split": "dev",
        "enabled": True,
        "text_column": "text",
        "language_column": None,
    }
    record = {"config": {"training": {"evaluation": settings}}}
    (model / "provenance.json").write_text(json.dumps(record), encoding="utf-8")
    before = {path.name: path.read_bytes() for path in model.iterdir()}
    message = fails([*arguments, str(evaluation)])
    assert message == (f"command line: --data: expected other texts than the model is evaluated on, found {evaluation}")
    assert {path.name: path.read_bytes() for path in model.iterdir()} == before
    for wrong in (["--precision", "1"], ["--precision", "x"], ["--samples-per-label", "0"], ["--seed", "1.5"]):
        with pytest.raises(SystemExit):
            main([*arguments, str(evaluation), *wrong])
