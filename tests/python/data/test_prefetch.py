"""Work ahead in a thread: the same items, never too many, and nothing left behind."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from wldetect.data.prefetch import Prefetcher


def alive() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "prefetch"]


@pytest.mark.parametrize("depth", [1, 3, 100])
def test_same_items(depth: int) -> None:
    with Prefetcher(iter(range(50)), depth) as items:
        assert list(items) == list(range(50))
        # What is at its end stays there.
        assert list(items) == []
    assert alive() == []


@pytest.mark.parametrize("depth", [1, 4])
def test_never_further_ahead_than_asked(depth: int) -> None:
    made = 0
    room = threading.Semaphore(0)

    def make() -> Iterator[int]:
        nonlocal made
        for number in range(20):
            made += 1
            room.release()
            yield number

    with Prefetcher(make(), depth) as items:
        # All that there is room for are made without anybody asking.
        for _ in range(depth):
            assert room.acquire(timeout=60)
        for taken in range(20):
            assert made <= taken + depth
            assert next(items) == taken


def test_error_comes_where_its_item_would_have_been() -> None:
    def make() -> Iterator[int]:
        yield from (1, 2)
        raise LookupError("here")

    with Prefetcher(make(), 8) as items:
        assert [next(items), next(items)] == [1, 2]
        with pytest.raises(LookupError, match="here"):
            next(items)
    assert alive() == []


def test_leaving_closes_the_generator() -> None:
    closed = threading.Event()

    def make() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.set()

    with pytest.raises(KeyboardInterrupt), Prefetcher(make(), 2) as items:
        assert next(items) == 1
        raise KeyboardInterrupt
    assert closed.is_set()
    assert alive() == []
