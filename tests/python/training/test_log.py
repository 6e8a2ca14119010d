"""The training log: a line a step, continued by a resumed run, started anew by a new one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from wldetect.errors import MissingExtraError
from wldetect.training.log import LOG_NAME, TrainingLog


def lines(directory: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (directory / LOG_NAME).read_text(encoding="utf-8").splitlines()]


def test_a_line_a_step(tmp_path: Path) -> None:
    log = TrainingLog(tmp_path / "out")
    log.write(5, loss=1 / 3, accuracy=0.5)
    log.write(10, eval_accuracy=0.25)
    assert lines(tmp_path / "out") == [
        {"step": 5, "loss": 0.333333, "accuracy": 0.5},
        {"step": 10, "eval_accuracy": 0.25},
    ]
    log.close()


def test_a_resumed_run_goes_on_after_its_checkpoint(tmp_path: Path) -> None:
    log = TrainingLog(tmp_path)
    for step in (5, 10, 15):
        log.write(step, loss=float(step))
    with (tmp_path / LOG_NAME).open("a", encoding="utf-8") as file:
        file.write('{"step": 20, "lo')
    log = TrainingLog(tmp_path, last_step=10)
    log.write(15, loss=-1.0)
    assert [(line["step"], line["loss"]) for line in lines(tmp_path)] == [(5, 5.0), (10, 10.0), (15, -1.0)]


def test_a_new_run_starts_anew(tmp_path: Path) -> None:
    TrainingLog(tmp_path).write(5, loss=1.0)
    TrainingLog(tmp_path)
    assert lines(tmp_path) == []


def test_a_log_that_cannot_be_written_does_not_end_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / LOG_NAME).mkdir()
    log = TrainingLog(tmp_path)
    log.write(1, loss=1.0)
    log.write(2, loss=1.0)
    assert capsys.readouterr().err.count(f"warning: {tmp_path / LOG_NAME}: cannot be written, training goes on") == 1


def test_tensorboard_gets_the_same_numbers(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    log = TrainingLog(tmp_path, tensorboard=True)
    for step in (5, 10, 15):
        log.write(step, loss=float(step))
    log.close()
    # What a resumed run takes again is not shown twice.
    log = TrainingLog(tmp_path, tensorboard=True, last_step=10)
    log.write(15, loss=-1.0)
    log.close()
    events = accumulator.EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert [(event.step, event.value) for event in events.Scalars("loss")] == [(5, 5.0), (10, 10.0), (15, -1.0)]


def test_without_the_package_tensorboard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "torch.utils.tensorboard", None)
    with pytest.raises(MissingExtraError, match="needs the package tensorboard: pip install tensorboard"):
        TrainingLog(tmp_path, tensorboard=True)
