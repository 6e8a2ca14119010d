"""The cache directory and writing files so that half of one is never seen."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from wldetect.errors import EmbeddingError
from wldetect.files import atomic_path, default_cache_dir, require_free_space


@pytest.fixture
def no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home directory of its own and none of the variables; returns the home directory."""
    for name in ("WLDETECT_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("platform", "expected"),
    [("linux", ".cache"), ("darwin", "Library/Caches"), ("win32", "AppData/Local"), ("freebsd14", ".cache")],
)
def test_default_by_platform(
    no_environment: Path, monkeypatch: pytest.MonkeyPatch, platform: str, expected: str
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    assert default_cache_dir() == no_environment / expected / "wldetect"


def test_environment_wins(no_environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/is/ignored")
    assert default_cache_dir() == no_environment / ".cache" / "wldetect"
    monkeypatch.setenv("XDG_CACHE_HOME", str(no_environment / "xdg"))
    assert default_cache_dir() == no_environment / "xdg" / "wldetect"
    monkeypatch.setenv("WLDETECT_CACHE", str(no_environment / "own"))
    assert default_cache_dir() == no_environment / "own"
    monkeypatch.setenv("WLDETECT_CACHE", "")
    assert default_cache_dir() == no_environment / "xdg" / "wldetect"


def test_windows_local_application_data(no_environment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(no_environment / "local"))
    assert default_cache_dir() == no_environment / "local" / "wldetect"


def test_atomic_path_writes_and_creates_folders(tmp_path: Path) -> None:
    final = tmp_path / "a" / "b" / "file.bin"
    with atomic_path(final) as temporary:
        temporary.write_bytes(b"whole")
        assert temporary.parent == final.parent
        assert not final.exists()
    assert final.read_bytes() == b"whole"
    assert list(final.parent.iterdir()) == [final]


def test_atomic_path_replaces(tmp_path: Path) -> None:
    final = tmp_path / "file.bin"
    final.write_bytes(b"old")
    with atomic_path(final) as temporary:
        temporary.write_bytes(b"new")
        assert final.read_bytes() == b"old"
    assert final.read_bytes() == b"new"


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device"), SystemExit])
def test_atomic_path_leaves_nothing_after_an_exception(
    tmp_path: Path, error: BaseException | type[BaseException]
) -> None:
    final = tmp_path / "file.bin"
    final.write_bytes(b"old")
    with pytest.raises((KeyboardInterrupt, OSError, SystemExit)), atomic_path(final) as temporary:
        temporary.write_bytes(b"half")
        raise error
    assert list(tmp_path.iterdir()) == [final]
    assert final.read_bytes() == b"old"


def test_atomic_path_cleans_up_when_renaming_fails(tmp_path: Path) -> None:
    final = tmp_path / "taken"
    (final / "sub").mkdir(parents=True)
    with pytest.raises(OSError, match=r"taken"), atomic_path(final) as temporary:
        temporary.write_bytes(b"whole")
    assert list(tmp_path.iterdir()) == [final]


def test_atomic_path_flushes_before_renaming(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    final = tmp_path / "file.bin"
    seen: list[bool] = []
    monkeypatch.setattr(os, "fsync", lambda _: seen.append(final.exists()))
    with atomic_path(final) as temporary:
        temporary.write_bytes(b"whole")
    assert seen == [False]
    assert final.exists()


def test_atomic_path_without_a_file_written(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "file.bin"):
        pass
    assert not list(tmp_path.iterdir())


def test_free_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = tmp_path / "not" / "yet"
    require_free_space(missing, 1, "a test")
    assert not missing.exists()

    def nearly_full(path: Path) -> object:
        assert path == tmp_path
        return type("Usage", (), {"free": 100 * 10**6})()

    monkeypatch.setattr("wldetect.files.shutil.disk_usage", nearly_full)
    require_free_space(missing, 30 * 10**6, "a test")
    with pytest.raises(EmbeddingError) as caught:
        require_free_space(missing, 40 * 10**6, "a test")
    assert str(caught.value) == (
        f"{missing}: not enough disk space for a test: expected at least 108 MB free, found 100 MB "
        "(another place can be chosen with WLDETECT_CACHE)"
    )
