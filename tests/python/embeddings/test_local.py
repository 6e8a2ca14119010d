"""Model directories in the Hugging Face layout, and hostile safetensors files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from wldetect.embeddings.local import LocalSource
from wldetect.embeddings.safetensors_file import read_safetensors_header
from wldetect.errors import EmbeddingError

from .builders import matrix, safetensors_bytes, stored_as, widened, word_tokenizer, write_directory

NAME = "model.embed_tokens.weight"


def open_directory(directory: Path, name: str = NAME, width: int = 5) -> LocalSource:
    return LocalSource(directory, name, width)


@pytest.mark.parametrize("dtype", ["F32", "F16", "BF16"])
def test_single_file(tmp_path: Path, dtype: str) -> None:
    values = matrix(4, 5)
    source = open_directory(write_directory(tmp_path, values, dtype))
    assert source.matrix().shape == (4, 5)
    assert np.array_equal(source.matrix().rows(slice(None)), widened(values, dtype))
    assert source.describe() == f"{tmp_path / 'model.safetensors'}: {NAME} (4 x 5, {dtype})"
    assert source.tokenizer_json() == word_tokenizer(["a", "b", "c", "d"])


@pytest.mark.parametrize("dtype", ["F32", "F16", "BF16"])
def test_shards(tmp_path: Path, dtype: str) -> None:
    values = matrix(4, 5)
    shards = {
        "model-00001-of-00002.safetensors": {"model.norm.weight": stored_as(matrix(1, 3), dtype)},
        "model-00002-of-00002.safetensors": {"x.bias": stored_as(matrix(2, 2), dtype), NAME: stored_as(values, dtype)},
    }
    for name, tensors in shards.items():
        (tmp_path / name).write_bytes(safetensors_bytes(tensors))
    weight_map = {tensor: name for name, tensors in shards.items() for tensor in tensors}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    source = open_directory(tmp_path)
    assert np.array_equal(source.matrix().rows(np.array([3, 1])), widened(values, dtype)[[3, 1]])
    assert source.describe().startswith(str(tmp_path / "model-00002-of-00002.safetensors"))


def test_a_file_of_the_library(tmp_path: Path) -> None:
    values = matrix(40, 5)
    save_file({NAME: values, "a": matrix(3, 3), "z": matrix(2, 1)}, tmp_path / "model.safetensors")
    whole = open_directory(tmp_path).matrix().contiguous()
    assert whole is not None
    assert not whole.flags.writeable
    assert np.array_equal(whole, values)


@pytest.mark.parametrize("stored", [NAME, NAME.removesuffix(".weight")])
@pytest.mark.parametrize("asked", [NAME, NAME.removesuffix(".weight")])
def test_name_with_and_without_weight(tmp_path: Path, stored: str, asked: str) -> None:
    assert open_directory(write_directory(tmp_path, matrix(4, 5), name=stored), asked).matrix().shape == (4, 5)


def test_missing_tensor_lists_what_looks_like_embeddings(tmp_path: Path) -> None:
    write_directory(tmp_path, matrix(4, 5), name="model.embedder.weight")
    with pytest.raises(EmbeddingError) as caught:
        open_directory(tmp_path, "wte")
    assert str(caught.value) == (
        f"{tmp_path / 'model.safetensors'}: embedding_layer_name: expected one of model.embedder.weight, found 'wte'"
    )


def test_renamed_tensor_is_found(tmp_path: Path) -> None:
    source = open_directory(write_directory(tmp_path, matrix(4, 5), name="transformer.wte.weight"))
    assert source.describe().endswith("model.safetensors: transformer.wte.weight (4 x 5, F32)")


def test_shard_pattern(tmp_path: Path) -> None:
    """Files without an index, two of which have an embedding."""
    for name, seed in (("a.safetensors", 1), ("b.safetensors", 2)):
        (tmp_path / name).write_bytes(safetensors_bytes({NAME: stored_as(matrix(4, 5, seed), "F32")}))
    expected = "found neither, but a.safetensors, b.safetensors: choose among them with shard_pattern"
    with pytest.raises(EmbeddingError, match=expected):
        open_directory(tmp_path)
    for pattern, seed in (("a*", 1), ("[bc].safetensors", 2)):
        found = LocalSource(tmp_path, NAME, 5, pattern).matrix().rows(slice(None))
        assert np.array_equal(found, matrix(4, 5, seed))
    expected = r"shard_pattern: expected one that matches any of a\.safetensors, b\.safetensors, found 'c\*'"
    with pytest.raises(EmbeddingError, match=expected):
        LocalSource(tmp_path, NAME, 5, "c*")


def test_the_only_file_may_have_any_name(tmp_path: Path) -> None:
    write_directory(tmp_path, matrix(4, 5))
    (tmp_path / "model.safetensors").rename(tmp_path / "weights.safetensors")
    assert open_directory(tmp_path).matrix().shape == (4, 5)


def test_parts_are_the_stored_array(tmp_path: Path) -> None:
    values = matrix(4, 5)
    (part,) = open_directory(write_directory(tmp_path, values, "BF16")).matrix().parts() or ()
    assert part.dtype == np.uint16
    assert np.array_equal(part, values.view(np.uint16)[:, 1::2])
    assert part.flags.c_contiguous
    assert not part.flags.writeable


def test_provenance(tmp_path: Path) -> None:
    source = open_directory(write_directory(tmp_path, matrix(4, 5)))
    assert source.provenance() == {"source": source.describe(), "sha256": source.fingerprint()}


def test_hidden_dim_is_compared(tmp_path: Path) -> None:
    write_directory(tmp_path, matrix(4, 5))
    with pytest.raises(EmbeddingError, match=rf"hidden_dim: expected 6 \(config\), found 5 \(tensor {NAME}, 4 x 5 in "):
        open_directory(tmp_path, width=6)


def test_fingerprint_is_of_the_content(tmp_path: Path) -> None:
    same = [open_directory(write_directory(tmp_path / name, matrix(4, 5))).fingerprint() for name in "ab"]
    other = open_directory(write_directory(tmp_path / "c", matrix(4, 5), "BF16")).fingerprint()
    assert same[0] == same[1] != other


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"hidden_size": 5, "vocab_size": 4}, None),
        ({"model_type": "gemma3"}, None),
        ({"text_config": {"hidden_size": 5}}, None),
        ({"hidden_size": 7}, r"config\.json: hidden_size: expected 5 \(the embedding tensor\), found 7"),
        ({"vocab_size": 9}, r"config\.json: vocab_size: expected 4 \(the embedding tensor\), found 9"),
        ({"text_config": {"vocab_size": 9}}, r"config\.json: vocab_size: expected 4"),
        ([], r"config\.json: expected a JSON object, found list"),
    ],
)
def test_config_is_compared(tmp_path: Path, config: Any, expected: str | None) -> None:
    write_directory(tmp_path, matrix(4, 5))
    (tmp_path / "config.json").write_text(json.dumps(config))
    if expected is None:
        assert open_directory(tmp_path).matrix().shape == (4, 5)
    else:
        with pytest.raises(EmbeddingError, match=expected):
            open_directory(tmp_path)


@pytest.mark.parametrize("text", [b"{", b"\xff", b""])
def test_config_that_is_not_json(tmp_path: Path, text: bytes) -> None:
    write_directory(tmp_path, matrix(4, 5))
    (tmp_path / "config.json").write_bytes(text)
    with pytest.raises(EmbeddingError, match=r"config\.json: expected JSON in UTF-8"):
        open_directory(tmp_path)


def test_missing_tokenizer_names_the_file(tmp_path: Path) -> None:
    write_directory(tmp_path, matrix(4, 5))
    (tmp_path / "tokenizer.json").unlink()
    with pytest.raises(EmbeddingError, match=r"expected tokenizer\.json, the tokenizer that"):
        open_directory(tmp_path).tokenizer_json()


@pytest.mark.parametrize("text", [b'{"model": ', b"\xff\xfe"])
def test_damaged_tokenizer(tmp_path: Path, text: bytes) -> None:
    write_directory(tmp_path, matrix(4, 5))
    (tmp_path / "tokenizer.json").write_bytes(text)
    with pytest.raises(EmbeddingError, match=r"tokenizer\.json: expected JSON in UTF-8"):
        open_directory(tmp_path).tokenizer_json()


def test_directory_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(EmbeddingError, match=r"expected model\.safetensors or model\.safetensors\.index\.json, found"):
        open_directory(tmp_path)


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        ({}, "weight_map: expected file names by tensor, found None"),
        ({"weight_map": {}}, "embedding_layer_name: expected a tensor, but there is no tensor at all"),
        ({"weight_map": {NAME: 3}}, "expected a file name, found 3"),
        ({"weight_map": {NAME: "../outside.safetensors"}}, "expected a file name, found '../outside.safetensors'"),
        ({"weight_map": {NAME: ""}}, "expected a file name, found ''"),
        ({"weight_map": {NAME: ".."}}, "expected a file name, found '..'"),
    ],
)
def test_bad_index(tmp_path: Path, index: Any, expected: str) -> None:
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(EmbeddingError, match=expected):
        open_directory(tmp_path)


def test_missing_shard_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {NAME: "gone.safetensors"}}))
    with pytest.raises(FileNotFoundError, match=r"gone\.safetensors"):
        open_directory(tmp_path)


def test_index_that_points_to_the_wrong_shard(tmp_path: Path) -> None:
    (tmp_path / "s.safetensors").write_bytes(safetensors_bytes({"other": stored_as(matrix(2, 2), "F32")}))
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {NAME: "s.safetensors"}}))
    with pytest.raises(EmbeddingError, match=rf"expected the tensor {NAME} that .* puts there, found none"):
        open_directory(tmp_path)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (("F64", (4, 5), bytes(160)), "dtype: expected one of F32, F16, BF16, found F64"),
        (("Q4", (4, 5), bytes(160)), "dtype: expected one of F32, F16, BF16, found Q4"),
        (("F32", (20,), bytes(80)), r"shape: expected tokens x dimensions, found \[20\]"),
        (("F32", (0, 5), b""), r"shape: expected tokens x dimensions, found \[0, 5\]"),
        (("F32", (4, 6), bytes(80)), r"F32 \[4, 6\] does not take the 80 bytes"),
        (("F32", (2**62, 2**62), bytes(80)), "does not take the 80 bytes"),
    ],
)
def test_bad_tensor(tmp_path: Path, entry: tuple[str, tuple[int, ...], bytes], expected: str) -> None:
    (tmp_path / "model.safetensors").write_bytes(safetensors_bytes({NAME: entry}))
    with pytest.raises(EmbeddingError, match=expected):
        open_directory(tmp_path)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (b"[]", "header: expected an object, found list"),
        (b"{", "the header is not JSON"),
        (b"\xff\xff", "the header is not JSON"),
        (b"[" * 100_000, "the header is not JSON"),
        (b'{"a": 1, "a": 2}', "a key is repeated"),
        (b'{"a": 1}', "tensor 'a': expected dtype, shape and two data_offsets, found 1"),
        (b'{"a": {"dtype": "U8", "shape": [1], "data_offsets": [0]}}', "two data_offsets"),
        (b'{"a": {"dtype": "U8", "shape": [true], "data_offsets": [0, 1]}}', "two data_offsets"),
        (b'{"a": {"dtype": "U8", "shape": [-1], "data_offsets": [0, 1]}}', "two data_offsets"),
        (b'{"a": {"dtype": "U8", "shape": [1], "data_offsets": [1, 0]}}', "expected bytes within the file's"),
        (b'{"a": {"dtype": "U8", "shape": [9], "data_offsets": [0, 9]}}', "expected bytes within the file's"),
        (b'{"a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}}', "expected the last tensor to end with the"),
        (b"{}", "expected the last tensor to end with the file"),
    ],
)
def test_bad_header(tmp_path: Path, header: bytes, expected: str) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"four")
    with pytest.raises(EmbeddingError, match=expected) as caught:
        read_safetensors_header(path)
    assert str(caught.value).startswith(f"{path}: safetensors file: ")
    assert "\n" not in str(caught.value)


def test_truncated_anywhere(tmp_path: Path) -> None:
    whole = safetensors_bytes({"a": stored_as(matrix(1, 3), "F16"), NAME: stored_as(matrix(4, 5), "F32")})
    path = tmp_path / "model.safetensors"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(EmbeddingError, match="safetensors file: "):
            read_safetensors_header(path)
    path.write_bytes(whole + b"x")
    with pytest.raises(EmbeddingError, match="expected the last tensor to end with the file"):
        read_safetensors_header(path)


@settings(max_examples=200)
@given(data=st.data())
def test_damaged_anywhere(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    whole = bytearray(safetensors_bytes({NAME: stored_as(matrix(4, 5), "F32")}))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / "model.safetensors"
    path.write_bytes(whole)
    try:
        values = open_directory(path.parent).matrix().rows(slice(None))
    except EmbeddingError as error:
        assert str(path) in str(error)
    else:
        assert values.shape == (4, 5)
