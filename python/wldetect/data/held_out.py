"""Texts that must not be trained on, known by their hashes."""

from __future__ import annotations

import hashlib
import sys
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wldetect.data.characters import count_words
from wldetect.data.columns import Columns
from wldetect.data.files import files_fingerprint
from wldetect.data.hash_file import Hashes, read_hash_file, write_hash_bytes, write_hash_lines
from wldetect.data.sources import read_source

__all__ = [
    "HeldOut",
    "are_sentences",
    "read_held_out",
    "text_hash",
    "text_hashes",
    "write_hashes",
    "write_sentence_hashes",
]

_SUFFIX = ".hashes"
# The defaults of a source's keys: data sets that are held out are named without any.
_SPLIT, _COLUMNS = "train", Columns(("text",))
_FEWEST_WORDS, _FEWEST_CHARACTERS = 4, 20


@dataclass(frozen=True)
class HeldOut:
    """The texts of one data set or file of hashes.

    Attributes:
        name: as the configuration gives it.
        hashes: of the texts.
        fingerprint: SHA-256 (hex) of the content.
    """

    name: str
    hashes: Hashes
    fingerprint: str


def text_hash(text: str) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of a text from which trivial differences are removed.

    The text is put into normalization form KC and case-folded, twice, because either can undo the other; each run of
    white space, punctuation, symbols, and control and format characters becomes one space, and none is left at the
    ends. Different texts have the same hash with a chance of 2^-64 a pair: for 10^8 texts against 10^6 that are held
    out, 5 in a million that one is removed wrongly.
    """
    return _digest(_plain(text))


def text_hashes(texts: Sequence[str]) -> NDArray[np.uint64]:
    """`text_hash` of each text as a number, computed on all of their characters at once."""
    folded = [_folded(text) for text in texts]
    lengths = np.fromiter(map(len, folded), np.int64, len(folded))
    points = np.frombuffer("".join(folded).encode("utf-32-le", "surrogatepass"), dtype="<u4")
    between = _separators()[points]
    ends = np.cumsum(lengths)
    # Of each run of separators the last stays, as a space, if there is anything behind it in the text.
    stays = np.ones(len(points), dtype=np.bool_)
    stays[:-1] = between[1:]
    stays[ends[lengths > 0] - 1] = True
    stays = ~(between & stays)
    left = np.concatenate([[0], np.cumsum(stays)])
    characters = np.where(between, np.uint32(ord(" ")), points)[stays].tobytes().decode("utf-32-le", "surrogatepass")
    hashes = np.empty(len(texts), dtype=np.uint64)
    for place, (first, last) in enumerate(zip(left[ends - lengths].tolist(), left[ends].tolist(), strict=True)):
        hashes[place] = int(_digest(characters[first:last].lstrip(" ")), 16)
    return hashes


def read_held_out(name: str, cache_dir: Path) -> HeldOut:
    """Read what is to be held out: a file of hashes, or any source of texts in a column ``text``.

    Args:
        name: a ``.hashes`` file: what `write_sentence_hashes` writes, or a hash of 16 hexadecimal digits a line, where
            blank lines, and those that begin with ``#``, say nothing. Or what `wldetect.data.sources.read_source`
            reads, with the split ``train``.
        cache_dir: where a source's copy is kept.

    Raises:
        FileNotFoundError: there is none of that name.
        OSError: a file cannot be read.
        DataError: a line is no hash, or as for a source.
    """
    path = Path(name)
    if path.suffix.lower() == _SUFFIX:
        return HeldOut(name, read_hash_file(path), files_fingerprint([path]))
    hashes, fingerprint = _hash_source(name, cache_dir)
    return HeldOut(name, Hashes(hashes), fingerprint)


def write_hashes(name: str, path: Path, cache_dir: Path) -> int:
    """Write the hashes of the texts of a source to the file ``path``, sorted, and return how many there are.

    Texts of nothing but white space and punctuation are left out.

    Raises:
        OSError: as for `read_held_out`, or the file cannot be written.
        DataError: as for `read_held_out`.
    """
    hashes, _ = _hash_source(name, cache_dir)
    write_hash_lines(hashes, path, "SHA-256 of each text after wldetect.data.held_out.text_hash, first 16 digits")
    return len(hashes)


def write_sentence_hashes(name: str, path: Path, cache_dir: Path, n_bytes: int) -> int:
    """Write the first ``n_bytes``, 4 to 8, of the hashes of the sentences (`are_sentences`) of a source to ``path``.

    Returns:
        How many different ones there are.

    Raises:
        OSError: as for `read_held_out`, or the file cannot be written.
        DataError: as for `read_held_out`.
    """
    hashes, _ = _hash_source(name, cache_dir, _sentences)
    return write_hash_bytes(hashes, path, n_bytes)


def are_sentences(texts: Sequence[str]) -> NDArray[np.bool_]:
    """Which texts are long enough to be told from words and phrases that anyone may have written, bool [n].

    Those of four words or more, and those of twenty characters or more.
    """
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    enough: NDArray[np.bool_] = (lengths >= _FEWEST_CHARACTERS) | (count_words(texts) >= _FEWEST_WORDS)
    return enough


def _sentences(texts: list[str]) -> list[str]:
    return [texts[row] for row in np.flatnonzero(are_sentences(texts)).tolist()]


def _hash_source(
    name: str, cache_dir: Path, chosen: Callable[[list[str]], list[str]] = list
) -> tuple[NDArray[np.uint64], str]:
    source = read_source(name, _SPLIT, _COLUMNS, cache_dir)
    empty = np.array([int(text_hash(""), 16)], dtype=np.uint64)
    parts = [text_hashes(chosen([text or "" for text in batch.column(0).to_pylist()])) for batch in source.batches()]
    return np.setdiff1d(np.concatenate([*parts, empty]), empty), source.fingerprint


def _digest(plain: str) -> str:
    return hashlib.sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _plain(text: str) -> str:
    words = "".join(" " if _separators()[ord(character)] else character for character in _folded(text)).split(" ")
    return " ".join(word for word in words if word)


def _folded(text: str) -> str:
    if text.isascii():
        return text.lower()
    text = unicodedata.normalize("NFKC", text).casefold()
    return unicodedata.normalize("NFKC", text).casefold()


@cache
def _separators() -> NDArray[np.bool_]:
    """Which characters, by code point, are neither letters, marks, numbers, private nor unassigned."""
    kinds = (unicodedata.category(chr(point)) for point in range(sys.maxunicode + 1))
    return np.fromiter((kind[0] in "PSZ" or kind in ("Cc", "Cf") for kind in kinds), np.bool_, sys.maxunicode + 1)
