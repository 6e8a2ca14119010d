"""Table files: what is written reads back, the detector takes it, and other files are refused."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from wldetect import ArtifactError, WLDetect
from wldetect.export.quantize import TableDType
from wldetect.export.table_file import (
    TableFile,
    number_rows,
    read_table_file,
    read_tensors,
    write_table_file,
    write_tensors,
)

LABELS = ["a", "b"]
WORDS = {"ja": [4.0, 0.0], "no": [0.0, 4.0], "so": [-1.0, 2.0]}


@pytest.mark.parametrize("dtype", list(TableDType))
@pytest.mark.parametrize("masked", [False, True])
def test_tables_read_back(dtype: TableDType, masked: bool, make_model_dir: Callable[..., Path], tmp_path: Path) -> None:
    model = make_model_dir(LABELS, WORDS, dtype=dtype.value, scale=0.5)
    found = read_table_file(model / dtype.file_name, dtype)
    np.testing.assert_array_equal(np.concatenate(list(found.logits(chunk_rows=2))), list(WORDS.values()))
    assert (found.mask, found.min_count, found.scale) == (None, None, 0.5)
    if masked:
        mask = np.array([0, 0, 1], dtype=np.uint8)
        found = TableFile(dtype, found.stored, found.scale, mask, 7, found.metadata)
    write_table_file(model / dtype.file_name, found)
    again = read_table_file(model / dtype.file_name, dtype)
    np.testing.assert_array_equal(again.stored, found.stored)
    assert (again.dtype, again.scale, again.min_count) == (dtype, 0.5, 7 if masked else None)
    assert (None if again.mask is None else again.mask.tolist()) == ([0, 0, 1] if masked else None)
    assert again.metadata == found.metadata
    names = set(load_file(model / dtype.file_name))
    assert names == {"lookup_table", "dtype", "shape", "scale"} | (
        {"zero_weight_mask", "min_count_threshold"} if masked else set()
    )
    # The detector leaves out what is masked, and minds no threshold.
    assert (WLDetect.load(model, table=dtype.value).predict("so") is None) == masked


@pytest.mark.parametrize("dtype", list(TableDType))
def test_tables_of_some_tokens_read_back(dtype: TableDType, make_model_dir: Callable[..., Path]) -> None:
    model = make_model_dir(LABELS, WORDS, dtype=dtype.value, scale=0.5)
    full = WLDetect.load(model, table=dtype.value).probabilities("ja so")
    whole = read_table_file(model / dtype.file_name, dtype)
    assert (whole.n_tokens, whole.kept_tokens.tolist(), whole.kept_rows.tolist()) == (3, [True] * 3, [True] * 3)
    some = whole.with_rows_of(np.array([True, False, True]))
    write_table_file(model / dtype.file_name, some)
    assert set(load_file(model / dtype.file_name)) == {"lookup_table", "dtype", "shape", "scale", "row_of_token"}
    again = read_table_file(model / dtype.file_name, dtype)
    assert again.row_of_token is not None
    assert (again.row_of_token.dtype, again.row_of_token.tolist()) == (np.int32, [0, -1, 1])
    assert (again.n_tokens, again.kept_tokens.tolist(), again.kept_rows.tolist()) == (
        3,
        [True, False, True],
        [True] * 2,
    )
    np.testing.assert_array_equal(np.concatenate(list(again.logits())), [WORDS["ja"], WORDS["so"]])
    np.testing.assert_array_equal(again.by_token(np.array([5, 7])), [5, 0, 7])
    np.testing.assert_array_equal(again.by_token(again.stored)[[0, 2]], whole.stored[[0, 2]])
    detector = WLDetect.load(model, table=dtype.value)
    assert detector.predict("no") is None
    np.testing.assert_array_equal(detector.probabilities("ja no so"), full)
    # Rows of some of these tokens, and in another order.
    last = again.with_rows_of(np.array([False, False, True]))
    assert last.row_of_token is not None
    assert last.row_of_token.tolist() == [-1, -1, 0]
    np.testing.assert_array_equal(last.stored, whole.stored[[2]])
    turned = replace(again, stored=again.stored[::-1].copy(), row_of_token=np.array([1, -1, 0], dtype=np.int32))
    write_table_file(model / dtype.file_name, turned)
    np.testing.assert_array_equal(WLDetect.load(model, table=dtype.value).probabilities("ja no so"), full)
    np.testing.assert_array_equal(turned.by_token(turned.stored), again.by_token(again.stored))
    np.testing.assert_array_equal(turned.with_rows_of(turned.kept_tokens).stored, again.stored)


def test_masked_rows_are_dropped_with_the_mask(make_model_dir: Callable[..., Path]) -> None:
    model = make_model_dir(LABELS, WORDS, mask=["ja"])
    table = read_table_file(model / TableDType.E3M4.file_name, TableDType.E3M4)
    assert table.kept_tokens.tolist() == [False, True, True]
    some = table.with_rows_of(table.kept_tokens)
    assert some.mask is None
    np.testing.assert_array_equal(some.stored, table.stored[1:])


@given(st.lists(st.booleans(), max_size=50))
def test_rows_are_numbered_in_the_order_of_ids(tokens: list[bool]) -> None:
    expected, number = [], 0
    for has_row in tokens:
        expected.append(number if has_row else -1)
        number += has_row
    assert number_rows(np.array(tokens, dtype=bool)).tolist() == expected


@pytest.mark.parametrize(
    ("name", "tensor", "reason"),
    [
        ("scale", None, r"scale: tensor missing; found \['dtype', 'lookup_table', 'shape'\]"),
        ("dtype", np.array([0], dtype=np.uint8), r"dtype: expected 26 \(e3m4\), found 0"),
        ("dtype", np.array([26, 0], dtype=np.uint8), r"dtype: expected uint8 \[1\], found uint8 \[2\]"),
        ("scale", np.array([1.0]), r"scale: expected float32 \[1\], found float64 \[1\]"),
        (
            "lookup_table",
            np.zeros((3, 2), dtype=np.int8),
            r"lookup_table: expected uint8 \[rows, L\], found int8 \[3, 2\]",
        ),
        ("lookup_table", np.zeros(6, dtype=np.uint8), "lookup_table: expected 2 dimensions, found 1"),
        ("zero_weight_mask", np.zeros(2, dtype=np.uint8), r"zero_weight_mask: expected uint8 \[3\], found uint8 \[2\]"),
        ("row_of_token", np.array([0, 1, 2]), r"row_of_token: expected int32 \[3\], found int64 \[3\]"),
        ("row_of_token", np.zeros((3, 1), dtype=np.int32), r"row_of_token: expected int32 \[3\], found int32 \[3, 1\]"),
        *(
            ("row_of_token", np.array(numbers, dtype=np.int32), "row_of_token: expected each of 3 rows once and -1")
            for numbers in ([0, 1], [0, 1, 1, 2], [0, 1, 2, 3], [-2, 0, 1, 2], [])
        ),
        ("min_count_threshold", np.array([1]), r"min_count_threshold: expected int32 \[1\], found int64 \[1\]"),
    ],
)
def test_other_tables_are_refused(
    name: str, tensor: np.ndarray | None, reason: str, make_model_dir: Callable[..., Path]
) -> None:
    path = make_model_dir(LABELS, WORDS) / TableDType.E3M4.file_name
    tensors: dict[str, Any] = load_file(path)
    tensors.pop(name, None)
    if tensor is not None:
        tensors[name] = tensor
    save_file(tensors, path)
    with pytest.raises(ArtifactError, match=reason) as caught:
        read_table_file(path, TableDType.E3M4)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_mask_beside_a_list_of_rows_is_refused(make_model_dir: Callable[..., Path]) -> None:
    path = make_model_dir(LABELS, WORDS, mask=["ja"]) / TableDType.E3M4.file_name
    table = read_table_file(path, TableDType.E3M4)
    write_table_file(path, replace(table, row_of_token=np.arange(3, dtype=np.int32)))
    reason = "zero_weight_mask: expected none beside row_of_token, found one"
    with pytest.raises(ArtifactError, match=reason):
        read_table_file(path, TableDType.E3M4)
    with pytest.raises(ArtifactError, match=reason):
        WLDetect.load(path.parent)


def test_what_is_no_file_of_tensors_is_refused(make_model_dir: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_tensors(tmp_path / "none.safetensors")
    path = make_model_dir(LABELS, WORDS) / TableDType.E3M4.file_name
    content = path.read_bytes()
    for damaged in (b"", content[:40], content[:-1]):
        path.write_bytes(damaged)
        with pytest.raises(ArtifactError, match="not a whole safetensors file: "):
            read_tensors(path)


def test_the_first_tensor_begins_where_a_cache_line_does(tmp_path: Path) -> None:
    tensors: dict[str, np.ndarray] = {
        "a": np.arange(3, dtype=np.int64),
        "rows": np.arange(15, dtype=np.uint8).reshape(5, 3),
        "none": np.zeros((0, 4), dtype=np.float32),
        "numbers": np.arange(6, dtype=np.float32).reshape(2, 3).T,
    }
    for length in range(70):
        metadata = {"key": "ü" * length}
        path = write_tensors(tmp_path / "file.safetensors", tensors, metadata, first="rows")
        with path.open("rb") as file:
            (header,) = struct.unpack("<Q", file.read(8))
            assert header % 64 == 56
            assert json.loads(file.read(header))["rows"]["data_offsets"] == [0, 15]
        found, found_metadata = read_tensors(path)
        assert found_metadata == metadata
        for name, expected in tensors.items():
            np.testing.assert_array_equal(found[name], expected, strict=True)
        assert sorted(found) == sorted(tensors)
