"""The mixing of bits that random numbers of texts come from."""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

__all__ = ["GOLDEN", "Draw", "hashed", "mix64", "uniform"]

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
"""What SplitMix64 adds to its state for each number: odd, and as even a pattern of bits as there is."""


def mix64(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The output function of SplitMix64 (Steele, Lea, Flood, 2014): every bit of a state decides all bits of a number.

    Returns:
        uint64, of the shape of ``state``.
    """
    # Arithmetic of unsigned arrays wraps around, as is meant.
    mixed = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return mixed


class Draw(IntEnum):
    """What is drawn for a text in each epoch. Numbers of one kind tell nothing about those of another."""

    CROP = 0
    STRIP_PUNCTUATION = 1
    UPPERCASE = 2
    LOWERCASE = 3
    NOISE = 4
    CHANGES = 5
    FAMILY = 6
    INSERT = 7
    INSERTED = 8
    STRIP_ACCENTS = 9


def hashed(seed: int, epoch: int, draw: Draw, rows: NDArray[np.int64]) -> NDArray[np.uint64]:
    """A hash of the number of each text with the other numbers.

    Args:
        seed: of all that is drawn.
        epoch: the pass over the data.
        draw: what it is for.
        rows: int64 [n], the number of each text in the data set.

    Returns:
        uint64 [n].
    """
    value = np.zeros(len(rows), dtype=np.uint64)
    for part in (np.uint64(seed), np.uint64(epoch), np.uint64(draw), rows.astype(np.uint64)):
        value = mix64(value + part + GOLDEN)
    return value


def uniform(seed: int, epoch: int, draw: Draw, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Independent uniform numbers in [0, 1) from `hashed`, float64 [n]."""
    numbers: NDArray[np.float64] = (hashed(seed, epoch, draw, rows) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return numbers
