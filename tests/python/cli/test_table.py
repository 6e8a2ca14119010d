"""`wldetect train` with a second stage that tunes the lookup table: what it writes, resumed, or by two processes."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from wldetect import WLDetect

from .project import LANGUAGES, Fails, Project, Run, sentences
from .test_ngrams import FEATURES, tensors
from .test_processes import assert_close, ran, torchrun

TABLE = ["--no-eval", "--set", "output.float32_table=true", "--set", "training.num_epochs=2"]
STAGE = "{num_epochs: 2, learning_rate: 0.1, pull: 0.5, ngrams_share: 0.5}"
SECOND = ["--set", f"training.table={STAGE}"]
FLOAT32 = "lookup_table_float32.safetensors"
NGRAMS = "ngram_table_float32.safetensors"


def test_the_table_is_tuned_and_the_projection_is_that_of_the_first_stage(
    tiny_project: Project, run: Run, tmp_path: Path
) -> None:
    outcome = run(*tiny_project.train(*TABLE, *SECOND))
    assert outcome.status == 0, outcome.err
    ours, first = tiny_project.output, tmp_path / "first"
    said = [line.partition(":")[0] for line in outcome.out.splitlines() if "epoch" in line]
    assert said == ["epoch 1 of 2", "epoch 2 of 2", "table, epoch 1 of 2", "table, epoch 2 of 2"]
    assert run(*tiny_project.train(*TABLE, "--output", str(first))).status == 0
    found, expected = tensors(ours / "projection.safetensors"), tensors(first / "projection.safetensors")
    for name, tensor in expected.items():
        np.testing.assert_array_equal(found[name], tensor)

    table, before = (tensors(path / FLOAT32)["lookup_table"] for path in (ours, first))
    # The first token is the unknown word, which no text has; all others are in texts.
    np.testing.assert_allclose(table[0], before[0], atol=1e-6)
    assert (abs(table[1:] - before[1:]).max(1) > 0.01).all()
    for path in ("e3m4", "float32"):
        right = [
            WLDetect.load(ours, table=path).predict(text)
            for language in LANGUAGES
            for text in sentences(language, 5, 3)
        ]
        assert [answer[0] for answer in right if answer is not None] == np.repeat(LANGUAGES, 5).tolist()


def test_a_run_that_was_interrupted_in_the_second_stage_goes_on_exactly(tiny_project: Project, run: Run) -> None:
    # 15 steps an epoch: the checkpoint that is left is of step 40, in the first epoch of the second stage.
    options = [*FEATURES, *TABLE, *SECOND, "--set", "training.checkpoint_interval=20"]
    assert run(*tiny_project.train(*options)).status == 0
    expected = {name: tensors(tiny_project.output / name) for name in (FLOAT32, NGRAMS, "projection.safetensors")}
    checkpoints = tiny_project.output / "checkpoints"
    assert sorted(path.name for path in checkpoints.iterdir()) == ["step_00000040.pt", "step_00000060.pt"]
    (checkpoints / "step_00000060.pt").unlink()
    outcome = run(*tiny_project.train(*options, "--resume"))
    assert outcome.status == 0, outcome.err
    said = [line.partition(":")[0] for line in outcome.out.splitlines() if "epoch" in line]
    assert said == ["table, epoch 1 of 2", "table, epoch 2 of 2"]
    for name, whole in expected.items():
        for tensor, value in tensors(tiny_project.output / name).items():
            np.testing.assert_array_equal(value, whole[tensor])


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_n_grams_are_trained_along_or_stay(tiny_project: Project, run: Run, tmp_path: Path, share: float) -> None:
    options, first = [*FEATURES, *TABLE], tmp_path / "first"
    stage = ["--set", f"training.table={STAGE}", "--set", f"training.table.ngrams_share={share}"]
    # Weight decay must not move what is frozen.
    options += ["--set", "training.weight_decay=0.1"]
    assert run(*tiny_project.train(*options, *stage)).status == 0
    assert run(*tiny_project.train(*options, "--output", str(first))).status == 0
    ours, theirs = (tensors(path / NGRAMS) for path in (tiny_project.output, first))
    assert [np.array_equal(ours[name], theirs[name]) for name in ("ngram_table", "projection")] == 2 * [share == 0.0]


@pytest.mark.skipif(sys.platform == "win32", reason="needs gloo over loopback")
def test_two_processes_tune_what_one_does(tiny_project: Project, run: Run, tmp_path: Path) -> None:
    # 120 texts in batches of 119: the last one has nothing for the second process.
    options = [*FEATURES, *TABLE, *SECOND, "--set", "training.optimizer=sgd", "--set", "training.batch_size=119"]
    ran(torchrun(2, *tiny_project.train(*options)))
    one = tmp_path / "one"
    assert run(*tiny_project.train(*options, "--output", str(one))).status == 0
    assert_close(tiny_project.output, one)
    for name, tensor in ((FLOAT32, "lookup_table"), (NGRAMS, "ngram_table"), (NGRAMS, "projection")):
        both = [tensors(path / name)[tensor] for path in (tiny_project.output, one)]
        np.testing.assert_allclose(both[0], both[1], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("pooling", ["logsumexp", "max"])
def test_only_averages_are_tuned(tiny_project: Project, fails: Fails, pooling: str) -> None:
    arguments = tiny_project.train(*SECOND, "--set", f"inference.pooling={pooling}")
    expected = f"training.table.num_epochs (from the command line): expected 0 where inference.pooling is {pooling}"
    fails(arguments, tiny_project.config, f"{expected}, found 2 (int)")
    assert not tiny_project.output.exists()
