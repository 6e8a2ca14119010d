"""Fixtures that tests of several parts share."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from wldetect import _core

# File name of the n-gram rows beside each dtype, their dtype id and format.
_NGRAM_TABLES: dict[str, tuple[str, int, Literal["e3m4"] | None]] = {
    "e3m4": ("ngram_table_fp8_e3m4.safetensors", 26, "e3m4"),
    "e4m3fn": ("ngram_table_fp8_e3m4.safetensors", 26, "e3m4"),
    "float32": ("ngram_table_float32.safetensors", 1, None),
}
NGRAMS = {
    "n_min": 2,
    "n_max": 3,
    "whole_words": True,
    "max_words": 8,
    "max_letters": 64,
    "rows": 32,
    "splitting": "spaces",
}
_NGRAM_TABLE_ID = "of the tests"

# File name, dtype id and FP8 format of each dtype.
_TABLES: dict[str, tuple[str, int, Literal["e3m4", "e4m3fn"] | None]] = {
    "e3m4": ("lookup_table_fp8_e3m4.safetensors", 26, "e3m4"),
    "e4m3fn": ("lookup_table_fp8_e4m3fn.safetensors", 0, "e4m3fn"),
    "float32": ("lookup_table_float32.safetensors", 1, None),
}


@pytest.fixture
def make_model_dir(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes a small model directory and returns its path; its arguments are those of ``_write``.

    ``make_model_dir(["a", "b"], {"ja": [4.0, 0.0], "no": [0.0, 4.0]})`` answers "a" to "ja" and None to "perhaps".
    """

    def make(labels: Sequence[str], words: Mapping[str, Sequence[float]], **options: object) -> Path:
        name = options.pop("name", "model")
        directory = tmp_path / str(name)
        _write(directory, labels, words, **options)  # type: ignore[arg-type]
        return directory

    return make


@pytest.fixture
def bpe_model_dir(make_model_dir: Callable[..., Path]) -> Path:
    """A model with a Gemma-style tokenizer: "ja" and "no", spelt with "a", "j", "n", "o", and <bos> have a row each
    that says something; those of bytes and the mark of a space say nothing."""
    pieces = [*(f"<0x{byte:02X}>" for byte in range(256)), "\u2581", *"ajno", "ja", "no"]
    definition = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": len(pieces), "content": "<bos>", "normalized": False, "special": True}
            | dict.fromkeys(["single_word", "lstrip", "rstrip"], False)
        ],
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"},
        "pre_tokenizer": None,
        "post_processor": None,
        "decoder": None,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": True,
            "byte_fallback": True,
            "ignore_merges": False,
            "vocab": {piece: row for row, piece in enumerate(pieces)},
            "merges": [["j", "a"], ["n", "o"]],
        },
    }
    silent: list[float] = [0.0, 0.0, 0.0]
    rows = dict.fromkeys(pieces, silent) | {"ja": [4.0, 0.0, 0.0], "no": [0.0, 4.0, 0.0], "<bos>": [0.0, 0.0, 4.0]}
    return make_model_dir(["a", "b", "c"], rows, name="bpe", definition=json.dumps(definition).encode())


def _write(
    directory: Path,
    labels: Sequence[str],
    words: Mapping[str, Sequence[float]],
    *,
    dtype: str = "e3m4",
    pooling: str = "average",
    max_sequence_length: int = 512,
    scale: float = 1.0,
    mask: Sequence[str] = (),
    definition: bytes | None = None,
    ngrams: NDArray[np.float32] | None = None,
    projection: NDArray[np.float32] | None = None,
    more: Mapping[str, str] | None = None,
) -> None:
    """Write a model whose tokens are whole words, split at white space and punctuation.

    ``words`` gives each word one logit a label; stored is logit / ``scale``, rounded to ``dtype``. Words in ``mask``
    are left out of pooling, and any other word has no row at all. A directory that exists gets a table of another
    dtype beside those it has. ``definition`` is another tokenizer, whose ids are the words in their order. ``ngrams``
    are n-gram rows, [32, r] for ``NGRAMS``, and ``projection`` [r, L] goes with them. ``more`` is further metadata.
    """
    from safetensors.numpy import save_file
    from tokenizers import Tokenizer, models, pre_tokenizers

    directory.mkdir(parents=True, exist_ok=True)
    # The unknown token comes after the last row, so that unknown words add nothing.
    vocabulary = {word: row for row, word in enumerate([*words, "[UNK]"])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    definition = definition or tokenizer.to_str().encode()
    (directory / "tokenizer.json").write_bytes(definition)

    file_name, dtype_id, fp8 = _TABLES[dtype]
    logits = np.array(list(words.values()), dtype=np.float32).reshape(len(words), len(labels)) / np.float32(scale)
    table = logits if fp8 is None else _core.fp8_encode(logits, fp8)
    tensors: dict[str, NDArray[np.generic]] = {
        "lookup_table": table,
        "dtype": np.array([dtype_id], dtype=np.uint8),
        "shape": np.array(table.shape, dtype=np.int64),
        "scale": np.array([scale], dtype=np.float32),
    }
    if mask:
        tensors["zero_weight_mask"] = np.array([word in mask for word in words], dtype=np.uint8)
    metadata = {
        "format_version": "1",
        "languages": json.dumps(list(labels)),
        "pooling": pooling,
        "max_sequence_length": str(max_sequence_length),
        "tokenizer_sha256": hashlib.sha256(definition).hexdigest(),
    }
    metadata.update(more or {})
    if ngrams is not None:
        metadata["ngram_table_id"] = _NGRAM_TABLE_ID
        _write_ngrams(directory, labels, dtype, ngrams, projection)
    save_file(tensors, directory / file_name, metadata=metadata)


def _write_ngrams(
    directory: Path,
    labels: Sequence[str],
    dtype: str,
    rows: NDArray[np.float32],
    projection: NDArray[np.float32] | None,
) -> None:
    """Write the n-gram rows beside the table of ``dtype``."""
    from safetensors.numpy import save_file

    file_name, dtype_id, fp8 = _NGRAM_TABLES[dtype]
    tensors: dict[str, NDArray[np.generic]] = {
        "ngram_table": rows if fp8 is None else _core.fp8_encode(rows, fp8),
        "dtype": np.array([dtype_id], dtype=np.uint8),
        "shape": np.array(rows.shape, dtype=np.int64),
        "scale": np.array([1.0], dtype=np.float32),
    }
    if projection is not None:
        tensors["projection"] = projection
    metadata = {
        "format_version": "1",
        "languages": json.dumps(list(labels)),
        "ngrams": json.dumps({**NGRAMS, "hash": _core.NGRAM_HASH}),
        "ngram_table_id": _NGRAM_TABLE_ID,
    }
    save_file(tensors, directory / file_name, metadata=metadata)
