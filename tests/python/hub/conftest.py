"""A hub, and processes whose client libraries use it from the moment they are imported."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from loopback_hub import LoopbackHub

Python = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def hub() -> Iterator[LoopbackHub]:
    with LoopbackHub() as hub:
        yield hub


@pytest.fixture
def python(hub: LoopbackHub, tmp_path: Path) -> Iterator[Python]:
    """A function that starts Python with the given arguments in a temporary directory; the process does not outlive
    the test. ``token`` is the value of HF_TOKEN, ``env`` further variables."""
    started: list[subprocess.Popen[str]] = []
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}

    def start(*arguments: str, token: str | None = None, env: dict[str, str] | None = None) -> Any:
        variables = {
            **inherited,
            **hub.environment(tmp_path / "hf", token),
            "WLDETECT_CACHE": str(tmp_path / "cache"),
            "OMP_NUM_THREADS": "1",
            **(env or {}),
        }
        pipes = dict.fromkeys(("stdout", "stderr"), subprocess.PIPE)
        process = subprocess.Popen(
            [sys.executable, *arguments], cwd=tmp_path, env=variables, text=True, encoding="utf-8", **pipes
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def outcome(python: Python) -> Callable[..., tuple[int, str, str]]:
    """A function that runs Python to its end; returns the exit status, what was printed, and to stderr."""

    def run(*arguments: str, **options: Any) -> tuple[int, str, str]:
        process = python(*arguments, **options)
        out, err = process.communicate(timeout=120)
        return process.returncode, out, err

    return run
