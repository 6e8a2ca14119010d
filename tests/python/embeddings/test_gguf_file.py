"""The header reader, against the ``gguf`` package's own and against hostile files."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gguf import GGUFReader
from hypothesis import given, settings
from hypothesis import strategies as st

from wldetect.embeddings.gguf_file import GGUFFile
from wldetect.errors import EmbeddingError

from .builders import matrix, spm_pieces, write_gguf

METADATA: dict[str, Any] = {
    "a.text": "räksmörgås",
    "a.flag": True,
    "a.integer": 7,
    "a.real": 0.5,
    "a.words": ["", "x", "日本語"],
    "a.numbers": [1, -2, 3],
    "a.reals": [0.5, 1.5],
    "general.alignment": 64,
}


def number(value: int, code: str = "Q") -> bytes:
    return struct.pack("<" + code, value)


def text(value: bytes) -> bytes:
    return number(len(value)) + value


def header(entries: list[bytes], tensors: list[bytes], version: int = 3) -> bytes:
    return b"GGUF" + number(version, "I") + number(len(tensors)) + number(len(entries)) + b"".join(entries + tensors)


@pytest.fixture
def example(tmp_path: Path) -> Path:
    others = {"first": matrix(3, 5), "vector": matrix(1, 7)[0]}
    pieces = spm_pieces(["ab", "\u2581ab"])
    return write_gguf(tmp_path / "m.gguf", matrix(9, 4), pieces=pieces, metadata=METADATA, others=others)


def test_agrees_with_the_package(example: Path) -> None:
    ours, theirs = GGUFFile(example), GGUFReader(example)
    assert [(tensor.name, list(tensor.shape), tensor.type_id, tensor.offset) for tensor in ours.tensors.values()] == [
        (tensor.name, tensor.shape.tolist()[::-1], tensor.tensor_type, tensor.data_offset) for tensor in theirs.tensors
    ]
    assert ours.value("a.text", str) == theirs.fields["a.text"].contents() == "räksmörgås"
    assert ours.value("a.flag", bool) is True
    assert ours.value("a.integer", int) == 7
    assert ours.value("a.real", float) == 0.5
    assert ours.strings("a.words") == ["", "x", "日本語"]
    for key in ("a.numbers", "a.reals", "tokenizer.ggml.scores", "tokenizer.ggml.token_type"):
        found = ours.numbers(key)
        assert found is not None
        assert found.tolist() == theirs.fields[key].contents()
    assert ours.strings("tokenizer.ggml.tokens") == theirs.fields["tokenizer.ggml.tokens"].contents()
    assert ours.data.tobytes() == example.read_bytes()


def test_absent_keys_are_none(example: Path) -> None:
    file = GGUFFile(example)
    assert file.value("nothing", str) is None
    assert file.strings("nothing") is None
    assert file.numbers("nothing") is None


def test_values_of_another_kind(example: Path) -> None:
    file = GGUFFile(example)
    with pytest.raises(EmbeddingError, match=r"a\.text: expected int, found 'räksmörgås' \(str\)"):
        file.value("a.text", int)
    with pytest.raises(EmbeddingError, match=r"a\.flag: expected int, found True \(bool\)"):
        file.value("a.flag", int)
    with pytest.raises(EmbeddingError, match=r"a\.words: expected str, found an array"):
        file.value("a.words", str)
    with pytest.raises(EmbeddingError, match=r"a\.words: expected an array of numbers"):
        file.numbers("a.words")
    with pytest.raises(EmbeddingError, match=r"a\.numbers: expected an array of strings"):
        file.strings("a.numbers")
    with pytest.raises(EmbeddingError, match=r"a\.text: expected an array of strings"):
        file.strings("a.text")


def test_digest_is_of_the_chosen_keys(tmp_path: Path) -> None:
    def digest(name: str, **metadata: Any) -> str:
        keys = {"a.x": 1, "a.y": "2", "b.z": 3} | {key.replace("_", "."): value for key, value in metadata.items()}
        return GGUFFile(write_gguf(tmp_path / name, matrix(2, 2), metadata=keys)).metadata_digest("a.")

    assert digest("1") == digest("2", b_z=4)
    assert len({digest("1"), digest("3", a_x=2), digest("4", a_y="3"), digest("5", a_w=1), digest("6", a_x="1")}) == 5


@pytest.mark.parametrize("start", [b"", b"GGU", b"GGML", b"\x80\x02}q", b"{}"])
def test_not_a_gguf_file(tmp_path: Path, start: bytes) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(start)
    with pytest.raises(EmbeddingError, match=r"m\.gguf: not a GGUF file: expected the magic b'GGUF', found b'"):
        GGUFFile(path)


HUGE = 2**63
MATRIX = text(b"t") + number(2, "I") + number(4) + number(9) + number(0, "I") + number(0)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (header([], [], version=1), "version: expected 2 or 3, found 1"),
        (header([], [], version=4), "version: expected 2 or 3, found 4"),
        (header([], [], version=3 << 24), "big-endian files are not supported"),
        (b"GGUF" + number(3, "I") + number(HUGE) + number(0), f"{HUGE} tensors announced"),
        (b"GGUF" + number(3, "I") + number(0) + number(HUGE), f"{HUGE} metadata entries announced"),
        (header([number(HUGE) + bytes(20)], []), f"truncated: expected {HUGE} more bytes"),
        (header([text(b"\xff") + number(4, "I") + number(1, "I")], []), "is not UTF-8"),
        (header([text(b"k") + number(8, "I") + text(b"\xff")], []), "is not UTF-8"),
        (header([text(b"k") + number(77, "I")], []), "'k': unknown value type 77"),
        (header([text(b"k") + number(9, "I") + number(9, "I") + number(0)], []), "arrays of value type 9 are not"),
        (header([text(b"k") + number(9, "I") + number(4, "I") + number(HUGE)], []), f"{HUGE} k announced"),
        (header([text(b"k") + number(9, "I") + number(8, "I") + number(HUGE)], []), f"{HUGE} k announced"),
        (header([text(b"k") + number(9, "I") + number(8, "I") + number(1) + number(HUGE)], []), "truncated"),
        (header([text(b"k") + number(9, "I") + number(8, "I") + number(2) + number(2**64 - 1) * 2], []), "truncated"),
        (header([text(b"k") + number(4, "I") + number(1, "I")] * 2, []), "metadata key 'k' is listed twice"),
        (header([], [MATRIX, MATRIX]), "tensor 't' is listed twice"),
        (header([], [text(b"t") + number(5, "I") + bytes(60)]), "tensor 't': dimensions: expected at most 4, found 5"),
        (
            header([text(b"general.alignment") + number(4, "I") + number(24, "I")], []),
            r"general\.alignment: expected a power of two, found 24",
        ),
        (
            header([text(b"general.alignment") + number(4, "I") + number(0, "I")], []),
            r"general\.alignment: expected a power of two, found 0",
        ),
        (header([text(b"general.alignment") + number(8, "I") + text(b"x")], []), "expected int, found 'x'"),
    ],
)
def test_malformed_headers(tmp_path: Path, data: bytes, expected: str) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(data)
    with pytest.raises(EmbeddingError, match=expected) as caught:
        GGUFFile(path)
    assert str(caught.value).startswith(f"{path}: GGUF file: ")
    assert "\n" not in str(caught.value)


def test_strings_that_are_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    words = number(8, "I") + number(3) + text(b"fine") + text(b"\xff") + text(b"")
    path.write_bytes(header([text(b"k") + number(9, "I") + words], []))
    with pytest.raises(EmbeddingError, match="k: element 1 is not UTF-8"):
        GGUFFile(path).strings("k")


def test_version_2_and_a_matrix_of_any_size(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    huge = text(b"t") + number(4, "I") + number(2**63) * 4 + number(0, "I") + number(0)
    path.write_bytes(header([], [huge], version=2))
    assert GGUFFile(path).tensors["t"].n_elements == 2**252


def test_truncated_anywhere(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "m.gguf", matrix(9, 4), metadata={"a": "text", "b": ["x", "y"], "c": [1, 2], "d": 3})
    whole = path.read_bytes()
    # What follows the last tensor's entry (name, dimensions, type, offset) is padding and data.
    header_end = whole.index(b"token_embd.weight") + len(b"token_embd.weight") + 4 + 16 + 4 + 8
    for length in range(header_end):
        path.write_bytes(whole[:length])
        with pytest.raises(EmbeddingError, match=r"m\.gguf: "):
            GGUFFile(path)
    path.write_bytes(whole[:header_end])
    assert list(GGUFFile(path).tensors) == ["token_embd.weight"]


@settings(max_examples=300)
@given(data=st.data())
def test_damaged_anywhere(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.mktemp("damaged") / "m.gguf"
    metadata = {"a": "text", "b": ["x", "y"], "c": [1, 2], "d": 3}
    whole = bytearray(write_gguf(path, matrix(2, 2), metadata=metadata).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 17))] = data.draw(st.integers(0, 255))
    path.write_bytes(whole)
    try:
        file = GGUFFile(path)
        file.strings("b")
        numbers = file.numbers("c")
    except EmbeddingError as error:
        assert str(path) in str(error)
    else:
        assert numbers is None or isinstance(numbers, np.ndarray)
