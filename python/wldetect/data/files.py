"""Which files a data set's name stands for, and what is checked about them before they are read."""

from __future__ import annotations

import codecs
import glob
import hashlib
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import NoReturn

from wldetect.errors import DataError

__all__ = [
    "DATA_SUFFIXES",
    "FileKind",
    "FileSet",
    "check_utf8",
    "files_fingerprint",
    "find_files",
    "listed",
    "one_line",
]


class FileKind(Enum):
    """How a file holds its rows; the value names it in messages."""

    PARQUET = "parquet"
    JSON = "JSON"
    CSV = "CSV"
    TEXT = "text"


# In the order of preference where a directory holds several kinds (a table of sources beside parquet files, say).
_SUFFIXES: dict[FileKind, tuple[str, ...]] = {
    FileKind.PARQUET: (".parquet",),
    FileKind.JSON: (".jsonl", ".ndjson", ".json"),
    FileKind.CSV: (".csv", ".tsv"),
    FileKind.TEXT: (".txt",),
}
DATA_SUFFIXES = tuple(suffix for suffixes in _SUFFIXES.values() for suffix in suffixes)
_KNOWN_SPLITS = frozenset({"train", "training", "dev", "devtest", "valid", "validation", "eval", "test"})
# Downloads of hub data sets keep their files in a folder of this name.
_DATA_FOLDER = "data"
_MOST_LISTED = 20


@dataclass(frozen=True)
class FileSet:
    """Files of one kind, sorted by path."""

    kind: FileKind
    paths: tuple[Path, ...]


def find_files(name: str, split: str, only: Sequence[str] = ()) -> FileSet | None:
    """The files that ``name`` (a file, a pattern of files, or a directory) holds for ``split``.

    In a directory, or in the folder ``data`` of one, a folder named like the split is entered; else files whose names
    begin with the split's are taken (``dev.parquet``, ``dev-00000-of-00002.parquet``); else all files whose names do
    not begin with that of another split. The names of text files, which hold one text a line, are labels and say
    nothing of a split. Hidden files are left out, and of several kinds of files the first of parquet, JSON, CSV and
    text is taken. A single file, or those that a pattern matches, belong to every split. Where the files of a directory
    are given by their names, ``only``, these are taken whatever the split.

    Returns:
        The files, at least one; None when nothing on this machine has that name, which may then be a hub id.

    Raises:
        OSError: a directory cannot be read.
        DataError: the place exists and holds no readable file of that split, or a pattern matches several kinds, or
            the place lacks one of the files ``only``.
    """
    path = Path(name)
    if only:
        return _named(path, only)
    if path.is_dir():
        return _in_directory(path, split)
    if path.is_file():
        kind = _kind_of(path)
        if kind is None:
            expected = f"a directory or a file of type {', '.join(DATA_SUFFIXES)}"
            raise DataError(f"{path}: expected {expected}, found {path.suffix or 'no suffix'}")
        return FileSet(kind, (path,))
    # Path.glob takes no absolute pattern.
    paths = sorted(found for found in map(Path, glob.glob(name, recursive=True)) if found.is_file())  # noqa: PTH207
    return _of_one_kind(name, paths) if paths else None


def _named(directory: Path, names: Sequence[str]) -> FileSet:
    if not directory.is_dir():
        raise DataError(f"{directory}: expected the directory of the files {listed(names)}, found none")
    missing = [name for name in names if not (directory / name).is_file()]
    if missing:
        raise DataError(f"{directory}: expected the files given, found no {listed(missing)}")
    return _of_one_kind(str(directory), sorted({directory / name for name in names}))


def _of_one_kind(name: str, paths: Sequence[Path]) -> FileSet:
    kind, *others = {_kind_of(found) for found in paths}
    if others or kind is None:
        names = listed([found.name for found in paths])
        raise DataError(f"{name}: expected files of one kind among {', '.join(DATA_SUFFIXES)}, found {names}")
    return FileSet(kind, tuple(paths))


def _in_directory(directory: Path, split: str) -> FileSet:
    places = [directory, directory / _DATA_FOLDER]
    inside = [place / split for place in places if (place / split).is_dir()]
    if inside:
        return _first_kind(inside) or _nothing_in(inside[0])
    places = [place for place in places if place.is_dir()]
    folders = [folder for place in places for folder in place.iterdir() if folder.is_dir()]
    splits = {folder.name for folder in folders if folder not in places and _first_kind([folder])}
    files = _first_kind(places)
    if files is not None and files.kind is not FileKind.TEXT:
        chosen = [path for path in files.paths if _split_of(path, {split})]
        if not chosen:
            owners = {path: _split_of(path, splits | _KNOWN_SPLITS) for path in files.paths}
            splits.update(owner for owner in owners.values() if owner)
            chosen = [path for path, owner in owners.items() if not owner]
        files = FileSet(files.kind, tuple(chosen)) if chosen else None
    if files is None and splits:
        raise DataError(f"{directory}: expected a split {split!r}, found {listed(sorted(splits))}")
    return files or _nothing_in(directory)


def _first_kind(folders: Iterable[Path]) -> FileSet | None:
    """The files of the preferred kind among those of ``folders``."""
    files = sorted(
        path for folder in folders for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")
    )
    for kind in FileKind:
        if paths := tuple(path for path in files if _kind_of(path) is kind):
            return FileSet(kind, paths)
    return None


def _nothing_in(directory: Path) -> NoReturn:
    found = listed(sorted(path.name for path in directory.iterdir())) or "an empty directory"
    raise DataError(f"{directory}: expected files of type {', '.join(DATA_SUFFIXES)}, found {found}")


def _split_of(path: Path, splits: Collection[str]) -> str | None:
    """The split among ``splits`` that a file is named after."""
    return next((split for split in splits if re.match(rf"{re.escape(split)}([-_.]|$)", path.stem)), None)


def _kind_of(path: Path) -> FileKind | None:
    return next((kind for kind, suffixes in _SUFFIXES.items() if path.suffix.lower() in suffixes), None)


def listed(names: Sequence[str]) -> str:
    """The first twenty of ``names`` with commas between, and how many more there are; empty where there is none."""
    shown = ", ".join(names[:_MOST_LISTED])
    more = len(names) - _MOST_LISTED
    return f"{shown} and {more} more" if more > 0 else shown


def one_line(error: BaseException) -> str:
    """The first line of an error's text, or its type where it has none."""
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def check_utf8(path: Path) -> None:
    """Read ``path`` through as UTF-8.

    Raises:
        OSError: it cannot be read.
        DataError: a byte is not UTF-8; names the file, the line, and the byte's offset in the file.
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
                    f"{path}: line {line}: expected UTF-8, found byte 0x{error.object[error.start]:02x} at offset "
                    f"{offset - pending + error.start} of the file ({error.reason})"
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
