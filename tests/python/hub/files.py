"""Models and data sets small enough to put on the hub of a test."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from safetensors.numpy import save

__all__ = ["data_set_card", "model_files", "parquet"]


def parquet(columns: Mapping[str, Sequence[object]]) -> bytes:
    """A parquet file of these columns."""
    file = io.BytesIO()
    pq.write_table(pa.table(dict(columns)), file)
    return file.getvalue()


def data_set_card(**splits: str) -> bytes:
    """A README.md that says which files belong to which split."""
    lines = ["---", "configs:", "- config_name: default", "  data_files:"]
    for split, pattern in splits.items():
        lines += [f"  - split: {split}", f"    path: {pattern}"]
    return "\n".join([*lines, "---", "# Data", ""]).encode()


def model_files(words: Sequence[str], values: NDArray[np.float32], name: str) -> dict[str, bytes]:
    """A model that knows whole words and whose embedding is called ``name``, among other tensors."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({word: row for row, word in enumerate(words)}, unk_token=words[0]))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    other = np.zeros((3, 3), dtype=np.float32)
    sizes = {"text_config": {"hidden_size": values.shape[1], "vocab_size": values.shape[0]}}
    return {
        "config.json": json.dumps(sizes).encode(),
        "model.safetensors": save({"a.norm.weight": other, name: values, "z.norm.weight": other}),
        "tokenizer.json": tokenizer.to_str().encode(),
    }
