"""The columns of text and numbers that are read of a table, and what their values must be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wldetect.data.files import listed
from wldetect.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Columns", "check_columns", "conform"]

# By name, because a type that this pyarrow does not know needs no case of its own.
_TEXT_TYPES = ("string", "large_string", "string_view", "binary", "large_binary", "binary_view", "null")


@dataclass(frozen=True)
class Columns:
    """The columns that are read.

    Attributes:
        text: columns of text; of a file of plain text, what to call the texts and their label.
        numbers: columns of finite numbers, at least 0.
    """

    text: tuple[str, ...]
    numbers: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """All columns, each once."""
        return tuple(dict.fromkeys(self.text + self.numbers))


def conform(table: pa.Table, columns: Columns, where: str, row: int = 1) -> pa.Table:
    """``columns`` of ``table`` as text and numbers, in that order.

    Args:
        table: any table that has the columns.
        columns: which to take, and as what.
        where: what messages call the file.
        row: what they call the table's first row.

    Raises:
        DataError: a column is of another type, a text is not UTF-8, or a number is missing, negative or not finite.
    """
    import pyarrow as pa

    as_text = {name: _text_column(table.column(name), f"column {name!r}", where, row) for name in columns.text}
    as_number = {
        name: _number_column(table.column(name), f"column {name!r}", where, row)
        for name in columns.numbers
        if name not in as_text
    }
    return pa.table({**as_text, **as_number})


def _text_column(values: pa.ChunkedArray, column: str, where: str, row: int) -> pa.ChunkedArray:
    import pyarrow as pa

    if pa.types.is_dictionary(values.type):
        values = values.cast(values.type.value_type)
    if str(values.type) not in _TEXT_TYPES:
        raise DataError(f"{where}: {column}: expected text, found {values.type}")
    stored = values.cast(pa.large_binary())
    try:
        # Files may call bytes text that is none: only from bytes does the cast look.
        return stored.cast(pa.large_string()).cast(pa.string())
    except pa.ArrowInvalid:
        for number, value in enumerate(stored.to_pylist(), row):
            try:
                (value or b"").decode("utf-8")
            except UnicodeDecodeError as error:
                found = f"byte 0x{value[error.start]:02x} at position {error.start + 1}"
                raise DataError(f"{where}: row {number}: {column}: expected UTF-8, found {found}") from None
        raise


def _number_column(values: pa.ChunkedArray, column: str, where: str, row: int) -> pa.ChunkedArray:
    import numpy as np
    import pyarrow as pa

    if not (pa.types.is_integer(values.type) or pa.types.is_floating(values.type) or pa.types.is_decimal(values.type)):
        raise DataError(f"{where}: {column}: expected numbers, found {values.type}")
    numbers = values.cast(pa.float64(), safe=False)
    as_array = numbers.to_numpy()
    bad = ~(np.isfinite(as_array) & (as_array >= 0))
    if bad.any():
        place = int(bad.argmax())
        found = values[place].as_py()
        shown = "null" if found is None else f"{found:g}"
        raise DataError(f"{where}: row {row + place}: {column}: expected a number, at least 0, found {shown}")
    return numbers


def check_columns(where: str, found: Sequence[str], wanted: Sequence[str]) -> None:
    """Check that each of the columns ``wanted`` is among those ``found`` in ``where``, once.

    Raises:
        DataError: one is not.
    """
    for name in wanted:
        if name not in found:
            raise DataError(f"{where}: expected a column {name!r}, found {listed(found) or 'none'}")
        if found.count(name) > 1:
            raise DataError(f"{where}: expected one column {name!r}, found {found.count(name)}")
