"""A process that is ended while it fetches, and the next one."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from loopback_hub import Fault, LoopbackHub, Repository, Stall
from wldetect.embeddings.base import tensor_fingerprint

from .conftest import Python
from .files import model_files

NAME = "model.embed_tokens.weight"
PART = 2048
VALUES = np.random.default_rng(0).standard_normal((512, 16)).astype(np.float32)
N_PARTS = VALUES.nbytes // PART
# Says on stdout which parts are whole, once it is noted on the disk.
PROGRAM = f"""
import sys
from pathlib import Path
from wldetect.embeddings import HubSource, range_download

class State(range_download._State):
    def add(self, part, validator):
        super().add(part, validator)
        print(part, flush=True)

range_download._State = State
range_download.PART_BYTES = {PART}
range_download._THREADS = int(sys.argv[1])
print(HubSource("org/model", "{NAME}", 16, Path("cache")).fingerprint())
"""


def asked_parts(hub: LoopbackHub, start: int) -> list[int]:
    ranges = [request.headers["range"].removeprefix("bytes=") for request in hub.asked("cdn")]
    firsts = [int(asked.split("-")[0]) for asked in ranges]
    return [(first - start) // PART for first in firsts if first >= start]


@pytest.mark.parametrize(("threads", "by"), [(1, signal.SIGKILL), (4, signal.SIGKILL), (4, signal.SIGINT)])
def test_ended_again_and_again(
    hub: LoopbackHub,
    python: Python,
    outcome: Callable[..., tuple[int, str, str]],
    tmp_path: Path,
    threads: int,
    by: signal.Signals,
) -> None:
    """Parts that were whole are not fetched again, and what comes out is right."""
    files = model_files(["a", "b"], VALUES, NAME)
    hub.add(Repository("org/model")).commit({**files, "config.json": b"{}"})
    start = files["model.safetensors"].index(VALUES.tobytes())
    whole: set[int] = set()
    for parts in (2, 5, 3):
        asked = len(asked_parts(hub, start))
        # The two requests for the header are made once.
        hub.faults = [Fault(Stall(100), host="cdn", times=99, after=parts if whole else parts + 2)]
        # Ctrl-C waits for connections that are stalled, until they count as broken.
        process = python("-c", PROGRAM, str(threads), env={"HF_HUB_DOWNLOAD_TIMEOUT": "1"})
        assert process.stdout is not None
        noted = {int(process.stdout.readline()) for _ in range(parts)}
        process.send_signal(by)
        process.communicate(timeout=60)
        assert process.returncode == -by
        assert not whole & {*asked_parts(hub, start)[asked:]}
        whole |= noted
        (state,) = (tmp_path / "cache").rglob("*.state")
        assert set(json.loads(state.read_text())["whole"]) == whole
    assert len(whole) == 10
    hub.faults = []
    asked = len(asked_parts(hub, start))
    status, out, err = outcome("-c", PROGRAM, str(threads))
    assert (status, out.splitlines()[-1], err) == (0, tensor_fingerprint(VALUES, "F32", VALUES.shape), "")
    assert sorted(asked_parts(hub, start)[asked:]) == sorted({*range(N_PARTS)} - whole)
    assert {path.suffix for path in (tmp_path / "cache").rglob("*") if path.is_file()} == {".npy", ".json", ".lock"}
