"""Files of hashes of texts: lines of hexadecimal digits, or the first bytes of each hash one after the other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wldetect.errors import DataError
from wldetect.files import atomic_path

__all__ = ["FEWEST_BYTES", "Hashes", "read_hash_file", "write_hash_bytes", "write_hash_lines"]

FEWEST_BYTES = 4
"""Of a hash in a file of bytes: fewer would be found in any large corpus."""

_HASH = re.compile(r"[0-9a-fA-F]{16}")
# Begins a file of bytes; the number of bytes of a hash follows in one more.
_MAGIC = b"\x89wldetect hashes\n"


@dataclass(frozen=True)
class Hashes:
    """The first bits of hashes of 64.

    Attributes:
        values: uint64, ascending and distinct, each below 2 ** ``bits``.
        bits: how many of the 64 there are, the upper ones.
    """

    values: NDArray[np.uint64]
    bits: int = 64

    def holds(self, hashes: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Which of ``hashes``, of 64 bits each, begin with one of these."""
        if not len(self.values):
            return np.zeros(len(hashes), dtype=np.bool_)
        upper = hashes >> np.uint64(64 - self.bits)
        places = np.minimum(np.searchsorted(self.values, upper), len(self.values) - 1)
        found: NDArray[np.bool_] = self.values[places] == upper
        return found


def read_hash_file(path: Path) -> Hashes:
    """Read a file of either kind.

    Raises:
        OSError: it cannot be read.
        DataError: a line is no hash, or of a file of bytes: it is cut off, or its hashes are not ascending.
    """
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) == _MAGIC:
            return _parse_bytes(path, file.read())
    return Hashes(np.unique(np.array(list(_parse_lines(path)), dtype=np.uint64)))


def write_hash_lines(hashes: NDArray[np.uint64], path: Path, comment: str) -> None:
    """Write hashes of 64 bits as lines below a comment.

    Raises:
        OSError: the file cannot be written.
    """
    with atomic_path(path) as temporary:
        lines = [f"# {comment}", *(f"{number:016x}" for number in hashes.tolist())]
        temporary.write_text("\n".join(lines) + "\n", encoding="ascii")


def write_hash_bytes(hashes: NDArray[np.uint64], path: Path, n_bytes: int) -> int:
    """Write the first ``n_bytes``, 4 to 8, of each hash of 64 bits, and return how many different ones there are.

    Raises:
        OSError: the file cannot be written.
    """
    values = np.unique(hashes >> np.uint64(8 * (8 - n_bytes)))
    with atomic_path(path) as temporary:
        stored = values.astype(">u8").view(np.uint8).reshape(-1, 8)[:, 8 - n_bytes :]
        temporary.write_bytes(_MAGIC + bytes([n_bytes]) + stored.tobytes())
    return len(values)


def _parse_bytes(path: Path, rest: bytes) -> Hashes:
    n_bytes = rest[0] if rest else 0
    if not FEWEST_BYTES <= n_bytes <= 8:
        raise DataError(f"{path}: expected hashes of {FEWEST_BYTES} to 8 bytes, found {n_bytes}")
    count, more = divmod(len(rest) - 1, n_bytes)
    if more:
        raise DataError(
            f"{path}: expected whole hashes of {n_bytes} bytes, found {more} bytes more than {count} of them"
        )
    whole = np.zeros((count, 8), dtype=np.uint8)
    whole[:, 8 - n_bytes :] = np.frombuffer(rest, dtype=np.uint8, offset=1).reshape(count, n_bytes)
    values = whole.view(">u8").astype(np.uint64).reshape(count)
    wrong = np.flatnonzero(values[1:] <= values[:-1])
    if len(wrong):
        raise DataError(f"{path}: expected ascending hashes, found number {int(wrong[0]) + 2} not above the one before")
    return Hashes(values, 8 * n_bytes)


def _parse_lines(path: Path) -> Iterator[int]:
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            digits = line.strip()
            if not digits or digits.startswith("#"):
                continue
            if not _HASH.fullmatch(digits):
                shown = digits if len(digits) <= 40 else f"{digits[:37]}..."
                raise DataError(f"{path}: line {number}: expected 16 hexadecimal digits, found {shown!r}")
            yield int(digits, 16)
