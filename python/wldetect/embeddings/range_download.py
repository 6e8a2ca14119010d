"""Fetching one range of bytes into a file: in parallel parts, and across interruptions of the process."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from wldetect.files import atomic_path, require_free_space

__all__ = ["ByteSource", "discard_partial", "download_range"]

# Small against what is fetched, so that little is fetched twice; large against what a request costs.
PART_BYTES = 8 * 2**20
_THREADS = 4
_STATE_VERSION = 1


class ByteSource(Protocol):
    """What parts are fetched from; `RangeReader` is one."""

    @property
    def validator(self) -> str | None:
        """What a later session must find unchanged to go on with the parts of this one."""

    def stream(self, start: int, end: int) -> Iterator[bytes]:
        """The bytes [start, end) in blocks, in order."""


def download_range(
    target: Path,
    key: dict[str, Any],
    head: bytes,
    span: tuple[int, int],
    open_source: Callable[[str | None, threading.Event], ByteSource],
    title: str,
) -> None:
    """Write ``head`` and then the bytes of ``span`` to ``target``.

    The parts go to ``<target>.part``; ``<target>.state`` says which of them are whole. What a process that was killed
    has left is gone on with, unless it is of another ``key``. A failure, or Ctrl-C, leaves both for the next time.
    Several processes may not do this at once.

    Args:
        target: the file to write.
        key: what the bytes are, as plain data; the leftovers of anything else are thrown away.
        head: what comes before the bytes.
        span: first byte and the one after the last, in the source.
        open_source: called with the validator of the session that began (None: this one does) and with an event that
            is set when reading is to stop; returns what to read from, for several threads at once.
        title: what to call it beside the progress bar.

    Raises:
        OSError: a file cannot be written.
        EmbeddingError: there is not enough disk space.
        whatever the source raises.
    """
    from tqdm import tqdm

    start, end = span
    state = _State.load(target, key, end - start, len(head))
    require_free_space(target.parent, state.missing_bytes, title)
    stop = threading.Event()
    source = open_source(state.validator, stop)
    target.parent.mkdir(parents=True, exist_ok=True)
    with (
        state.begin(head) as file,
        # None: shown on a terminal only.
        tqdm(
            total=end - start,
            initial=end - start - state.missing_bytes,
            desc=f"fetching {title}",
            unit="B",
            unit_scale=True,
            unit_divisor=1024,
            disable=None,
        ) as progress,
        ThreadPoolExecutor(_THREADS) as pool,
    ):
        shown = threading.Lock()
        failures: list[BaseException] = []

        def fetch(part: int) -> int:
            first, last = state.bounds(part)
            try:
                # A place in the file of its own for every thread.
                with state.open() as own:
                    own.seek(len(head) + first)
                    for block in source.stream(start + first, start + last):
                        own.write(block)
                        with shown:
                            progress.update(len(block))
            except BaseException as error:
                # The first is the reason; it stops the others, which are of no use any more.
                failures.append(error)
                stop.set()
                raise
            return part

        def note(future: Future[int]) -> None:
            if future.cancelled() or future.exception() is not None or future.result() in state.whole:
                return
            # A part counts as whole only once a failing machine could not lose it.
            os.fsync(file.fileno())
            state.add(future.result(), source.validator)

        futures = [pool.submit(fetch, part) for part in state.missing]
        try:
            for future in as_completed(futures):
                if failures:
                    raise failures[0]
                note(future)
        finally:
            # Whatever ended the loop early, Ctrl-C included, ends the threads too, at their next block.
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            for future in futures:
                note(future)
    state.finish(target)


def discard_partial(target: Path) -> None:
    """Throw away what an earlier `download_range` of ``target`` has left, if anything."""
    for path in _left_over(target):
        path.unlink(missing_ok=True)


def _left_over(target: Path) -> tuple[Path, Path]:
    """The partial file and its state."""
    return target.with_name(f"{target.name}.part"), target.with_name(f"{target.name}.state")


class _State:
    """Which parts of a download are whole, in memory and beside the file."""

    def __init__(self, target: Path, key: dict[str, Any], n_bytes: int, n_head: int) -> None:
        self._partial, self._path = _left_over(target)
        self._key = {"version": _STATE_VERSION, "what": key, "sizes": [n_head, n_bytes, PART_BYTES]}
        self._n_bytes = n_bytes
        self._n_head = n_head
        self.whole: set[int] = set()
        self.validator: str | None = None

    @classmethod
    def load(cls, target: Path, key: dict[str, Any], n_bytes: int, n_head: int) -> _State:
        """The state that an earlier session has left, or that of a new download."""
        state = cls(target, key, n_bytes, n_head)
        try:
            left = json.loads(state._path.read_text(encoding="utf-8"))
            size = state._partial.stat().st_size
            whole, validator = set(left["whole"]), left["validator"]
            usable = left["key"] == state._key and size == n_head + n_bytes and whole <= set(state._parts())
            if usable and (validator is None or isinstance(validator, str)):
                state.whole, state.validator = whole, validator
        except (OSError, ValueError, LookupError, TypeError):
            # Nothing left, or something that cannot be gone on with: all is fetched.
            pass
        return state

    def begin(self, head: bytes) -> BinaryIO:
        """The partial file, which has its full size from now on."""
        if not self.whole:
            # First the state, which would speak for another file.
            self._path.unlink(missing_ok=True)
            with self._partial.open("wb") as file:
                file.write(head)
                file.truncate(self._n_head + self._n_bytes)
        return self.open()

    def open(self) -> BinaryIO:
        """The partial file, open for reading and writing."""
        return self._partial.open("r+b")

    def bounds(self, part: int) -> tuple[int, int]:
        """The bytes of a part, counted from the first of all."""
        return part * PART_BYTES, min((part + 1) * PART_BYTES, self._n_bytes)

    @property
    def missing(self) -> list[int]:
        """The parts that are not whole yet, in order."""
        return [part for part in self._parts() if part not in self.whole]

    @property
    def missing_bytes(self) -> int:
        """The size of all of them."""
        return sum(stop - start for start, stop in map(self.bounds, self.missing))

    def add(self, part: int, validator: str | None) -> None:
        """Note that a part is whole."""
        self.whole.add(part)
        text = json.dumps({"key": self._key, "validator": validator, "whole": sorted(self.whole)})
        with atomic_path(self._path) as temporary:
            temporary.write_text(text, encoding="utf-8")

    def finish(self, target: Path) -> None:
        """Give the whole file its name."""
        self._partial.replace(target)
        self._path.unlink(missing_ok=True)

    def _parts(self) -> range:
        return range(-(-self._n_bytes // PART_BYTES))
