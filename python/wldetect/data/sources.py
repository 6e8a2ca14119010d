"""One source of labelled texts, whatever it is stored as: read once, checked, and kept as an Arrow file."""

from __future__ import annotations

import errno
import gc
import hashlib
import json
import logging
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wldetect.data.columns import Columns, check_columns, conform
from wldetect.data.files import DATA_SUFFIXES, files_fingerprint, find_files, one_line
from wldetect.data.readers import open_rows
from wldetect.errors import DataError
from wldetect.files import atomic_path

if TYPE_CHECKING:
    import pyarrow as pa
    from datasets import IterableDataset

__all__ = ["HubRows", "SourceRows", "keep_rows", "load_hub", "place_of_row", "read_hub", "read_source"]

# Raised whenever the same files would be read as other rows, or the copy is written otherwise.
_CACHE_VERSION = 2
_HUB_ID = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")
_ROWS = 20_000
# Of the cache.
_FOLDER = "sources"


@dataclass(frozen=True)
class SourceRows:
    """The rows of one source.

    Attributes:
        name: the file, directory or hub id, as the configuration gives it.
        path: the Arrow file with the columns asked for: text (which may be null), and numbers as float64.
        fingerprint: SHA-256 (hex) of the content, or of what identifies a hub data set and its commit.
    """

    name: str
    path: Path
    fingerprint: str

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """The rows in order, in batches; only ``columns`` are read, or all.

        The file is read, not mapped: mapped pages count as resident memory until something else needs it.
        """
        import pyarrow as pa

        with pa.OSFile(str(self.path)) as file:
            names = pa.ipc.open_file(file).schema.names
            wanted = None if columns is None else sorted(names.index(name) for name in set(columns))
            reader = pa.ipc.open_file(file, options=pa.ipc.IpcReadOptions(included_fields=wanted))
            for index in range(reader.num_record_batches):
                yield reader.get_batch(index)


@dataclass(frozen=True)
class HubRows:
    """A data set of the hub, read as it is streamed.

    Attributes:
        rows: the library's data set.
        column_names: its columns; empty where it has no rows that tell.
        fingerprint: SHA-256 (hex) of its id, configuration, split and commit.
    """

    rows: IterableDataset
    column_names: list[str]
    fingerprint: str


def read_source(
    name: str, split: str, columns: Columns, cache_dir: Path, *, only: Sequence[str] = (), progress: bool = False
) -> SourceRows:
    """Open the rows of ``name``: a file, a pattern of files, a directory, or a hub id.

    They are read once, checked, and kept in ``cache_dir`` under a name made from their content. Where the hub cannot be
    reached, what was read of it before serves, with a warning.

    Args:
        name: parquet, JSON lines, CSV or TSV files; a directory of them; a directory of text files named by label
            (``deu_Latn.txt``, one text a line: the columns are then the first two); or a hub id.
        split: the part to read; see `wldetect.data.files.find_files`.
        columns: the columns to read.
        cache_dir: where the copy is kept.
        only: the files of a directory to read, by name; none: those of the split.
        progress: show a progress bar while rows are read, if somebody is looking.

    Raises:
        FileNotFoundError: there is no such file, directory or data set.
        OSError: a file cannot be read, or the copy not written.
        DataError: no such split, a column that is not there or of another type, a damaged file, text that is not UTF-8.
    """
    files = find_files(name, split, only)
    if files is None:
        return _read_hub_source(name, split, columns, cache_dir, progress)
    fingerprint = files_fingerprint(files.paths)
    tables = chain.from_iterable(open_rows(path, files.kind).tables(columns) for path in files.paths)
    return keep_rows(name, fingerprint, columns, tables, cache_dir, progress=progress)


def place_of_row(name: str, split: str, text_column: str, row: int) -> str:
    """What to call a row of a source, counted from 0 over all of its files: the file, and the row in it from 1.

    The files are read up to there. Of a source without files, the name stands for the file.
    """
    files = find_files(name, split)
    if files is not None:
        left = row
        for path in files.paths:
            tables = open_rows(path, files.kind).tables(Columns((text_column,)))
            n_rows = sum(map(len, tables))
            if left < n_rows:
                return f"{path}: row {left + 1}"
            left -= n_rows
    return f"{name}: row {row + 1}"


def _read_hub_source(name: str, split: str, columns: Columns, cache_dir: Path, progress: bool) -> SourceRows:
    """As `read_source`; what was read the last time serves where the hub cannot be reached."""
    directory = cache_dir / _FOLDER
    key = json.dumps([_CACHE_VERSION, name, split, asdict(columns)])
    last = directory / f"{hashlib.sha256(key.encode()).hexdigest()}.hub"
    try:
        found = load_hub(name, split)
    except DataError as error:
        fingerprint = last.read_text(encoding="ascii") if last.is_file() else ""
        path = _path_of(fingerprint, columns, directory)
        if not path.is_file():
            raise
        print(f"warning: {error}; what was read of it before is used", file=sys.stderr)
        return SourceRows(name, path, fingerprint)
    source = keep_rows(name, found.fingerprint, columns, read_hub(found, columns, name), cache_dir, progress=progress)
    with atomic_path(last) as temporary:
        temporary.write_text(found.fingerprint, encoding="ascii")
    return source


def _path_of(fingerprint: str, columns: Columns, directory: Path) -> Path:
    key = json.dumps([_CACHE_VERSION, fingerprint, asdict(columns)])
    return directory / f"{hashlib.sha256(key.encode()).hexdigest()}.arrow"


def keep_rows(
    name: str,
    fingerprint: str,
    columns: Columns,
    tables: Iterable[pa.Table],
    cache_dir: Path,
    *,
    progress: bool = False,
) -> SourceRows:
    """The copy of ``tables``, which are of ``columns`` and are read only if there is none in ``cache_dir``.

    Raises:
        OSError: it cannot be written.
    """
    directory = cache_dir / _FOLDER
    path = _path_of(fingerprint, columns, directory)
    if not path.is_file():
        with _bar(name, progress) as bar, atomic_path(path) as temporary, _quietly():
            _write(temporary, columns, tables, bar)
    return SourceRows(name, path, fingerprint)


def _write(path: Path, columns: Columns, tables: Iterable[pa.Table], bar: Any) -> None:
    import pyarrow as pa

    types = {name: pa.string() if name in columns.text else pa.float64() for name in columns.names}
    schema = pa.schema(types)
    with path.open("wb") as file, pa.ipc.new_file(file, schema) as writer:
        for table in tables:
            # In one piece, however many the table is made of.
            for batch in table.combine_chunks().to_batches():
                writer.write_batch(batch)
            bar.update(len(table))


def load_hub(name: str, split: str) -> HubRows:
    """Find a data set of the Hugging Face hub; its rows are fetched when they are read.

    Raises:
        FileNotFoundError: there is none of that name, or it can only be the name of a file.
        DataError: there is, but not that split of it, or it cannot be loaded.
    """
    if not _HUB_ID.fullmatch(name) or name.lower().endswith(DATA_SUFFIXES):
        raise FileNotFoundError(errno.ENOENT, "no such file or directory", name)
    import datasets

    with _quietly(), _hub_errors(name, split):
        builder = datasets.load_dataset_builder(name)
        rows = builder.as_streaming_dataset(split=split)
        # Data sets without a table of their columns show them in their first row.
        names = rows.column_names or _first_names(rows)
        identity = json.dumps(["hub", name, builder.config.name, split, builder.hash])
        return HubRows(rows, names, hashlib.sha256(identity.encode()).hexdigest())


def _first_names(rows: Any) -> list[str]:
    reading = iter(rows)
    names = list(next(reading, {}))
    del reading
    _end_reading()
    return names


def _end_reading() -> None:
    """Free readers that nobody holds any more. Arrow's threads abort a process that ends while one of them is left, and
    a reader that was not read to its end lives in a cycle (apache/arrow issue 45214)."""
    gc.collect()


def read_hub(found: HubRows, columns: Columns, name: str) -> Iterator[pa.Table]:
    """The rows of a hub data set in tables of ``columns``, as `wldetect.data.readers.RowFile.tables` gives them.

    Raises:
        DataError: as there, or the rows cannot be fetched.
    """
    import datasets
    import pyarrow as pa

    check_columns(name, found.column_names, columns.names)
    features = found.rows.features or {}
    tables = found.rows.select_columns(list(columns.names)).with_format("arrow").iter(_ROWS)
    first = 1
    try:
        while True:
            with _hub_errors(name, str(found.rows.split)):
                table = next(tables, None)
            if table is None:
                return
            for place, column in enumerate(table.column_names):
                feature = features.get(column)
                # Class labels are stored as numbers; -1 and null stand for none.
                if isinstance(feature, datasets.ClassLabel):
                    numbers = table.column(column).to_pylist()
                    names = [None if number is None or number < 0 else feature.int2str(number) for number in numbers]
                    table = table.set_column(place, column, pa.array(names, pa.string()))
            yield conform(table, columns, name, first)
            first += len(table)
    finally:
        del tables
        _end_reading()


@contextmanager
def _hub_errors(name: str, split: str) -> Iterator[None]:
    """Whatever the hub's client raises, as one line."""
    import datasets

    try:
        yield
    except datasets.exceptions.DatasetNotFoundError as error:
        reason = f"no such file or directory, and no such dataset on the hub ({one_line(error)})"
        raise FileNotFoundError(errno.ENOENT, reason, name) from error
    # What the hub client raises depends on its HTTP library and on the dataset; all of it means this.
    except Exception as error:
        reason = f"split {split!r} cannot be loaded from the hub: {one_line(error.__cause__ or error)}"
        raise DataError(f"{name}: no such file or directory, and {reason}") from error


@contextmanager
def _quietly() -> Iterator[None]:
    """Without the libraries' notes on retries and, where nobody can see them, without their progress bars."""
    # Nothing to quieten where the library was not needed.
    if "datasets" not in sys.modules:
        yield
        return
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


def _bar(name: str, progress: bool) -> Any:
    from tqdm import tqdm

    hidden = not (progress and sys.stderr.isatty())
    return tqdm(desc=f"reading {Path(name).name}", unit=" rows", unit_scale=True, disable=hidden)
