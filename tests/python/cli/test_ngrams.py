"""`wldetect train` with rows of character n-grams: what it writes is what was trained, resumed, or by two processes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from wldetect import WLDetect, _core
from wldetect.config import load_model_config

from .project import LANGUAGES, Project, Run, sentences
from .test_processes import assert_close, ran, torchrun

NGRAMS = "{n_min: 2, n_max: 3, max_words: 4, rows: 64, dimensions: 5, splitting: letters}"
FEATURES = ["--no-eval", "--set", f"features.ngrams={NGRAMS}", "--set", "training.ngrams.drop_tokens=0.2"]
FILES = {"fp8_e3m4": "e3m4", "float32": "float32"}
TEXTS = [text for language in LANGUAGES for text in [*sentences(language, 5, 3), "na", "xyz", "bala", "BALO lo!"]]


def tensors(path: Path) -> dict[str, np.ndarray]:  # type: ignore[type-arg]
    from safetensors.numpy import load_file

    return dict(load_file(path))


@pytest.mark.parametrize("dimensions", ["5", "null"])
def test_the_detector_scores_as_the_trained_rows_do(tiny_project: Project, run: Run, dimensions: str) -> None:
    more = ["--set", f"features.ngrams.dimensions={dimensions}", "--set", "output.float32_table=true"]
    assert run(*tiny_project.train(*FEATURES, *more)).status == 0
    directory = tiny_project.output
    config = load_model_config(directory / "model_config.yaml").features.ngrams
    assert config is not None
    assert (config.n_max, config.dimensions) == (3, None if dimensions == "null" else 5)

    ngrams = _core.Ngrams(**config.extraction)  # type: ignore[arg-type]
    held = tensors(directory / "ngram_table_float32.safetensors")
    detector, alone = (WLDetect.load(directory, table="float32", features=one) for one in ("all", "tokens"))
    assert detector.features == ["tokens", "ngrams"]
    assert alone.features == ["tokens"]
    changed = 0
    for text in TEXTS:
        rows = ngrams.rows(text)
        added = held["ngram_table"][rows].mean(0) if len(rows) else np.zeros(held["shape"][1])
        added = added @ held["projection"] if "projection" in held else added
        tokens, found = alone.probabilities(text), detector.probabilities(text)
        assert tokens is not None
        assert found is not None
        expected = torch.softmax(torch.from_numpy(np.log(tokens.astype(np.float64)) + added), 0).numpy()
        np.testing.assert_allclose(found, expected, atol=1e-5)
        changed += int(abs(found - tokens).max() > 0.01)
    assert changed > len(TEXTS) / 2
    # Eight bits change little.
    for table in ("e3m4", "e4m3fn"):
        coarse = WLDetect.load(directory, table=table).probabilities(TEXTS)
        np.testing.assert_allclose(coarse, detector.probabilities(TEXTS), atol=0.1)


def test_an_interrupted_run_goes_on_exactly(tiny_project: Project, run: Run, tmp_path: Path) -> None:
    interval = ["--set", "training.checkpoint_interval=20"]
    assert run(*tiny_project.train(*FEATURES, *interval)).status == 0
    expected = tensors(tiny_project.output / "ngram_table_fp8_e3m4.safetensors")
    whole = (tiny_project.output / "projection.safetensors").read_bytes()
    newest = max((tiny_project.output / "checkpoints").iterdir())
    newest.unlink()
    assert run(*tiny_project.train(*FEATURES, *interval, "--resume")).status == 0
    found = tensors(tiny_project.output / "ngram_table_fp8_e3m4.safetensors")
    assert all(np.array_equal(found[name], tensor) for name, tensor in expected.items())
    assert len((tiny_project.output / "projection.safetensors").read_bytes()) == len(whole)


@pytest.mark.skipif(sys.platform == "win32", reason="needs gloo over loopback")
@pytest.mark.parametrize("more", [[], ["--set", "training.gradient_accumulation_steps=3"]])
def test_two_processes_train_what_one_does(tiny_project: Project, run: Run, tmp_path: Path, more: list[str]) -> None:
    options = [*FEATURES, "--set", "output.float32_table=true", "--set", "training.optimizer=sgd"]
    # 120 texts in batches of 119: the last one has nothing for the second process.
    options += ["--set", "training.batch_size=119", *more]
    ran(torchrun(2, *tiny_project.train(*options)))
    one = tmp_path / "one"
    assert run(*tiny_project.train(*options, "--output", str(one))).status == 0
    assert_close(tiny_project.output, one)
    both = [tensors(path / "ngram_table_float32.safetensors") for path in (tiny_project.output, one)]
    for name in ("ngram_table", "projection"):
        np.testing.assert_allclose(both[0][name], both[1][name], rtol=1e-3, atol=1e-4)


def test_a_model_of_tokens_alone_leaves_no_older_rows(tiny_project: Project, run: Run) -> None:
    assert run(*tiny_project.train(*FEATURES)).status == 0
    assert (tiny_project.output / "ngram_table_fp8_e3m4.safetensors").exists()
    assert run(*tiny_project.train("--no-eval")).status == 0
    assert not list(tiny_project.output.glob("ngram_table*"))
    assert WLDetect.load(tiny_project.output).features == ["tokens"]
    assert "features" not in (tiny_project.output / "model_config.yaml").read_text(encoding="utf-8")


def test_scores_while_training_are_those_of_both_families(tiny_project: Project, run: Run) -> None:
    outcome = run(*tiny_project.train(*FEATURES[1:], "--set", "training.eval_every=30"))
    assert outcome.status == 0
    lines = (tiny_project.output / "training_log.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["step"] for line in lines if "eval_accuracy" in line] == [30, 60]
