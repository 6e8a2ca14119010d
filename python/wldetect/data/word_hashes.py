"""The words of many texts as 64-bit hashes, computed on all of their characters at once."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from wldetect.data.characters import Characters, Kind, runs_of
from wldetect.data.mixing import GOLDEN, mix64

__all__ = ["word_hashes"]

# Odd, so that it has an inverse modulo 2^64.
_BASE = 0x5851F42D4C957F2D
_INVERSE = pow(_BASE, -1, 1 << 64)


def word_hashes(texts: Sequence[str]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """The words of n texts, case-folded and in normalization form C, without the punctuation at their ends.

    Words are what spaces part. Texts of scripts that put none between words (`Characters.spaceless`) have none here,
    and what is nothing but punctuation is no word. Different words have the same hash with a chance of 2^-64 a pair.

    Returns:
        uint64 [W], a hash for each word, and int64 [W], ascending, the index of its text.
    """
    folded = [text.lower() if text.isascii() else unicodedata.normalize("NFC", text.casefold()) for text in texts]
    hashes, rows = [np.zeros(0, dtype=np.uint64)], [np.zeros(0, dtype=np.int64)]
    for first, last in runs_of(folded):
        found, inside = _hashes(Characters.of(folded[first:last]))
        hashes.append(found)
        rows.append(inside + first)
    return np.concatenate(hashes), np.concatenate(rows)


def _hashes(characters: Characters) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    begins, ends = characters.words()
    rows = np.searchsorted(characters.ends, begins, side="right")
    # From the first to the last character that is no punctuation.
    inner = np.flatnonzero((characters.kinds & np.uint8(Kind.PUNCTUATION)) == 0)
    first, last = np.searchsorted(inner, begins), np.searchsorted(inner, ends)
    used = (first < last) & ~characters.spaceless()[rows]
    rows, begins, ends = rows[used], inner[first[used]], inner[last[used] - 1] + 1
    # Differences of sums up to each place, as polynomials whose powers are shifted to begin at 0.
    length = len(characters.points)
    terms = mix64(characters.points.astype(np.uint64) + GOLDEN) * _powers(_BASE, length)
    sums = np.concatenate([np.zeros(1, dtype=np.uint64), np.cumsum(terms, dtype=np.uint64)])
    words = (sums[ends] - sums[begins]) * _powers(_INVERSE, length)[begins]
    return mix64(words + (ends - begins).astype(np.uint64)), rows


def _powers(base: int, count: int) -> NDArray[np.uint64]:
    """base ** 0, base ** 1, ... modulo 2^64."""
    factors = np.full(count, base, dtype=np.uint64)
    factors[:1] = 1
    return np.cumprod(factors, dtype=np.uint64)
