"""Reading files of rows: what is accepted, and how each fault is named."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wldetect.data import readers
from wldetect.data.columns import Columns, check_columns, conform
from wldetect.data.files import FileKind, find_files
from wldetect.data.readers import open_rows
from wldetect.errors import DataError

BOTH = Columns(("text", "language"))
WEIGHTED = Columns(("text", "language"), ("weight",))
FAULTLESS = {
    "text": ["Guten Morgen.", "", 'a, "b"\tc', "Zeile\u2028eins\x0czwei", "\U0001f600", "007", "NA", "2020-01-01"],
    "language": ["deu_Latn", "eng_Latn", "x", "y", "z", "1", "null", "True"],
    "weight": [1, 0.5, 0, 2, 1e-3, 7, 1, 1],
}
WriteRows = Callable[[Path, dict[str, Any]], Path]
TABLE_NAMES = ["d.parquet", "d.jsonl", "d.ndjson", "d.json", "d.csv", "d.tsv", "D.CSV"]


def read(path: Path, columns: Columns = BOTH) -> dict[str, list[Any]]:
    files = find_files(str(path), "train")
    assert files is not None
    tables = list(open_rows(path, files.kind).tables(columns))
    for table in tables:
        expected = {name: pa.string() if name in columns.text else pa.float64() for name in columns.names}
        assert dict(zip(table.column_names, table.schema.types, strict=True)) == expected
    return {name: [value for table in tables for value in table.column(name).to_pylist()] for name in columns.names}


def error_of(path: Path, columns: Columns = BOTH) -> str:
    with pytest.raises(DataError) as caught:
        read(path, columns)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    return message.removeprefix(str(path))


@pytest.mark.parametrize("name", TABLE_NAMES)
def test_every_kind_of_table(name: str, tmp_path: Path, write_rows: WriteRows) -> None:
    path = write_rows(tmp_path / name, {"id": list(range(8)), **FAULTLESS})
    assert read(path, WEIGHTED) == FAULTLESS
    # In the order asked for, whatever the order in the file.
    assert list(read(path, Columns(("language", "text")))) == ["language", "text"]


@pytest.mark.parametrize("name", TABLE_NAMES)
def test_tables_are_bounded(name: str, tmp_path: Path, write_rows: WriteRows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "_ROWS", 3)
    path = write_rows(tmp_path / name, FAULTLESS)
    files = find_files(str(path), "train")
    assert files is not None
    assert [len(table) for table in open_rows(path, files.kind).tables(WEIGHTED)] == [3, 3, 2]
    assert read(path, WEIGHTED) == FAULTLESS


@pytest.mark.parametrize("name", TABLE_NAMES)
def test_names(name: str, tmp_path: Path, write_rows: WriteRows) -> None:
    path = write_rows(tmp_path / name, FAULTLESS)
    files = find_files(str(path), "train")
    assert files is not None
    assert open_rows(path, files.kind).names == ["text", "language", "weight"]


@pytest.mark.parametrize("name", TABLE_NAMES)
def test_missing_column(name: str, tmp_path: Path, write_rows: WriteRows) -> None:
    path = write_rows(tmp_path / name, {"sentence": ["a"], "lang": ["b"]})
    assert error_of(path) == ": expected a column 'text', found sentence, lang"
    columns = Columns(("sentence", "lang"), ("weight",))
    assert error_of(path, columns) == ": expected a column 'weight', found sentence, lang"


@pytest.mark.parametrize("name", TABLE_NAMES)
def test_bad_numbers_are_named_by_row(
    name: str, tmp_path: Path, write_rows: WriteRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "_ROWS", 2)
    for bad, shown in ((-0.5, "-0.5"), (float("nan"), "nan"), (float("inf"), "inf")):
        path = write_rows(tmp_path / name, {"text": list("abc"), "language": list("xyz"), "weight": [1, 2, bad]})
        message = ": row 3: column 'weight': expected a number, at least 0, found "
        assert error_of(path, WEIGHTED) == message + shown


@pytest.mark.parametrize("name", ["d.parquet", "d.jsonl", "d.json"])
def test_nulls(name: str, tmp_path: Path, write_rows: WriteRows) -> None:
    columns = {"text": ["a", None, "c"], "language": [None, "x", None]}
    path = write_rows(tmp_path / name, columns)
    assert read(path) == columns
    path = write_rows(tmp_path / name, {**columns, "weight": [1.0, 2.0, None]})
    message = ": row 3: column 'weight': expected a number, at least 0, found null"
    assert error_of(path, WEIGHTED) == message


def test_parquet_of_nulls_only(tmp_path: Path, write_rows: WriteRows) -> None:
    path = write_rows(tmp_path / "d.parquet", {"text": pa.nulls(2), "language": ["x", "y"]})
    assert read(path) == {"text": [None, None], "language": ["x", "y"]}


# Older versions of pyarrow have no views.
VIEWS = [pa.string_view(), pa.binary_view()] if hasattr(pa, "string_view") else []


@pytest.mark.parametrize("kind", [pa.large_string(), pa.binary(), pa.large_binary(), *VIEWS, None])
def test_parquet_types_of_text(kind: pa.DataType | None, tmp_path: Path, write_rows: WriteRows) -> None:
    values = ["gr\u00fcn", None, "blau"]
    stored = pa.array(values).dictionary_encode() if kind is None else pa.array(values, pa.string()).cast(kind)
    assert read(write_rows(tmp_path / "d.parquet", {"text": stored, "language": list("xyz")}))["text"] == values


@pytest.mark.parametrize("kind", [pa.int8(), pa.uint64(), pa.float32(), pa.decimal128(9, 2)])
def test_parquet_types_of_numbers(kind: pa.DataType, tmp_path: Path, write_rows: WriteRows) -> None:
    stored = pa.array([Decimal(1), Decimal(2)] if pa.types.is_decimal(kind) else [1, 2], kind)
    columns = {"text": ["a", "b"], "language": ["x", "y"], "weight": stored}
    assert read(write_rows(tmp_path / "d.parquet", columns), WEIGHTED)["weight"] == [1.0, 2.0]


def test_parquet_columns_of_other_types(tmp_path: Path, write_rows: WriteRows) -> None:
    path = write_rows(tmp_path / "d.parquet", {"text": [1, 2], "language": ["x", "y"]})
    assert error_of(path) == ": column 'text': expected text, found int64"
    path = write_rows(tmp_path / "d.parquet", {"text": ["a"], "language": [["x"]]})
    assert error_of(path).startswith(": column 'language': expected text, found list<")
    path = write_rows(tmp_path / "d.parquet", {"text": ["a"], "language": ["x"], "weight": ["1"]})
    assert error_of(path, WEIGHTED) == ": column 'weight': expected numbers, found string"


def test_parquet_text_that_is_not_utf8(tmp_path: Path, write_rows: WriteRows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "_ROWS", 2)
    broken = pa.array([b"a", None, b"fine", b"sch\xf6n"], pa.binary()).view(pa.string())
    path = write_rows(tmp_path / "d.parquet", {"text": broken, "language": list("wxyz")})
    assert error_of(path) == ": row 4: column 'text': expected UTF-8, found byte 0xf6 at position 4"


@pytest.mark.parametrize("keep", [0, 3, 20, -1, -10, 0.5])
def test_truncated_parquet(keep: float, tmp_path: Path, write_rows: WriteRows) -> None:
    path = write_rows(tmp_path / "d.parquet", FAULTLESS)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep) if 0 < keep < 1 else int(keep)])
    assert error_of(path).startswith(": not a whole parquet file: ")


def test_parquet_with_damaged_pages(tmp_path: Path) -> None:
    path = tmp_path / "d.parquet"
    texts = [f"text number {number}" for number in range(2000)]
    pq.write_table(pa.table({"text": texts, "language": ["x"] * 2000}), path, use_dictionary=False)
    content = bytearray(path.read_bytes())
    content[4 : len(content) // 2] = bytes(len(content) // 2 - 4)
    path.write_bytes(content)
    assert error_of(path).startswith(": not a whole parquet file: ")


@pytest.mark.parametrize("name", ["d.parquet", "d.jsonl", "d.csv", "deu_Latn.txt"])
def test_missing_file_is_the_systems_error(name: str, tmp_path: Path) -> None:
    kind = {"p": FileKind.PARQUET, "j": FileKind.JSON, "c": FileKind.CSV, "t": FileKind.TEXT}[name.split(".")[1][0]]
    with pytest.raises(FileNotFoundError) as caught:
        list(open_rows(tmp_path / name, kind).tables(BOTH))
    assert caught.value.filename == str(tmp_path / name) or caught.value.filename == tmp_path / name


@pytest.mark.parametrize("name", ["d.csv", "d.tsv", "d.jsonl", "d.json", "deu_Latn.txt"])
def test_not_utf8(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(b"first\nsch\xf6n\n")
    message = ": line 2: expected UTF-8, found byte 0xf6 at offset 9 of the file (invalid start byte)"
    assert error_of(path) == message


def test_byte_order_marks(tmp_path: Path) -> None:
    contents = {
        "d.csv": "text,language\na,x\n",
        "d.jsonl": '{"text": "a", "language": "x"}\n',
        "d.json": '[{"text": "a", "language": "x"}]',
        "x.txt": "a\n",
    }
    for name, content in contents.items():
        (tmp_path / name).write_text("\ufeff" + content, encoding="utf-8")
        assert read(tmp_path / name) == {"text": ["a"], "language": ["x"]}


def test_text(tmp_path: Path) -> None:
    path = tmp_path / "deu_Latn.txt"
    path.write_bytes("\ufeff eins \r\n\r\n\t\nzwei\u2028drei\x0cvier\rf\u00fcnf\n\0\nletzte".encode())
    expected = ["eins", "zwei\u2028drei\x0cvier\rf\u00fcnf", "\0", "letzte"]
    assert read(path) == {"text": expected, "language": ["deu_Latn"] * 4}
    # Its columns are called what they are asked for as.
    assert list(read(path, Columns(("sentence", "code")))) == ["sentence", "code"]
    assert error_of(path, WEIGHTED) == ": expected a column 'weight', found a text file, which has no columns"
    assert open_rows(path, FileKind.TEXT).names == ["text", "language"]


@pytest.mark.parametrize("content", [b"", b"\n \r\n\t\n"])
@pytest.mark.parametrize("name", ["d.jsonl", "d.json", "x.txt"])
def test_files_without_rows(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    assert read(tmp_path / name) == {"text": [], "language": []}


def test_csv_without_rows(tmp_path: Path, write_rows: WriteRows) -> None:
    assert read(write_rows(tmp_path / "d.csv", {"text": [], "language": []})) == {"text": [], "language": []}
    (tmp_path / "d.csv").write_bytes(b"")
    assert error_of(tmp_path / "d.csv") == ": expected a column 'text', found none"


def test_csv_details(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_bytes(b'text,language\r\n"two\nlines",x\r\n\r\n" spaces ",\r\n')
    assert read(path) == {"text": ["two\nlines", " spaces "], "language": ["x", ""]}
    # A field more in every row must not shift the columns.
    path.write_text("text,language\na,b,c\nd,e,f\n", encoding="utf-8")
    assert error_of(path) == ": line 2: expected 2 fields, found 3"
    path.write_text("text,language\na\n", encoding="utf-8")
    assert error_of(path) == ": line 2: expected 2 fields, found 1"
    path.write_text('text,language\n"a,b\n', encoding="utf-8")
    assert error_of(path).startswith(": line 2: expected CSV: ")
    path.write_text("text,text,language\na,b,c\n", encoding="utf-8")
    assert error_of(path) == ": expected one column 'text', found 2"
    path.write_text("text,language,weight\na,x,1.5\nb,y,heavy\n", encoding="utf-8")
    assert error_of(path, WEIGHTED) == ": line 3: column 'weight': expected a number, found 'heavy'"


def test_json_details(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    row = '{"text": "a", "language": "x"}\n'
    # A key that a row does not have is null there.
    path.write_text('{"text": "b"}\n\n' + row, encoding="utf-8")
    assert read(path) == {"text": ["b", "a"], "language": [None, "x"]}
    faults = {
        '{"text": ': ": line 2: expected JSON: ",
        "[1]": ": line 2: expected a JSON object, found list",
        "[" * 100_000: ": line 2: expected JSON: ",
        '{"text": 3, "language": "x"}': ": line 2: column 'text': expected text, found int",
        '{"text": "a", "language": true}': ": line 2: column 'language': expected text, found bool",
        '{"text": "\\ud83d"}': ": line 2: column 'text': expected Unicode text, found a lone surrogate",
    }
    for fault, message in faults.items():
        path.write_text(row + fault, encoding="utf-8")
        assert error_of(path).startswith(message)
    path.write_text('{"text": "a", "language": "x", "weight": "1"}\n', encoding="utf-8")
    assert error_of(path, WEIGHTED) == ": line 1: column 'weight': expected a number, found str"
    path.write_text('{"text": "a", "language": "x", "weight": true}\n', encoding="utf-8")
    assert error_of(path, WEIGHTED) == ": line 1: column 'weight': expected a number, found bool"
    path.write_text('{"text": "a", "language": "x", "weight": 1' + "0" * 400 + "}\n", encoding="utf-8")
    assert error_of(path, WEIGHTED).endswith("expected a number, at least 0, found inf")


def test_json_arrays(tmp_path: Path) -> None:
    path = tmp_path / "d.json"
    path.write_text('[{"text": "a", "language": "x"},\n 3]', encoding="utf-8")
    assert error_of(path) == ": row 2: expected a JSON object, found int"
    path.write_text('\n[{"text": "a",\n "language": }]', encoding="utf-8")
    assert error_of(path).startswith(": line 3: expected JSON: ")
    # Such a file may also hold one object a line.
    path.write_text('{"text": "a", "language": "x"}\n{"text": "b", "language": "y"}\n', encoding="utf-8")
    assert read(path) == {"text": ["a", "b"], "language": ["x", "y"]}
    # An array in JSON lines is one row too many.
    (tmp_path / "d.jsonl").write_text('[{"text": "a", "language": "x"}]', encoding="utf-8")
    assert error_of(tmp_path / "d.jsonl") == ": line 1: expected a JSON object, found list"


characters = st.characters(exclude_categories=["Cs"], exclude_characters="\r\0")
rows = st.lists(
    st.tuples(st.text(characters, max_size=12), st.text(characters, max_size=4), st.floats(0, 1e300)), max_size=9
)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=rows, name=st.sampled_from(TABLE_NAMES))
def test_what_was_written_is_read(
    content: list[tuple[str, str, float]], name: str, tmp_path: Path, write_rows: WriteRows
) -> None:
    columns: dict[str, Any] = {
        "text": pa.array([text for text, _, _ in content], pa.string()),
        "language": pa.array([language for _, language, _ in content], pa.string()),
        "weight": pa.array([weight for _, _, weight in content], pa.float64()),
    }
    plain = {name: array.to_pylist() for name, array in columns.items()}
    path = write_rows(tmp_path / name, columns if name == "d.parquet" else plain)
    assert read(path, WEIGHTED) == plain


def test_conform_takes_only_what_is_asked_for() -> None:
    table = pa.table({"other": [1], "weight": [2], "text": ["a"], "language": ["x"]})
    assert conform(table, Columns(("text",), ("weight",)), "t").to_pylist() == [{"text": "a", "weight": 2.0}]
    # A column that is asked for twice is there once.
    doubled = Columns(("text",), ("weight", "weight"))
    assert doubled.names == ("text", "weight")
    assert conform(table, doubled, "t").column_names == ["text", "weight"]


def test_check_columns_lists_some() -> None:
    check_columns("t", ["a", "b"], ["b"])
    with pytest.raises(DataError) as caught:
        check_columns("t", [f"c{number}" for number in range(30)], ["text"])
    assert str(caught.value).startswith("t: expected a column 'text', found c0, c1, ")
    assert str(caught.value).endswith("c19 and 10 more")
