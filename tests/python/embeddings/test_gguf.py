"""`GGUFSource`: decoding, the cache, and files that are not what they should be."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
from gguf import GGMLQuantizationType as Kind
from numpy.typing import NDArray

from wldetect.embeddings import gguf as gguf_source
from wldetect.embeddings.gguf import GGUFSource
from wldetect.errors import EmbeddingError, MissingExtraError

from .builders import UNUSED, USER, matrix, spm_pieces, word_tokenizer, write_gguf

N_ROWS, WIDTH = 300, 64
DECODED = [Kind.F16, Kind.BF16, Kind.Q8_0, Kind.Q4_0, Kind.Q5_1]


def open_file(path: Path, name: str = "token_embd.weight", width: int = WIDTH, **more: Any) -> GGUFSource:
    return GGUFSource(path, name, width, path.parent / "cache", **more)


def cached(path: Path, pattern: str = "*") -> list[Path]:
    """The files of the cache beside ``path``, leftovers included."""
    return sorted((path.parent / "cache").glob(f"embeddings/{pattern}"))


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A Q8_0 file of 300 x 64 with a tokenizer."""
    return write_gguf(tmp_path / "m.gguf", matrix(N_ROWS, WIDTH), Kind.Q8_0, pieces=spm_pieces(["ab"]))


@pytest.mark.parametrize("kind", [Kind.F32, *DECODED], ids=lambda kind: kind.name)
@pytest.mark.parametrize("chunk", [7 * WIDTH, 8 * 2**20])
def test_every_storage_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Kind, chunk: int) -> None:
    monkeypatch.setattr(gguf_source, "_CHUNK_VALUES", chunk)
    values = matrix(N_ROWS, WIDTH)
    source = open_file(write_gguf(tmp_path / "m.gguf", values, kind))
    expected = gguf.dequantize(gguf.quantize(values, kind), kind)
    whole = source.matrix().contiguous()
    assert whole is not None
    assert np.array_equal(whole, expected)
    assert not whole.flags.writeable
    assert source.matrix().shape == (N_ROWS, WIDTH)
    assert np.array_equal(source.matrix().rows(np.array([299, 0])), expected[[299, 0]])
    assert source.describe() == f"{tmp_path / 'm.gguf'}: token_embd.weight (300 x 64, {kind.name})"


def test_float32_is_mapped_in_place(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "m.gguf", matrix(N_ROWS, WIDTH))
    open_file(path).matrix()
    assert not (tmp_path / "cache").exists()


def test_values_are_decoded_once(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = open_file(small).matrix().rows(slice(None))
    (path,) = cached(small)
    assert path.name == f"{open_file(small).fingerprint()}.npy"

    def not_again(*_: object) -> None:
        raise AssertionError("decoded a second time")

    monkeypatch.setattr(GGUFSource, "_decode", not_again)
    assert np.array_equal(open_file(small).matrix().rows(slice(None)), first)
    # The key is the content: a copy under another name finds the same file.
    other = small.with_name("copy.gguf")
    other.write_bytes(small.read_bytes())
    assert np.array_equal(open_file(other).matrix().rows(slice(None)), first)


def test_fingerprint_is_of_the_tensor_alone(tmp_path: Path) -> None:
    values = matrix(N_ROWS, WIDTH)
    one = open_file(write_gguf(tmp_path / "1.gguf", values, Kind.Q8_0)).fingerprint()
    more = write_gguf(tmp_path / "2.gguf", values, Kind.Q8_0, metadata={"x": "y"}, others={"a": matrix(2, 2)})
    assert open_file(more).fingerprint() == one
    assert open_file(write_gguf(tmp_path / "3.gguf", values, Kind.Q4_0)).fingerprint() != one
    values[299, 63] += 1
    assert open_file(write_gguf(tmp_path / "4.gguf", values, Kind.Q8_0)).fingerprint() != one


def damage_truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def damage_extend(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


def damage_empty(path: Path) -> None:
    path.write_bytes(b"")


def damage_shape(path: Path) -> None:
    np.save(path, matrix(WIDTH, N_ROWS))


def damage_dtype(path: Path) -> None:
    np.save(path, matrix(N_ROWS, WIDTH).view(np.int32))


def damage_order(path: Path) -> None:
    np.save(path, np.asfortranarray(matrix(N_ROWS, WIDTH)))


def damage_pickle(path: Path) -> None:
    np.save(path, np.array([{"not": "numbers"}], dtype=object), allow_pickle=True)


@pytest.mark.parametrize(
    "damage",
    [damage_truncate, damage_extend, damage_empty, damage_shape, damage_dtype, damage_order, damage_pickle],
)
def test_a_damaged_cache_is_written_again(small: Path, damage: Callable[[Path], None]) -> None:
    expected = open_file(small).matrix().rows(slice(None))
    (path,) = cached(small)
    intact = path.read_bytes()
    damage(path)
    with pytest.warns(RuntimeWarning, match=rf"{path.name}: unusable, writing it again: "):
        found = open_file(small).matrix().rows(slice(None))
    assert np.array_equal(found, expected)
    assert path.read_bytes() == intact
    assert cached(small) == [path]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_interrupted_decoding_leaves_nothing(
    small: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    monkeypatch.setattr(gguf_source, "_CHUNK_VALUES", 100 * WIDTH)
    decode, starts = GGUFSource._decode, []

    def interrupted(self: GGUFSource, start: int, stop: int) -> NDArray[np.float32]:
        starts.append(start)
        if start == 200:
            assert len(cached(small)) == 1
            raise error
        return decode(self, start, stop)

    with monkeypatch.context() as patched:
        patched.setattr(GGUFSource, "_decode", interrupted)
        with pytest.raises(type(error)):
            open_file(small).matrix()
    assert starts == [0, 100, 200]
    assert cached(small) == []
    assert open_file(small).matrix().shape == (N_ROWS, WIDTH)


def test_full_disk_is_noticed_before_writing(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": 1000})()
    monkeypatch.setattr("wldetect.files.shutil.disk_usage", lambda _: usage)
    with pytest.raises(EmbeddingError, match="not enough disk space for the decoded embeddings: expected at least"):
        open_file(small).matrix()
    assert cached(small) == []


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(tmp_path: Path, bad: float) -> None:
    values = matrix(N_ROWS, WIDTH)
    values[123, 4] = bad
    path = write_gguf(tmp_path / "m.gguf", values, Kind.F16)
    with pytest.raises(EmbeddingError, match=r"m\.gguf: tensor token_embd\.weight: row 123 holds a NaN or an infinity"):
        open_file(path).matrix()
    assert cached(path) == []


@pytest.mark.parametrize(
    "name",
    ["token_embd", "token_embd.weight", "model.embed_tokens", "model.embed_tokens.weight", "transformer.wte.weight"],
)
def test_names_of_the_embedding(small: Path, name: str) -> None:
    assert open_file(small, name).matrix().shape == (N_ROWS, WIDTH)


def test_an_exact_name_goes_first(tmp_path: Path) -> None:
    others = {"model.embed_tokens.weight": matrix(3, WIDTH), "bare": matrix(5, WIDTH)}
    path = write_gguf(tmp_path / "m.gguf", matrix(N_ROWS, WIDTH), others=others)
    assert open_file(path, "model.embed_tokens").matrix().shape == (3, WIDTH)
    assert open_file(path, "bare.weight").matrix().shape == (5, WIDTH)


def test_missing_tensor_lists_candidates(tmp_path: Path) -> None:
    others = {"output_norm.weight": matrix(1, 8)[0], "blk.0.attn_k.weight": matrix(4, 4)}
    path = write_gguf(tmp_path / "m.gguf", matrix(N_ROWS, WIDTH), others=others)
    with pytest.raises(EmbeddingError) as caught:
        open_file(path, "lm_head.weight")
    assert str(caught.value) == (
        f"{path}: embedding_layer_name: expected one of token_embd.weight, found 'lm_head.weight'"
    )
    path = write_gguf(tmp_path / "n.gguf", matrix(4, 4), name="blk.weight")
    with pytest.raises(EmbeddingError, match=r"expected one of blk\.weight, found 'token_embd\.weight'"):
        open_file(path)


def test_hidden_dim_is_compared(small: Path) -> None:
    with pytest.raises(EmbeddingError) as caught:
        open_file(small, width=512)
    assert str(caught.value) == (
        f"hidden_dim: expected 512 (config), found 64 (tensor token_embd.weight, 300 x 64 in {small})"
    )


def test_a_tensor_that_is_no_matrix(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "m.gguf", matrix(1, 8)[0])
    with pytest.raises(EmbeddingError, match=r"token_embd\.weight: expected tokens x dimensions, found 8$"):
        open_file(path)


def test_checksum_of_the_file(small: Path) -> None:
    right = hashlib.sha256(small.read_bytes()).hexdigest()
    assert open_file(small, sha256=right.upper()).matrix().shape == (N_ROWS, WIDTH)
    wrong = "0" * 64
    with pytest.raises(EmbeddingError) as caught:
        open_file(small, sha256=wrong)
    assert str(caught.value) == f"{small}: sha256: expected {wrong}, found {right}"


def test_truncated_data(small: Path) -> None:
    whole = small.read_bytes()
    small.write_bytes(whole[:-40])
    with pytest.raises(EmbeddingError, match=r"truncated: tensor token_embd\.weight ends at byte \d+, the file has "):
        open_file(small)


def test_unknown_and_undecodable_storage_types(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "m.gguf", matrix(N_ROWS, WIDTH))
    whole = path.read_bytes()
    # The tensor's entry: name, number of dimensions, two dimensions, then the storage type.
    at = whole.index(b"token_embd.weight") + len(b"token_embd.weight") + 4 + 16
    path.write_bytes(whole[:at] + (250).to_bytes(4, "little") + whole[at + 4 :])
    with pytest.raises(EmbeddingError, match="storage type 250 is unknown to the installed gguf package"):
        open_file(path)
    path.write_bytes(whole[:at] + int(Kind.I32).to_bytes(4, "little") + whole[at + 4 :])
    with pytest.raises(EmbeddingError, match="storage type I32 cannot be decoded by the installed gguf package"):
        open_file(path).matrix()
    assert cached(path) == []
    path.write_bytes(whole[:at] + int(Kind.Q6_K).to_bytes(4, "little") + whole[at + 4 :])
    with pytest.raises(EmbeddingError, match=r"rows of whole blocks of 256 values \(Q6_K\), found 64 values"):
        open_file(path)


def test_without_the_gguf_package(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "gguf", None)
    with pytest.raises(MissingExtraError, match=r"needs the package gguf: pip install gguf"):
        open_file(small)


def test_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"gone\.gguf"):
        open_file(tmp_path / "gone.gguf")


def test_tokenizer_is_built_once(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = open_file(small).tokenizer_json()
    (path,) = cached(small, "*.tokenizer")
    with monkeypatch.context() as patched:
        patched.delattr(gguf_source, "build_tokenizer_json")
        assert open_file(small).tokenizer_json() == text
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.warns(RuntimeWarning, match="unusable, writing it again: the checksum differs"):
        assert open_file(small).tokenizer_json() == text
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert open_file(small).tokenizer_json() == text


def test_more_tokens_than_rows(tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "m.gguf", matrix(100, WIDTH), pieces=spm_pieces(["ab"]))
    with pytest.raises(
        EmbeddingError, match=r"expected at most 100 tokens, one a row of token_embd\.weight, found 263"
    ):
        open_file(path).tokenizer_json()


def test_neighbouring_tokenizer_where_none_can_be_built(tmp_path: Path) -> None:
    pieces = [("a", 0.0, 1), ("b", 0.0, 1), ("  ", 0.0, USER), ("[PAD3]", 0.0, UNUSED)]
    path = write_gguf(tmp_path / "m.gguf", matrix(4, WIDTH), pieces=pieces, metadata={"tokenizer.ggml.model": "gpt2"})
    with pytest.raises(EmbeddingError, match=r"expected 'llama', found 'gpt2'; put the model's tokenizer\.json beside"):
        open_file(path).tokenizer_json()
    neighbour = tmp_path / "tokenizer.json"
    neighbour.write_text(word_tokenizer(["a", "b", "  "]), encoding="utf-8")
    assert open_file(path).tokenizer_json() == word_tokenizer(["a", "b", "  "])
    neighbour.write_text(word_tokenizer(["a", "c", "  "]), encoding="utf-8")
    with pytest.raises(EmbeddingError, match=r"not the tokenizer of m\.gguf: token 1: expected 'b', found 'c'"):
        open_file(path).tokenizer_json()
    neighbour.write_text("{", encoding="utf-8")
    with pytest.raises(EmbeddingError, match=r"tokenizer\.json: not a usable tokenizer: "):
        open_file(path).tokenizer_json()


def test_a_neighbour_is_ignored_where_one_can_be_built(small: Path) -> None:
    small.with_name("tokenizer.json").write_text(word_tokenizer(["a"]), encoding="utf-8")
    assert '"type":"BPE"' in open_file(small).tokenizer_json()
