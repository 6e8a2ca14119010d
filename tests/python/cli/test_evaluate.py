"""`wldetect eval`: what it writes where, and what it does without being told everything."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from .project import Fails, Run

LABELS = ["deu_Latn", "eng_Latn"]
WORDS = {"der": [4.0, 0.0], "the": [0.0, 4.0]}
TEXTS = {"text": ["der", "der der", "the", "the der der"], "language": ["deu_Latn"] * 2 + ["eng_Latn"] * 2}


@pytest.fixture
def model(make_model_dir: Callable[..., Path]) -> Path:
    return make_model_dir(LABELS, WORDS)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "dev.parquet"
    pq.write_table(pa.table(TEXTS), path)
    return path


def files(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir() if path.name.startswith("flores"))


def read_json(path: Path) -> dict[str, dict[str, object]]:
    content: dict[str, dict[str, object]] = json.loads(path.read_text(encoding="utf-8"))
    return content


def test_files_and_table(model: Path, data: Path, run: Run) -> None:
    outcome = run("eval", "--model-path", str(model), "--data", str(data))
    assert outcome.status == 0, outcome.err
    assert "75.00 % (3 right, 0 unanswered)" in outcome.out
    assert outcome.out.endswith(
        f"{model / 'flores_dev_results.json'}, flores_dev_confusion.png and flores_dev_reliability.png\n"
    )
    assert files(model) == ["flores_dev_confusion.png", "flores_dev_reliability.png", "flores_dev_results.json"]
    scores = read_json(model / "flores_dev_results.json")
    assert scores["overall"]["accuracy"] == 0.75
    assert (scores["provenance"]["split"], scores["provenance"]["table"]) == ("dev", "e3m4")
    assert scores["provenance"]["data"] == str(data)
    picture = (model / "flores_dev_confusion.png").read_bytes()
    assert picture.startswith(b"\x89PNG") and picture.endswith(b"IEND\xaeB`\x82")


def test_texts_of_some_languages(model: Path, data: Path, run: Run, tmp_path: Path) -> None:
    config = tmp_path / "model.yaml"
    config.write_text("model: {name: m, type: t, hidden_dim: 8}\nlanguages: {eng_Latn: 0, fra_Latn: 1}", "utf-8")
    outcome = run("eval", "--model-path", str(model), "--data", str(data), "--languages", str(config))
    assert outcome.status == 0, outcome.err
    # What is called German is wrong, though no German text is there.
    assert "50.00 % (1 right, 0 unanswered)" in outcome.out
    scores = read_json(model / "flores_dev_results.json")
    assert (scores["overall"]["n"], scores["overall"]["macro_recall"]) == (2, 0.5)
    sets = tmp_path / "sets"
    sets.mkdir()
    data.rename(sets / "words1.parquet")
    arguments = ["--suite", "short", "--model-path", str(model), "--data", str(sets), "--languages", str(config)]
    outcome = run("eval", *arguments)
    assert outcome.status == 0, outcome.err
    assert "50.00" in outcome.out and "75.00" not in outcome.out


def test_other_table_split_and_output(
    model: Path, data: Path, run: Run, fails: Fails, make_model_dir: Callable[..., Path], tmp_path: Path
) -> None:
    output = tmp_path / "reports" / "new"
    arguments = ["eval", "--model-path", str(model), "--data", str(data), "--output", str(output), "--split", "devtest"]
    fails([*arguments, "--table", "e4m3fn"], "lookup_table_fp8_e4m3fn.safetensors: No such file or directory")
    assert not output.exists()
    make_model_dir(LABELS, {word: logits[::-1] for word, logits in WORDS.items()}, dtype="e4m3fn")
    outcome = run(*arguments, "--table", "e4m3fn", "--threads", "1")
    assert outcome.status == 0, outcome.err
    assert files(model) == []
    assert files(output) == [
        "flores_devtest_confusion_e4m3fn.png",
        "flores_devtest_reliability_e4m3fn.png",
        "flores_devtest_results_e4m3fn.json",
    ]
    scores = read_json(output / "flores_devtest_results_e4m3fn.json")
    assert (scores["overall"]["accuracy"], scores["provenance"]["threads"]) == (0.25, 1)


def test_columns(model: Path, run: Run, fails: Fails, tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text("sentence,code\nder,deu_Latn\n", encoding="utf-8")
    arguments = ["eval", "--model-path", str(model), "--data", str(path)]
    assert fails(arguments) == f"{path}: expected a column 'text', found sentence, code"
    message = fails([*arguments, "--text-column", "sentence"])
    assert message.startswith(f"{path}: expected a column 'language', or ")
    assert files(model) == []
    outcome = run(*arguments, "--text-column", "sentence", "--language-column", "code")
    assert outcome.status == 0, outcome.err
    assert read_json(model / "flores_dev_results.json")["overall"]["accuracy"] == 1


def record(model: Path, **evaluation: str | None) -> None:
    settings = {"data": None, "split": "dev", "enabled": True, "text_column": "text", "language_column": None}
    content = {"config": {"training": {"evaluation": {**settings, **evaluation}}}}
    (model / "provenance.json").write_text(json.dumps(content), encoding="utf-8")


def test_what_training_was_evaluated_on(model: Path, run: Run, tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    rows = [{"sentence": "der", "code": "deu_Latn", "split": "test"}, {"sentence": "x", "code": "y", "split": "dev"}]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    record(model, data=str(path), split="test", text_column="sentence", language_column="code")
    outcome = run("eval", "--model-path", str(model))
    assert outcome.status == 0, outcome.err
    assert read_json(model / "flores_test_results.json")["overall"]["n"] == 1


def test_data_goes_before_what_training_was_evaluated_on(model: Path, data: Path, run: Run) -> None:
    record(model, data="missing.parquet", split="test", text_column="sentence", language_column="code")
    outcome = run("eval", "--model-path", str(model), "--data", str(data))
    assert outcome.status == 0, outcome.err
    assert read_json(model / "flores_dev_results.json")["overall"]["n"] == 4


def test_no_data(model: Path, fails: Fails, tmp_path: Path) -> None:
    arguments = ["eval", "--model-path", str(model)]
    provenance = model / "provenance.json"
    assert fails(arguments) == f"{provenance}: No such file or directory"
    record(model)
    message = "the training configuration names no evaluation data; give it with --data"
    assert fails(arguments) == f"{provenance}: {message}"
    record(model, data="./gone.parquet")
    message = "evaluation data './gone.parquet' is not there; give it with --data"
    assert fails(arguments) == f"{provenance}: {message}"
    for content in ("", "[]", '{"config": 3}', "\xff"):
        provenance.write_text(content, encoding="latin-1")
        message = "expected the record of a training run, found something else; give the data with --data"
        assert fails(arguments) == f"{provenance}: {message}"
    assert files(model) == []


@pytest.mark.parametrize("name", ["none.parquet", "no/such/place", "./x"])
def test_data_that_is_not_there(
    name: str, model: Path, fails: Fails, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert fails(["eval", "--model-path", str(model), "--data", name]) == f"{name}: no such file or directory"
    assert files(model) == []


def test_nothing_to_score(model: Path, fails: Fails, tmp_path: Path) -> None:
    path = tmp_path / "zul_Latn.txt"
    path.write_text("abc\n", encoding="utf-8")
    message = fails(["eval", "--model-path", str(model), "--data", str(path)], path)
    assert "found only labels that it does not know (zul_Latn)" in message
    assert files(model) == []
