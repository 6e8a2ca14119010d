"""`wldetect eval --suite`: what it reads, prints and writes, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from wldetect import WLDetect
from wldetect.cli.evaluate import DESCRIPTION
from wldetect.evaluation.run import open_detector
from wldetect.evaluation.suite import SetKind

from .project import Fails, Run

MakeModel = Callable[..., Path]
LABELS = ["deu_Latn", "eng_Latn"]
WORDS = {"der": [4.0, 0.0], "the": [0.0, 4.0]}
SETS = {
    "words10": [("der der", "deu_Latn"), ("the der der", "eng_Latn")],
    "words2": [("der", "deu_Latn"), ("the", "eng_Latn"), ("the", "fra_Latn")],
    "upper": [("DER", "deu_Latn"), ("the", "eng_Latn")],
}


def write(path: Path, rows: list[tuple[str, str]], **columns: str) -> None:
    path.parent.mkdir(exist_ok=True)
    names = [columns.get(name, name) for name in ("text", "language")]
    pq.write_table(pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))), path)


@pytest.fixture
def model(make_model_dir: MakeModel) -> Path:
    return make_model_dir(LABELS, WORDS)


@pytest.fixture
def sets(tmp_path: Path) -> Path:
    """A directory of sets, beside data to be evaluated on."""
    for name, rows in SETS.items():
        write(tmp_path / "variants" / f"{name}.parquet", rows)
    write(tmp_path / "dev.parquet", [("der", "deu_Latn"), ("der der", "eng_Latn")])
    return tmp_path / "variants"


def written(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir() if path.name.startswith(("short", ".short")))


def read_json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def record(model: Path, **evaluation: str | None) -> None:
    settings = {"data": None, "split": "dev", "enabled": True, "text_column": "text", "language_column": None}
    content = {"config": {"training": {"evaluation": {**settings, **evaluation}}}}
    (model / "provenance.json").write_text(json.dumps(content), encoding="utf-8")


def test_files_and_table(model: Path, sets: Path, run: Run) -> None:
    outcome = run("eval", "--model-path", str(model), "--suite", "short", "--data", str(sets))
    assert outcome.status == 0, outcome.err
    table = [line.split()[:3] for line in outcome.out.splitlines()[3:7]]
    assert table == [["set", "texts", "accuracy"], ["upper", "2", "50.00"], ["words2", "2", "100.00"],
                     ["words10", "2", "50.00"]]  # fmt: skip
    assert "1 language that the model lacks: fra_Latn" in outcome.out
    assert outcome.out.endswith(f"{model / 'short_results.json'}, short_results.png and short_reliability.png\n")
    assert written(model) == ["short_reliability.png", "short_results.json", "short_results.png"]
    found = read_json(model / "short_results.json")
    assert found["models"][0]["sets"]["upper"]["overall"]["unanswered"] == 1
    assert found["sets"]["words2"]["left_out"] == 1
    assert (model / "short_results.png").read_bytes().startswith(b"\x89PNG")


def test_plain_sets_count_where_they_are(model: Path, sets: Path, run: Run) -> None:
    arguments = ["eval", "--model-path", str(model), "--suite", "short", "--data", str(sets)]
    assert run(*arguments).status == 0
    before = read_json(model / "short_results.json")
    write(sets / "no_accents.parquet", [("der", "deu_Latn"), ("the", "eng_Latn")])
    write(sets / "no_punctuation.parquet", [("der der", "deu_Latn"), ("der", "eng_Latn")])
    write(sets / "no_case.parquet", [("the", "deu_Latn"), ("der", "eng_Latn"), ("x", "fra_Latn")])
    outcome = run(*arguments)
    assert outcome.status == 0, outcome.err
    table = [line.split()[:3] for line in outcome.out.splitlines()[4:10]]
    assert table == [["no_accents", "2", "100.00"], ["no_case", "2", "0.00"], ["no_punctuation", "2", "50.00"],
                     ["upper", "2", "50.00"], ["words2", "2", "100.00"], ["words10", "2", "50.00"]]  # fmt: skip
    after = read_json(model / "short_results.json")
    assert list(after["sets"]) == ["no_accents", "no_case", "no_punctuation", *before["sets"]]
    assert after["sets"]["no_case"]["description"] == "sentences in lower case"
    # The other sets are what they were.
    for name, facts in before["sets"].items():
        assert after["sets"][name] == facts
        now, then = (found["models"][0]["sets"][name]["overall"] for found in (after, before))
        assert now == then


def test_every_set_is_told_of() -> None:
    page = (Path(__file__).parents[3] / "docs" / "evaluation.md").read_text(encoding="utf-8")
    for kind in SetKind:
        if kind is not SetKind.OTHER:
            name = kind.value.replace("[0-9]+", "")
            assert name in DESCRIPTION
            assert f"| `{name}" in page


def test_options(model: Path, sets: Path, run: Run, make_model_dir: MakeModel, tmp_path: Path) -> None:
    other = make_model_dir(["eng_Latn"], {"the": [4.0]}, name="other", dtype="e4m3fn")
    make_model_dir(LABELS, WORDS, dtype="e4m3fn")
    output = tmp_path / "reports"
    arguments = ["--suite", "short", "--data", str(sets), "--compare-with", str(other), "--table", "e4m3fn"]
    more = ["--sentences", str(tmp_path / "dev.parquet"), "--output", str(output), "--threads", "1"]
    outcome = run("eval", "--model-path", str(model), *arguments, *more)
    assert outcome.status == 0, outcome.err
    assert written(output) == ["short_comparison_e4m3fn.json", "short_comparison_e4m3fn.png"]
    assert written(model) == written(other) == []
    found = read_json(output / "short_comparison_e4m3fn.json")
    assert [one["model"] for one in found["models"]] == ["model", "other"]
    assert list(found["sets"]) == ["upper", "words2", "words10", "sentences"]
    # German is left out for both.
    assert [one["sets"]["words10"]["overall"]["accuracy"] for one in found["models"]] == [0, 1]
    assert (found["provenance"]["table"], found["provenance"]["threads"]) == ("e4m3fn", 1)


@pytest.mark.parametrize("suite", [False, True])
def test_features(suite: bool, model: Path, sets: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[str | None] = []

    def without_features(path: Path, table: str, features: str | None) -> WLDetect:
        given.append(features)
        return open_detector(path, table)

    monkeypatch.setattr("wldetect.evaluation.run.open_detector", without_features)
    monkeypatch.setattr("wldetect.evaluation.suite_scores.open_detector", without_features)
    data = ["--suite", "short", "--data", str(sets)] if suite else ["--data", str(sets / "words2.parquet")]
    for choice in ([], ["--features", "all"], ["--features", "tokens"]):
        assert run("eval", "--model-path", str(model), *data, *choice).status == 0
    assert given == [None, "all", "tokens"]
    name = "short_results" if suite else "flores_dev_results"
    for file, features in ((f"{name}.json", "all"), (f"{name}_tokens.json", "tokens")):
        assert read_json(model / file)["provenance"]["features"] == features


def test_columns_and_split(model: Path, run: Run, fails: Fails, tmp_path: Path) -> None:
    path = tmp_path / "sets" / "words1.parquet"
    write(path, [("der", "deu_Latn")], text="sentence", language="code")
    arguments = ["eval", "--model-path", str(model), "--suite", "short", "--data", str(path.parent)]
    assert fails(arguments) == f"{path}: expected a column 'text', found sentence, code"
    assert written(model) == []
    assert run(*arguments, "--text-column", "sentence", "--language-column", "code").status == 0
    assert read_json(model / "short_results.json")["sets"]["words1"]["texts"] == 1


def test_beside_what_training_was_evaluated_on(model: Path, sets: Path, run: Run, fails: Fails, tmp_path: Path) -> None:
    arguments = ["eval", "--model-path", str(model), "--suite", "short"]
    provenance = model / "provenance.json"
    missing = "expected the record of a training run, found none; give the sets with --data"
    assert fails(arguments) == f"{provenance}: {missing}"
    record(model)
    assert "names no evaluation data; give it with --data" in fails(arguments)
    record(model, data=str(tmp_path / "elsewhere" / "dev.parquet"))
    place = tmp_path / "elsewhere" / "variants"
    message = f"expected sets in {place}, beside the evaluation data, found no directory; give one with --data"
    assert fails(arguments) == f"{provenance}: {message}"
    record(model, data=str(tmp_path / "dev.parquet"))
    outcome = run(*arguments)
    assert outcome.status == 0, outcome.err
    assert list(read_json(model / "short_results.json")["sets"]) == ["upper", "words2", "words10", "sentences"]
    # Other sentences, and then none but those.
    write(tmp_path / "other.parquet", [("the", "eng_Latn")] * 3)
    assert run(*arguments, "--sentences", str(tmp_path / "other.parquet")).status == 0
    assert read_json(model / "short_results.json")["sets"]["sentences"]["texts"] == 3
    assert run(*arguments, "--data", str(sets)).status == 0
    assert "sentences" not in read_json(model / "short_results.json")["sets"]


@pytest.mark.parametrize("option", ["--sentences", "--compare-with"])
def test_options_of_a_suite_alone(option: str, model: Path, fails: Fails) -> None:
    message = fails(["eval", "--model-path", str(model), option, "x"])
    assert message == f"command line: {option}: expected --suite beside it, found none"


def test_bad_input(model: Path, sets: Path, fails: Fails, tmp_path: Path) -> None:
    arguments = ["eval", "--model-path", str(model), "--suite", "short", "--data"]
    assert fails([*arguments, str(tmp_path / "none")]) == f"{tmp_path / 'none'}: No such file or directory"
    assert fails([*arguments, str(tmp_path / "dev.parquet")]) == f"{tmp_path / 'dev.parquet'}: Not a directory"
    assert fails([*arguments, str(model)]) == f"{model}: expected one or more files of type .parquet, found none"
    fails([*arguments, str(sets), "--sentences", "none.parquet"], "none.parquet: no such file or directory")
    fails(
        [*arguments, str(sets), "--compare-with", str(model)], f"expected different directories, found {model} 2 times"
    )
    fails(
        [*arguments, str(sets), "--compare-with", str(tmp_path)],
        "lookup_table_fp8_e3m4.safetensors: No such file or directory",
    )
    (sets / "words3.parquet").write_bytes(b"PAR1")
    fails([*arguments, str(sets)], sets / "words3.parquet")
    assert written(model) == []


def test_interrupted(model: Path, sets: Path, monkeypatch: pytest.MonkeyPatch, run: Run) -> None:
    arguments = ["eval", "--model-path", str(model), "--suite", "short", "--data", str(sets)]

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("wldetect.evaluation.suite_scores.detect_all", stop)
        assert run(*arguments).status == 130
    assert written(model) == []
    with monkeypatch.context() as patch:
        patch.setattr("matplotlib.figure.Figure.savefig", stop)
        assert run(*arguments).status == 130
    # What is whole may stay.
    assert written(model) == ["short_results.json"]
