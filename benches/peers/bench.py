"""Runs detectors, each in its own environment and in a fresh process, and asks them what they are."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from adapters import Peer, UnavailableError
from environments import clean_environment, environment_for, find_python, one_line
from worker import Job, Kind

__all__ = ["Bench", "Detector", "prepare", "say"]

HERE = Path(__file__).resolve().parent
# Made with this version where there is one, so that every peer runs on the same Python.
PEER_PYTHON = (3, 12)


@dataclass
class Detector:
    """A peer and what is known of it.

    Attributes:
        peer: which.
        problem: why it cannot be run, in one line; empty when it can.
        about: what the worker says of the installation; empty until it was asked.
    """

    peer: Peer
    problem: str = ""
    about: dict[str, Any] = field(default_factory=dict)

    def versions(self) -> str:
        """Its own distributions with their versions."""
        own = self.peer.own
        found = sorted(self.about.get("versions", {}).items())
        return ", ".join(f"{name} {version}" for name, version in found if self.peer.requirement is None or name in own)


class Bench:
    """Runs workers, one at a time, with their files in a temporary directory."""

    def __init__(self, options: argparse.Namespace, place: Path) -> None:
        self._options = options
        self._place = place
        self._pythons: dict[str, Path] = {}

    def install(self, peer: Peer) -> None:
        """Find or make the environment of ``peer``.

        Raises:
            UnavailableError: that failed.
        """
        if peer.requirement is None:
            self._pythons[peer.name] = self._options.wldetect_python
            return
        python = self._options.peer_python or find_python(peer.python or PEER_PYTHON)
        if python is None:
            if peer.python is not None:
                raise UnavailableError("needs Python {}.{}, which is not here".format(*peer.python))
            python = Path(sys.executable)
        self._pythons[peer.name] = environment_for(peer, python, self._options.cache)

    def work(self, peer: Peer, kind: Kind, threads: int, *, warm: Path, texts: Path | None = None) -> dict[str, Any]:
        """What a worker found.

        Raises:
            UnavailableError: it failed, or took too long.
        """
        options = self._options
        model_path, tokenizer, given = (
            None if path is None else str(path.resolve()) for path in (options.model_path, options.tokenizer, texts)
        )
        job = Job(peer.name, kind, threads, model_path, options.table, options.features, tokenizer, str(warm), given)
        description, out = self._place / "job.json", self._place / "result.json"
        description.write_text(json.dumps(asdict(job)), encoding="utf-8")
        out.unlink(missing_ok=True)
        # Not resolved: through a virtual environment's link, an interpreter would forget the environment.
        command = [str(self._pythons[peer.name].absolute()), str(HERE / "worker.py"), str(description), str(out)]
        environment = clean_environment(threads, keep_python_path=peer.requirement is None)
        try:
            done = subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                  text=True, errors="replace", timeout=options.timeout)  # fmt: skip
        except subprocess.TimeoutExpired:
            raise UnavailableError(f"stopped after {options.timeout} s") from None
        if done.returncode or not out.exists():
            raise UnavailableError(one_line(done.stderr) if done.returncode >= 0 else f"signal {-done.returncode}")
        result: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
        if "unavailable" in result:
            raise UnavailableError(result["unavailable"])
        return result


def say(text: str) -> None:
    """Progress, on standard error."""
    print(text, file=sys.stderr, flush=True)


def prepare(bench: Bench, detectors: Sequence[Detector], warm: Path) -> None:
    """Install every peer and ask each what it is; those that fail are marked."""
    for one in detectors:
        say(f"{one.peer.name}: getting ready")
        try:
            bench.install(one.peer)
            one.about = bench.work(one.peer, "describe", 1, warm=warm)
        except UnavailableError as reason:
            one.problem = str(reason)
            say(f"{one.peer.name}: {reason}")
