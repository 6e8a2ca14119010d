"""`wldetect analyze`: from a trained model to counts, plots, a filtered model and documents; the scripts beside it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from wldetect import WLDetect
from wldetect.analysis.counts import read_counts
from wldetect.cli import main
from wldetect.cli.analyze.options import DEFAULT_MODEL, positive
from wldetect.config import DEFAULT_TRAINING_CONFIG, load_training_config

from .project import Fails, Project, Run, sentences

ANALYSES = ["token-frequency", "weights", "filter", "quantization", "training-counts", "languages"]
SCRIPTS = {
    "token_frequency_counter.py": "token-frequency",
    "weight_analysis.py": "weights",
    "create_filtered_e3m4_model.py": "filter",
}
SCRIPTS_DIR = Path(__file__).parents[3] / "scripts" / "analysis"


@pytest.fixture
def model(trained_model: Path, _trained: Project, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A trained model with the counts of its training set."""
    # The tokenized training set is there.
    monkeypatch.setenv("WLDETECT_CACHE", str(_trained.root / "cache"))
    output = trained_model / "token_counts.safetensors"
    arguments = ["--config", str(_trained.config), "--output", str(output), "--top", "3"]
    assert main(["analyze", "token-frequency", *arguments]) == 0
    return trained_model


@pytest.fixture
def evaluated(model: Path, _trained: Project, run: Run) -> Path:
    """The same with the results of an evaluation."""
    outcome = run("eval", "--model-path", str(model), "--data", str(_trained.corpus))
    assert outcome.status == 0, outcome.err
    return model


def test_the_default_model_is_the_one_that_training_writes() -> None:
    assert load_training_config(DEFAULT_TRAINING_CONFIG()).artifacts_dir == DEFAULT_MODEL


@pytest.mark.parametrize("name", ANALYSES)
def test_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["analyze", name, "--help"])
    out = capsys.readouterr().out
    assert caught.value.code == 0
    assert f"\n  wldetect analyze {name} " in out or f"\n  wldetect analyze {name}\n" in out
    with pytest.raises(SystemExit):
        main(["analyze", "--help"])
    assert name in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [[], ["fly"], ["filter"], ["filter", "--threshold", "0"], ["quantization"], ["weights", "--table", "int8"]],
)
def test_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["analyze", *arguments])
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith("usage: wldetect analyze")


def test_thresholds_fit_the_file() -> None:
    assert [positive(text) for text in ("1", "010", "2147483647")] == [1, 10, 2**31 - 1]


def test_the_training_set_is_counted(model: Path, _trained: Project) -> None:
    tokenizer = json.loads((model / "tokenizer.json").read_text(encoding="utf-8"))
    words = tokenizer["model"]["vocab"]
    counts = read_counts(model / "token_counts.safetensors")
    expected = dict.fromkeys(words, 0)
    for language in ("aaa_Latn", "bbb_Latn", "ccc_Latn"):
        for sentence in sentences(language, 40, 1):
            for word in sentence.split():
                expected[word] += 1
    assert {word: int(counts.counts[row]) for word, row in words.items()} == expected
    assert counts.texts == 120
    provenance = json.loads((model / "provenance.json").read_text(encoding="utf-8"))
    assert (counts.corpus, counts.tokens) == (provenance["corpus"]["sha256"], provenance["corpus"]["tokens"])
    lines = (model / "token_counts.tsv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 7
    word, count = lines[1].split("\t")[2:4]
    assert int(count) == max(expected.values()) == expected[json.loads(word)]


def test_texts_are_counted_with_a_models_tokenizer(trained_model: Path, _trained: Project, run: Run) -> None:
    folder = _trained.corpus / "train"
    arguments = ["--model-path", str(trained_model), "--texts", *map(str, sorted(folder.iterdir()))]
    outcome = run("analyze", "token-frequency", *arguments)
    assert outcome.status == 0, outcome.err
    counts = read_counts(trained_model / "token_counts.safetensors")
    assert (counts.texts, counts.tokens) == (
        120,
        json.loads((trained_model / "provenance.json").read_text(encoding="utf-8"))["corpus"]["tokens"],
    )
    assert "[UNK]" not in (trained_model / "token_counts.tsv").read_text(encoding="utf-8")
    assert outcome.out.endswith(f"wrote: {trained_model / 'token_counts.safetensors'} and token_counts.tsv\n")


def test_weights(model: Path, run: Run, tmp_path: Path) -> None:
    outcome = run(
        "analyze", "weights", "--model-path", str(model), "--threshold", "5", "--output-dir", str(tmp_path / "o")
    )
    assert outcome.status == 0, outcome.err
    assert sorted(path.name for path in (tmp_path / "o").iterdir()) == [
        "token_filtering_recommendations.json",
        "token_filtering_recommendations.txt",
        "token_weight_frequency_analysis.png",
    ]
    text = (tmp_path / "o" / "token_filtering_recommendations.txt").read_text(encoding="utf-8")
    assert outcome.out.startswith(text)
    assert "note:" not in outcome.out
    report = json.loads((tmp_path / "o" / "token_filtering_recommendations.json").read_text(encoding="utf-8"))
    assert report["tokens"] == 50
    assert report["threshold"]["threshold"] == 5


def test_filter(model: Path, _trained: Project, run: Run) -> None:
    counts = read_counts(model / "token_counts.safetensors").counts
    threshold = int(sorted(counts)[10])
    arguments = ["--model-path", str(model), "--threshold", str(threshold), "--eval-data", str(_trained.corpus)]
    outcome = run("analyze", "filter", *arguments)
    assert outcome.status == 0, outcome.err
    output = model.with_name(f"model-min{threshold}")
    assert outcome.out.endswith(f"wrote: {output}\n")
    for line in ("accuracy, %", "macro-F1, %", "table file, MB", "compressed (zlib), MB"):
        assert f"\n{line}" in outcome.out
    mask = load_file(output / "lookup_table_fp8_e3m4.safetensors")["zero_weight_mask"]
    assert mask.tolist() == [int(count < threshold) for count in counts]
    report = json.loads((output / "filter_report.json").read_text(encoding="utf-8"))
    assert report["before"]["n"] == report["after"]["n"] == 30
    WLDetect.load(output)


def test_filtering_refuses_what_is_not_the_models(
    model: Path, make_model_dir: object, fails: Fails, tmp_path: Path
) -> None:
    other = make_model_dir(["a", "b"], {"ja": [1.0, 0.0]}, name="other")  # type: ignore[operator]
    counts = str(model / "token_counts.safetensors")
    arguments = ["analyze", "filter", "--model-path", str(other), "--threshold", "2"]
    fails([*arguments, "--token-counts", counts], f"{counts}: tokenizer_sha256: expected that of {other}")
    fails(arguments, other / "token_counts.safetensors")
    fails([*arguments, "--eval-data", "nowhere.parquet"], "token_counts.safetensors")
    fails(["analyze", "weights", "--model-path", str(other), "--token-counts", counts], "tokenizer_sha256")
    assert not other.with_name("other-min2").exists()


def test_quantization(model: Path, _trained: Project, run: Run, fails: Fails, tmp_path: Path) -> None:
    arguments = ["analyze", "quantization", "--model-path", str(model), "--eval-data", str(_trained.corpus)]
    outcome = run(*arguments, "--output-dir", str(tmp_path / "o"))
    assert outcome.status == 0, outcome.err
    assert sorted(path.name for path in (tmp_path / "o").iterdir()) == [
        "quantization.json",
        "quantization.md",
        "quantization.png",
    ]
    text = (tmp_path / "o" / "quantization.md").read_text(encoding="utf-8")
    assert text.count("\n| E") == 36
    assert outcome.out.startswith(text)
    (model / "lookup_table_float32.safetensors").unlink()
    fails(arguments, "lookup_table_float32.safetensors: No such file or directory")


def test_training_counts(evaluated: Path, run: Run) -> None:
    outcome = run("analyze", "training-counts", "--model-path", str(evaluated))
    assert outcome.status == 0, outcome.err
    assert (evaluated / "training_counts.png").read_bytes().startswith(b"\x89PNG")
    lines = (evaluated / "training_counts.md").read_text(encoding="utf-8").splitlines()
    assert {line.split(" | ")[0] for line in lines[4:]} == {"| aaa_Latn", "| bbb_Latn", "| ccc_Latn"}
    assert all(" | 40 | 10 | " in line for line in lines[4:])


def test_languages(evaluated: Path, run: Run, fails: Fails, tmp_path: Path) -> None:
    pytest.importorskip("langcodes", reason="the extra `analysis` is not installed")
    output = tmp_path / "languages.md"
    outcome = run("analyze", "languages", "--model-path", str(evaluated), "--output", str(output))
    assert outcome.status == 0, outcome.err
    assert outcome.out == f"wrote: {output} (3 languages)\n"
    text = output.read_text(encoding="utf-8")
    assert "`wldetect analyze languages --results flores_dev_results.json --output languages.md`" in text
    assert "\n| `aaa_Latn` | Ghotuo | Latin | " in text
    assert str(tmp_path) not in text
    fails(["analyze", "languages", "--results", str(tmp_path / "none.json")], "none.json: No such file or directory")


@pytest.mark.parametrize("script", list(SCRIPTS))
def test_scripts_are_the_commands(script: str, tmp_path: Path) -> None:
    def start(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(SCRIPTS_DIR / script), *arguments]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=120, check=False)

    done = start("--help")
    assert done.returncode == 0
    assert done.stdout.startswith(f"usage: wldetect analyze {SCRIPTS[script]} ")
    assert f"\n  wldetect analyze {SCRIPTS[script]}" in done.stdout
    if SCRIPTS[script] != "token-frequency":
        done = start("--threshold", "10")
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == (
            f"wldetect: error: {DEFAULT_MODEL / 'token_counts.safetensors'}: No such file or directory\n"
        )
    assert "\nexample: " in (SCRIPTS_DIR / script).read_text(encoding="utf-8")
