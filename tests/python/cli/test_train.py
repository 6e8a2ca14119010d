"""`wldetect train` from configuration to model, and the model in use."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from wldetect import WLDetect
from wldetect.files import default_cache_dir

from .project import LANGUAGES, Fails, Project, Run, sentences

Spawn = Callable[..., "subprocess.Popen[bytes]"]

FILES = [
    "checkpoints",
    "flores_dev_confusion.png",
    "flores_dev_reliability.png",
    "flores_dev_results.json",
    "lookup_table_fp8_e3m4.safetensors",
    "lookup_table_fp8_e4m3fn.safetensors",
    "model_config.yaml",
    "projection.safetensors",
    "provenance.json",
    "tokenizer.json",
    "training_log.jsonl",
]


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_train_evaluate_and_detect(tiny_project: Project, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = run(*tiny_project.train())
    assert outcome.status == 0, outcome.err
    assert names(tiny_project.output) == FILES
    assert "aaa_Latn            40        40\n" in outcome.out
    assert f"wrote: {tiny_project.output} (" in outcome.out

    scores = json.loads((tiny_project.output / "flores_dev_results.json").read_text(encoding="utf-8"))
    assert scores["overall"]["n"] == 30
    assert scores["overall"]["accuracy"] >= 0.95
    assert f"{100 * scores['overall']['accuracy']:.2f} %" in outcome.out
    assert (tiny_project.output / "flores_dev_confusion.png").read_bytes().startswith(b"\x89PNG")

    # The model knows by itself what it was evaluated on, wherever it is asked.
    monkeypatch.chdir("/")
    (tiny_project.output / "flores_dev_results.json").unlink()
    evaluated = run("eval", "--model-path", str(tiny_project.output))
    assert evaluated.status == 0, evaluated.err
    again = json.loads((tiny_project.output / "flores_dev_results.json").read_text(encoding="utf-8"))
    assert again["overall"] == scores["overall"]

    texts = {language: sentences(language, 4, seed=3) for language in LANGUAGES}
    arguments = [part for lines in texts.values() for line in lines for part in ("--text", line)]
    detected = run("detect", "--model-path", str(tiny_project.output), *arguments)
    assert [line.split("\t")[0] for line in detected.out.splitlines()] == [
        language for language in LANGUAGES for _ in range(4)
    ]


def test_two_runs_make_the_same_files(
    tiny_project: Project, run: Run, monkeypatch: pytest.MonkeyPatch, private_cache: Path
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    contents = []
    for _ in range(2):
        # Nothing is left of the first run but what it made.
        shutil.rmtree(private_cache, ignore_errors=True)
        outcome = run(*tiny_project.train("--no-eval"))
        assert outcome.status == 0, outcome.err
        model = [path for path in tiny_project.output.iterdir() if path.suffix != ".jsonl" and path.is_file()]
        contents.append({path.name: path.read_bytes() for path in model})
        shutil.rmtree(tiny_project.output)
    assert contents[0] == contents[1]
    assert json.loads(contents[0]["provenance.json"])["created"] == "2023-11-14T22:13:20+00:00"


def test_a_moment_that_is_none_is_refused(tiny_project: Project, fails: Fails, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    message = fails([*tiny_project.train("--no-eval")])
    assert message == "SOURCE_DATE_EPOCH: expected seconds since 1970, found 'yesterday'"
    assert not tiny_project.output.exists() or not list(tiny_project.output.glob("*.safetensors"))


def test_progress_is_not_drawn_into_a_file(tiny_project: Project, run: Run) -> None:
    outcome = run(*tiny_project.train("--no-eval"))
    assert (outcome.status, outcome.err) == (0, "")
    assert "\r" not in outcome.out


def test_no_evaluation(tiny_project: Project, run: Run) -> None:
    scores = {"flores_dev_confusion.png", "flores_dev_reliability.png", "flores_dev_results.json"}
    assert run(*tiny_project.train("--no-eval")).status == 0
    assert names(tiny_project.output) == sorted(set(FILES) - scores)
    assert run(*tiny_project.train("--set", "evaluation.enabled=false")).status == 0
    assert run(*tiny_project.train("--set", "evaluation.data=null")).status == 0
    assert names(tiny_project.output) == sorted(set(FILES) - scores)


def test_options_go_before_the_configuration(
    tiny_project: Project, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Paths on the command line are relative to the current directory, whatever lies beside the configuration."""
    monkeypatch.chdir(tmp_path)
    for split, language in (("train", LANGUAGES[0]), ("train", LANGUAGES[1]), ("dev", LANGUAGES[1])):
        folder = tmp_path / "corpus" / split
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{language}.txt").write_text("\n".join(sentences(language, 9, seed=4)), encoding="utf-8")
    options = ["--data", "corpus", "--eval-data", "corpus", "--output", "other", "--device", "cpu"]
    outcome = run(*tiny_project.train(*options, "--set", "training.num_epochs=2"))
    assert outcome.status == 0, outcome.err
    assert not tiny_project.output.exists()
    provenance = json.loads((tmp_path / "other" / "provenance.json").read_text(encoding="utf-8"))
    training = provenance["config"]["training"]
    assert training["dataset"]["name"] == training["evaluation"]["data"] == str(tmp_path / "corpus")
    assert training["training"]["num_epochs"] == 2
    assert provenance["corpus"]["kept"] == {LANGUAGES[0]: 9, LANGUAGES[1]: 9}
    scores = json.loads((tmp_path / "other" / "flores_dev_results.json").read_text(encoding="utf-8"))
    assert scores["overall"]["n"] == 9


def test_set_reads_yaml(tiny_project: Project, run: Run) -> None:
    changes = ["inference.pooling=max", "training.gradient_clip=1e-3", "training.projection.dropout=0.1"]
    arguments = [part for change in changes for part in ("--set", change)]
    assert run(*tiny_project.train("--no-eval", *arguments)).status == 0
    provenance = json.loads((tiny_project.output / "provenance.json").read_text(encoding="utf-8"))
    training = provenance["config"]["training"]
    assert (training["training"]["gradient_clip"], training["training"]["projection"]["dropout"]) == (1e-3, 0.1)
    assert WLDetect.load(tiny_project.output).pooling == "max"


def test_languages_that_cannot_be_trained(tiny_project: Project, run: Run) -> None:
    """Labels that are not configured are counted, configured ones without texts are dropped; both are said."""
    tiny_project.edit(tiny_project.model_config, "languages", {"zul_Latn": 0, LANGUAGES[2]: 1, LANGUAGES[0]: 2})
    (tiny_project.corpus / "train" / "x y.txt").write_text("balo\nmita\n", encoding="utf-8")
    outcome = run(*tiny_project.train())
    assert outcome.status == 0, outcome.err
    line = f"left out: 42 rows of 2 labels that are not configured: '{LANGUAGES[1]}' 40, 'x y' 2"
    assert line in outcome.out.splitlines()
    assert "warning: dropped, fewer than 1 rows with a token: zul_Latn (0)" in outcome.out.splitlines()
    assert WLDetect.load(tiny_project.output).languages == [LANGUAGES[2], LANGUAGES[0]]
    model = yaml.safe_load((tiny_project.output / "model_config.yaml").read_text(encoding="utf-8"))
    assert model["languages"] == {LANGUAGES[2]: 0, LANGUAGES[0]: 1}
    assert f"10 texts of 1 label that the model does not know: {LANGUAGES[1]} 10" in outcome.out


def test_second_run_reads_the_cache(tiny_project: Project, run: Run, private_cache: Path) -> None:
    assert default_cache_dir() == private_cache
    assert run(*tiny_project.train("--no-eval")).status == 0
    before = {path: path.stat().st_mtime_ns for path in private_cache.rglob("*") if path.is_file()}
    assert any(path.name == "ids.bin" for path in before)
    assert run(*tiny_project.train("--no-eval", "--set", "training.num_epochs=1")).status == 0
    assert {path: path.stat().st_mtime_ns for path in private_cache.rglob("*") if path.is_file()} == before


def test_resume_of_another_run(tiny_project: Project, run: Run, fails: Fails) -> None:
    assert run(*tiny_project.train("--no-eval")).status == 0
    checkpoint = tiny_project.output / "checkpoints"
    message = fails(tiny_project.train("--no-eval", "--resume", "--set", "training.learning_rate=0.1"), checkpoint)
    assert "cannot resume: configuration differs" in message
    # Where it runs is no part of what it learns.
    assert run(*tiny_project.train("--no-eval", "--resume", "--set", "training.num_workers=2")).status == 0
    for path in checkpoint.iterdir():
        path.write_bytes(path.read_bytes()[:100])
    assert "not a whole checkpoint" in fails(tiny_project.train("--no-eval", "--resume"), checkpoint)


def test_resume_without_a_checkpoint_starts_anew(tiny_project: Project, run: Run) -> None:
    outcome = run(*tiny_project.train("--no-eval", "--resume"))
    assert outcome.status == 0, outcome.err
    assert np.isfinite(json.loads((tiny_project.output / "provenance.json").read_text())["training"]["loss"])


def test_a_reader_that_leaves_does_not_stop_training(tiny_project: Project, spawn: Spawn) -> None:
    process = spawn(*tiny_project.train(), stdin=subprocess.DEVNULL)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(60) == 0
    # The fixture reads what is left, of a pipe that is closed.
    process.stdout = None
    assert (tiny_project.output / "flores_dev_results.json").is_file()


def test_ids_without_an_embedding_are_left_out(tiny_project: Project, run: Run) -> None:
    """As in detection: an added token may have an id past the end of the matrix."""
    path = tiny_project.embeddings / "tokenizer.json"
    tokenizer = json.loads(path.read_text(encoding="utf-8"))
    extra = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    beyond = len(tokenizer["model"]["vocab"])
    tokenizer["added_tokens"] = [*tokenizer["added_tokens"], {"id": beyond, "content": "<image>", **extra}]
    path.write_text(json.dumps(tokenizer), encoding="utf-8")
    for file in (tiny_project.corpus / "train").iterdir():
        with file.open("a", encoding="utf-8") as text:
            text.write("<image>\n" + file.read_text(encoding="utf-8").splitlines()[0] + " <image>\n")
    outcome = run(*tiny_project.train())
    assert outcome.status == 0, outcome.err
    assert "left out: 3 rows without a single token" in outcome.out
    detector = WLDetect.load(tiny_project.output)
    assert detector.predict("<image>") is None
    assert detector.predict("<image> balo") == detector.predict("balo")
