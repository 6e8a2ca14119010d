"""Metadata of table files that are there: only they change."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from wldetect import ArtifactError, WLDetect
from wldetect.export.metadata import rewrite_metadata
from wldetect.export.quantize import TableDType
from wldetect.export.table_file import TableFile, read_table_file, write_table_file


def write(path: Path, dtype: TableDType) -> TableFile:
    stored = np.arange(12, dtype=np.float32 if dtype is TableDType.FLOAT32 else np.uint8).reshape(4, 3)
    mask = np.array([1, 0, 0, 0], dtype=np.uint8)
    table = TableFile(dtype, stored, 0.5, mask, 3, {"languages": '["größe", "b", "c"]', "ngram_table_id": "1"})
    write_table_file(path, table)
    return table


@pytest.mark.parametrize("dtype", TableDType)
def test_nothing_else_changes(dtype: TableDType, tmp_path: Path) -> None:
    path = tmp_path / dtype.file_name
    before = write(path, dtype)
    old = path.read_bytes()
    rewrite_metadata(path, {"calibration": '{"all": 1}'})
    rewrite_metadata(path, {"calibration": "x" * 999, "new": "a\nb"})
    after = read_table_file(path, dtype)
    assert after.metadata == {**before.metadata, "calibration": "x" * 999, "new": "a\nb"}
    np.testing.assert_array_equal(after.stored, before.stored)
    np.testing.assert_array_equal(after.mask, before.mask)
    assert (after.scale, after.min_count) == (before.scale, before.min_count)
    new = path.read_bytes()
    data, data_before = (8 + struct.unpack("<Q", whole[:8])[0] for whole in (new, old))
    assert (data % 64, new[data:]) == (0, old[data_before:])
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    # Saying the same again gives the same bytes.
    rewrite_metadata(path, {"new": "a\nb"})
    assert path.read_bytes() == new


def test_who_has_the_old_file_open_keeps_it(make_model_dir: Callable[..., Path]) -> None:
    model = make_model_dir(["a", "b"], {"ja": [4.0, 0.0], "no": [0.0, 4.0]})
    detector = WLDetect.load(model)
    expected = detector.predict("ja")
    rewrite_metadata(model / TableDType.E3M4.file_name, {"hidden_languages": '["a"]'})
    assert detector.predict("ja") == expected
    found = WLDetect.load(model).predict("ja")
    assert found is not None and found[0] == "und"


def test_what_is_no_table_is_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "table.safetensors"
    with pytest.raises(FileNotFoundError):
        rewrite_metadata(path, {})
    write(path, TableDType.E3M4)
    whole = path.read_bytes()
    length = struct.unpack("<Q", whole[:8])[0]
    for spoilt in (
        b"",
        whole[:7],
        whole[: 7 + length],
        struct.pack("<Q", 1 << 60) + whole[8:],
        struct.pack("<Q", 2) + b"[]",
        struct.pack("<Q", 20) + b'{"__metadata__": [] }',
        struct.pack("<Q", 2) + b"\xff\xfe",
    ):
        path.write_bytes(spoilt)
        with pytest.raises(ArtifactError) as caught:
            rewrite_metadata(path, {"calibration": "{}"})
        assert str(caught.value).startswith(f"{path}: not a whole safetensors file: ")
        assert path.read_bytes() == spoilt
        assert [file.name for file in tmp_path.iterdir()] == [path.name]
