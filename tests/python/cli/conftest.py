"""Fixtures of the command line's tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from wldetect.cli import main

from .project import Fails, Outcome, Project, Run, command, write_project


@pytest.fixture(autouse=True)
def private_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every test caches in a directory of its own, subprocesses included; returns it."""
    cache = tmp_path / "cache"
    monkeypatch.setenv("WLDETECT_CACHE", str(cache))
    # What is still in a buffer when a process ends, or waits, is part of what is tested.
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    return cache


@pytest.fixture(scope="package")
def _one_thread() -> Iterator[None]:
    """Threads only slow down what is as small as this, and the more so the busier the machine is."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patch:
        # The same for processes that are started.
        patch.setenv("OMP_NUM_THREADS", "1")
        yield
    torch.set_num_threads(threads)


@pytest.fixture
def tiny_project(tmp_path: Path, _one_thread: None) -> Project:
    """A project that has not been trained."""
    return write_project(tmp_path / "project")


@pytest.fixture(scope="package")
def _trained(tmp_path_factory: pytest.TempPathFactory, _one_thread: None) -> Iterator[Project]:
    project = write_project(tmp_path_factory.mktemp("trained"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WLDETECT_CACHE", str(project.root / "cache"))
        assert main(project.train("--no-eval", "--set", "output.float32_table=true")) == 0
    yield project


@pytest.fixture
def trained_model(_trained: Project, tmp_path: Path) -> Path:
    """A model directory that a test may damage, with all three tables."""
    return Path(shutil.copytree(_trained.output, tmp_path / "model"))


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    """A function that runs the command line in this process."""

    def run_main(*arguments: str) -> Outcome:
        capfd.readouterr()
        status = main([str(argument) for argument in arguments])
        sys.stdout.flush()
        return Outcome(status, *capfd.readouterr())

    return run_main


@pytest.fixture
def fails(run: Run) -> Fails:
    """A function that runs a command which must fail over its input.

    It checks the exit status and that stderr is one line and no traceback; returns what the line says.
    """

    def run_and_check(arguments: Sequence[str], *parts: object) -> str:
        outcome = run(*arguments)
        assert outcome.status == 2, outcome
        assert outcome.err.count("\n") == 1, outcome.err
        assert outcome.err.startswith("wldetect: error: "), outcome.err
        message = outcome.err.removeprefix("wldetect: error: ").rstrip("\n")
        for part in parts:
            assert str(part) in message, (part, message)
        return message

    return run_and_check


@pytest.fixture
def process(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """A function that runs the command line as a process of its own, in a temporary directory."""

    def run_process(*arguments: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(command(*arguments), capture_output=True, cwd=tmp_path, timeout=120, **options)

    return run_process


@pytest.fixture
def spawn(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """A function that starts the command line as a process of its own, which does not outlive the test."""
    started: list[subprocess.Popen[bytes]] = []

    def start(*arguments: str, **options: Any) -> subprocess.Popen[bytes]:
        streams = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        environment = {**os.environ, **options.pop("env", {})}
        started.append(subprocess.Popen(command(*arguments), cwd=tmp_path, env=environment, **{**streams, **options}))
        return started[-1]

    yield start
    for one in started:
        if one.poll() is None:
            one.kill()
        one.communicate()
