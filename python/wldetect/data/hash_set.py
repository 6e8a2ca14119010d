"""A set of 64-bit hashes that takes many at once: 12 to 17 bytes each, 29 in the moment in which it grows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["HashSet"]

# Of the places; beyond it, looking for a free one takes long.
_FULLEST = 0.7
_GROWTH = 1.5
# Hashes moved at a time when the set grows.
_CHUNK = 1 << 20


class HashSet:
    """Hashes seen so far. Open addressing with linear probing, on arrays, so that no hash is a Python object."""

    def __init__(self) -> None:
        # 0 marks a free place.
        self._places = np.zeros(1 << 12, dtype=np.uint64)
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def add(self, hashes: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Add ``hashes``, uint64 [n]; 0 counts as 1.

        Returns:
            bool [n]: which were new; of equal ones only the first can be.
        """
        distinct, first = np.unique(np.maximum(hashes, np.uint64(1)), return_index=True)
        while self._size + len(distinct) > _FULLEST * len(self._places):
            self._grow()
        fresh = self._insert(distinct)
        self._size += int(fresh.sum())
        new = np.zeros(len(hashes), dtype=np.bool_)
        new[first[fresh]] = True
        return new

    def _insert(self, hashes: NDArray[np.uint64]) -> NDArray[np.bool_]:
        """Put distinct hashes in their places; True for those that were not there."""
        places = self._places
        # The hash as a fraction of its range: ascending hashes have ascending places, which is kind to the caches.
        place = (hashes >> np.uint64(32)) * np.uint64(len(places)) >> np.uint64(32)
        fresh = np.zeros(len(hashes), dtype=np.bool_)
        pending = np.arange(len(hashes))
        while len(pending):
            mine, here = hashes[pending], place[pending]
            free = places[here] == 0
            # Several may write to one free place: the one that is read back has it.
            places[here[free]] = mine[free]
            settled = places[here] == mine
            fresh[pending[free & settled]] = True
            pending = pending[~settled]
            place[pending] = (place[pending] + np.uint64(1)) % np.uint64(len(places))
        return fresh

    def _grow(self) -> None:
        old = self._places
        self._places = np.zeros(int(_GROWTH * len(old)), dtype=np.uint64)
        for first in range(0, len(old), _CHUNK):
            part = old[first : first + _CHUNK]
            self._insert(part[part != 0])
