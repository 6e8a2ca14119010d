"""Small model files for the tests: GGUF files and safetensors directories, written from arrays and pieces."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import gguf
import numpy as np
from numpy.typing import NDArray

Piece: TypeAlias = "tuple[str, float, int]"

NORMAL, UNKNOWN, CONTROL, USER, UNUSED, BYTE = range(1, 7)
SPACE = "\u2581"


def matrix(n_rows: int, width: int, seed: int = 0) -> NDArray[np.float32]:
    """Reproducible float32 values of about unit size, [n_rows, width]."""
    return np.random.default_rng(seed).standard_normal((n_rows, width)).astype(np.float32)


def spm_pieces(joined: Sequence[str], users: Sequence[str] = (), characters: str = "") -> list[Piece]:
    """A SentencePiece BPE vocabulary as a GGUF file lists it: special tokens, bytes, products best first, characters.

    The characters of the products are always among the characters.
    """
    special = [("<pad>", -1000.0, CONTROL), ("<eos>", -1000.0, CONTROL), ("<bos>", -1000.0, CONTROL)]
    pieces: list[Piece] = [*special, ("<unk>", -1000.0, CONTROL)]
    pieces += [(user, -1000.0, USER) for user in users]
    pieces += [(f"<0x{byte:02X}>", 0.0, BYTE) for byte in range(256)]
    single = sorted(set(characters) | set("".join(joined)))
    pieces += [(piece, -float(rank), NORMAL) for rank, piece in enumerate([*joined, *single])]
    return pieces


def write_gguf(
    path: Path,
    values: NDArray[np.float32],
    kind: gguf.GGMLQuantizationType = gguf.GGMLQuantizationType.F32,
    *,
    name: str = "token_embd.weight",
    pieces: Sequence[Piece] | None = None,
    metadata: Mapping[str, Any] | None = None,
    others: Mapping[str, NDArray[np.float32]] | None = None,
) -> Path:
    """Write ``values`` as the tensor ``name`` of storage type ``kind``, and the tokenizer's pieces if given.

    ``metadata`` adds or replaces keys; a value of None leaves the key out.
    """
    writer = gguf.GGUFWriter(path, "gemma3")
    keys: dict[str, Any] = {}
    if pieces is not None:
        keys = {
            "tokenizer.ggml.model": "llama",
            "tokenizer.ggml.pre": "default",
            "tokenizer.ggml.tokens": [piece for piece, _, _ in pieces],
            "tokenizer.ggml.scores": [score for _, score, _ in pieces],
            "tokenizer.ggml.token_type": [kind for _, _, kind in pieces],
            "tokenizer.ggml.add_space_prefix": False,
            "tokenizer.ggml.bos_token_id": 2,
            "tokenizer.ggml.eos_token_id": 1,
            "tokenizer.ggml.unknown_token_id": 3,
            "tokenizer.ggml.padding_token_id": 0,
            "tokenizer.ggml.add_bos_token": True,
            "tokenizer.ggml.add_eos_token": False,
        }
    keys.update(metadata or {})
    for key, value in keys.items():
        if isinstance(value, bool):
            writer.add_bool(key, value)
        elif isinstance(value, int):
            writer.add_uint32(key, value)
        elif isinstance(value, float):
            writer.add_float32(key, value)
        elif isinstance(value, str):
            writer.add_string(key, value)
        elif value is not None:
            writer.add_array(key, value)
    for other, array in (others or {}).items():
        writer.add_tensor(other, array)
    plain = kind in (gguf.GGMLQuantizationType.F32, gguf.GGMLQuantizationType.F16)
    writer.add_tensor(name, gguf.quantize(values, kind), raw_dtype=None if plain else kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def safetensors_bytes(tensors: Mapping[str, tuple[str, Sequence[int], bytes]]) -> bytes:
    """A safetensors file of (dtype, shape, bytes) by name, laid out in order."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    start = 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [start, start + len(data)]}
        start += len(data)
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + b"".join(data for _, _, data in tensors.values())


def stored_as(values: NDArray[np.float32], dtype: str) -> tuple[str, Sequence[int], bytes]:
    """``values`` as one safetensors tensor; bfloat16 by cutting off the lower half of the bits."""
    if dtype == "BF16":
        data = (values.view(np.uint32) >> 16).astype("<u2").tobytes()
    else:
        data = values.astype({"F32": "<f4", "F16": "<f2", "F64": "<f8"}[dtype]).tobytes()
    return dtype, values.shape, data


def widened(values: NDArray[np.float32], dtype: str) -> NDArray[np.float32]:
    """What reading `stored_as` gives back in float32."""
    if dtype == "BF16":
        return (values.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32)
    return values.astype(np.float16).astype(np.float32) if dtype == "F16" else values


def write_directory(
    directory: Path, values: NDArray[np.float32], dtype: str = "F32", name: str = "model.embed_tokens.weight"
) -> Path:
    """A model directory with one safetensors file and a tokenizer of four words."""
    directory.mkdir(parents=True, exist_ok=True)
    tensors = {"model.norm.weight": stored_as(matrix(1, 3), dtype), name: stored_as(values, dtype)}
    (directory / "model.safetensors").write_bytes(safetensors_bytes(tensors))
    (directory / "tokenizer.json").write_text(word_tokenizer(["a", "b", "c", "d"]), encoding="utf-8")
    return directory


def word_tokenizer(words: Sequence[str]) -> str:
    """The text of a ``tokenizer.json`` that knows whole words only."""
    model = {"type": "WordLevel", "vocab": {word: index for index, word in enumerate(words)}, "unk_token": words[0]}
    return json.dumps({"version": "1.0", "added_tokens": [], "pre_tokenizer": {"type": "Whitespace"}, "model": model})
