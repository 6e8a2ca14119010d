"""One source of rows: files of any kind, the copy that is kept, and the hub."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pytest

from wldetect.data import readers, sources
from wldetect.data.columns import Columns
from wldetect.data.sources import SourceRows, load_hub, read_hub, read_source
from wldetect.errors import DataError

COLUMNS = Columns(("text", "language"))
WEIGHTED = Columns(("text", "language"), ("weight",))
WriteRows = Callable[[Path, dict[str, Any]], Path]


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., SourceRows]:
    """`read_source` with this test's cache."""

    def read_here(name: Path | str, split: str = "train", columns: Columns = COLUMNS) -> SourceRows:
        return read_source(str(name), split, columns, tmp_path / "cache")

    return read_here


Read = Callable[..., SourceRows]


def rows_of(source: SourceRows, columns: list[str] | None = None) -> dict[str, list[Any]]:
    """All rows, column by column."""
    batches = list(source.batches(columns))
    names = pa.ipc.open_file(pa.OSFile(str(source.path))).schema.names if columns is None else columns
    return {name: [value for batch in batches for value in batch.column(name).to_pylist()] for name in names}


def kept(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "cache").rglob("*.arrow")) if (tmp_path / "cache").exists() else []


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl", ".json", ".csv", ".tsv"])
def test_files_of_a_directory(suffix: str, tmp_path: Path, write_rows: WriteRows, read: Read) -> None:
    for name, text in (("b", "second"), ("a", "first")):
        columns = {"text": [text, "same"], "language": [name, "x"], "weight": [0.5, 2.0], "other": [1, 2]}
        write_rows(tmp_path / "corpus" / (name + suffix), columns)
    source = read(tmp_path / "corpus", columns=WEIGHTED)
    assert source.name == str(tmp_path / "corpus")
    assert rows_of(source) == {
        "text": ["first", "same", "second", "same"],
        "language": ["a", "x", "b", "x"],
        "weight": [0.5, 2.0, 0.5, 2.0],
    }
    assert rows_of(source, ["language"]) == {"language": ["a", "x", "b", "x"]}
    (batch,) = list(source.batches(["weight", "text"]))[:1]
    assert sorted(batch.schema.names) == ["text", "weight"]


def test_text_files(tmp_path: Path, read: Read) -> None:
    folder = tmp_path / "corpus" / "train"
    folder.mkdir(parents=True)
    (folder / "deu_Latn.txt").write_text("eins\nzwei\n", encoding="utf-8")
    (folder / "eng_Latn.txt").write_text("one\n", encoding="utf-8")
    (tmp_path / "corpus" / "dev").mkdir()
    (tmp_path / "corpus" / "dev" / "deu_Latn.txt").write_text("drei\n", encoding="utf-8")
    expected = {"text": ["eins", "zwei", "one"], "language": ["deu_Latn", "deu_Latn", "eng_Latn"]}
    assert rows_of(read(tmp_path / "corpus")) == expected
    assert rows_of(read(tmp_path / "corpus", "dev")) == {"text": ["drei"], "language": ["deu_Latn"]}
    with pytest.raises(DataError, match="expected a split 'test', found dev, train"):
        read(tmp_path / "corpus", "test")


def test_pattern_and_single_file(tmp_path: Path, write_rows: WriteRows, read: Read) -> None:
    for name in "ab":
        write_rows(tmp_path / f"{name}.jsonl", {"text": [name], "language": ["x"]})
    assert rows_of(read(tmp_path / "*.jsonl"))["text"] == ["a", "b"]
    assert rows_of(read(tmp_path / "b.jsonl"))["text"] == ["b"]


def test_source_without_rows(tmp_path: Path, write_rows: WriteRows, read: Read) -> None:
    source = read(write_rows(tmp_path / "d.csv", {"text": [], "language": []}))
    assert rows_of(source) == {"text": [], "language": []}


def test_copy_is_read_in_the_pieces_it_was_written_in(
    tmp_path: Path, write_rows: WriteRows, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "_ROWS", 4)
    source = read(write_rows(tmp_path / "d.parquet", {"text": ["a"] * 10, "language": ["x"] * 10}))
    assert [source.path] == kept(tmp_path)
    assert [len(batch) for batch in source.batches()] == [4, 4, 2]


def test_copy_is_made_once(tmp_path: Path, write_rows: WriteRows, read: Read) -> None:
    path = write_rows(tmp_path / "d.parquet", {"text": ["a"], "language": ["x"]})
    first = read(path)
    (file,) = kept(tmp_path)
    written = file.stat().st_mtime_ns
    time.sleep(0.01)
    assert read(path).fingerprint == first.fingerprint
    # Where the file lies does not matter, only what it is called and holds.
    (tmp_path / "elsewhere").mkdir()
    moved = shutil.copy(path, tmp_path / "elsewhere")
    assert read(moved).fingerprint == first.fingerprint
    assert [one.stat().st_mtime_ns for one in kept(tmp_path)] == [written]


def test_copy_depends_on_content_and_columns(tmp_path: Path, write_rows: WriteRows, read: Read) -> None:
    columns = {"text": ["a"], "language": ["x"], "weight": [1.0], "other": [2.0]}
    first = read(write_rows(tmp_path / "d.parquet", columns))
    assert rows_of(read(tmp_path / "d.parquet", columns=WEIGHTED))["weight"] == [1.0]
    other = Columns(("language", "text"), ("other",))
    assert rows_of(read(tmp_path / "d.parquet", columns=other)) == {
        "language": ["x"],
        "text": ["a"],
        "other": [2.0],
    }
    changed = read(write_rows(tmp_path / "d.parquet", {**columns, "text": ["b"]}))
    assert rows_of(changed)["text"] == ["b"]
    assert changed.fingerprint != first.fingerprint
    assert len(kept(tmp_path)) == 4


def test_fault_in_a_later_file_leaves_no_copy(tmp_path: Path, write_rows: WriteRows, read: Read) -> None:
    write_rows(tmp_path / "corpus" / "a.jsonl", {"text": ["a"], "language": ["x"]})
    (tmp_path / "corpus" / "b.jsonl").write_bytes(b'{"text": "\xff"}\n')
    with pytest.raises(DataError, match=r"b\.jsonl: line 1: expected UTF-8"):
        read(tmp_path / "corpus")
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    "name", ["missing/at/all", "/missing", "../missing", "./x", "missing.parquet", "x/y.JSONL", "a b"]
)
def test_what_can_be_no_hub_id(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(datasets, "load_dataset_builder", lambda *_, **__: pytest.fail("asked the hub"))
    with pytest.raises(FileNotFoundError) as caught:
        read_source(name, "train", COLUMNS, tmp_path / "cache")
    assert caught.value.filename == name


class Builder:
    """What the library finds of a data set before it reads any of it."""

    def __init__(self, rows: datasets.IterableDataset, commit: str) -> None:
        self.config = datasets.BuilderConfig(name="default")
        self.hash = commit
        self._rows = rows

    def as_streaming_dataset(self, *, split: str) -> datasets.IterableDataset:
        if split != "train":
            raise ValueError(f"Bad split: {split}. Available splits: ['train']")
        return self._rows


def on_hub(
    monkeypatch: pytest.MonkeyPatch, answer: datasets.Dataset | datasets.IterableDataset | Exception, commit: str = "c1"
) -> list[str]:
    asked: list[str] = []
    rows = answer.to_iterable_dataset() if isinstance(answer, datasets.Dataset) else answer

    def load_dataset_builder(name: str) -> Builder:
        asked.append(name)
        if isinstance(rows, Exception):
            raise rows
        return Builder(rows, commit)

    monkeypatch.setattr(datasets, "load_dataset_builder", load_dataset_builder)
    return asked


def test_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, read: Read) -> None:
    rows = {"text": ["a", "b", None], "language": [1, 0, -1], "weight": [1, 2, 3], "other": [1, 2, 3]}
    features = datasets.Features(
        {
            "text": datasets.Value("large_string"),
            "language": datasets.ClassLabel(names=["eng_Latn", "deu_Latn"]),
            "weight": datasets.Value("int32"),
            "other": datasets.Value("int64"),
        }
    )
    answer = datasets.Dataset.from_dict(rows, features=features)
    asked = on_hub(monkeypatch, answer)
    source = read("someone/corpus", "train", WEIGHTED)
    assert rows_of(source) == {
        "text": ["a", "b", None],
        "language": ["deu_Latn", "eng_Latn", None],
        "weight": [1.0, 2.0, 3.0],
    }
    assert pa.ipc.open_file(pa.OSFile(str(source.path))).schema.types == [pa.string(), pa.string(), pa.float64()]
    assert asked == ["someone/corpus"]
    # The same commit is not read again.
    on_hub(monkeypatch, answer.select([1]))
    assert read("someone/corpus", "train", WEIGHTED) == source
    on_hub(monkeypatch, answer.select([1]), "c2")
    other = read("someone/corpus", "train", WEIGHTED)
    assert rows_of(other)["text"] == ["b"]
    assert other.fingerprint != source.fingerprint


def test_hub_is_streamed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, read: Read) -> None:
    """No more is made than is asked for, and nothing is kept by the library."""
    monkeypatch.setattr(sources, "_ROWS", 3)
    made: list[int] = []

    def make() -> Iterator[dict[str, str]]:
        for number in range(10):
            made.append(number)
            yield {"text": f"t{number}", "language": "x"}

    # Without a table of columns, as of files of JSON or CSV.
    on_hub(monkeypatch, datasets.IterableDataset.from_generator(make))
    found = load_hub("someone/corpus", "train")
    assert found.column_names == ["text", "language"]
    tables = read_hub(found, COLUMNS, "someone/corpus")
    made.clear()
    next(tables)
    assert len(made) <= 6
    source = read("someone/corpus")
    assert rows_of(source)["text"] == [f"t{number}" for number in range(10)]
    assert [len(batch) for batch in source.batches()] == [3, 3, 3, 1]


def test_hub_faults(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, read: Read) -> None:
    on_hub(monkeypatch, datasets.Dataset.from_dict({"text": ["a"], "lang": ["x"]}))
    with pytest.raises(DataError, match=r"^someone/corpus: expected a column 'language', found text, lang$"):
        read("someone/corpus")
    with pytest.raises(DataError, match=r"split 'dev' cannot be loaded from the hub: Bad split: dev. Available"):
        read("someone/corpus", "dev")
    on_hub(monkeypatch, datasets.Dataset.from_dict({"text": [1], "language": ["x"]}))
    with pytest.raises(DataError, match=r"^someone/corpus: column 'text': expected text, found int64$"):
        read("someone/corpus")
    on_hub(monkeypatch, datasets.exceptions.DatasetNotFoundError("gone\nmore"))
    with pytest.raises(FileNotFoundError, match="no such dataset on the hub"):
        load_hub("someone/corpus", "train")
    cause = RuntimeError("first line\nsecond line")
    error = ValueError("outer")
    error.__cause__ = cause
    on_hub(monkeypatch, error)
    with pytest.raises(DataError) as caught:
        load_hub("someone/corpus", "train")
    reason = "no such file or directory, and split 'train' cannot be loaded from the hub: first line"
    assert str(caught.value) == f"someone/corpus: {reason}"


def test_connection_that_breaks_leaves_no_copy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, read: Read) -> None:
    def make() -> Iterator[dict[str, str]]:
        yield {"text": "a", "language": "x"}
        raise ConnectionError("cut")

    features = datasets.Features({name: datasets.Value("string") for name in ("text", "language")})
    on_hub(monkeypatch, datasets.IterableDataset.from_generator(make, features=features))
    with pytest.raises(DataError, match=r"^someone/corpus: .*split 'train' cannot be loaded from the hub: cut$"):
        read("someone/corpus")
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_what_was_read_before_serves_where_the_hub_cannot_be_reached(
    monkeypatch: pytest.MonkeyPatch, read: Read, capsys: pytest.CaptureFixture[str]
) -> None:
    on_hub(monkeypatch, datasets.Dataset.from_dict({"text": ["a"], "language": ["x"], "weight": [1.0]}))
    first = read("someone/corpus")
    on_hub(monkeypatch, datasets.Dataset.from_dict({"text": ["b"], "language": ["x"], "weight": [1.0]}), "c2")
    second = read("someone/corpus")
    assert second.path != first.path
    assert capsys.readouterr().err == ""
    on_hub(monkeypatch, ConnectionError("no network"))
    assert read("someone/corpus") == second
    warning = "split 'train' cannot be loaded from the hub: no network; what was read of it before is used"
    assert capsys.readouterr().err == f"warning: someone/corpus: no such file or directory, and {warning}\n"
    for other in (("someone/corpus", "dev"), ("someone/corpus", "train", WEIGHTED), ("someone/else", "train")):
        with pytest.raises(DataError, match="no network"):
            read(*other)
    # A data set that is gone is gone.
    on_hub(monkeypatch, datasets.exceptions.DatasetNotFoundError("gone"))
    with pytest.raises(FileNotFoundError):
        read("someone/corpus")
    second.path.unlink()
    on_hub(monkeypatch, ConnectionError("no network"))
    with pytest.raises(DataError, match="no network"):
        read("someone/corpus")


def test_hub_is_asked_quietly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Notes on retries would come before the one line that an error is to be."""
    names = ["datasets", "huggingface_hub", "huggingface_hub.utils._http"]
    before = [logging.getLogger(name).getEffectiveLevel() for name in names]
    shown = datasets.are_progress_bars_disabled()
    during: list[object] = []

    def load_dataset_builder(name: str) -> Builder:
        during.extend(logging.getLogger(name).isEnabledFor(logging.WARNING) for name in names)
        during.append(datasets.are_progress_bars_disabled())
        raise ConnectionError("no network")

    monkeypatch.setattr(datasets, "load_dataset_builder", load_dataset_builder)
    with pytest.raises(DataError, match="no network"):
        load_hub("someone/corpus", "train")
    assert during == [False, False, False, True]
    assert [logging.getLogger(name).getEffectiveLevel() for name in names] == before
    assert datasets.are_progress_bars_disabled() == shown
