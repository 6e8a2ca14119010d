"""`ArrayMatrix` and the helpers of the interface."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from wldetect.embeddings.base import (
    ArrayMatrix,
    check_hidden_dim,
    file_fingerprint,
    special_token_ids,
    tensor_fingerprint,
    token_strings,
)
from wldetect.errors import EmbeddingError

from .builders import matrix, word_tokenizer


def test_every_bfloat16_is_widened_exactly() -> None:
    bits = np.arange(65536, dtype=np.uint16)
    expected = bits.view(ml_dtypes.bfloat16).astype(np.float32)
    found = ArrayMatrix(bits.reshape(256, 256)).rows(slice(None))
    # As bits, so that the sign of zero and the payload of each NaN count too.
    assert np.array_equal(found.reshape(-1).view(np.uint32), expected.view(np.uint32))


def test_every_float16_is_widened_exactly() -> None:
    halves = np.arange(65536, dtype=np.uint16).view(np.float16)
    found = ArrayMatrix(halves.reshape(256, 256)).rows(slice(None))
    assert np.array_equal(found.reshape(-1), halves.astype(np.float32), equal_nan=True)


@given(
    dtype=st.sampled_from([np.float32, np.float16]),
    id_dtype=st.sampled_from([np.int64, np.int32, np.uint32, np.uint16, np.uint8]),
    ids=st.lists(st.integers(0, 12), max_size=20),
)
def test_rows_by_ids(dtype: type[np.floating[Any]], id_dtype: type[np.integer[Any]], ids: list[int]) -> None:
    values = matrix(13, 5).astype(dtype)
    found = ArrayMatrix(values).rows(np.array(ids, dtype=id_dtype))
    assert found.dtype == np.float32
    assert found.shape == (len(ids), 5)
    assert found.flags.c_contiguous
    assert found.flags.owndata
    for row, token_id in zip(found, ids, strict=True):
        assert np.array_equal(row, values[token_id].astype(np.float32))


@pytest.mark.parametrize("part", [slice(None), slice(2, 5), slice(5, 2), slice(-3, None), slice(None, None, 4)])
@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.uint16])
def test_rows_by_slice_are_a_copy(part: slice, dtype: type[Any]) -> None:
    values = matrix(13, 5).astype(dtype) if dtype is not np.uint16 else np.arange(65, dtype=dtype).reshape(13, 5)
    source = ArrayMatrix(values)
    first = source.rows(part)
    assert first.shape == values[part].shape
    assert first.flags.c_contiguous
    again = first.copy()
    first[...] = 7.0
    assert np.array_equal(source.rows(part), again)


@pytest.mark.parametrize("ids", [[-1], [13], [0, 12, 99]])
def test_ids_outside_the_table_are_refused(ids: list[int]) -> None:
    with pytest.raises(IndexError, match="expected 0 to 12, found"):
        ArrayMatrix(matrix(13, 5)).rows(np.array(ids))


@pytest.mark.parametrize("ids", [np.array([0.0]), np.array([True]), np.array([[0]]), [0]])
def test_ids_that_are_no_integers_are_refused(ids: Any) -> None:
    with pytest.raises(TypeError, match="1-D numpy array of integers"):
        ArrayMatrix(matrix(13, 5)).rows(ids)


@pytest.mark.parametrize("array", [np.zeros(3, np.float32), np.zeros((2, 2)), np.zeros((2, 2), np.int16)])
def test_other_arrays_are_refused(array: NDArray[Any]) -> None:
    with pytest.raises(EmbeddingError, match="expected 2 dimensions of float32, float16 or uint16"):
        ArrayMatrix(array)


def test_contiguous_is_the_array_itself_and_read_only() -> None:
    values = matrix(13, 5)
    whole = ArrayMatrix(values).contiguous()
    assert whole is not None
    assert np.shares_memory(whole, values)
    assert not whole.flags.writeable
    assert values.flags.writeable


@pytest.mark.parametrize("array", [matrix(6, 4).astype(np.float16), matrix(6, 4).T, np.zeros((6, 4), np.uint16)])
def test_contiguous_is_none_for_other_layouts(array: NDArray[Any]) -> None:
    assert ArrayMatrix(array).contiguous() is None


def test_unaligned_values_are_read_but_not_handed_out_whole() -> None:
    values = matrix(6, 4)
    unaligned = np.frombuffer(b"x" + values.tobytes(), dtype=np.uint8)[1:].view(np.float32).reshape(6, 4)
    assert not unaligned.flags.aligned
    assert ArrayMatrix(unaligned).contiguous() is None
    assert np.array_equal(ArrayMatrix(unaligned).rows(np.array([5, 0])), values[[5, 0]])


def test_hidden_dim_message(tmp_path: Any) -> None:
    file = tmp_path / "m.gguf"
    with pytest.raises(EmbeddingError) as caught:
        check_hidden_dim(512, (262144, 640), "token_embd.weight", file)
    assert str(caught.value) == (
        f"hidden_dim: expected 512 (config), found 640 (tensor token_embd.weight, 262144 x 640 in {file})"
    )


def test_fingerprint_depends_on_bytes_type_and_shape() -> None:
    values = matrix(4, 6)
    changed = values.copy()
    changed[3, 5] += 1
    fingerprints = {
        tensor_fingerprint(values, "F32", (4, 6)),
        tensor_fingerprint(changed, "F32", (4, 6)),
        tensor_fingerprint(values, "I32", (4, 6)),
        tensor_fingerprint(values, "F32", (6, 4)),
    }
    assert len(fingerprints) == 4
    assert all(len(fingerprint) == 64 for fingerprint in fingerprints)
    assert tensor_fingerprint(values.copy(), "F32", (4, 6)) in fingerprints


def test_token_strings_of_each_kind_of_vocabulary() -> None:
    assert token_strings(word_tokenizer(["a", "b"])) == {0: "a", 1: "b"}
    unigram = '{"model": {"vocab": [["x", 0.0], ["y", -1.5]]}, "added_tokens": [{"id": 7, "content": "<s>"}]}'
    assert token_strings(unigram) == {0: "x", 1: "y", 7: "<s>"}


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"model": {}}', '{"model": {"vocab": 3}}', "null"])
def test_token_strings_of_something_else(text: str) -> None:
    with pytest.raises(EmbeddingError, match=r"tokenizer\.json: expected a tokenizer with a vocabulary"):
        token_strings(text)


def test_special_tokens() -> None:
    added = '[{"id": 3, "special": true}, {"id": 4, "special": false}, {"id": 5}]'
    assert special_token_ids(f'{{"added_tokens": {added}}}') == {3}
    assert special_token_ids("{}") == set()
    with pytest.raises(EmbeddingError, match=r"tokenizer\.json: expected a list of added tokens"):
        special_token_ids('{"added_tokens": [3]}')


@pytest.mark.parametrize("n_rows", [1, 700, 90_000])
def test_fingerprint_of_a_file_is_that_of_its_values(tmp_path: Path, n_rows: int) -> None:
    values = matrix(n_rows, 3)
    path = tmp_path / "file"
    path.write_bytes(b"before" + values.tobytes() + b"after")
    expected = tensor_fingerprint(values, "F32", values.shape)
    assert file_fingerprint(path, 6, 6 + values.nbytes, "F32", values.shape) == expected
    with pytest.raises(EmbeddingError, match="truncated: expected 1 bytes more"):
        file_fingerprint(path, 6, 6 + values.nbytes + 6, "F32", values.shape)
