"""`scripts/compare_options.py`: what it trains, keeps, does not train again, and refuses."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from .project import LANGUAGES, Project, sentences

sys.path.insert(0, str(Path(__file__).parents[3] / "scripts"))

import compare_options

from wldetect.config import ResolvedConfig
from wldetect.training.run import TrainingRun

Compare = Callable[..., int]
ABLATIONS = sorted((Path(__file__).parents[3] / "configs" / "ablations").glob("*.yaml"))
RUNS: dict[str, Any] = {"as it is": {}, "two passes": {"training.num_epochs": 2}}


@pytest.fixture
def sets(tmp_path: Path) -> Path:
    """Two sets, one of which has a label that the model lacks."""
    folder = tmp_path / "sets"
    folder.mkdir()
    rows = [(text, language) for language in LANGUAGES for text in sentences(language, 4, seed=5)]
    for name, pairs in {
        "words10": rows,
        "words2": [(text[:6], label) for text, label in rows] + [("x", "zzz_Latn")],
    }.items():
        columns = {"text": [text for text, _ in pairs], "language": [label for _, label in pairs]}
        pq.write_table(pa.table(columns), folder / f"{name}.parquet")
    return folder


@pytest.fixture
def compare(tiny_project: Project, sets: Path) -> Compare:
    def run(options: Mapping[str, Any], *arguments: str, common: Mapping[str, Any] | None = None) -> int:
        path = tiny_project.root / "options.yaml"
        content = {"config": "train.yaml", "common": dict(common or {"training.num_epochs": 1}), "options": options}
        path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        return compare_options.main([str(path), "--variants", str(sets), *arguments])

    return run


def runs_in(path: Path) -> dict[str, dict[str, Any]]:
    runs: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["runs"]
    return runs


def test_results(compare: Compare, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "results" / "options.json"
    assert compare(RUNS, "--output", str(output), "--set", "output.float32_table=true", "--threads", "1") == 0
    table = capfd.readouterr().out
    columns = (
        "words2 | words10 | macro-F1, words10 | time, words2 | time, words10 | training, s | training, texts/s | MB"
    )
    assert table.splitlines()[0] == f"| option | {columns} | most lost, points |"
    assert {line.count("|") for line in table.splitlines()} == {11}
    assert [line.split(" | ")[0] for line in table.splitlines()[2:]] == ["| as it is", "| two passes"]
    assert output.with_suffix(".md").read_text(encoding="utf-8") == table
    assert sorted(path.name for path in output.parent.iterdir()) == ["options.json", "options.md", "options.png"]

    runs = runs_in(output)
    assert list(runs) == list(RUNS)
    # What every run has, what this one has, what the command line has.
    assert runs["two passes"]["overrides"] == {"training.num_epochs": 2, "output.float32_table": True}
    for run, passes in zip(runs.values(), (1, 2), strict=True):
        assert run["training"]["texts"] == 120
        assert 0 < run["training"]["seconds"] <= run["seconds"]["training"]
        assert run["training"]["texts_per_second"] == pytest.approx(120 * passes / run["training"]["seconds"])
        assert sorted(run["scores"]) == ["e3m4", "float32"]
        assert run["bytes"]["lookup_table_float32.safetensors"] > run["bytes"]["lookup_table_fp8_e3m4.safetensors"] > 0
        # Without n-grams both ways are one, but for what else the machine does.
        assert sorted(run["microseconds"]) == ["words10", "words2"]
        assert all(time["all"] > 0 and time["tokens"] > 0 for time in run["microseconds"].values())
        scores = run["scores"]["e3m4"]
        assert [(scores[name]["given"], scores[name]["texts"]) for name in ("words2", "words10")] == [
            (13, 12),
            (12, 12),
        ]
        assert scores["words10"]["macro_f1"] > 0.5


def test_only_what_is_missing_is_trained(
    compare: Compare, tiny_project: Project, sets: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    output = ["--output", str(tmp_path / "options.json")]
    assert compare(RUNS, "--only", "as it", *output) == 0
    first = runs_in(tmp_path / "options.json")
    assert list(first) == ["as it is"]

    def trained() -> list[str]:
        lines = capfd.readouterr().err.splitlines()
        return [line[3:] for line in lines if line.startswith("== ") and not line.endswith("already")]

    capfd.readouterr()
    assert compare(RUNS, *output) == 0
    assert trained() == ["two passes"]
    assert runs_in(tmp_path / "options.json")["as it is"] == first["as it is"]
    # Other words for the same configuration.
    same = {"training.num_epochs": 1, "training.batch_size": 8}
    assert compare({"as it is": same, "one": {"training.num_epochs": 2}}, "--only", "as", *output) == 0
    assert trained() == []
    # Another configuration: by the options, and by the file itself.
    assert compare(RUNS, *output, common={"training.num_epochs": 1, "training.seed": 3}) == 0
    assert trained() == list(RUNS)
    tiny_project.edit(tiny_project.config, "training.batch_size", 4)
    assert compare(RUNS, "--only", "two", *output, common={"training.num_epochs": 1, "training.seed": 3}) == 0
    assert trained() == ["two passes"]
    # Another set, of shorter texts, and a set of other texts: what was measured without them is not shown beside it.
    shorter = pa.table({"text": ["x", "y"], "language": list(LANGUAGES)[:2]})
    pq.write_table(shorter, sets / "words1.parquet")
    pq.write_table(pq.read_table(sets / "words2.parquet").slice(1), sets / "words2.parquet")
    assert compare(RUNS, *output, common={"training.num_epochs": 1, "training.seed": 3}) == 0
    assert trained() == list(RUNS)
    assert list(runs_in(tmp_path / "options.json")["two passes"]["scores"]["e3m4"]) == ["words1", "words2", "words10"]


def test_data_and_sentences(
    compare: Compare, tiny_project: Project, sets: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "options.json"
    tiny_project.edit(tiny_project.config, "dataset.name", "nowhere")
    moved = tiny_project.corpus.rename(tiny_project.root / "moved")
    arguments = ["--data", str(moved), "--flores", str(sets / "words10.parquet"), "--output", str(output)]
    assert compare({"as it is": {}}, *arguments) == 0
    columns = "| option | words2 | words10 | sentences | macro-F1, sentences | time, words2 | time, sentences |"
    assert capfd.readouterr().out.startswith(columns)
    # Nothing tells where on this machine the corpus is.
    assert str(tmp_path) not in output.read_text(encoding="utf-8")


def test_languages(compare: Compare, tiny_project: Project, tmp_path: Path) -> None:
    wanted = tiny_project.root / "some.yaml"
    content = yaml.safe_load(tiny_project.model_config.read_text(encoding="utf-8"))
    wanted.write_text(yaml.safe_dump({**content, "languages": {LANGUAGES[1]: 0}}), encoding="utf-8")
    assert compare({"as it is": {}}, "--languages", str(wanted), "--output", str(tmp_path / "options.json")) == 0
    scores = runs_in(tmp_path / "options.json")["as it is"]["scores"]["e3m4"]
    assert [(scores[name]["given"], scores[name]["texts"]) for name in ("words2", "words10")] == [(4, 4), (4, 4)]


def test_a_run_that_fails_costs_no_other(compare: Compare, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "options.json"
    options = {"failing": {"dataset.min_samples_per_language": 1000}, "as it is": {}}
    assert compare(options, "--output", str(output)) == 2
    assert list(runs_in(output)) == ["as it is"]
    assert "compare_options.py: error: failing: " in capfd.readouterr().err


def test_interrupted(
    compare: Compare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "options.json"
    assert compare(RUNS, "--only", "as it", "--output", str(output)) == 0
    before = output.read_bytes()

    def stop(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(compare_options, "evaluate", stop)
    capfd.readouterr()
    assert compare(RUNS, "--output", str(output)) == 130
    assert capfd.readouterr().err.endswith("compare_options.py: interrupted\n")
    assert output.read_bytes() == before
    assert sorted(path.name for path in tmp_path.glob("options*")) == ["options.json", "options.md", "options.png"]


@pytest.mark.parametrize(
    ("options", "arguments", "message"),
    [
        (
            {"a": {"training.epochs": 3}},
            [],
            "options: a: {config}: training.epochs (from the command line): unknown key;",
        ),
        ({"a": 3}, [], "{path}: options.a: expected a mapping, found 3 (int)"),
        ({}, [], "{path}: options: expected a mapping of names to overrides, found an empty mapping"),
        ({"a": {}}, ["--only", "b"], "{path}: options: expected one whose name contains 'b' (str), found none"),
        ({"a": {}}, ["--set", "x"], "command line: expected KEY=VALUE with a dotted key, found 'x' (str)"),
        ({"a": {}}, ["--output", "results.txt"], "--output: expected a file of type .json, found results.txt"),
        ({"a": {}}, ["--output", "{path}.json"], "expected the results of this script, found something else"),
        ({"a": {}}, ["--flores", "none.parquet"], "none.parquet: no such file or directory"),
    ],
)
def test_bad_input(
    options: Any,
    arguments: list[str],
    message: str,
    compare: Compare,
    tiny_project: Project,
    capfd: pytest.CaptureFixture[str],
) -> None:
    names = {"path": str(tiny_project.root / "options.yaml"), "config": str(tiny_project.config)}
    (tiny_project.root / "options.yaml.json").write_text('{"runs": {"a": 3}}', encoding="utf-8")
    assert compare(options, *(argument.format(**names) for argument in arguments)) == 2
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("compare_options.py: error: ")
    assert captured.err.count("\n") == 1
    assert message.format(**names) in captured.err


def test_no_sets_and_no_configuration(tiny_project: Project, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "options.yaml"
    path.write_text("config: nowhere.yaml\noptions: {a: {}}\n", encoding="utf-8")
    assert compare_options.main([str(path)]) == 2
    assert capfd.readouterr().err.endswith("expected --variants, --flores, or both, found neither\n")
    assert compare_options.main([str(path), "--flores", "x.parquet"]) == 2
    assert capfd.readouterr().err.endswith(f"{path}: config: expected an existing file, found no 'nowhere.yaml'\n")


def test_what_another_run_wrote_is_none_of_the_model_s(
    compare: Compare, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = compare_options.run_training

    def with_another_file(config: ResolvedConfig, **options: Any) -> TrainingRun:
        run = train(config, **options)
        (run.directory / f"table_{config.training.training.num_epochs}.safetensors").touch()
        return run

    monkeypatch.setattr(compare_options, "run_training", with_another_file)
    assert compare(RUNS, "--output", str(tmp_path / "options.json")) == 0
    found = [
        name for run in runs_in(tmp_path / "options.json").values() for name in run["bytes"] if "table_" in name[:6]
    ]
    assert found == ["table_1.safetensors", "table_2.safetensors"]


def test_each_family_alone(tiny_project: Project, tmp_path: Path) -> None:
    path = tmp_path / "options.yaml"
    features = {"without": {}, "with": {"features.ngrams": {"rows": 64}}}
    path.write_text(yaml.safe_dump({"config": str(tiny_project.config), "options": features}), encoding="utf-8")

    def scorings(*arguments: str) -> dict[str, list[str]]:
        options = compare_options._parser().parse_args([str(path), *arguments])
        return {one.name: list(one.scorings) for one in compare_options._read_options(options, tmp_path)}

    assert scorings() == {"with": ["e3m4"], "without": ["e3m4"]}
    every = ["e3m4", "e3m4, tokens alone", "e3m4, n-grams alone"]
    assert scorings("--alone") == {"with": every, "without": ["e3m4"]}
    scores = {"words1": {"accuracy": 0.5, "macro_f1": 0.25, "texts_per_second": 1234.5}}
    run = {
        "scores": dict.fromkeys(every, scores),
        "training": {"seconds": 61.2, "texts_per_second": 1000.0},
        "microseconds": {"words1": {"all": 3.0, "tokens": 2.0, "ngrams": 1.0}},
        "bytes": {"lookup_table_fp8_e3m4.safetensors": 2_000_000, "ngram_table_fp8_e3m4.safetensors": 500_000,
                  "lookup_table_fp8_e4m3fn.safetensors": 2_000_000},
    }  # fmt: skip
    assert compare_options.format_table({"with": run}, ["words1"]).splitlines()[2:] == [
        "| with | 50.00 | 25.00 | 1.50x | 61 | 1,000 | 2.5 |",
        "| with, tokens alone | 50.00 | 25.00 | 1.00x |  |  |  |",
        "| with, n-grams alone | 50.00 | 25.00 | 0.50x |  |  |  |",
    ]


def test_an_override_given_again_goes_after_keys_inside_it() -> None:
    common = {"features.ngrams": {"n_min": 2}, "features.ngrams.rows": 8}
    joined = compare_options.joined(common, {"features.ngrams": None})
    assert list(joined.items()) == [("features.ngrams.rows", 8), ("features.ngrams", None)]


@pytest.mark.parametrize("path", ABLATIONS, ids=lambda path: path.name)
def test_committed_options_are_valid(path: Path, tmp_path: Path) -> None:
    options = compare_options._parser().parse_args([str(path)])
    assert len({option.fingerprint for option in compare_options._read_options(options, tmp_path)}) > 1
