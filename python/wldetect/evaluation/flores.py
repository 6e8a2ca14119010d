"""Labelled texts to evaluate on: FLORES and anything with a text and a language code in each row."""

from __future__ import annotations

import csv
import errno
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from wldetect.errors import DataError

__all__ = ["LabelledTexts", "load_flores"]

# In a directory that holds several kinds, files of the first kind are the data and the others describe it.
_KINDS = ((".parquet",), (".jsonl", ".ndjson", ".json"), (".csv",), (".txt",))
_SUFFIXES = tuple(suffix for kind in _KINDS for suffix in kind)
_COMMON_SPLITS = frozenset({"train", "training", "dev", "devtest", "valid", "validation", "eval", "test"})
_HUB_ID = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")
_SURROGATE = re.compile("[\ud800-\udfff]")
_MOST_LISTED = 20


@dataclass(frozen=True)
class LabelledTexts:
    """Texts whose languages are known.

    Attributes:
        texts: the texts.
        labels: the language code of each text.
        name: what to call the data in a report.
        split: the part of the data that was read, if it has parts.
    """

    texts: list[str]
    labels: list[str]
    name: str
    split: str | None = None

    def __post_init__(self) -> None:
        if len(self.texts) != len(self.labels):
            raise ValueError(f"expected one label for each of {len(self.texts)} texts, found {len(self.labels)}")

    def __len__(self) -> int:
        return len(self.texts)


class _Rows(NamedTuple):
    texts: list[str]
    labels: list[str]
    splits: list[str] | None


def load_flores(
    data: str,
    split: str = "dev",
    text_column: str = "text",
    language_column: str | None = None,
    config_path: Path | None = None,
) -> LabelledTexts:
    """Load labelled texts from a file, a directory or the Hugging Face hub.

    A file is parquet, JSON lines, CSV, or text with one sentence a line whose name is the language code. A directory
    holds such files: in a subdirectory named like the split; else with names that start with the split
    (``dev.parquet``, ``dev-00000-of-00002.parquet``); else files whose names say nothing about a split belong to
    every one. Where rows have a column ``split``, only those of the split are taken. Blank lines of text files are
    left out.

    Args:
        data: a path, ``package:wldetect/...`` for one inside the installed package, or else the id of a dataset on
            the hub. A relative path is looked up beside ``config_path`` first, where that is given, then in the
            current directory.
        split: the part of the data to load.
        text_column: the column of texts.
        language_column: the column of language codes; None: ``language``, or else ``iso_639_3`` and ``iso_15924``
            joined by an underscore.
        config_path: the configuration file that names the data.

    Raises:
        FileNotFoundError: there is no such file, directory or dataset.
        DataError: a column or the split is missing, a value is not text, a file is damaged or not UTF-8, or there is
            no text at all; the text names the file and, where there is one, the line or row.
        ConfigError: a ``package:`` path that does not lie inside this package.
    """
    # Pydantic comes with it, and nothing else here needs that.
    from wldetect.config.paths import resolve_path

    # Without a configuration file, messages name the argument and relative paths start at the current directory.
    path = resolve_path(data, Path("data") if config_path is None else config_path)
    if path is None:
        if not _HUB_ID.fullmatch(data) or data.lower().endswith(_SUFFIXES):
            raise FileNotFoundError(errno.ENOENT, "no such file or directory", data)
        parts = [_read_hub(data, split, text_column, language_column)]
    else:
        parts = [_read_rows(file, text_column, language_column) for file in _files(path, split)]
    return _join(parts, data, split)


def _join(parts: list[_Rows], data: str, split: str) -> LabelledTexts:
    """Put rows together, without those of other splits."""
    texts: list[str] = []
    labels: list[str] = []
    other: set[str] = set()
    for part in parts:
        if part.splits is None:
            texts += part.texts
            labels += part.labels
            continue
        for text, label, row_split in zip(part.texts, part.labels, part.splits, strict=True):
            if row_split == split:
                texts.append(text)
                labels.append(label)
            else:
                other.add(row_split)
    if not texts and other:
        raise DataError(f"{data}: expected rows of split '{split}', found only those of {_listed(sorted(other))}")
    if not texts:
        raise DataError(f"{data}: expected one or more texts, found none")
    return LabelledTexts(texts, labels, data, split)


def _files(path: Path, split: str) -> list[Path]:
    """List the files that hold the split, in the order of their names."""
    if path.is_file():
        if path.suffix.lower() not in _SUFFIXES:
            found = path.suffix or "no suffix"
            raise DataError(f"{path}: expected a directory or a file of type {', '.join(_SUFFIXES)}, found {found}")
        return [path]
    if (path / split).is_dir():
        files = _data_files(path / split)
        if not files:
            raise DataError(f"{path / split}: expected files of type {', '.join(_SUFFIXES)}, found none")
        return files
    splits = {folder.name for folder in path.iterdir() if folder.is_dir() and _data_files(folder)}
    files = _data_files(path)
    # The name of a text file is its language code.
    if files and files[0].suffix.lower() != ".txt":
        named = {file: re.split(r"[-_.]", file.name)[0] for file in files}
        chosen = [file for file in files if named[file] == split]
        if chosen:
            return chosen
        splits |= _COMMON_SPLITS.intersection(named.values())
        files = [file for file in files if named[file] not in splits]
    if not files and splits:
        raise DataError(f"{path}: expected a split '{split}', found {_listed(sorted(splits))}")
    if not files:
        raise DataError(f"{path}: expected files of type {', '.join(_SUFFIXES)}, found none")
    return files


def _data_files(folder: Path) -> list[Path]:
    files = sorted(file for file in folder.iterdir() if file.is_file() and not file.name.startswith("."))
    for kind in _KINDS:
        chosen = [file for file in files if file.suffix.lower() in kind]
        if chosen:
            return chosen
    return []


def _read_rows(path: Path, text_column: str, language_column: str | None) -> _Rows:
    """Read every row of one file of a known type.

    Raises:
        OSError: the file cannot be read.
        DataError: as for ``load_flores``, apart from the split.
    """
    suffix = path.suffix.lower()
    if suffix == ".txt":
        texts = [line.strip() for line in _lines(path) if line.strip()]
        return _Rows(texts, [path.stem] * len(texts), None)
    reader = {".parquet": _read_parquet, ".csv": _read_csv}.get(suffix, _read_json_lines)
    return reader(path, text_column, language_column)


def _read_parquet(path: Path, text_column: str, language_column: str | None) -> _Rows:
    import pyarrow
    import pyarrow.parquet

    # Opened here, so that a file that cannot be read at all stays the error that the system gives.
    with path.open("rb") as file:
        try:
            parquet = pyarrow.parquet.ParquetFile(file)

            def column(name: str) -> Sequence[object]:
                values = parquet.read(columns=[name], use_threads=False).column(name)
                if pyarrow.types.is_dictionary(values.type):
                    values = values.cast(values.type.value_type)
                if not any(is_text(values.type) for is_text in _text_types(pyarrow.types)):
                    raise DataError(f"{path}: column '{name}': expected text, found {values.type}")
                # Decoding here, not in Arrow, tells which row is not UTF-8.
                return [
                    None if value is None else _decode(value, f"{path}: row {row}: column '{name}'")
                    for row, value in enumerate(values.cast(pyarrow.large_binary()).to_pylist(), 1)
                ]

            return _select(str(path), list(parquet.schema_arrow.names), column, text_column, language_column)
        except (pyarrow.ArrowException, OSError) as error:
            raise DataError(f"{path}: not a whole parquet file: {_first_line(error)}") from error


def _text_types(types: Any) -> tuple[Callable[[Any], bool], ...]:
    return (types.is_string, types.is_large_string, types.is_binary, types.is_large_binary)


def _read_json_lines(path: Path, text_column: str, language_column: str | None) -> _Rows:
    rows: list[dict[str, object]] = []
    for number, line in enumerate(_lines(path), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}: line {number}: expected JSON: {_first_line(error)}") from None
        if not isinstance(row, dict):
            raise DataError(f"{path}: line {number}: expected a JSON object, found {type(row).__name__}")
        rows.append(row)
    names = list(dict.fromkeys(name for row in rows for name in row))
    if not rows:
        return _Rows([], [], None)
    return _select(str(path), names, lambda name: [row.get(name) for row in rows], text_column, language_column)


def _read_csv(path: Path, text_column: str, language_column: str | None) -> _Rows:
    reader = csv.reader(_lines(path), strict=True)
    rows: list[list[str]] = []
    try:
        names = next(reader, [])
        for row in reader:
            if row and len(row) != len(names):
                found = f"expected {len(names)} fields, found {len(row)}"
                raise DataError(f"{path}: line {reader.line_num}: {found}")
            if row:
                rows.append(row)
    except csv.Error as error:
        raise DataError(f"{path}: line {reader.line_num}: expected CSV: {_first_line(error)}") from None
    if not names:
        return _Rows([], [], None)

    def column(name: str) -> Sequence[object]:
        index = names.index(name)
        return [row[index] for row in rows]

    return _select(str(path), names, column, text_column, language_column)


def _read_hub(name: str, split: str, text_column: str, language_column: str | None) -> _Rows:
    import datasets

    try:
        dataset = datasets.load_dataset(name, split=split)
    except datasets.exceptions.DatasetNotFoundError as error:
        reason = f"no such file or directory, and no such dataset on the hub ({_first_line(error)})"
        raise FileNotFoundError(errno.ENOENT, reason, name) from error
    # What the hub client raises depends on its HTTP library and on the dataset; all of it means this.
    except Exception as error:
        reason = f"no such file or directory, and split '{split}' cannot be loaded from the hub: {_first_line(error)}"
        raise DataError(f"{name}: {reason}") from error

    def column(column_name: str) -> Sequence[object]:
        values = list(dataset[column_name])
        feature = dataset.features[column_name]
        # Class labels are stored as numbers; -1 and null stand for none.
        if isinstance(feature, datasets.ClassLabel):
            return [None if value is None or value < 0 else feature.int2str(value) for value in values]
        return values

    return _select(name, list(dataset.column_names), column, text_column, language_column)


def _select(
    where: str,
    names: Sequence[str],
    column: Callable[[str], Sequence[object]],
    text_column: str,
    language_column: str | None,
) -> _Rows:
    """Pick texts, labels and splits from columns; ``where`` is what messages call the source."""

    def texts_of(name: str) -> list[str]:
        if name not in names:
            raise DataError(f"{where}: expected a column '{name}', found {_listed(names)}")
        if names.count(name) > 1:
            raise DataError(f"{where}: expected one column '{name}', found {names.count(name)}")
        return _texts(where, name, column(name))

    texts = texts_of(text_column)
    parts = ("iso_639_3", "iso_15924")
    if language_column is not None:
        labels = texts_of(language_column)
    elif "language" in names:
        labels = texts_of("language")
    elif all(part in names for part in parts):
        labels = [f"{code}_{script}" for code, script in zip(*(texts_of(part) for part in parts), strict=True)]
    else:
        wanted = "a column 'language', or 'iso_639_3' and 'iso_15924'"
        raise DataError(f"{where}: expected {wanted}, found {_listed(names)}")
    return _Rows(texts, labels, texts_of("split") if "split" in names else None)


def _texts(where: str, name: str, values: Sequence[object]) -> list[str]:
    texts: list[str] = []
    for row, value in enumerate(values, 1):
        if not isinstance(value, str):
            found = "null" if value is None else type(value).__name__
            raise DataError(f"{where}: row {row}: column '{name}': expected text, found {found}")
        # JSON can write half a character, which neither UTF-8 nor a report can.
        if _SURROGATE.search(value):
            raise DataError(f"{where}: row {row}: column '{name}': expected Unicode text, found a lone surrogate")
        texts.append(value)
    return texts


def _lines(path: Path) -> Iterator[str]:
    """Yield the lines of a UTF-8 file with their line ends, without a byte order mark."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            text = _decode(line, f"{path}: line {number}")
            yield text.removeprefix("\ufeff") if number == 1 else text


def _decode(value: bytes, where: str) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        found = f"byte 0x{value[error.start]:02x} at position {error.start + 1}"
        raise DataError(f"{where}: expected UTF-8 text, found {found}") from None


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST_LISTED])
    more = len(names) - _MOST_LISTED
    return (f"{shown} and {more} more" if more > 0 else shown) or "none"


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
