"""Table files: what is written reads back, the detector takes it, and other files are refused."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from wldetect import ArtifactError, WLDetect
from wldetect.export.quantize import TableDType
from wldetect.export.table_file import TableFile, read_table_file, read_tensors, write_table_file, write_tensors

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
            r"lookup_table: expected uint8 \[V, L\], found int8 \[3, 2\]",
        ),
        ("lookup_table", np.zeros(6, dtype=np.uint8), "lookup_table: expected 2 dimensions, found 1"),
        ("zero_weight_mask", np.zeros(2, dtype=np.uint8), r"zero_weight_mask: expected uint8 \[3\], found uint8 \[2\]"),
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
