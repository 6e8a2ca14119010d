"""Which files a data set's name stands for, and what is checked about them before they are read."""

from __future__ import annotations

import codecs
import glob
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from wldetect.errors import DataError

__all__ = ["FileKind", "FileSet", "check_utf8", "files_fingerprint", "find_files"]


class FileKind(Enum):
    """How a file holds its rows; the value is the builder's name in the ``datasets`` library."""

    PARQUET = "parquet"
    JSON = "json"
    CSV = "csv"
    TEXT = "text"


# In the order of preference where a directory holds several kinds (a table of sources beside parquet files, say).
_SUFFIXES: dict[FileKind, tuple[str, ...]] = {
    FileKind.PARQUET: (".parquet",),
    FileKind.JSON: (".jsonl", ".ndjson", ".json"),
    FileKind.CSV: (".csv", ".tsv"),
    FileKind.TEXT: (".txt",),
}
_KNOWN_SPLITS = ("train", "validation", "valid", "dev", "devtest", "test")


@dataclass(frozen=True)
class FileSet:
    """Files of one kind, sorted by name."""

    kind: FileKind
    paths: tuple[Path, ...]


def find_files(name: str, split: str) -> FileSet | None:
    """The files that ``name`` (a file, a pattern of files, or a directory) holds for ``split``.

    In a directory, a folder named like the split is entered; else files that begin with the split's name are taken;
    else all files, unless they are named after other splits. Text files are named by label, one text a line.
    None when nothing on this machine has that name, which may then be a hub id.

    Raises:
        DataError: the place exists and holds no readable file of that split, or files of several kinds.
    """
    path = Path(name)
    if path.is_dir():
        return _in_directory(path, split)
    paths = [path] if path.is_file() else [Path(found) for found in glob.glob(name, recursive=True)]  # noqa: PTH207
    paths = [found for found in paths if found.is_file()]
    if not paths:
        return None
    kinds = {_kind_of(found) for found in paths}
    kind = kinds.pop()
    if kinds or kind is None:
        raise DataError(f"{name}: expected files of one kind among {_all_suffixes()}, found {_names(paths)}")
    return FileSet(kind, tuple(sorted(paths)))


def _in_directory(directory: Path, split: str) -> FileSet:
    inside = directory / split
    root = inside if inside.is_dir() else directory
    # Downloads of hub data sets keep their files in a folder called data.
    found = sorted(path for folder in (root, root / "data") if folder.is_dir() for path in folder.iterdir())
    for kind, suffixes in _SUFFIXES.items():
        paths = [path for path in found if path.is_file() and path.suffix.lower() in suffixes]
        if not paths:
            continue
        if root is not inside and kind is not FileKind.TEXT:
            named = [path for path in paths if _split_of(path, (split,))]
            others = [path for path in paths if _split_of(path, _KNOWN_SPLITS)]
            if not named and len(others) == len(paths):
                raise DataError(f"{directory}: no split {split!r}; found {_names(paths)}")
            paths = named or paths
        return FileSet(kind, tuple(paths))
    contents = _names(found) if found else "an empty directory"
    raise DataError(f"{directory}: expected files among {_all_suffixes()} for split {split!r}, found {contents}")


def _split_of(path: Path, splits: Sequence[str]) -> bool:
    return any(re.match(rf"{re.escape(split)}([-_.]|$)", path.stem) for split in splits)


def _kind_of(path: Path) -> FileKind | None:
    return next((kind for kind, suffixes in _SUFFIXES.items() if path.suffix.lower() in suffixes), None)


def _all_suffixes() -> str:
    return ", ".join(suffix for suffixes in _SUFFIXES.values() for suffix in suffixes)


def _names(paths: Sequence[Path]) -> str:
    shown = ", ".join(path.name for path in paths[:5])
    return shown if len(paths) <= 5 else f"{shown} and {len(paths) - 5} more"


def check_utf8(path: Path) -> None:
    """Read ``path`` through as UTF-8.

    Raises:
        DataError: a byte is not; names the file, the line and the byte's offset.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    offset, lines = 0, 1
    with path.open("rb") as file:
        while True:
            block = file.read(1 << 20)
            pending = len(decoder.getstate()[0])
            try:
                decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                # The decoder counts from the bytes it still held when the block began.
                start = max(error.start - pending, 0)
                line = lines + block.count(b"\n", 0, start)
                raise DataError(
                    f"{path}: expected UTF-8, found byte 0x{error.object[error.start]:02x} in line {line} "
                    f"(offset {offset - pending + error.start}): {error.reason}"
                ) from None
            if not block:
                return
            offset += len(block)
            lines += block.count(b"\n")


def files_fingerprint(paths: Sequence[Path]) -> str:
    """SHA-256 (hex) over the names and contents of ``paths``; where they lie does not matter."""
    digest = hashlib.sha256()
    for path in paths:
        inner = hashlib.sha256()
        with path.open("rb") as file:
            while block := file.read(1 << 22):
                inner.update(block)
        digest.update(f"{path.name}\0{inner.hexdigest()}\n".encode())
    return digest.hexdigest()
