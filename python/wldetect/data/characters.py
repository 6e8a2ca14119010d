"""The characters of many texts at once: which are letters, punctuation or spaces, and where words begin and end."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["LETTERS_A_WORD", "SPACELESS", "Characters", "Kind", "character_kinds", "count_words", "runs_of"]

LETTERS_A_WORD = 4
"""What counts for a word where words are not parted by spaces."""

SPACELESS = re.compile(
    "[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u19e0-\u19ff\u3040-\u30ff\u3400-\u9fff\uaa60-\uaa7f\U00020000-\U0003ffff]"
)
"""A letter of a script that puts no spaces between words: Thai, Lao, Tibetan, Myanmar, Khmer, kana, and Han."""

# Characters that are looked at in one go, or about: texts are not split.
_CHARACTERS = 1 << 17


class Kind(IntEnum):
    """What a character is, as bits."""

    LETTER = 1
    PUNCTUATION = 2
    SPACE = 4
    SPACELESS = 8


@cache
def character_kinds() -> NDArray[np.uint8]:
    """The kinds of each character: letter (Unicode category L), punctuation (P), space (where `str.split` splits), of a
    script that puts no spaces between words.

    Returns:
        uint8 [0x110000], bits of `Kind` by code point.
    """
    every = "".join(map(chr, range(sys.maxunicode + 1)))
    table = np.zeros(len(every), dtype=np.uint8)
    categories = np.array([ord(unicodedata.category(char)[0]) for char in every], dtype=np.uint8)
    table[categories == ord("L")] |= np.uint8(Kind.LETTER)
    table[categories == ord("P")] |= np.uint8(Kind.PUNCTUATION)
    table[[found.start() for found in re.finditer(r"\s", every)]] |= np.uint8(Kind.SPACE)
    for found in re.finditer(f"{SPACELESS.pattern}+", every):
        table[found.start() : found.end()] |= np.uint8(Kind.SPACELESS)
    return table


@dataclass(frozen=True)
class Characters:
    """The characters of n texts end to end.

    Attributes:
        points: uint32 [T]: code points.
        begins: int64 [n]: where each text begins.
        ends: int64 [n]: where it ends.
        kinds: uint8 [T]: bits of `Kind`.
    """

    points: NDArray[np.uint32]
    begins: NDArray[np.int64]
    ends: NDArray[np.int64]
    kinds: NDArray[np.uint8]

    @classmethod
    def of(cls, texts: Sequence[str]) -> Characters:
        """Those of ``texts``."""
        points = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), dtype="<u4")
        lengths = np.fromiter(map(len, texts), np.int64, len(texts))
        ends = np.cumsum(lengths)
        return cls(points, ends - lengths, ends, np.take(character_kinds(), points))

    def places(self, kind: Kind) -> NDArray[np.int64]:
        """Where characters of ``kind`` are, in order."""
        return np.flatnonzero(self.kinds & np.uint8(kind))

    def words(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where words, runs of characters that are no spaces, begin and end, int64 [W] each; no word goes from one text
        into another."""
        inside = (self.kinds & np.uint8(Kind.SPACE)) == 0
        begins, ends = inside.copy(), inside.copy()
        begins[1:] &= ~inside[:-1]
        ends[:-1] &= ~inside[1:]
        # Where texts meet there is a word's end and a word's beginning, with or without a space.
        some = self.ends > self.begins
        firsts, lasts = self.begins[some], self.ends[some] - 1
        begins[firsts], ends[lasts] = inside[firsts], inside[lasts]
        return np.flatnonzero(begins), np.flatnonzero(ends) + 1

    def count(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many of ``places``, which are in order, are in each text, int64 [n]."""
        return np.searchsorted(places, self.ends) - np.searchsorted(places, self.begins)

    def spaceless(self) -> NDArray[np.bool_]:
        """In which texts more than half of the characters are of scripts that put no spaces between words, bool [n]."""
        return self.count(self.places(Kind.SPACELESS)) * 2 > self.ends - self.begins


def count_words(texts: Sequence[str]) -> NDArray[np.int64]:
    """Words of each text, int64 [n]: what spaces part; where they do not part words, four letters each, rounded up."""
    counts = np.zeros(len(texts), dtype=np.int64)
    for first, last in runs_of(texts):
        characters = Characters.of(texts[first:last])
        lengths = characters.ends - characters.begins
        words = characters.count(characters.words()[0])
        counts[first:last] = np.where(characters.spaceless(), -(-lengths // LETTERS_A_WORD), words)
    return counts


def runs_of(texts: Sequence[str]) -> list[tuple[int, int]]:
    """Parts of ``texts``, first and last + 1, of about 131,072 characters each, to be looked at in one go."""
    runs = np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts))) // _CHARACTERS
    firsts = np.flatnonzero(np.diff(runs, prepend=-1)).tolist()
    return list(zip(firsts, [*firsts[1:], len(texts)], strict=False))
