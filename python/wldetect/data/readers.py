"""Reading one file of rows, strictly: what is not as it should be is an error that names the file and the row."""

from __future__ import annotations

import csv
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wldetect.data.columns import Columns, check_columns, conform
from wldetect.data.files import FileKind, check_utf8, one_line
from wldetect.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["RowFile", "open_rows"]

# Rows of one table: enough that the work for each is small, few enough that memory stays so too.
_ROWS = 20_000
_SURROGATE = re.compile("[\ud800-\udfff]")


class RowFile(ABC):
    """A file of rows with named columns."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    @abstractmethod
    def names(self) -> list[str]:
        """The columns that there are; of a JSON file, those of the first row."""

    @abstractmethod
    def tables(self, columns: Columns) -> Iterator[pa.Table]:
        """The rows in order, in tables of ``columns``: text as ``string``, which may be null; numbers as ``double``.

        Raises:
            OSError: the file cannot be read.
            DataError: a column is missing or there twice, a value is of another type or no number that may be, the
                file is damaged or not UTF-8.
        """


def open_rows(path: Path, kind: FileKind) -> RowFile:
    """Open a file of rows.

    Raises:
        OSError: the file cannot be read.
        DataError: it is damaged, or not UTF-8.
    """
    match kind:
        case FileKind.PARQUET:
            return _ParquetFile(path)
        case FileKind.JSON:
            return _JsonFile(path)
        case FileKind.CSV:
            return _CsvFile(path)
        case FileKind.TEXT:
            return _TextFile(path)


class _ParquetFile(RowFile):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        import pyarrow.parquet as pq

        # Opened here, so that a file that cannot be read at all stays the error that the system gives.
        with path.open("rb") as file, self._whole():
            self._names = list(pq.read_schema(file).names)

    @property
    def names(self) -> list[str]:
        return self._names

    def tables(self, columns: Columns) -> Iterator[pa.Table]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        check_columns(str(self.path), self._names, columns.names)
        row = 1
        with self.path.open("rb") as file:
            with self._whole():
                batches = pq.ParquetFile(file).iter_batches(_ROWS, columns=list(columns.names))
            while True:
                with self._whole():
                    batch = next(batches, None)
                if batch is None:
                    return
                yield conform(pa.Table.from_batches([batch]), columns, str(self.path), row)
                row += len(batch)

    @contextmanager
    def _whole(self) -> Iterator[None]:
        import pyarrow as pa

        try:
            yield
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"{self.path}: not a whole parquet file: {one_line(error)}") from error


class _JsonFile(RowFile):
    """JSON lines, or in a file called ``.json`` one array of objects."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        check_utf8(path)

    @property
    def names(self) -> list[str]:
        return next((list(row) for _, row in self._rows()), [])

    def tables(self, columns: Columns) -> Iterator[pa.Table]:
        row = 1
        rows = self._rows()
        while chunk := list(islice(rows, _ROWS)):
            if row == 1:
                # A key that some rows lack is null there, but not one that all of these lack.
                check_columns(str(self.path), list({name: None for _, one in chunk for name in one}), columns.names)
            values = {
                name: [self._value(where, name, one.get(name), name in columns.text) for where, one in chunk]
                for name in columns.names
            }
            yield _table(values, columns, str(self.path), row)
            row += len(chunk)

    def _value(self, where: str, name: str, value: object, is_text: bool) -> str | float | None:
        if value is None:
            return None
        if not is_text and isinstance(value, (int, float)) and not isinstance(value, bool):
            return value
        if not is_text or not isinstance(value, str):
            expected = "text" if is_text else "a number"
            raise DataError(f"{where}: column {name!r}: expected {expected}, found {type(value).__name__}")
        # JSON can write half a character, which UTF-8 cannot.
        if _SURROGATE.search(value):
            raise DataError(f"{where}: column {name!r}: expected Unicode text, found a lone surrogate")
        return value

    def _rows(self) -> Iterator[tuple[str, dict[str, object]]]:
        """Each object and what to call its place."""
        if self.path.suffix.lower() == ".json" and self._is_array():
            objects = self._parse(self.path.read_text(encoding="utf-8-sig"), 1)
            for number, one in enumerate(objects, 1):
                yield self._object(f"{self.path}: row {number}", one)
            return
        for number, line in enumerate(_lines(self.path), 1):
            if line.strip():
                yield self._object(f"{self.path}: line {number}", self._parse(line, number))

    def _is_array(self) -> bool:
        return next((line.lstrip().startswith("[") for line in _lines(self.path) if line.strip()), False)

    def _parse(self, text: str, line: int) -> Any:
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            line += getattr(error, "lineno", 1) - 1
            raise DataError(f"{self.path}: line {line}: expected JSON: {one_line(error)}") from None

    @staticmethod
    def _object(where: str, value: object) -> tuple[str, dict[str, object]]:
        if not isinstance(value, dict):
            raise DataError(f"{where}: expected a JSON object, found {type(value).__name__}")
        return where, value


class _CsvFile(RowFile):
    """Comma-separated values, or tab-separated in a file called ``.tsv``, below a row of names."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        check_utf8(path)

    @property
    def names(self) -> list[str]:
        return next(self._rows(), ("", []))[1]

    def tables(self, columns: Columns) -> Iterator[pa.Table]:
        rows = self._rows()
        _, names = next(rows, ("", []))
        check_columns(str(self.path), names, columns.names)
        places = {name: names.index(name) for name in columns.names}
        row = 1
        while chunk := list(islice(rows, _ROWS)):
            values: dict[str, list[Any]] = {}
            for name, place in places.items():
                if name in columns.text:
                    values[name] = [fields[place] for _, fields in chunk]
                else:
                    values[name] = [self._number(line, name, fields[place]) for line, fields in chunk]
            yield _table(values, columns, str(self.path), row)
            row += len(chunk)

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        """The last line and the fields of each row, the row of names first."""
        delimiter = "\t" if self.path.suffix.lower() == ".tsv" else ","
        reader = csv.reader(_lines(self.path), delimiter=delimiter, strict=True)
        width: int | None = None
        try:
            for fields in reader:
                if not fields:
                    continue
                width = len(fields) if width is None else width
                if len(fields) != width:
                    found = f"expected {width} fields, found {len(fields)}"
                    raise DataError(f"{self.path}: line {reader.line_num}: {found}")
                yield reader.line_num, fields
        except csv.Error as error:
            raise DataError(f"{self.path}: line {reader.line_num}: expected CSV: {one_line(error)}") from None

    def _number(self, line: int, name: str, field: str) -> float:
        try:
            return float(field)
        except ValueError:
            raise DataError(f"{self.path}: line {line}: column {name!r}: expected a number, found {field!r}") from None


class _TextFile(RowFile):
    """One text a line, without the white space around it; blank lines are left out. The file's name is the label."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        check_utf8(path)

    @property
    def names(self) -> list[str]:
        return ["text", "language"]

    def tables(self, columns: Columns) -> Iterator[pa.Table]:
        text_column, *others = columns.names
        if len(others) > 1:
            raise DataError(f"{self.path}: expected a column {others[1]!r}, found a text file, which has no columns")
        texts = (text for text in map(str.strip, _lines(self.path)) if text)
        while chunk := list(islice(texts, _ROWS)):
            labels = {name: [self.path.stem] * len(chunk) for name in others}
            yield _table({text_column: chunk, **labels}, columns, str(self.path), 1)


def _lines(path: Path) -> Iterator[str]:
    """Lines with their ends, without a byte order mark. Only newlines end a line: other separators are text."""
    with path.open(encoding="utf-8-sig", newline="\n") as file:
        yield from file


def _table(values: Mapping[str, Sequence[Any]], columns: Columns, where: str, row: int) -> pa.Table:
    import pyarrow as pa

    arrays = {
        name: pa.array(column, pa.string()) if name in columns.text else pa.array(map(_as_float, column), pa.float64())
        for name, column in values.items()
    }
    return conform(pa.table(arrays), columns, where, row)


def _as_float(value: float | None) -> float | None:
    try:
        return None if value is None else float(value)
    except OverflowError:
        return float("inf")
