"""Rebuild a ``tokenizer.json`` from the pieces, scores and token types that a GGUF file carries.

Only a SentencePiece BPE vocabulary without text normalization can be rebuilt exactly, so only that is built; everything
else is refused with the reason. A byte-level BPE file, for one, names its pre-tokenizer by a label and does not record
the normalizer at all, and different models share a label.

What makes the rebuilding exact, each point checked before it is relied on:

* The merges are every split of a piece into two pieces, ranked by the score of the product, then the longer left part,
  the longer right part, and the lower id: the list that converting a SentencePiece BPE model gives. Scores of products
  are distinct, so that no two ordinary pieces compete at one rank.
* User-defined pieces count with SentencePiece's score for them, 0, which no other piece exceeds (GGUF files give them a
  meaningless one). The longest comes first, which makes blocks of the longest run out of a run of spaces.
* Control, unknown and user-defined pieces are matched in the raw text as added tokens. GGUF spells U+2581 in a
  user-defined piece as a space.
* Text outside the vocabulary falls back to bytes when all 256 byte pieces are there.
"""

from __future__ import annotations

import json
from enum import IntEnum
from typing import Any

import numpy as np

from wldetect.embeddings.gguf_file import GGUFFile
from wldetect.errors import EmbeddingError

__all__ = ["BUILDER_VERSION", "InexactTokenizerError", "TokenType", "build_tokenizer_json", "read_pieces"]

# Part of the key of the cached text: raise it whenever the text built from the same file changes.
BUILDER_VERSION = 1

_SPACE = "\N{LOWER ONE EIGHTH BLOCK}"
# "seperator" is how the format spells it.
_SPECIAL_NAMES = ("bos", "eos", "unknown", "padding", "seperator", "cls", "mask", "eot", "eom")
_BYTE_PIECES = [f"<0x{byte:02X}>" for byte in range(256)]


class TokenType(IntEnum):
    """What a piece is for, by GGUF's numbers."""

    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    USER_DEFINED = 4
    UNUSED = 5
    BYTE = 6


class InexactTokenizerError(EmbeddingError):
    """The file's tokenizer cannot be rebuilt exactly from what the file records."""


def read_pieces(reader: GGUFFile) -> tuple[list[str], list[TokenType]]:
    """The pieces as the tokenizer spells them, and their types, both by id.

    Raises:
        EmbeddingError: the file has no pieces or types, or their numbers differ, or a type is unknown.
    """
    pieces, types = reader.strings("tokenizer.ggml.tokens"), reader.numbers("tokenizer.ggml.token_type")
    if pieces is None or types is None:
        missing = "tokens" if pieces is None else "token_type"
        raise InexactTokenizerError(f"{reader.path}: tokenizer.ggml.{missing}: the key is missing")
    if len(types) != len(pieces):
        raise EmbeddingError(
            f"{reader.path}: tokenizer.ggml.token_type: expected {len(pieces)} entries, found {len(types)}"
        )
    try:
        kinds = [TokenType(value) for value in types.tolist()]
    except ValueError as error:
        raise EmbeddingError(f"{reader.path}: tokenizer.ggml.token_type: {error}") from error
    spelled = [
        piece.replace(" ", _SPACE) if kind is TokenType.USER_DEFINED else piece
        for piece, kind in zip(pieces, kinds, strict=True)
    ]
    return spelled, kinds


def build_tokenizer_json(reader: GGUFFile) -> str:
    """The text of a ``tokenizer.json`` whose ids equal the original tokenizer's, special tokens aside.

    The tokens named by the file's ``*_token_id`` keys are marked special; GGUF's own type for that, control, also
    covers unused tokens. The mark changes no id, only what decoding may leave out.

    Raises:
        InexactTokenizerError: the file describes a tokenizer that cannot be rebuilt exactly.
        EmbeddingError: the tokenizer's metadata is malformed.
    """
    _check_definition(reader)
    pieces, kinds = read_pieces(reader)
    scores = _read_scores(reader, len(pieces))
    ids = _vocabulary(reader, pieces, kinds)
    byte_fallback = _check_bytes(reader, pieces, kinds)
    unknown = _token_id(reader, "unknown", len(pieces))
    special = {_token_id(reader, name, len(pieces)) for name in _SPECIAL_NAMES}
    added_kinds = (TokenType.UNKNOWN, TokenType.CONTROL, TokenType.USER_DEFINED)
    document = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": token_id,
                "content": piece,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": token_id in special,
            }
            for token_id, (piece, kind) in enumerate(zip(pieces, kinds, strict=True))
            if kind in added_kinds
        ],
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": _SPACE},
        "pre_tokenizer": {
            "type": "Split",
            "pattern": {"String": " "},
            "behavior": "MergedWithPrevious",
            "invert": False,
        },
        "post_processor": _post_processor(reader, pieces),
        "decoder": {
            "type": "Sequence",
            "decoders": [
                {"type": "Replace", "pattern": {"String": _SPACE}, "content": " "},
                {"type": "ByteFallback"},
                {"type": "Fuse"},
            ],
        },
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None if unknown is None else pieces[unknown],
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": True,
            "byte_fallback": byte_fallback,
            "ignore_merges": False,
            "vocab": ids,
            "merges": _ranked_merges(reader, pieces, kinds, scores, ids),
        },
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def _refuse(reader: GGUFFile, reason: str) -> InexactTokenizerError:
    return InexactTokenizerError(f"{reader.path}: the tokenizer cannot be rebuilt exactly: {reason}")


def _check_definition(reader: GGUFFile) -> None:
    """Refuse every tokenizer that does more to a text than replace spaces and join pieces."""
    found: dict[str, str | bool | None] = {
        name: reader.value(f"tokenizer.ggml.{name}", str) for name in ("model", "pre")
    }
    for name in ("add_space_prefix", "remove_extra_whitespaces"):
        found[name] = reader.value(f"tokenizer.ggml.{name}", bool)
    expectations: dict[str, tuple[str | bool | None, ...]] = {
        "model": ("llama",),
        "pre": (None, "default"),
        # Where the prefix goes around added tokens differs between models and is not recorded; absent means true.
        "add_space_prefix": (False,),
        "remove_extra_whitespaces": (None, False),
    }
    for name, accepted in expectations.items():
        if found[name] not in accepted:
            raise _refuse(reader, f"tokenizer.ggml.{name}: expected {accepted[-1]!r}, found {found[name]!r}")
    characters_map = reader.numbers("tokenizer.ggml.precompiled_charsmap")
    if characters_map is not None and characters_map.size:
        raise _refuse(reader, "tokenizer.ggml.precompiled_charsmap: expected no normalization, found one")
    if reader.strings("tokenizer.ggml.merges"):
        raise _refuse(reader, "tokenizer.ggml.merges: expected scores alone, found merges too")


def _read_scores(reader: GGUFFile, n_pieces: int) -> list[float]:
    scores = reader.numbers("tokenizer.ggml.scores")
    if scores is None:
        raise _refuse(reader, "tokenizer.ggml.scores: the key is missing")
    if len(scores) != n_pieces:
        raise EmbeddingError(f"{reader.path}: tokenizer.ggml.scores: expected {n_pieces} entries, found {len(scores)}")
    values: list[float] = scores.astype(np.float64).tolist()
    return values


def _vocabulary(reader: GGUFFile, pieces: list[str], kinds: list[TokenType]) -> dict[str, int]:
    """Ids by piece, without the rows that only pad the table."""
    ids: dict[str, int] = {}
    for token_id, (piece, kind) in enumerate(zip(pieces, kinds, strict=True)):
        if kind is TokenType.UNUSED:
            if piece != f"[PAD{token_id}]":
                raise _refuse(reader, f"piece {token_id} {piece!r} is of the type UNUSED")
            continue
        if piece in ids:
            raise EmbeddingError(
                f"{reader.path}: tokenizer.ggml.tokens: {piece!r} has two ids, {ids[piece]} and {token_id}"
            )
        if not piece or " " in piece:
            raise _refuse(reader, f"piece {token_id} {piece!r}: expected {_SPACE!r} in place of spaces")
        # As an added token it would match U+2581 in the raw text alone, as a piece also the spaces.
        if kind is not TokenType.NORMAL and _SPACE in piece and piece.strip(_SPACE):
            raise _refuse(reader, f"added token {token_id} {piece!r} mixes spaces with other characters")
        ids[piece] = token_id
    return ids


def _check_bytes(reader: GGUFFile, pieces: list[str], kinds: list[TokenType]) -> bool:
    """Whether there is byte fallback: all 256 byte pieces or none."""
    found = sorted(piece for piece, kind in zip(pieces, kinds, strict=True) if kind is TokenType.BYTE)
    if found and found != _BYTE_PIECES:
        raise _refuse(reader, f"expected all 256 byte pieces <0x00> to <0xFF> or none, found {len(found)} other ones")
    return bool(found)


def _ranked_merges(
    reader: GGUFFile, pieces: list[str], kinds: list[TokenType], scores: list[float], ids: dict[str, int]
) -> list[tuple[str, str]]:
    """Every split of a piece into two pieces, best score first, then the longer left part."""
    merges: list[tuple[str, str]] = []
    products: list[int] = []
    split_scores: dict[float, int] = {}
    for product, piece in enumerate(pieces):
        kind = kinds[product]
        if kind not in (TokenType.NORMAL, TokenType.USER_DEFINED, TokenType.BYTE):
            continue
        before = len(merges)
        for cut in range(1, len(piece)):
            left = piece[:cut]
            if left in ids and (right := piece[cut:]) in ids:
                merges.append((left, right))
        if len(merges) == before:
            continue
        products.extend([product] * (len(merges) - before))
        if kind is TokenType.BYTE:
            raise _refuse(reader, f"the byte piece {piece!r} could also be joined from text")
        if kind is TokenType.NORMAL:
            other = split_scores.setdefault(scores[product], product)
            if other != product:
                raise _refuse(reader, f"pieces {other} and {product} have the same score {scores[product]}")
            # Written so that a NaN fails too.
            if not scores[product] <= 0.0:
                raise _refuse(reader, f"piece {product} has the score {scores[product]}: expected at most 0")
    product_ids = np.array(products, dtype=np.int64)
    user_defined = np.array([kind is TokenType.USER_DEFINED for kind in kinds], dtype=bool)
    best = np.where(user_defined, 0.0, np.array(scores))
    left_lengths = np.array([len(left) for left, _ in merges], dtype=np.int64)
    right_lengths = np.array([len(right) for _, right in merges], dtype=np.int64)
    # lexsort's last key is the first to count.
    order = np.lexsort((product_ids, -right_lengths, -left_lengths, -best[product_ids]))
    return [merges[index] for index in order.tolist()]


def _token_id(reader: GGUFFile, name: str, n_pieces: int) -> int | None:
    """The id that the metadata gives the token of this name, or None where the file does not give one."""
    key = f"tokenizer.ggml.{name}_token_id"
    token_id = reader.value(key, int)
    if token_id is not None and not 0 <= token_id < n_pieces:
        raise EmbeddingError(f"{reader.path}: {key}: expected an id below {n_pieces}, found {token_id}")
    return token_id


def _post_processor(reader: GGUFFile, pieces: list[str]) -> dict[str, Any] | None:
    """The template that adds the begin and end tokens when special tokens are asked for."""
    begin, end = (
        _token_id(reader, name, len(pieces)) if reader.value(f"tokenizer.ggml.add_{name}_token", bool) else None
        for name in ("bos", "eos")
    )
    if begin is None and end is None:
        return None

    def template(sequence: str, type_id: int) -> list[dict[str, Any]]:
        before, after = (
            [] if token_id is None else [{"SpecialToken": {"id": pieces[token_id], "type_id": type_id}}]
            for token_id in (begin, end)
        )
        return [*before, {"Sequence": {"id": sequence, "type_id": type_id}}, *after]

    return {
        "type": "TemplateProcessing",
        "single": template("A", 0),
        "pair": template("A", 0) + template("B", 1),
        "special_tokens": {
            pieces[token_id]: {"id": pieces[token_id], "ids": [token_id], "tokens": [pieces[token_id]]}
            for token_id in (begin, end)
            if token_id is not None
        },
    }
