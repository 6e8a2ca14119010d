"""One source of rows as a memory-mapped data set: files of any kind, the copy that is kept, and the hub."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pytest

from wldetect.data.columns import Columns
from wldetect.data.sources import SourceRows, load_hub, read_source
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


def kept(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "cache").rglob("*.arrow")) if (tmp_path / "cache").exists() else []


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl", ".json", ".csv", ".tsv"])
def test_files_of_a_directory(suffix: str, tmp_path: Path, write_rows: WriteRows, read: Read) -> None:
    for name, text in (("b", "second"), ("a", "first")):
        columns = {"text": [text, "same"], "language": [name, "x"], "weight": [0.5, 2.0], "other": [1, 2]}
        write_rows(tmp_path / "corpus" / (name + suffix), columns)
    source = read(tmp_path / "corpus", columns=WEIGHTED)
    assert source.name == str(tmp_path / "corpus")
    assert source.rows.to_dict() == {
        "text": ["first", "same", "second", "same"],
        "language": ["a", "x", "b", "x"],
        "weight": [0.5, 2.0, 0.5, 2.0],
    }
    assert len(source.rows) == 4


def test_text_files(tmp_path: Path, read: Read) -> None:
    folder = tmp_path / "corpus" / "train"
    folder.mkdir(parents=True)
    (folder / "deu_Latn.txt").write_text("eins\nzwei\n", encoding="utf-8")
    (folder / "eng_Latn.txt").write_text("one\n", encoding="utf-8")
    (tmp_path / "corpus" / "dev").mkdir()
    (tmp_path / "corpus" / "dev" / "deu_Latn.txt").write_text("drei\n", encoding="utf-8")
    expected = {"text": ["eins", "zwei", "one"], "language": ["deu_Latn", "deu_Latn", "eng_Latn"]}
    assert read(tmp_path / "corpus").rows.to_dict() == expected
    assert read(tmp_path / "corpus", "dev").rows.to_dict() == {"text": ["drei"], "language": ["deu_Latn"]}
    with pytest.raises(DataError, match="expected a split 'test', found dev, train"):
        read(tmp_path / "corpus", "test")


def test_pattern_and_single_file(tmp_path: Path, write_rows: WriteRows, read: Read) -> None:
    for name in "ab":
        write_rows(tmp_path / f"{name}.jsonl", {"text": [name], "language": ["x"]})
    assert read(tmp_path / "*.jsonl").rows["text"] == ["a", "b"]
    assert read(tmp_path / "b.jsonl").rows["text"] == ["b"]


def test_source_without_rows(tmp_path: Path, write_rows: WriteRows, read: Read) -> None:
    source = read(write_rows(tmp_path / "d.csv", {"text": [], "language": []}))
    assert len(source.rows) == 0
    assert source.rows.column_names == ["text", "language"]


def test_rows_are_memory_mapped(tmp_path: Path, write_rows: WriteRows, read: Read) -> None:
    source = read(write_rows(tmp_path / "d.parquet", {"text": ["a"], "language": ["x"]}))
    assert [Path(file["filename"]) for file in source.rows.cache_files] == kept(tmp_path)


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
    assert read(tmp_path / "d.parquet", columns=WEIGHTED).rows["weight"] == [1.0]
    other = Columns(("language", "text"), ("other",))
    assert read(tmp_path / "d.parquet", columns=other).rows.to_dict() == {
        "language": ["x"],
        "text": ["a"],
        "other": [2.0],
    }
    changed = read(write_rows(tmp_path / "d.parquet", {**columns, "text": ["b"]}))
    assert changed.rows["text"] == ["b"]
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
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: pytest.fail("asked the hub"))
    with pytest.raises(FileNotFoundError) as caught:
        read_source(name, "train", COLUMNS, tmp_path / "cache")
    assert caught.value.filename == name


def on_hub(monkeypatch: pytest.MonkeyPatch, answer: datasets.Dataset | Exception) -> list[tuple[str, str]]:
    asked: list[tuple[str, str]] = []

    def load_dataset(name: str, *, split: str) -> datasets.Dataset:
        asked.append((name, split))
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
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
    assert source.rows.to_dict() == {
        "text": ["a", "b", None],
        "language": ["deu_Latn", "eng_Latn", None],
        "weight": [1.0, 2.0, 3.0],
    }
    assert source.rows.data.schema.types == [pa.string(), pa.string(), pa.float64()]
    assert source.fingerprint == answer._fingerprint
    assert asked == [("someone/corpus", "train")]
    # Its indices are followed, and make it another data set.
    on_hub(monkeypatch, answer.select([1]))
    assert read("someone/corpus", "train", WEIGHTED).rows["text"] == ["b"]


def test_hub_faults(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, read: Read) -> None:
    on_hub(monkeypatch, datasets.Dataset.from_dict({"text": ["a"], "lang": ["x"]}))
    with pytest.raises(DataError, match=r"^someone/corpus: expected a column 'language', found text, lang$"):
        read("someone/corpus")
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


def test_hub_is_asked_quietly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Notes on retries would come before the one line that an error is to be."""
    names = ["datasets", "huggingface_hub", "huggingface_hub.utils._http"]
    before = [logging.getLogger(name).getEffectiveLevel() for name in names]
    shown = datasets.are_progress_bars_disabled()
    during: list[object] = []

    def load_dataset(name: str, *, split: str) -> datasets.Dataset:
        during.extend(logging.getLogger(name).isEnabledFor(logging.WARNING) for name in names)
        during.append(datasets.are_progress_bars_disabled())
        raise ConnectionError("no network")

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    with pytest.raises(DataError, match="no network"):
        load_hub("someone/corpus", "train")
    assert during == [False, False, False, True]
    assert [logging.getLogger(name).getEffectiveLevel() for name in names] == before
    assert datasets.are_progress_bars_disabled() == shown
