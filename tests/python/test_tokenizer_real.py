"""Token ids on a real vocabulary: equal to the `tokenizers` package on every sentence, piece and random string."""

from __future__ import annotations

import lzma
import os
import random
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wldetect import _core

pytestmark = pytest.mark.slow

SHARED = Path(os.environ.get("WLDETECT_SHARED") or Path(__file__).parents[3] / "shared")
SPACE = "\u2581"
CHUNK = 20_000

# What the definition treats in a way of its own, and what looks like it.
SPECIAL = [
    *(" ", "  ", "   ", SPACE, SPACE * 2, "\n", "\n\n", "\t", "\r", "\r\n", "\0", "\x0b", "\x85", "\u00a0", "\u2028"),
    *("\u3000", "\ufeff", "\u200b", "> </", f">{SPACE}</", "> ", " </", "<bos>", "<eos", "<unused", "<unused12>"),
    *("<unused6241>", "<mask>", "[multimodal]", "[multi", "<0x41>", "<h1>", "</h1>", "<table>", "<image_soft_token>"),
    *(
        "👩\u200d🚀",
        "👨\u200d👩\u200d👧",
        "❤\ufe0f",
        "🇩🇪",
        "\u0301",
        "\u20e3",
        "\u093c",
        "\u0e31",
        "e\u0301",
        "𝒳",
        "\U0010ffff",
    ),
    *(
        "YYYY",
        " YYYY",
        "yyyy",
        "::::::::",
        " diffformul",
        "aaaa",
        "ABC",
        "the",
        " the",
        "中文",
        "日本語",
        "한국",
        "ไทย",
    ),
    *("مرحبا", "नमस्ते", "Привет", "Καλημέρα", "שלום", "—", "...", "!?", "ß", "ﬁ", "\u0130"),
]
# Every decimal digit of every script.
DIGITS = [chr(code) for code in range(0x110000) if chr(code).isdecimal()]


@pytest.fixture(scope="module")
def definition() -> str:
    path = SHARED / "gemma3" / "tokenizer.json.xz"
    if not path.is_file():
        pytest.skip(f"no reference tokenizer at {path} (WLDETECT_SHARED)")
    return lzma.decompress(path.read_bytes()).decode("utf-8")


@pytest.fixture(scope="module")
def ours(definition: str) -> _core.Tokenizer:
    return _core.Tokenizer(definition)


@pytest.fixture(scope="module")
def reference(definition: str) -> Any:
    return pytest.importorskip("tokenizers").Tokenizer.from_str(definition)


def differing(ours: _core.Tokenizer, reference: Any, texts: Sequence[str]) -> list[str]:
    """Texts on which the ids differ."""
    wrong = []
    for start in range(0, len(texts), CHUNK):
        chunk = texts[start : start + CHUNK]
        expected = [encoding.ids for encoding in reference.encode_batch_fast(chunk, add_special_tokens=False)]
        ids, offsets = ours.encode_batch(chunk)
        lengths = np.array([len(one) for one in expected])
        flat = np.array([token for one in expected for token in one], dtype=np.uint32)
        if np.array_equal(np.diff(offsets), lengths) and np.array_equal(ids, flat):
            continue
        wrong += [text for i, text in enumerate(chunk) if ids[offsets[i] : offsets[i + 1]].tolist() != expected[i]]
    return wrong


def test_every_sentence_of_flores(ours: _core.Tokenizer, reference: Any) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    path = SHARED / "flores" / "dev.parquet"
    if not path.is_file():
        pytest.skip(f"no FLORES at {path} (WLDETECT_SHARED)")
    texts = parquet.read_table(path, columns=["text"]).column("text").to_pylist()
    assert len(texts) == 205 * 997
    assert differing(ours, reference, texts)[:5] == []


def test_every_piece_and_pairs_of_pieces(ours: _core.Tokenizer, reference: Any) -> None:
    pieces = [piece for piece, _ in sorted(reference.get_vocab(True).items(), key=lambda item: item[1])]
    assert len(pieces) == ours.vocab_size
    rng = random.Random(3)
    pairs = [rng.choice(pieces) + rng.choice(pieces) for _ in range(300_000)]
    texts = [*pieces, *pairs]
    assert differing(ours, reference, [*texts, *(text.replace(SPACE, " ") for text in texts)])[:5] == []


def random_texts(seed: int) -> Callable[[], str]:
    rng = random.Random(seed)

    def part() -> str:
        kind = rng.randrange(10)
        if kind == 0:
            return chr(rng.choice((rng.randrange(0xD800), rng.randrange(0xE000, 0x110000))))
        if kind == 1:
            return rng.choice(DIGITS) * rng.randint(1, 3)
        if kind == 2:
            return rng.choice(SPECIAL[:12]) * rng.randint(1, 40)
        if kind == 3:
            return chr(rng.randrange(0x250))
        return rng.choice(SPECIAL)

    return lambda: "".join(part() for _ in range(rng.randint(1, 12)))


def test_a_million_random_strings(ours: _core.Tokenizer, reference: Any) -> None:
    texts = iter(random_texts(11), None)
    for _ in range(50):
        assert differing(ours, reference, list(islice(texts, 20_000)))[:5] == []
