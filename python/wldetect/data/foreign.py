"""How much words of lists count that are more frequent in another language, as far as sentences tell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from wldetect.data.word_hashes import word_hashes

__all__ = ["ForeignWords"]

# How often a word must be seen in another language to count there: less may be a name, a quotation or a fault.
_SEEN = 3
# Added to how often it is seen in its own: few sentences say little of words that they do not have.
_UNSEEN = 1
# Words that are kept back before they are counted.
_PENDING = 1 << 22


class ForeignWords:
    """Counts the words of lists in the sentences of each language, and compares the languages.

    Memory: 8 bytes a distinct word of the lists, and 16 for each language in which it was seen; about three times that
    in the moment in which counts are put together.
    """

    def __init__(self, entries: Iterable[Sequence[str]], n_labels: int) -> None:
        """Args:
        entries: all texts of the lists, in pieces.
        n_labels: L, the number of languages.
        """
        self._words = np.zeros(0, dtype=np.uint64)
        pending: list[NDArray[np.uint64]] = []
        for texts in entries:
            pending.append(_single(texts)[0])
            if sum(map(len, pending)) >= _PENDING:
                self._words, pending = np.unique(np.concatenate([self._words, *pending])), []
        self._words = np.unique(np.concatenate([self._words, *pending]))
        self._n_labels = n_labels
        self._totals = np.zeros(n_labels, dtype=np.int64)
        # Ascending numbers word * L + label, and how often each was seen.
        self._keys = np.zeros(0, dtype=np.int64)
        self._counts = np.zeros(0, dtype=np.int64)
        self._pending: list[NDArray[np.int64]] = []
        self._largest: NDArray[np.float64] | None = None

    def count(self, texts: Sequence[str], labels: NDArray[np.integer]) -> None:
        """Count the words of n sentences; labels are int [n]."""
        hashes, rows = word_hashes(texts)
        spoken = labels[rows].astype(np.int64)
        self._totals += np.bincount(spoken, minlength=self._n_labels)
        places, known = self._find(hashes)
        self._pending.append(places[known] * self._n_labels + spoken[known])
        self._largest = None
        if sum(map(len, self._pending)) >= _PENDING:
            self._merge()

    def ratios(self, texts: Sequence[str], labels: NDArray[np.integer]) -> NDArray[np.float64]:
        """How frequent n texts of the lists are in their languages, relative to that other in which they are most so.

        A word's frequency is its share of the words of a language's sentences. In its own it counts as seen once more
        than it was; in another it must have been seen three times to count. So a language of few sentences loses only
        words that are frequent elsewhere, and one of none loses none.

        Args:
            texts: n texts; those of several words, or in a script that puts no spaces between them, have the ratio 1.
            labels: int [n], the index of the language of each.

        Returns:
            float64 [n], above 0, at most 1.
        """
        self._merge()
        hashes, rows = _single(texts)
        places, known = self._find(hashes)
        places, rows = places[known], rows[known]
        mine = labels[rows].astype(np.int64)
        # How often the word would be seen if it were as frequent as elsewhere; 0 for a language without a sentence.
        # Where its own language has the largest share, this is how often it was seen, and the ratio 1.
        expected = self._largest_shares()[places] * self._totals[mine]
        ratios = np.ones(len(texts))
        ratios[rows] = np.minimum(1.0, (self._seen(places, mine) + _UNSEEN) / np.maximum(expected, _UNSEEN))
        return ratios

    def _find(self, hashes: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """The places of words in the lists, and which have one."""
        if not len(self._words):
            return np.zeros(len(hashes), dtype=np.int64), np.zeros(len(hashes), dtype=np.bool_)
        places = np.minimum(np.searchsorted(self._words, hashes), len(self._words) - 1)
        return places, self._words[places] == hashes

    def _seen(self, places: NDArray[np.int64], labels: NDArray[np.int64]) -> NDArray[np.int64]:
        """How often the words at ``places`` were seen in the languages ``labels``."""
        if not len(self._keys):
            return np.zeros(len(places), dtype=np.int64)
        keys = places * self._n_labels + labels
        found = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        return np.where(self._keys[found] == keys, self._counts[found], 0)

    def _merge(self) -> None:
        """Add what is pending to the counts."""
        if not self._pending:
            return
        fresh, times = np.unique(np.concatenate(self._pending), return_counts=True)
        self._pending = []
        self._keys, inverse = np.unique(np.concatenate([self._keys, fresh]), return_inverse=True)
        # Sums of whole numbers below 2^53 are exact.
        sums = np.bincount(inverse, np.concatenate([self._counts, times]), minlength=len(self._keys))
        self._counts = sums.astype(np.int64)

    def _largest_shares(self) -> NDArray[np.float64]:
        """The largest share of each word of the lists in a language that counts, float64 [words]; 0 where none does."""
        if self._largest is None:
            words, labels = np.divmod(self._keys, self._n_labels)
            counts = self._counts >= _SEEN
            self._largest = np.zeros(len(self._words))
            np.maximum.at(self._largest, words[counts], self._counts[counts] / self._totals[labels[counts]])
        return self._largest


def _single(texts: Sequence[str]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """The hashes of the texts that are one word, and the indices of these."""
    hashes, rows = word_hashes(texts)
    alone = np.bincount(rows, minlength=len(texts))[rows] == 1
    return hashes[alone], rows[alone]
