"""Work done ahead in a thread."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from types import TracebackType
from typing import Generic, TypeVar

__all__ = ["Prefetcher"]

T = TypeVar("T")


class Prefetcher(Generic[T]):
    """Takes from an iterator in a thread, up to ``depth`` items ahead of who iterates over this.

    An exception in the thread is raised where its item would have been. Leaving the ``with`` block ends the thread
    once the item that it works on is done, and closes the iterator if it is a generator.
    """

    def __init__(self, items: Iterator[T], depth: int) -> None:
        self._items = items
        self._depth = depth
        self._ready: deque[T] = deque()
        self._error: BaseException | None = None
        self._ended = False
        self._stopped = False
        self._changed = threading.Condition()
        # A daemon, so that a program whose main thread dies without leaving the block ends all the same.
        self._thread = threading.Thread(target=self._work, name="prefetch", daemon=True)

    def __enter__(self) -> Prefetcher[T]:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._changed:
            self._stopped = True
            self._ready.clear()
            self._changed.notify_all()
        self._thread.join()

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        with self._changed:
            while not self._ready and not self._ended:
                self._changed.wait()
            if self._ready:
                item = self._ready.popleft()
                self._changed.notify_all()
                return item
            if self._error is not None:
                raise self._error
            raise StopIteration

    def _work(self) -> None:
        try:
            while self._has_room():
                try:
                    item = next(self._items)
                except StopIteration:
                    return
                with self._changed:
                    self._ready.append(item)
                    self._changed.notify_all()
        # Whatever it is, it belongs to whoever waits for the item.
        except BaseException as error:
            self._error = error
        finally:
            close = getattr(self._items, "close", None)
            if close is not None:
                close()
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _has_room(self) -> bool:
        """Wait for room for another item; False when none is wanted any more."""
        with self._changed:
            while len(self._ready) >= self._depth and not self._stopped:
                self._changed.wait()
            return not self._stopped
