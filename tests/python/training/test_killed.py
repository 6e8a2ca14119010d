"""SIGKILL at any moment: nothing is corrupt, and no more is lost than the steps since the last checkpoint."""

from __future__ import annotations

import importlib.util
import json
import random
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest
import torch

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs fork")

SCRIPT = Path(__file__).with_name("killing.py")
INTERVAL = 5


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("killing", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_killed_twenty_times(tmp_path: Path) -> None:
    # Where it is killed differs from run to run; what must hold does not.
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    arguments = [sys.executable, str(SCRIPT), str(tmp_path / "killed"), str(seed)]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr
    kills = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(kills) == 20
    assert kills[0]["first"] == 0
    reached = 0
    for kill, following in pairwise(kills):
        assert kill["last"] > kill["first"]
        reached = max(reached, kill["last"])
        # `last` was reported but not taken; all steps before it were.
        assert following["first"] >= kill["last"] - INTERVAL
        assert following["first"] in [*kill["checkpoints"], 0]
        assert kill["checkpoints"] == sorted(kill["checkpoints"])
    assert reached > 200
    made = script()
    whole = made.weights(made.work(tmp_path / "whole", None))
    weights = torch.load(tmp_path / "killed" / "killed.weights", weights_only=True)
    for expected, found in zip(whole, weights, strict=True):
        assert torch.equal(expected, found)
    # The halves of files that were being written are gone.
    assert sorted(path.suffix for path in (tmp_path / "killed").iterdir()) == [".pt", ".pt", ".weights"]
