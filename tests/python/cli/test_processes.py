"""Several processes: the same model as one, one writer, and an end for all when one is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from .project import Project, Run, command

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs signals, and gloo over loopback")

OPTIONS = ["--no-eval", "--set", "training.batch_size=10", "--set", "training.optimizer=sgd"]


def torchrun(n: int, *arguments: str) -> list[str]:
    # A free port of its own, so that several runs do not meet.
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(n)]
    return [*launcher, "-m", "wldetect", *arguments]


def tensors(directory: Path, name: str = "projection.safetensors") -> dict[str, object]:
    from safetensors.torch import load_file

    return dict(load_file(directory / name))


def ran(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done


def assert_close(ours: Path, theirs: Path) -> None:
    import torch

    expected, found = tensors(theirs), tensors(ours)
    assert expected.keys() == found.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("more", [[], ["--set", "training.gradient_accumulation_steps=3"]])
def test_two_processes_train_what_one_does(tiny_project: Project, run: Run, tmp_path: Path, more: list[str]) -> None:
    # 120 texts in batches of 119: the last one has nothing for the second process.
    sizes = ["--set", "training.batch_size=119", *more]
    done = ran(torchrun(2, *tiny_project.train(*OPTIONS, *sizes)))
    one = tmp_path / "one"
    assert run(*tiny_project.train(*OPTIONS, *sizes, "--output", str(one))).status == 0
    assert_close(tiny_project.output, one)
    # One speaks and one writes.
    assert done.stdout.count("wrote: ") == done.stdout.count("epoch 4 of 4: ") == 1
    assert "on cpu in 2 processes" in done.stdout
    steps = [json.loads(line)["step"] for line in (tiny_project.output / "training_log.jsonl").read_text().splitlines()]
    assert steps == sorted(set(steps))


@pytest.mark.slow
def test_a_run_of_two_processes_is_resumed_by_one_and_by_three(tiny_project: Project, run: Run, tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    assert run(*tiny_project.train(*OPTIONS, "--output", str(whole))).status == 0
    checkpoints = tiny_project.output / "checkpoints"
    ran(torchrun(2, *tiny_project.train(*OPTIONS, "--set", "training.checkpoint_interval=20")))
    # As if the run had stopped at step 40 of 48.
    (checkpoints / "step_00000048.pt").unlink()
    (checkpoints / "step_00000040.pt").rename(tmp_path / "step")
    for size in (1, 3):
        for path in checkpoints.iterdir():
            path.unlink()
        (checkpoints / "step_00000040.pt").write_bytes((tmp_path / "step").read_bytes())
        (tiny_project.output / "projection.safetensors").unlink()
        done = ran(torchrun(size, *tiny_project.train(*OPTIONS, "--resume")))
        assert "trained: 48 steps" in done.stdout
        assert_close(tiny_project.output, whole)


def lost(process: subprocess.Popen[str], condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 100
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.01)


def test_one_that_is_killed_ends_the_others(tiny_project: Project, tmp_path: Path) -> None:
    # Started one by one, because torchrun would end the others by itself.
    with __import__("socket").socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = command(
        *tiny_project.train(
            "--no-eval", "--set", "training.num_epochs=100000", "--set", "training.checkpoint_interval=50"
        )
    )
    processes = []
    for rank in range(3):
        place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 3, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        environment = os.environ | {name: str(value) for name, value in place.items()}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        processes.append(subprocess.Popen(arguments, env=environment, text=True, **pipes))
    try:
        checkpoints = tiny_project.output / "checkpoints"
        lost(processes[0], lambda: any(checkpoints.glob("*.pt")))
        processes[1].send_signal(signal.SIGKILL)
        for rank in (0, 2):
            _, err = processes[rank].communicate(timeout=60)
            assert processes[rank].returncode == 2
            (line,) = [line for line in err.splitlines() if line.startswith("wldetect: ")]
            assert line.startswith("wldetect: error: training: lost one of 3 processes, so this one stops too;")
            assert "--resume goes on" in line
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def test_ctrl_c_stops_all_at_one_step(tiny_project: Project) -> None:
    long = ["--no-eval", "--set", "training.num_epochs=100000", "--set", "training.checkpoint_interval=50"]
    # A session of its own, whose processes get the signal together, as those of a terminal do.
    process = subprocess.Popen(
        torchrun(2, *tiny_project.train(*long)),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        checkpoints = tiny_project.output / "checkpoints"
        lost(process, lambda: any(checkpoints.glob("*.pt")))
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode != 0
    messages = [line for line in err.splitlines() if "interrupted after step" in line]
    assert len(messages) == 2, err
    assert len({line.partition(" of ")[0] for line in messages}) == 1
    assert sum("saved " in line and str(checkpoints) in line for line in messages) == 1


def test_a_device_that_several_processes_cannot_share(monkeypatch: pytest.MonkeyPatch) -> None:
    from wldetect.errors import ConfigError
    from wldetect.training.processes import join_processes

    monkeypatch.setenv("WORLD_SIZE", "2")
    expected = r"training\.device: expected cpu or cuda for 2 processes, found 'mps'"
    with pytest.raises(ConfigError, match=expected), join_processes("mps"):
        pass
