"""Files of hashes as bytes: what is read is what was written, parts of hashes, and damaged files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wldetect.data.hash_file import read_hash_file, write_hash_bytes, write_hash_lines
from wldetect.errors import DataError

hashes_of = st.lists(st.integers(0, 2**64 - 1), max_size=30)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(numbers=hashes_of, others=hashes_of, n_bytes=st.integers(4, 8))
def test_the_first_bytes_are_found_again(tmp_path: Path, numbers: list[int], others: list[int], n_bytes: int) -> None:
    path = tmp_path / "a.hashes"
    upper = {number >> 8 * (8 - n_bytes) for number in numbers}
    assert write_hash_bytes(np.array(numbers, dtype=np.uint64), path, n_bytes) == len(upper)
    found = read_hash_file(path)
    assert (found.values.tolist(), found.bits) == (sorted(upper), 8 * n_bytes)
    asked = [*numbers, *others, *(number ^ 1 for number in numbers)]
    held = found.holds(np.array(asked, dtype=np.uint64))
    assert held.tolist() == [number >> 8 * (8 - n_bytes) in upper for number in asked]


def test_bytes_are_those_of_the_hash(tmp_path: Path) -> None:
    path = tmp_path / "a.hashes"
    write_hash_bytes(np.array([0x0102030405060708, 0xF1F2F3F4F5F6F7F8], dtype=np.uint64), path, 6)
    assert path.read_bytes()[-12:] == bytes.fromhex("010203040506f1f2f3f4f5f6")
    write_hash_lines(np.array([255], dtype=np.uint64), path, "a comment")
    assert path.read_text(encoding="ascii") == "# a comment\n00000000000000ff\n"
    found = read_hash_file(path)
    assert (found.values.tolist(), found.bits) == ([255], 64)


def test_damaged_files(tmp_path: Path) -> None:
    path = tmp_path / "a.hashes"
    write_hash_bytes(np.array([1 << 40, 2 << 40, 3 << 40], dtype=np.uint64), path, 6)
    whole = path.read_bytes()
    head = len(whole) - 19
    cases = [
        (whole[:-1], "expected whole hashes of 6 bytes, found 5 bytes more than 2 of them"),
        (whole[:head], "expected hashes of 4 to 8 bytes, found 0"),
        (whole[:head] + b"\x03" + whole[head + 1 :], "expected hashes of 4 to 8 bytes, found 3"),
        (whole[:-6] + whole[-12:-6], "expected ascending hashes, found number 3 not above the one before"),
        (b"\x89" + whole, "line 1: expected 16 hexadecimal digits, found "),
    ]
    for content, message in cases:
        path.write_bytes(content)
        with pytest.raises(DataError) as caught:
            read_hash_file(path)
        assert str(caught.value).startswith(f"{path}: {message}")
    path.write_bytes(whole[: head + 1])
    assert not read_hash_file(path).holds(np.array([0, 1 << 40], dtype=np.uint64)).any()
