"""Signals during a batch: Ctrl-C and other handlers that raise stop it soon, and leave nothing behind."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from wldetect import WLDetect

LABELS = ["eng_Latn", "spa_Latn"]
WORDS = {"one": [2.0, 0.0], "uno": [0.0, 2.0]}
# Seconds after which a batch must have stopped: many times what it takes on an idle machine.
LATE = 2.0

# Minutes of work, in little memory.
PROGRAM = """if True:
    import signal, sys, time
    from wldetect import WLDetect, _core
    # Shells start background jobs with Ctrl-C ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    path, method = sys.argv[1:]
    detector = WLDetect.load(path)
    with open(path + "/tokenizer.json", encoding="utf-8") as file:
        tokenizer = _core.Tokenizer(file.read())
    call = getattr(tokenizer if method == "encode_batch" else detector, method)
    texts = ["uno " * 1000] * 1_000_000
    print("ready", flush=True)
    try:
        call(texts)
    except KeyboardInterrupt:
        print(time.monotonic(), flush=True)
    else:
        sys.exit("not interrupted")
    assert detector.predict(["uno", "", "one"]) == [detector.predict("uno"), None, detector.predict("one")]
    assert tokenizer.encode_batch(["uno one"])[0].tolist() == [1, 0]
"""


@pytest.fixture
def detector(make_model_dir: Callable[..., Path]) -> WLDetect:
    return WLDetect.load(make_model_dir(LABELS, WORDS))


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
@pytest.mark.parametrize("method", ["predict", "predict_arrays", "probabilities", "encode_batch"])
def test_ctrl_c(detector: WLDetect, method: str) -> None:
    arguments = [sys.executable, "-c", PROGRAM, str(detector.path), method]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None and child.stdout.readline() == "ready\n"
            # In the middle of the batch.
            time.sleep(1)
            assert child.poll() is None
            # The clock is the system's, the same for both processes.
            sent = time.monotonic()
            child.send_signal(signal.SIGINT)
            out, err = child.communicate(timeout=60)
        finally:
            child.kill()
    assert (child.returncode, err) == (0, "")
    latency = float(out) - sent
    print(f"{method}: KeyboardInterrupt after {latency * 1000:.0f} ms")
    assert 0 < latency < LATE


@contextmanager
def alarm(seconds: float, handler: Callable[..., None], interval: float = 0.0) -> Iterator[None]:
    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, seconds, interval)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class EnoughError(Exception):
    """What a handler raises here."""


def raise_enough(*_: object) -> None:
    raise EnoughError


needs_alarm = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs timers that send signals")


@needs_alarm
@pytest.mark.parametrize("threads", [1, 2])
def test_whatever_a_handler_raises_comes_through(detector: WLDetect, threads: int) -> None:
    texts = ["uno " * 1000] * 500_000
    began = time.monotonic()
    with pytest.raises(EnoughError), alarm(0.3, raise_enough):
        detector.predict(texts, threads=threads)
    assert time.monotonic() - began < 0.3 + LATE


@needs_alarm
def test_endless_iterators_can_be_interrupted(detector: WLDetect) -> None:
    began = time.monotonic()
    with pytest.raises(EnoughError), alarm(0.1, raise_enough):
        detector.predict(itertools.repeat("uno"))
    assert time.monotonic() - began < 0.1 + LATE


@needs_alarm
def test_handlers_that_raise_nothing_stop_nothing(detector: WLDetect) -> None:
    handled = []
    texts = ["uno " * 1000, "one " * 1000, ""] * 2000
    with alarm(0.01, lambda *_: handled.append(time.monotonic()), interval=0.01):
        labels, _ = detector.predict_arrays(texts, threads=2)
    assert labels.tolist() == [1, 0, -1] * 2000
    # During the batch, not only when it was over.
    assert len(handled) > 1
