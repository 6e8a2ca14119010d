"""Tokenizers rebuilt from a GGUF file's pieces, against hand-worked ids and a naive SentencePiece encoder."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from wldetect.embeddings.gguf_file import GGUFFile
from wldetect.embeddings.gguf_tokenizer import InexactTokenizerError, build_tokenizer_json
from wldetect.errors import EmbeddingError

from .builders import BYTE, CONTROL, NORMAL, SPACE, UNUSED, USER, Piece, matrix, spm_pieces, write_gguf

USERS = ["\n", "\n\n", "  ", "   ", "<b>", "[x]"]
JOINED = ["bc", "ab", f"{SPACE}a", "aa", f"{SPACE}b", f"{SPACE}ab", "xyz", "xy", "<b", "日本"]
CHARACTERS = "<>[]"


def build(path: Path, pieces: list[Piece], **metadata: Any) -> str:
    """The text built from a file with these pieces; ``metadata`` is by key without ``tokenizer.ggml.``."""
    keys = {f"tokenizer.ggml.{key}": value for key, value in metadata.items()}
    return build_tokenizer_json(GGUFFile(write_gguf(path, matrix(1, 1), pieces=pieces, metadata=keys)))


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    """Of the pieces above."""
    pieces = spm_pieces(JOINED, USERS, CHARACTERS)
    return Tokenizer.from_str(build(tmp_path_factory.mktemp("spm") / "m.gguf", pieces))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("a", ["a"]),
        # The best score first, not the leftmost pair ...
        ("abc", ["a", "bc"]),
        # ... and the leftmost of equal ones.
        ("aaa", ["aa", "a"]),
        # A better product takes the letter that a longer one would need.
        ("ab abc", ["ab", "\u2581a", "bc"]),
        ("ab ab", ["ab", "\u2581ab"]),
        ("xyzx", ["xyz", "x"]),
        ("日本", ["日本"]),
        ("日x", ["日", "x"]),
        # Runs of spaces: blocks of the longest run, and a single space left over joins what follows.
        ("a  b", ["a", "\u2581\u2581", "b"]),
        ("a    b", ["a", "\u2581\u2581\u2581", "\u2581b"]),
        ("     ", ["\u2581\u2581\u2581", "\u2581\u2581"]),
        # The same characters in the raw text are added tokens.
        ("a\u2581\u2581b", ["a", "\u2581\u2581", "b"]),
        (" \u2581\u2581b", ["\u2581", "\u2581\u2581", "b"]),
        ("a\u2581b", ["a", "\u2581b"]),
        ("\n\n\n", ["\n\n", "\n"]),
        ("x<b>y", ["x", "<b>", "y"]),
        ("x<by", ["x", "<b", "y"]),
        ("[x]<bos>", ["[x]", "<bos>"]),
        # Not in the vocabulary: bytes.
        ("é", ["<0xC3>", "<0xA9>"]),
        ("a\tb", ["a", "<0x09>", "b"]),
        ("<0x09>", ["<", "<0x30>", "x", "<0x30>", "<0x39>", ">"]),
    ],
)
def test_tokens(tokenizer: Tokenizer, text: str, expected: list[str]) -> None:
    encoding = tokenizer.encode(text, add_special_tokens=False)
    assert encoding.tokens == expected
    assert tokenizer.decode(encoding.ids, skip_special_tokens=False) == text.replace(SPACE, " ")


def test_ids_are_the_rows(tokenizer: Tokenizer) -> None:
    pieces = spm_pieces(JOINED, USERS, CHARACTERS)
    for row, (piece, _, kind) in enumerate(pieces):
        assert tokenizer.token_to_id(piece.replace(" ", SPACE) if kind == USER else piece) == row
    assert tokenizer.get_vocab_size() == len(pieces)


def test_document(tmp_path: Path) -> None:
    document = json.loads(build(tmp_path / "m.gguf", spm_pieces(["ab"], ["  ", "<b>"])))
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    contents = ["<pad>", "<eos>", "<bos>", "<unk>", SPACE * 2, "<b>"]
    assert document["added_tokens"] == [
        {"id": token_id, "content": content, **flags, "special": token_id < 4}
        for token_id, content in enumerate(contents)
    ]
    assert document["normalizer"] == {"type": "Replace", "pattern": {"String": " "}, "content": SPACE}
    model = document["model"]
    assert model["merges"] == [["a", "b"]]
    assert (model["unk_token"], model["byte_fallback"], model["fuse_unk"]) == ("<unk>", True, True)


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({}, ["<bos>", "a"]),
        ({"add_eos_token": True}, ["<bos>", "a", "<eos>"]),
        ({"add_bos_token": False, "add_eos_token": True}, ["a", "<eos>"]),
        ({"add_bos_token": False}, ["a"]),
        ({"add_bos_token": None, "add_eos_token": None}, ["a"]),
        ({"bos_token_id": None}, ["a"]),
    ],
)
def test_special_tokens_on_request(tmp_path: Path, metadata: dict[str, Any], expected: list[str]) -> None:
    tokenizer = Tokenizer.from_str(build(tmp_path / "m.gguf", spm_pieces(["ab"]), **metadata))
    assert tokenizer.encode("a").tokens == expected
    assert tokenizer.encode("a", add_special_tokens=False).tokens == ["a"]


def test_without_byte_pieces(tmp_path: Path) -> None:
    pieces = [piece for piece in spm_pieces(["ab"]) if piece[2] != BYTE]
    tokenizer = Tokenizer.from_str(build(tmp_path / "m.gguf", pieces))
    assert tokenizer.encode("abéa", add_special_tokens=False).tokens == ["ab", "<unk>", "a"]


def test_padding_rows_are_left_out(tmp_path: Path) -> None:
    pieces = spm_pieces(["ab"])
    n_tokens = len(pieces)
    pieces += [(f"[PAD{n_tokens + extra}]", -1.0, UNUSED) for extra in range(5)]
    tokenizer = Tokenizer.from_str(build(tmp_path / "m.gguf", pieces))
    assert tokenizer.get_vocab_size() == n_tokens
    assert tokenizer.token_to_id(f"[PAD{n_tokens}]") is None


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"model": "gpt2"}, "model: expected 'llama', found 'gpt2'"),
        ({"model": None}, "model: expected 'llama', found None"),
        ({"pre": "qwen2"}, "pre: expected 'default', found 'qwen2'"),
        ({"add_space_prefix": True}, "add_space_prefix: expected False, found True"),
        ({"add_space_prefix": None}, "add_space_prefix: expected False, found None"),
        ({"remove_extra_whitespaces": True}, "remove_extra_whitespaces: expected False, found True"),
        ({"precompiled_charsmap": [1, 2]}, "precompiled_charsmap: expected no normalization"),
        ({"merges": ["a b"]}, "merges: expected scores alone"),
        ({"scores": None}, "scores: the key is missing"),
        ({"tokens": None}, "tokens: the key is missing"),
        ({"token_type": None}, "token_type: the key is missing"),
    ],
)
def test_what_cannot_be_exact_is_refused(tmp_path: Path, metadata: dict[str, Any], expected: str) -> None:
    with pytest.raises(InexactTokenizerError, match=rf"m\.gguf: .*tokenizer\.ggml\.{expected}"):
        build(tmp_path / "m.gguf", spm_pieces(["ab"]), **metadata)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ([("x y", -50.0, NORMAL)], "'x y': expected '\u2581' in place of spaces"),
        ([("", -50.0, NORMAL)], "'': expected '\u2581' in place of spaces"),
        ([("x y", -50.0, CONTROL)], "expected '\u2581' in place of spaces"),
        ([("x y", -50.0, USER)], "added token 263 'x\u2581y' mixes spaces with other characters"),
        ([("\u2581x", -50.0, CONTROL)], "added token 263 '\u2581x' mixes spaces"),
        ([("xy", -50.0, UNUSED)], "piece 263 'xy' is of the type UNUSED"),
        ([("[PAD7]", -50.0, UNUSED)], r"piece 263 '\[PAD7\]' is of the type UNUSED"),
        ([("<0x100>", 0.0, BYTE)], "expected all 256 byte pieces <0x00> to <0xFF> or none, found 257"),
        ([("<0x", -50.0, NORMAL), ("0A>", -51.0, NORMAL), ("<", -52.0, NORMAL), ("x0A>", -52.5, NORMAL),
          ("<0", -53.0, NORMAL)], "the byte piece '<0x0A>' could also be joined from text"),
        ([("ba", 0.0, NORMAL)], "pieces 260 and 263 have the same score 0.0"),
        ([("ba", 0.5, NORMAL)], "piece 263 has the score 0.5: expected at most 0"),
        ([("ba", float("nan"), NORMAL)], "piece 263 has the score nan: expected at most 0"),
    ],
)  # fmt: skip
def test_vocabularies_that_cannot_be_exact(tmp_path: Path, more: list[Piece], expected: str) -> None:
    with pytest.raises(InexactTokenizerError, match=rf"m\.gguf: the tokenizer cannot be rebuilt exactly: .*{expected}"):
        build(tmp_path / "m.gguf", spm_pieces(["ab"]) + more)


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({"scores": [0.0, 1.0]}, "scores: expected 263 entries, found 2"),
        ({"token_type": [1]}, "token_type: expected 263 entries, found 1"),
        ({"token_type": [9] * 263}, "token_type: 9 is not a valid TokenType"),
        ({"bos_token_id": 263}, "bos_token_id: expected an id below 263, found 263"),
        ({"unknown_token_id": "x"}, "unknown_token_id: expected int, found 'x'"),
        ({"add_bos_token": 1}, "add_bos_token: expected bool, found 1"),
    ],
)
def test_malformed_metadata(tmp_path: Path, metadata: dict[str, Any], expected: str) -> None:
    with pytest.raises(EmbeddingError, match=rf"m\.gguf: .*tokenizer\.ggml\.{expected}"):
        build(tmp_path / "m.gguf", spm_pieces(["ab"]), **metadata)


def test_a_piece_with_two_ids(tmp_path: Path) -> None:
    with pytest.raises(EmbeddingError, match="'ab' has two ids, 260 and 263"):
        build(tmp_path / "m.gguf", [*spm_pieces(["ab"]), ("ab", -9.0, NORMAL)])


words = st.text(alphabet="abc" + SPACE, min_size=2, max_size=5)


@settings(max_examples=60, deadline=None)
@given(joined=st.lists(words, max_size=30, unique=True), n_spaces=st.integers(1, 6))
def test_merges_are_all_splits_in_order(
    tmp_path_factory: pytest.TempPathFactory, joined: list[str], n_spaces: int
) -> None:
    users = [" " * length for length in range(2, n_spaces + 1)]
    joined = [word for word in joined if word.strip(SPACE)]
    pieces = spm_pieces(joined, users, SPACE)
    known = [
        (piece.replace(" ", SPACE), 0.0 if kind == USER else score, row)
        for row, (piece, score, kind) in enumerate(pieces)
        if kind in (NORMAL, USER)
    ]
    names = {piece for piece, _, _ in known}
    expected = sorted(
        (-score, -cut, cut - len(piece), row, [piece[:cut], piece[cut:]])
        for piece, score, row in known
        for cut in range(1, len(piece))
        if piece[:cut] in names and piece[cut:] in names
    )
    document = json.loads(build(tmp_path_factory.mktemp("spm") / "m.gguf", pieces))
    assert document["model"]["merges"] == [entry[-1] for entry in expected]


def naive_encode(text: str, scores: dict[str, float]) -> list[str]:
    """SentencePiece's rule, a step at a time: join the adjacent pair of the best score, the leftmost of equals."""
    symbols = list(text.replace(" ", SPACE))
    while True:
        pairs = [(-scores[a + b], i) for i, (a, b) in enumerate(pairwise(symbols)) if a + b in scores]
        if not pairs:
            return symbols
        _, at = min(pairs)
        symbols[at : at + 2] = [symbols[at] + symbols[at + 1]]


# Pieces without a repeated character: then no two splits of one piece overlap, where the list of merges has to choose.
distinct = st.text(alphabet="abcdef" + SPACE, min_size=2, max_size=4).filter(lambda word: len(set(word)) == len(word))


@settings(max_examples=60, deadline=None)
@given(
    joined=st.lists(distinct, max_size=30, unique=True),
    texts=st.lists(st.text(alphabet="abcdef ", max_size=40), min_size=1, max_size=20),
)
def test_ids_equal_a_naive_encoder(
    tmp_path_factory: pytest.TempPathFactory, joined: list[str], texts: list[str]
) -> None:
    pieces = spm_pieces(joined, characters="abcdef" + SPACE)
    tokenizer = Tokenizer.from_str(build(tmp_path_factory.mktemp("spm") / "m.gguf", pieces))
    scores = {piece: score for piece, score, kind in pieces if kind == NORMAL}
    for text in texts:
        assert tokenizer.encode(text, add_special_tokens=False).tokens == naive_encode(text, scores)
