"""A model of five words, how often each was seen, and the record of its training."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from wldetect.analysis.counts import TokenCounts

LANGUAGES = ["deu_Latn", "ell_Grek", "eng_Latn"]
WORDS = {
    "der": [4.0, 0.5, 0.0],
    "the": [0.0, 0.25, 4.0],
    "kai": [-1.0, 6.0, 0.0],
    "die": [2.0, 0.0, 3.0],
    "ab": [1.0, 0.0, -2.0],
}
# In the order of the words; "kai" was never seen.
COUNTS = [500, 1000, 0, 9, 10]
WEIGHTS = [1.5, -0.5, 1.0, 3.0, 2.0]


@pytest.fixture
def model(make_model_dir: Callable[..., Path]) -> Path:
    """A model directory with all three tables and everything that training writes beside them."""
    for dtype in ("e4m3fn", "float32", "e3m4"):
        directory = make_model_dir(LANGUAGES, WORDS, dtype=dtype, scale=1.0 if dtype == "float32" else 0.5)
    weights = np.array(WEIGHTS, dtype=np.float32).reshape(-1, 1)
    save_file({"token_weights": weights}, directory / "projection.safetensors")
    (directory / "model_config.yaml").write_text("languages: {}\n", encoding="utf-8")
    record = {"corpus": {"kept": {"deu_Latn": 700, "ell_Grek": 20}}, "seed": 1}
    (directory / "provenance.json").write_text(json.dumps(record), encoding="utf-8")
    return directory


@pytest.fixture
def counts(model: Path) -> TokenCounts:
    """How often each word was seen in training."""
    tokenizer = hashlib.sha256((model / "tokenizer.json").read_bytes()).hexdigest()
    return TokenCounts(np.array(COUNTS, dtype=np.int64), 77, "c" * 64, tokenizer)
