"""Ctrl-C during training, in a process of its own: a checkpoint, one line, and a resumed run that is the same."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from wldetect import WLDetect

from .project import Project, Run

Spawn = Callable[..., "subprocess.Popen[bytes]"]

# Long enough to be interrupted in the middle, short enough to be finished twice.
LONG = ["--no-eval", "--set", "training.num_epochs=60", "--set", "training.checkpoint_interval=30"]
STEPS = 60 * 15


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 100
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.005)


@pytest.mark.skipif(os.name == "nt", reason="needs signals")
def test_interrupted_and_resumed(tiny_project: Project, spawn: Spawn, run: Run, tmp_path: Path) -> None:
    checkpoints = tiny_project.output / "checkpoints"
    process = spawn(*tiny_project.train(*LONG))
    wait_for(lambda: any(checkpoints.glob("*.pt")), process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, (out, err)

    newest = sorted(checkpoints.glob("*.pt"))[-1]
    step = int(newest.stem.removeprefix("step_"))
    assert 30 <= step < STEPS
    saved = (
        f"interrupted after step {step} of {STEPS}; saved {newest}; the same command with --resume goes on from there"
    )
    assert err.decode() == f"wldetect: error: {saved}\n"
    # No file of a model is there yet.
    assert sorted(path.name for path in tiny_project.output.iterdir()) == ["checkpoints", "training_log.jsonl"]

    resumed = run(*tiny_project.train(*LONG, "--resume"))
    assert resumed.status == 0, resumed.err
    assert f"trained: {STEPS:,} steps" in resumed.out
    whole = tmp_path / "whole"
    assert run(*tiny_project.train(*LONG, "--output", str(whole))).status == 0
    for name in ("projection.safetensors", "lookup_table_fp8_e3m4.safetensors"):
        ours, theirs = (tensors(directory / name) for directory in (tiny_project.output, whole))
        assert ours == theirs
    assert WLDetect.load(tiny_project.output).predict("balo mita") == WLDetect.load(whole).predict("balo mita")


def tensors(path: Path) -> dict[str, bytes]:
    """The bytes of each tensor; the metadata beside them have the time in it."""
    from safetensors.numpy import load_file

    return {name: tensor.tobytes() for name, tensor in load_file(path).items()}


def test_interrupted_before_training(tiny_project: Project, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is nothing to save yet."""

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("wldetect.data.inputs.read_source", interrupt)
    outcome = run(*tiny_project.train("--no-eval"))
    assert (outcome.status, outcome.err) == (130, "wldetect: interrupted\n")
    assert not tiny_project.output.exists()
