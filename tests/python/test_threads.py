"""Many threads: those of one batch, those of Python on one detector, and those that a forked process has not got.

Hazards that these hunt: answers that depend on who computed them, workspaces used twice at once, strings freed while
they are read, and locks or threads that a child process waits for in vain. Run on a free-threaded build too.
"""

from __future__ import annotations

import gc
import multiprocessing
import threading
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest

from wldetect import WLDetect, _core

LABELS = ["eng_Latn", "spa_Latn", "deu_Latn"]
WORDS = {"one": [2.0, 0.0, 0.0], "uno": [0.0, 2.0, 0.0], "eins": [0.0, 0.0, 2.0], "the": [0.0, 0.0, 0.0]}

needs_fork = pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="needs fork")


@pytest.fixture
def detector(make_model_dir: Callable[..., Path]) -> WLDetect:
    return WLDetect.load(make_model_dir(LABELS, WORDS))


def some_texts(count: int) -> list[str]:
    generator = np.random.default_rng(5)
    words = [*WORDS, "unknown", "\n", "\u00fc", "\ud800"]
    return [" ".join(words[i] for i in generator.integers(0, len(words), n)) for n in generator.integers(0, 12, count)]


@pytest.mark.parametrize("threads", [None, 1, 2, 4, 1000])
def test_threads_change_nothing(detector: WLDetect, threads: int | None) -> None:
    texts = some_texts(5000)
    found = detector.predict(texts, threads=threads)
    assert found == [detector.predict(text) for text in texts]
    assert None in found and len({pair[0] for pair in found if pair}) == 3


def test_threads_out_of_range_are_refused(detector: WLDetect) -> None:
    for texts in (["uno"], []):
        with pytest.raises(ValueError, match=r"^threads: expected at least 1, found 0$"):
            detector.predict(texts, threads=0)
    with pytest.raises(OverflowError):
        detector.predict(["uno"], threads=-1)
    with pytest.raises(TypeError):
        detector.predict(["uno"], threads="2")  # type: ignore[call-overload]


def test_many_python_threads_share_one_detector(detector: WLDetect) -> None:
    tokenizer = _core.Tokenizer((Path(detector.path) / "tokenizer.json").read_text(encoding="utf-8"))
    texts = some_texts(2000)
    expected = [detector.predict(text) for text in texts]
    rows = detector.probabilities(texts)
    ids = tokenizer.encode_batch(texts)[0]
    workers = 12
    # All start at once, each with another way to ask.
    start = threading.Barrier(workers)

    def work(worker: int) -> None:
        start.wait(timeout=30)
        threads = 1 + worker % 3
        match worker % 4:
            case 0:
                assert [detector.predict(text) for text in texts] == expected
            case 1:
                assert detector.predict(texts, threads=threads) == expected
            case 2:
                labels, _ = detector.predict_arrays(texts, threads=threads)
                assert [LABELS[label] if label >= 0 else None for label in labels] == [e and e[0] for e in expected]
                np.testing.assert_array_equal(detector.probabilities(texts, threads=threads), rows)
            case _:
                np.testing.assert_array_equal(tokenizer.encode_batch(texts, threads=threads)[0], ids)
                assert detector.fingerprint == detector.fingerprint

    with ThreadPoolExecutor(workers) as pool:
        for _ in pool.map(work, range(workers)):
            pass


def test_the_interpreter_is_released(detector: WLDetect) -> None:
    """Python runs on while a batch does: a thread that counts gets its turns."""
    texts = ["uno " * 1000] * 2000
    done = threading.Event()
    turns = 0

    def count() -> None:
        nonlocal turns
        while not done.wait(0.001):
            turns += 1

    counter = threading.Thread(target=count)
    counter.start()
    began = time.perf_counter()
    detector.predict_arrays(texts, threads=1)
    seconds = time.perf_counter() - began
    done.set()
    counter.join()
    # Two thousandths of a second a turn, and ten times as long on a busy machine.
    assert turns > seconds / 0.02


def test_a_list_may_change_while_it_is_detected(detector: WLDetect) -> None:
    count = 50_000
    texts = [f"uno {i} " * 10 for i in range(count)]
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(detector.predict, texts)
        while not future.done():
            # The strings had no other owner: their memory goes to what comes next, unless the batch holds them.
            texts.clear()
            texts.extend(f"eins {i} " * 10 for i in range(100))
        found = future.result()
    # Which texts the batch took depends on when it began.
    assert {pair and pair[0] for pair in found} <= {"spa_Latn", "deu_Latn"}
    if len(found) == count:
        assert {pair and pair[0] for pair in found} == {"spa_Latn"}
    gc.collect()


def send_answers(detector: WLDetect, texts: list[str], sender: Connection) -> None:
    sender.send((detector.predict(texts[0]), detector.predict(texts), WLDetect.load(detector.path).predict(texts)))


def answers_of_a_fork(detector: WLDetect, texts: list[str]) -> tuple[object, object, object]:
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=send_answers, args=(detector, texts, sender))
    with warnings.catch_warnings():
        # Forking a process that has threads is what this is about.
        warnings.simplefilter("ignore", DeprecationWarning)
        child.start()
    try:
        assert receiver.poll(60), "the child hangs"
        answers: tuple[object, object, object] = receiver.recv()
    finally:
        child.kill()
        child.join()
    return answers


@needs_fork
def test_a_forked_child_detects_after_its_parent_did(detector: WLDetect) -> None:
    texts = some_texts(5000)
    expected = detector.predict(texts, threads=4)
    assert answers_of_a_fork(detector, texts) == (expected[0], expected, expected)


@needs_fork
def test_a_forked_child_loads_after_its_parent_did(bpe_model_dir: Path) -> None:
    """Reading a tokenizer of this kind is work that is shared by threads, as batches are."""
    texts = ["ja", "no", "", "ja no ja"] * 2000
    detector = WLDetect.load(bpe_model_dir)
    expected = detector.predict(texts)
    assert answers_of_a_fork(detector, texts) == (expected[0], expected, expected)


@needs_fork
def test_a_child_forked_during_a_batch_detects(detector: WLDetect) -> None:
    texts = some_texts(5000)
    expected = detector.predict(texts)
    done = threading.Event()

    def work() -> None:
        while not done.is_set():
            detector.predict_arrays(texts, threads=2)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        for _ in range(5):
            assert answers_of_a_fork(detector, texts) == (expected[0], expected, expected)
    finally:
        done.set()
        worker.join()
