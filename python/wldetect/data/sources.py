"""One source of labelled texts, whatever it is stored as, as a memory-mapped `datasets.Dataset`."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wldetect.data.files import FileKind, FileSet, check_utf8, files_fingerprint, find_files
from wldetect.errors import DataError

if TYPE_CHECKING:
    from datasets import Dataset

__all__ = ["SourceRows", "read_source"]


@dataclass(frozen=True)
class SourceRows:
    """The rows of one source.

    Attributes:
        name: the file, directory or hub id, as the configuration gives it.
        rows: a data set with at least the columns asked for.
        fingerprint: SHA-256 (hex) of the content, or the library's own fingerprint of a hub data set.
    """

    name: str
    rows: Dataset
    fingerprint: str


def read_source(name: str, split: str, columns: Sequence[str], cache_dir: Path) -> SourceRows:
    """Open the rows of ``name``: a file, a pattern of files, a directory, or a hub id.

    Args:
        name: parquet, JSON lines, CSV or TSV files; a directory of them; a directory of text files named by label
            (``deu_Latn.txt``, one text a line: the columns are then ``columns[0]`` and ``columns[1]``); or a hub id.
        split: the part to read; see `wldetect.data.files.find_files`.
        columns: the text column, the language column, and any others that are needed.
        cache_dir: where the library keeps its memory-mapped copies.

    Raises:
        DataError: no such source or split, a column that is not there, a damaged file, text that is not UTF-8.
    """
    files = find_files(name, split)
    if files is None:
        return _from_hub(name, split, columns, cache_dir)
    fingerprint = files_fingerprint(files.paths)
    if files.kind is FileKind.TEXT:
        rows = _from_text(files, columns)
    else:
        for path in files.paths:
            _check_file(path, files.kind, columns)
        rows = _load(name, files.kind.value, "train", cache_dir, **_builder_options(files, columns))
    _check_columns(name, rows.column_names, columns)
    return SourceRows(name, rows, fingerprint)


def _from_hub(name: str, split: str, columns: Sequence[str], cache_dir: Path) -> SourceRows:
    if name.count("/") > 1 or name.startswith((".", "~", "/")) or Path(name).suffix:
        raise FileNotFoundError(2, "No such file or directory", name)
    rows = _load(name, name, split, cache_dir)
    _check_columns(name, rows.column_names, columns)
    return SourceRows(name, rows, str(rows._fingerprint))


def _from_text(files: FileSet, columns: Sequence[str]) -> Dataset:
    from datasets import Dataset

    text_column, language_column, *others = columns
    if others:
        raise DataError(f"{files.paths[0].parent}: column {others[0]!r} is not there: text files have no columns")
    texts: list[str] = []
    labels: list[str] = []
    for path in files.paths:
        check_utf8(path)
        # Only newlines end a line: other separators (U+2028, form feeds) belong to the text.
        lines = [line for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]
        texts += lines
        labels += [path.stem] * len(lines)
    return Dataset.from_dict({text_column: texts, language_column: labels})


def _check_file(path: Path, kind: FileKind, columns: Sequence[str]) -> None:
    """Find what is wrong with a file before the library does, to name the file."""
    if kind is FileKind.PARQUET:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            names = pq.read_schema(path).names
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"{path}: not a whole parquet file: {_one_line(error)}") from error
        _check_columns(str(path), names, columns)
        return
    check_utf8(path)
    if kind is FileKind.CSV:
        with path.open(encoding="utf-8", newline="") as file:
            header = next(csv.reader(file, delimiter=_delimiter(path)), [])
        _check_columns(str(path), header, columns)


def _builder_options(files: FileSet, columns: Sequence[str]) -> dict[str, Any]:
    options: dict[str, Any] = {"data_files": [str(path.resolve()) for path in files.paths]}
    if files.kind is FileKind.PARQUET:
        options["columns"] = list(dict.fromkeys(columns))
    if files.kind is FileKind.CSV:
        delimiters = {_delimiter(path) for path in files.paths}
        if len(delimiters) > 1:
            raise DataError(f"{files.paths[0].parent}: expected either .csv or .tsv files, found both")
        # A field such as "NA" or "null" is a text like any other.
        options |= {"delimiter": delimiters.pop(), "keep_default_na": False}
    return options


def _delimiter(path: Path) -> str:
    return "\t" if path.suffix.lower() == ".tsv" else ","


def _load(name: str, builder: str, split: str, cache_dir: Path, **options: Any) -> Dataset:
    import datasets

    with _progress_bars():
        try:
            return datasets.load_dataset(builder, split=split, cache_dir=str(cache_dir / "datasets"), **options)
        except (datasets.exceptions.DatasetsError, OSError, ValueError) as error:
            reason = _one_line(error.__cause__ or error)
            raise DataError(f"{name}: split {split!r} cannot be read: {reason}") from error


class _progress_bars:  # noqa: N801 - a context manager, used like a function
    """The library's progress bars, only where somebody can see them."""

    def __enter__(self) -> None:
        import datasets

        if not sys.stderr.isatty():
            datasets.disable_progress_bars()

    def __exit__(self, *_: object) -> None:
        import datasets

        datasets.enable_progress_bars()


def _check_columns(where: str, found: Sequence[str], expected: Sequence[str]) -> None:
    for column in expected:
        if column not in found:
            raise DataError(f"{where}: expected a column {column!r}, found {', '.join(map(repr, found)) or 'none'}")


def _one_line(error: BaseException) -> str:
    lines: Iterator[str] = (line.strip() for line in str(error).splitlines())
    return next((line for line in lines if line), type(error).__name__)
