"""One source of labelled texts, whatever it is stored as, as a memory-mapped `datasets.Dataset`."""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from wldetect.data.columns import Columns, check_columns, conform
from wldetect.data.files import DATA_SUFFIXES, files_fingerprint, find_files, one_line
from wldetect.data.readers import open_rows
from wldetect.errors import DataError
from wldetect.files import atomic_path

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import Dataset

__all__ = ["SourceRows", "load_hub", "read_hub", "read_source"]

# Raised whenever the same files would be read as other rows.
_CACHE_VERSION = 1
_HUB_ID = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")


@dataclass(frozen=True)
class SourceRows:
    """The rows of one source.

    Attributes:
        name: the file, directory or hub id, as the configuration gives it.
        rows: the columns asked for: text (which may be null), and numbers as float64.
        fingerprint: SHA-256 (hex) of the content, or the library's own fingerprint of a hub data set.
    """

    name: str
    rows: Dataset
    fingerprint: str


def read_source(name: str, split: str, columns: Columns, cache_dir: Path) -> SourceRows:
    """Open the rows of ``name``: a file, a pattern of files, a directory, or a hub id.

    They are read once, checked, and kept in ``cache_dir`` under a name made from their content.

    Args:
        name: parquet, JSON lines, CSV or TSV files; a directory of them; a directory of text files named by label
            (``deu_Latn.txt``, one text a line: the columns are then the first two); or a hub id.
        split: the part to read; see `wldetect.data.files.find_files`.
        columns: the columns to read.
        cache_dir: where the memory-mapped copy is kept.

    Raises:
        FileNotFoundError: there is no such file, directory or data set.
        OSError: a file cannot be read, or the copy not written.
        DataError: no such split, a column that is not there or of another type, a damaged file, text that is not UTF-8.
    """
    from datasets import Dataset

    files = find_files(name, split)
    tables: Iterable[pa.Table]
    if files is None:
        rows = load_hub(name, split)
        fingerprint, tables = str(rows._fingerprint), read_hub(rows, columns, name)
    else:
        fingerprint = files_fingerprint(files.paths)
        tables = chain.from_iterable(open_rows(path, files.kind).tables(columns) for path in files.paths)
    key = json.dumps([_CACHE_VERSION, fingerprint, asdict(columns)])
    path = cache_dir / "sources" / f"{hashlib.sha256(key.encode()).hexdigest()}.arrow"
    if not path.is_file():
        with atomic_path(path) as temporary:
            _write(temporary, columns, tables)
    return SourceRows(name, Dataset.from_file(str(path)), fingerprint)


def _write(path: Path, columns: Columns, tables: Iterable[pa.Table]) -> None:
    import pyarrow as pa

    types = {name: pa.string() if name in columns.text else pa.float64() for name in columns.names}
    schema = pa.schema(types)
    with path.open("wb") as file, pa.ipc.new_stream(file, schema) as writer:
        for table in tables:
            writer.write_table(table)


def load_hub(name: str, split: str) -> Dataset:
    """Load a data set of the Hugging Face hub.

    Raises:
        FileNotFoundError: there is none of that name, or it can only be the name of a file.
        DataError: there is, but not that split of it, or it cannot be loaded.
    """
    if not _HUB_ID.fullmatch(name) or name.lower().endswith(DATA_SUFFIXES):
        raise FileNotFoundError(errno.ENOENT, "no such file or directory", name)
    import datasets

    with _quietly():
        try:
            return datasets.load_dataset(name, split=split)
        except datasets.exceptions.DatasetNotFoundError as error:
            reason = f"no such file or directory, and no such dataset on the hub ({one_line(error)})"
            raise FileNotFoundError(errno.ENOENT, reason, name) from error
        # What the hub client raises depends on its HTTP library and on the dataset; all of it means this.
        except Exception as error:
            reason = f"split {split!r} cannot be loaded from the hub: {one_line(error.__cause__ or error)}"
            raise DataError(f"{name}: no such file or directory, and {reason}") from error


def read_hub(rows: Dataset, columns: Columns, name: str) -> Iterator[pa.Table]:
    """The rows of a hub data set in tables of ``columns``, as `wldetect.data.readers.RowFile.tables` gives them.

    Raises:
        DataError: as there.
    """
    import datasets
    import pyarrow as pa

    check_columns(name, rows.column_names, columns.names)
    selected = rows.select_columns(list(columns.names))
    first = 1
    for table in selected.with_format("arrow").iter(20_000):
        for place, column in enumerate(table.column_names):
            feature = rows.features[column]
            # Class labels are stored as numbers; -1 and null stand for none.
            if isinstance(feature, datasets.ClassLabel):
                numbers = table.column(column).to_pylist()
                names = [None if number is None or number < 0 else feature.int2str(number) for number in numbers]
                table = table.set_column(place, column, pa.array(names, pa.string()))
        yield conform(table, columns, name, first)
        first += len(table)


@contextmanager
def _quietly() -> Iterator[None]:
    """Without the libraries' notes on retries and, where nobody can see them, without their progress bars."""
    import datasets

    loggers = [logging.getLogger(name) for name in ("datasets", "huggingface_hub")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    hide = not sys.stderr.isatty() and not datasets.are_progress_bars_disabled()
    if hide:
        datasets.disable_progress_bars()
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        if hide:
            datasets.enable_progress_bars()
