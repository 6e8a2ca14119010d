"""Reading labelled texts: every kind of source, and everything that can be wrong with one."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from wldetect.errors import ConfigError, DataError
from wldetect.evaluation import LabelledTexts, load_flores

TEXTS = ["Guten Morgen.", "Good morning.", "Bonjour, \u2028 ça va ?"]
LABELS = ["deu_Latn", "eng_Latn", "fra_Latn"]
CODES = {"iso_639_3": ["deu", "eng", "fra"], "iso_15924": ["Latn"] * 3}


def write_parquet(path: Path, columns: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)
    return path


def contents(found: LabelledTexts) -> list[tuple[str, str]]:
    return list(zip(found.labels, found.texts, strict=True))


def error_of(kind: type[Exception], *arguments: Any, **options: Any) -> str:
    with pytest.raises(kind) as caught:
        load_flores(*arguments, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_parquet_with_flores_columns(tmp_path: Path) -> None:
    path = write_parquet(
        tmp_path / "flores.parquet", {"id": [0, 1, 2], **CODES, "glottocode": ["a"] * 3, "text": TEXTS}
    )
    found = load_flores(str(path))
    assert found == LabelledTexts(TEXTS, LABELS, str(path), "dev")
    assert len(found) == 3


def test_language_column_goes_before_codes(tmp_path: Path) -> None:
    path = str(write_parquet(tmp_path / "d.parquet", {**CODES, "language": ["x", "y", "z"], "text": TEXTS}))
    assert load_flores(path).labels == ["x", "y", "z"]
    assert load_flores(path, language_column="iso_639_3").labels == CODES["iso_639_3"]


def test_other_column_names(tmp_path: Path) -> None:
    path = str(write_parquet(tmp_path / "d.parquet", {"sentence": TEXTS, "code": LABELS}))
    found = load_flores(path, text_column="sentence", language_column="code")
    assert (found.texts, found.labels) == (TEXTS, LABELS)


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.binary(), pa.dictionary(pa.int32(), pa.string())])
def test_parquet_text_types(tmp_path: Path, kind: pa.DataType) -> None:
    values = [text.encode() for text in TEXTS] if kind == pa.binary() else TEXTS
    array = pa.array(values).dictionary_encode() if pa.types.is_dictionary(kind) else pa.array(values, type=kind)
    path = write_parquet(tmp_path / "d.parquet", {"text": array, "language": LABELS})
    assert load_flores(str(path)).texts == TEXTS


def test_split_column_filters_rows(tmp_path: Path) -> None:
    columns = {"text": TEXTS, "language": LABELS, "split": ["dev", "devtest", "dev"]}
    path = str(write_parquet(tmp_path / "both.parquet", columns))
    assert contents(load_flores(path)) == [(LABELS[0], TEXTS[0]), (LABELS[2], TEXTS[2])]
    assert load_flores(path, "devtest").texts == [TEXTS[1]]
    message = error_of(DataError, path, "train")
    assert message == f"{path}: expected rows of split 'train', found only those of dev, devtest"


def test_json_lines_and_csv(tmp_path: Path) -> None:
    lines = [json.dumps({"text": text, "language": label}) for text, label in zip(TEXTS, LABELS, strict=True)]
    (tmp_path / "d.jsonl").write_text("\n\n".join(lines), encoding="utf-8")
    assert contents(load_flores(str(tmp_path / "d.jsonl"))) == list(zip(LABELS, TEXTS, strict=True))
    (tmp_path / "d.csv").write_text('\ufefftext,language\n"Two\nlines, ""quoted""",eng_Latn\n\n', encoding="utf-8")
    assert contents(load_flores(str(tmp_path / "d.csv"))) == [("eng_Latn", 'Two\nlines, "quoted"')]


def test_text_folders(tmp_path: Path) -> None:
    for split in ("dev", "train"):
        (tmp_path / split).mkdir()
        (tmp_path / split / "deu_Latn.txt").write_bytes(f"\ufeff {split} eins \r\n\r\nzwei\u2028drei".encode())
        (tmp_path / split / "abk_Cyrl.txt").write_text("\n", encoding="utf-8")
    assert contents(load_flores(str(tmp_path))) == [("deu_Latn", "dev eins"), ("deu_Latn", "zwei\u2028drei")]
    assert load_flores(str(tmp_path), "train").texts[0] == "train eins"
    message = error_of(DataError, str(tmp_path), "test")
    assert message == f"{tmp_path}: expected a split 'test', found dev, train"
    # One file, or a folder of such files, belongs to every split.
    assert len(load_flores(str(tmp_path / "dev"), "any")) == 2
    assert len(load_flores(str(tmp_path / "dev" / "deu_Latn.txt"))) == 2


def test_folder_of_parquet_files(tmp_path: Path) -> None:
    (tmp_path / "README.txt").write_text("about the data", encoding="utf-8")
    for number, name in enumerate(["dev-00000-of-00002", "dev-00001-of-00002", "devtest"]):
        write_parquet(tmp_path / f"{name}.parquet", {"text": [TEXTS[number]], "language": [LABELS[number]]})
    assert load_flores(str(tmp_path)).texts == TEXTS[:2]
    assert load_flores(str(tmp_path), "devtest").texts == TEXTS[2:]
    message = error_of(DataError, str(tmp_path), "train")
    assert message == f"{tmp_path}: expected a split 'train', found dev, devtest"


def test_files_that_name_no_split_belong_to_every_one(tmp_path: Path) -> None:
    for text, label in zip(TEXTS, LABELS, strict=True):
        write_parquet(tmp_path / f"{label}.parquet", {"text": [text], "language": [label]})
    assert contents(load_flores(str(tmp_path))) == list(zip(LABELS, TEXTS, strict=True))


def test_patterns_and_tables_of_other_kinds(tmp_path: Path) -> None:
    for number, label in enumerate(LABELS[:2]):
        write_parquet(tmp_path / "parts" / f"{label}.parquet", {"text": [TEXTS[number]], "language": [label]})
    assert load_flores(str(tmp_path / "parts" / "*.parquet")).texts == TEXTS[:2]
    (tmp_path / "d.tsv").write_text("text\tlanguage\na, b\teng_Latn\n", encoding="utf-8")
    assert contents(load_flores(str(tmp_path / "d.tsv"))) == [("eng_Latn", "a, b")]
    (tmp_path / "d.json").write_text(json.dumps([{"text": "a", "language": "eng_Latn"}]), encoding="utf-8")
    assert contents(load_flores(str(tmp_path / "d.json"))) == [("eng_Latn", "a")]


def test_files_that_differ_in_their_columns(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", {"text": TEXTS, **CODES})
    write_parquet(tmp_path / "b.parquet", {"text": ["x"], "language": ["y_Z"], "split": ["dev"]})
    assert contents(load_flores(str(tmp_path))) == [*zip(LABELS, TEXTS, strict=True), ("y_Z", "x")]


def test_rows_are_counted_through_the_file(tmp_path: Path) -> None:
    labels: list[str | None] = ["a"] * 50_000
    labels[40_000] = None
    path = write_parquet(tmp_path / "d.parquet", {"text": ["x"] * 50_000, "language": labels})
    assert error_of(DataError, str(path)) == f"{path}: row 40001: column 'language': expected text, found null"


def test_relative_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_parquet(tmp_path / "configs" / "d.parquet", {"text": ["beside"], "language": ["a"]})
    write_parquet(tmp_path / "d.parquet", {"text": ["here"], "language": ["a"]})
    monkeypatch.chdir(tmp_path)
    assert load_flores("d.parquet").texts == ["here"]
    assert load_flores("d.parquet", config_path=Path("configs/training.yaml")).texts == ["beside"]


def test_packaged_corpus() -> None:
    found = load_flores("package:wldetect/starter/corpus")
    assert (found.name, found.split) == ("package:wldetect/starter/corpus", "dev")
    assert len(set(found.labels)) >= 40
    assert all(found.labels.count(label) >= 10 for label in set(found.labels))
    assert "package:wldetect/" in error_of(ConfigError, "package:numpy/core")
    assert "package:wldetect/none" in error_of(FileNotFoundError, "package:wldetect/none")


@pytest.mark.parametrize("name", ["nowhere/at/all", "/nowhere", "missing.parquet", "data/dev.JSONL", "", "../x"])
def test_missing_file(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    if not name:
        # The current directory, which is empty here.
        assert "expected files of type" in error_of(DataError, name)
    else:
        assert f"no such file or directory: '{name}'" in error_of(FileNotFoundError, name)


def test_missing_columns(tmp_path: Path) -> None:
    path = str(write_parquet(tmp_path / "d.parquet", {"sentence": TEXTS, "iso_639_3": CODES["iso_639_3"]}))
    assert error_of(DataError, path) == f"{path}: expected a column 'text', found sentence, iso_639_3"
    message = error_of(DataError, path, text_column="sentence")
    wanted = "expected a column 'language', or 'iso_639_3' and 'iso_15924'"
    assert message == f"{path}: {wanted}, found sentence, iso_639_3"
    message = error_of(DataError, path, text_column="sentence", language_column="code")
    assert message == f"{path}: expected a column 'code', found sentence, iso_639_3"


def test_column_twice(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text("text,text,language\na,b,c\n", encoding="utf-8")
    assert error_of(DataError, str(path)) == f"{path}: expected one column 'text', found 2"


def test_columns_that_are_not_text(tmp_path: Path) -> None:
    path = str(write_parquet(tmp_path / "d.parquet", {"text": [1, 2], "language": ["a", "b"]}))
    assert error_of(DataError, path) == f"{path}: column 'text': expected text, found int64"
    path = str(write_parquet(tmp_path / "d.parquet", {"text": ["x", "y"], "language": ["a", None]}))
    assert error_of(DataError, path) == f"{path}: row 2: column 'language': expected text, found null"
    path = str(tmp_path / "d.jsonl")
    Path(path).write_text('{"text": "x", "language": "a"}\n{"text": 3, "language": "a"}\n', encoding="utf-8")
    assert error_of(DataError, path) == f"{path}: line 2: column 'text': expected text, found int"
    Path(path).write_text('{"text": "x", "language": "a"}\n{"text": "\\ud83d", "language": "a"}\n', encoding="utf-8")
    assert "line 2: column 'text': expected Unicode text, found a lone surrogate" in error_of(DataError, path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("d.parquet", None),
        ("d.jsonl", b""),
        ("d.jsonl", b"\n \n"),
        ("d.csv", b""),
        ("d.csv", b"text,language\n"),
        ("a.txt", b" \n\n"),
    ],
)
def test_no_texts(name: str, content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / name
    if content is None:
        write_parquet(path, {"text": pa.array([], pa.string()), "language": pa.array([], pa.string())})
    else:
        path.write_bytes(content)
    assert error_of(DataError, str(path)) == f"{path}: expected one or more texts, found none"


def test_directories_without_data(tmp_path: Path) -> None:
    assert error_of(DataError, str(tmp_path)).startswith(f"{tmp_path}: expected files of type .parquet")
    (tmp_path / "dev").mkdir()
    assert error_of(DataError, str(tmp_path)).startswith(f"{tmp_path / 'dev'}: expected files of type .parquet")
    (tmp_path / "notes.md").write_text("x", encoding="utf-8")
    assert error_of(DataError, str(tmp_path / "notes.md")).endswith("found .md")


@pytest.mark.parametrize(
    ("name", "content", "where", "byte"),
    [
        ("deu_Latn.txt", b"gut\nsch\xf6n\n", "line 2", "byte 0xf6 at offset 7"),
        ("deu_Latn.txt", "gut".encode("utf-16"), "line 1", "byte 0xff at offset 0"),
        ("d.jsonl", b'{"text": "a", "language": "b"}\n{"text": "\xe9"}\n', "line 2", "byte 0xe9 at offset 41"),
        ("d.csv", b"text,language\nok,a\n\xe9t\xe9,b\n", "line 3", "byte 0xe9 at offset 19"),
    ],
)
def test_not_utf8(name: str, content: bytes, where: str, byte: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert error_of(DataError, str(path)).startswith(f"{path}: {where}: expected UTF-8, found {byte} of the file (")


def test_parquet_string_that_is_not_utf8(tmp_path: Path) -> None:
    broken = pa.array([b"fine", b"sch\xf6n"], pa.binary()).view(pa.string())
    path = write_parquet(tmp_path / "d.parquet", {"text": broken, "language": ["a", "b"]})
    message = error_of(DataError, str(path))
    assert message == f"{path}: row 2: column 'text': expected UTF-8, found byte 0xf6 at position 4"


@pytest.mark.parametrize("keep", [0, 3, 100, -10, -1])
def test_truncated_parquet(keep: int, tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "d.parquet", {"text": TEXTS, "language": LABELS})
    path.write_bytes(path.read_bytes()[:keep])
    assert error_of(DataError, str(path)).startswith(f"{path}: not a whole parquet file: ")


def test_damaged_parquet_data(tmp_path: Path) -> None:
    path = tmp_path / "d.parquet"
    table = pa.table({"text": [f"sentence {i}" for i in range(5000)], "language": ["a"] * 5000})
    pq.write_table(table, path, use_dictionary=False, compression="zstd")
    content = bytearray(path.read_bytes())
    content[40:4000] = bytes(3960)
    path.write_bytes(content)
    assert error_of(DataError, str(path)).startswith(f"{path}: not a whole parquet file: ")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("d.jsonl", '{"text": "a", "language": "b"}\n{"text": ', "line 2: expected JSON: "),
        ("d.jsonl", '["text", "language"]', "line 1: expected a JSON object, found list"),
        ("d.jsonl", "[" * 200_000, "line 1: expected JSON: "),
        ("d.csv", "text,language\na,b,c\n", "line 2: expected 2 fields, found 3"),
        ("d.csv", 'text,language\n"a,b\n', "expected CSV: "),
        ("d.csv", "text,language\n" + "a" * 200_000 + ",b\n", "line 2: expected CSV: "),
    ],
)
def test_malformed_rows(name: str, content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    assert message in error_of(DataError, str(path))
    assert error_of(DataError, str(path)).startswith(f"{path}: line ")


@pytest.mark.skipif(os.name == "nt" or getattr(os, "geteuid", lambda: 1)() == 0, reason="needs file permissions")
def test_unreadable_file_is_the_systems_error(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "d.parquet", {"text": TEXTS, "language": LABELS})
    path.chmod(0)
    with pytest.raises(PermissionError):
        load_flores(str(path))


def on_hub(monkeypatch: pytest.MonkeyPatch, answer: Callable[[], datasets.Dataset]) -> list[tuple[str, str]]:
    """Put ``answer`` in place of the hub; returns the list of what is asked of it."""
    asked: list[tuple[str, str]] = []

    class Builder:
        config = datasets.BuilderConfig(name="default")
        hash = "commit"

        def __init__(self, name: str) -> None:
            self._name = name

        def as_streaming_dataset(self, *, split: str) -> datasets.IterableDataset:
            asked.append((self._name, split))
            return answer().to_iterable_dataset()

    monkeypatch.setattr(datasets, "load_dataset_builder", Builder)
    return asked


def test_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = on_hub(monkeypatch, lambda: datasets.Dataset.from_dict({**CODES, "text": TEXTS}))
    assert load_flores("someone/flores", "devtest") == LabelledTexts(TEXTS, LABELS, "someone/flores", "devtest")
    assert asked == [("someone/flores", "devtest")]


def test_hub_class_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    features = datasets.Features(
        {"text": datasets.Value("string"), "language": datasets.ClassLabel(names=["eng_Latn", "deu_Latn"])}
    )
    rows = {"text": ["a", "b"], "language": [1, 0]}
    on_hub(monkeypatch, lambda: datasets.Dataset.from_dict(rows, features=features))
    assert load_flores("flores").labels == ["deu_Latn", "eng_Latn"]
    rows["language"] = [1, -1]
    assert error_of(DataError, "flores") == "flores: row 2: column 'language': expected text, found null"


def test_hub_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    def raising(error: Exception) -> Callable[[], datasets.Dataset]:
        def answer() -> datasets.Dataset:
            raise error

        return answer

    on_hub(monkeypatch, raising(datasets.exceptions.DatasetNotFoundError("gone\nmore")))
    message = error_of(FileNotFoundError, "someone/flores")
    assert "no such file or directory, and no such dataset on the hub (gone): 'someone/flores'" in message
    on_hub(monkeypatch, raising(ValueError("Unknown split.\nmore")))
    expected = "no such file or directory, and split 'dev' cannot be loaded from the hub: Unknown split."
    assert error_of(DataError, "someone/flores") == f"someone/flores: {expected}"
    on_hub(monkeypatch, lambda: datasets.Dataset.from_dict({"text": TEXTS}))
    assert "expected a column 'language'" in error_of(DataError, "someone/flores")


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="one label for each of 2 texts, found 1"):
        LabelledTexts(["a", "b"], ["x"], "data")


@pytest.mark.slow
def test_flores_200() -> None:
    default = Path(__file__).parents[3] / ".." / "shared"
    path = Path(os.environ.get("WLDETECT_SHARED", default)) / "flores" / "dev.parquet"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    found = load_flores(str(path))
    assert len(found) == 205 * 997
    assert {found.labels.count(label) for label in ("eng_Latn", "zul_Latn", "yue_Hant")} == {997}
    assert load_flores(str(path.parent)).texts == found.texts
