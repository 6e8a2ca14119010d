"""Fetching a range in parts, from a source in memory that fails wherever it likes."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wldetect.embeddings import range_download
from wldetect.embeddings.range_download import discard_partial, download_range
from wldetect.errors import EmbeddingError

PART = 10
HEAD = b"head"


class Source:
    """Bytes that are handed out three at a time, ``allowance`` blocks in all, then a failure."""

    def __init__(self, content: bytes, allowance: int = 10**9, validator: str | None = "v") -> None:
        self.content = content
        self.allowance = allowance
        self.validator = validator
        self.asked: list[tuple[int, int]] = []
        self.told: list[str | None] = []

    def open(self, validator: str | None, stop: threading.Event) -> Source:
        self.told.append(validator)
        return self

    def stream(self, start: int, end: int) -> Iterator[bytes]:
        self.asked.append((start, end))
        for position in range(start, end, 3):
            self.allowance -= 1
            if self.allowance < 0:
                raise EmbeddingError("the source has failed")
            yield self.content[position : min(position + 3, end)]


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(range_download, "PART_BYTES", PART)


def fetch(target: Path, source: Source, span: tuple[int, int], key: str = "it") -> None:
    download_range(target, {"key": key}, HEAD, span, source.open, "something")


def whole_parts(target: Path) -> set[int]:
    try:
        return set(json.loads(target.with_name(f"{target.name}.state").read_text())["whole"])
    except FileNotFoundError:
        return set()


@pytest.mark.usefixtures("small_parts")
@settings(max_examples=60, deadline=None)
@given(
    start=st.integers(0, 9),
    size=st.integers(1, 95),
    allowances=st.lists(st.integers(0, 20), max_size=6),
    threads=st.sampled_from([1, 4]),
)
def test_any_number_of_failures(
    tmp_path_factory: pytest.TempPathFactory, start: int, size: int, allowances: list[int], threads: int
) -> None:
    """The file is right in the end, nobody sees it before, and parts that were whole are not asked for again."""
    content = bytes(range(256))
    target = tmp_path_factory.mktemp("any") / "target"
    span = (start, start + size)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(range_download, "PART_BYTES", PART)
        patch.setattr(range_download, "_THREADS", threads)
        for allowance in [*allowances, 10**9]:
            whole = whole_parts(target)
            source = Source(content, allowance)
            try:
                fetch(target, source, span)
            except EmbeddingError as error:
                assert str(error) == "the source has failed"
                assert not target.exists()
            else:
                assert target.read_bytes() == HEAD + content[start : start + size]
                assert list(target.parent.iterdir()) == [target]
                break
            finally:
                assert source.told == ["v" if whole else None]
                assert not whole & {(first - start) // PART for first, _ in source.asked}


def interrupted(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a session leaves that has fetched two parts of five."""
    monkeypatch.setattr(range_download, "_THREADS", 1)
    with pytest.raises(EmbeddingError, match="the source has failed"):
        fetch(target, Source(bytes(100), 10), (0, 50))
    assert whole_parts(target) == {0, 1}


def test_goes_on_with_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "target"
    interrupted(target, monkeypatch)
    source = Source(bytes(100))
    fetch(target, source, (0, 50))
    assert source.asked == [(20, 30), (30, 40), (40, 50)]
    assert target.read_bytes() == HEAD + bytes(50)


@pytest.mark.parametrize(
    "state",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"key": 1, "whole": [], "validator": null}',
        '{"whole": [0], "validator": null}',
        '{"key": KEY, "whole": [0, 5], "validator": null}',
        '{"key": KEY, "whole": [[0]], "validator": null}',
        '{"key": KEY, "whole": 3, "validator": null}',
        '{"key": KEY, "whole": [0, 1], "validator": 7}',
    ],
)
def test_states_that_make_no_sense(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str) -> None:
    target = tmp_path / "target"
    interrupted(target, monkeypatch)
    path = target.with_name("target.state")
    path.write_text(state.replace("KEY", json.dumps(json.loads(path.read_text())["key"])))
    target.with_name("target.part").write_bytes(b"\xff" * 54)
    fetch(target, Source(bytes(100)), (0, 50))
    assert target.read_bytes() == HEAD + bytes(50)


@pytest.mark.parametrize("change", ["key", "span", "size of the partial file", "no partial file", "discarded"])
def test_leftovers_of_something_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str) -> None:
    target = tmp_path / "target"
    interrupted(target, monkeypatch)
    part = target.with_name("target.part")
    if change == "size of the partial file":
        part.write_bytes(part.read_bytes() + b"x")
    elif change == "no partial file":
        part.unlink()
    elif change == "discarded":
        discard_partial(target)
        assert list(tmp_path.iterdir()) == []
        discard_partial(target)
    source = Source(bytes(100))
    end = 51 if change == "span" else 50
    fetch(target, source, (0, end), "other" if change == "key" else "it")
    assert source.told == [None]
    assert source.asked[0] == (0, 10)
    assert target.read_bytes() == HEAD + bytes(end)


def test_a_disk_that_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that fails ends all; what was whole before is kept."""
    target = tmp_path / "target"
    interrupted(target, monkeypatch)
    with monkeypatch.context() as patch:
        patch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 10**6}))
        with pytest.raises(EmbeddingError, match="not enough disk space for something: expected at least 68 MB free"):
            fetch(target, Source(bytes(100)), (0, 50))

    def no_space(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", no_space)
        with pytest.raises(OSError, match="No space left"):
            fetch(target, Source(bytes(100)), (0, 50))
    assert whole_parts(target) == {0, 1}
    assert not target.exists()
    fetch(target, Source(bytes(100)), (0, 50))
    assert target.read_bytes() == HEAD + bytes(50)
