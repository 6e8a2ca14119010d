"""Labelled texts to evaluate on: FLORES and anything with a text and a language code in each row."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wldetect.data.columns import Columns, check_columns
from wldetect.data.files import FileKind, find_files, listed
from wldetect.data.readers import open_rows
from wldetect.data.sources import load_hub, read_hub
from wldetect.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["LabelledTexts", "load_flores"]

_CODES = ("iso_639_3", "iso_15924")
_SPLIT = "split"


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

    def of(self, labels: Collection[str]) -> LabelledTexts:
        """Those with one of ``labels``."""
        wanted = set(labels)
        kept = [place for place, label in enumerate(self.labels) if label in wanted]
        texts, labels = [self.texts[place] for place in kept], [self.labels[place] for place in kept]
        return LabelledTexts(texts, labels, self.name, self.split)


def load_flores(
    data: str,
    split: str = "dev",
    text_column: str = "text",
    language_column: str | None = None,
    config_path: Path | None = None,
) -> LabelledTexts:
    """Load labelled texts from a file, a directory or the Hugging Face hub.

    Which files belong to the split is decided as for training data: see `wldetect.data.files.find_files`. Where rows
    have a column ``split``, only those of the split are taken.

    Args:
        data: a path or a pattern of files, ``package:wldetect/...`` for one inside the installed package, or else the
            id of a dataset on the hub. A relative path is looked up beside ``config_path`` first, where that is given,
            then in the current directory.
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
    from wldetect.config.paths import resolve_name

    # Without a configuration file, messages name the argument and relative paths start at the current directory.
    place = resolve_name(data, Path("data") if config_path is None else config_path)
    files = find_files(place, split)
    found = _Rows(data, split)
    if files is None:
        rows = load_hub(place, split)
        columns = _choose(place, rows.column_names, text_column, language_column)
        found.add(place, columns, read_hub(rows, columns, place))
    else:
        for path in files.paths:
            file = open_rows(path, files.kind)
            names = file.names
            # An empty file has no columns to be missing.
            if names:
                wanted = ("text", "language") if files.kind is FileKind.TEXT else (text_column, language_column)
                columns = _choose(str(path), names, *wanted)
                found.add(str(path), columns, file.tables(columns))
    return found.result()


def _choose(where: str, names: Sequence[str], text_column: str, language_column: str | None) -> Columns:
    """The columns to read: the text, the one or two of its language code, and the split where there is one."""
    if language_column is not None:
        language: tuple[str, ...] = (language_column,)
    elif "language" in names:
        language = ("language",)
    else:
        language = _CODES
    check_columns(where, names, [text_column])
    if language == _CODES and not all(code in names for code in _CODES):
        wanted = " and ".join(map(repr, _CODES))
        raise DataError(f"{where}: expected a column 'language', or {wanted}, found {listed(names)}")
    columns = Columns((text_column, *language, *([_SPLIT] if _SPLIT in names else [])))
    check_columns(where, names, columns.names)
    return columns


class _Rows:
    """Rows put together, without those of other splits."""

    def __init__(self, data: str, split: str) -> None:
        self._data = data
        self._split = split
        self._texts: list[str] = []
        self._labels: list[str] = []
        self._other: set[str] = set()

    def add(self, where: str, columns: Columns, tables: Iterable[pa.Table]) -> None:
        """Add the rows of one file: of ``columns``, the text comes first, then the language and perhaps the split."""
        text_column, *language, split_column = (*columns.text, "") if _SPLIT not in columns.text else columns.text
        first = 1
        for table in tables:
            values = {name: _present(where, name, table.column(name).to_pylist(), first) for name in table.column_names}
            texts = values[text_column]
            labels = list(map("_".join, zip(*(values[name] for name in language), strict=True)))
            splits = values[split_column] if split_column else [self._split] * len(texts)
            for text, label, split in zip(texts, labels, splits, strict=True):
                if split == self._split:
                    self._texts.append(text)
                    self._labels.append(label)
                else:
                    self._other.add(split)
            first += len(texts)

    def result(self) -> LabelledTexts:
        """All rows; DataError where there is none."""
        if not self._texts and self._other:
            found = listed(sorted(self._other))
            raise DataError(f"{self._data}: expected rows of split {self._split!r}, found only those of {found}")
        if not self._texts:
            raise DataError(f"{self._data}: expected one or more texts, found none")
        return LabelledTexts(self._texts, self._labels, self._data, self._split)


def _present(where: str, column: str, values: list[str | None], first: int) -> list[str]:
    present = [value for value in values if value is not None]
    if len(present) < len(values):
        row = first + values.index(None)
        raise DataError(f"{where}: row {row}: column {column!r}: expected text, found null")
    return present
