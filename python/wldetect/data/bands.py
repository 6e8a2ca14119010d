"""Bands of texts by length: how many words the texts of each language have, and are to have, and what they weigh."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wldetect.config import AugmentationConfig
from wldetect.data.balance import balance_factors
from wldetect.data.characters import count_words

__all__ = ["WordHistogram", "bands_of", "length_factors"]


@dataclass(frozen=True)
class WordHistogram:
    """How many words the texts of L labels have.

    Attributes:
        texts: float64 [L, W + 2]: how many of each label have 0, 1, ... W words, and more.
        weights: float64 [L, W + 2]: the sum of their weights.
    """

    texts: NDArray[np.float64]
    weights: NDArray[np.float64]

    @classmethod
    def empty(cls, n_labels: int, largest: int) -> WordHistogram:
        """No texts yet, those of up to ``largest`` words to be told apart."""
        return cls(np.zeros((n_labels, largest + 2)), np.zeros((n_labels, largest + 2)))

    def add(
        self,
        texts: Sequence[str],
        labels: NDArray[np.integer],
        repeats: NDArray[np.integer],
        weights: NDArray[np.floating],
    ) -> None:
        """Count n texts, each as often as ``repeats``, int [n], says."""
        n_columns = self.texts.shape[1]
        cells = labels.astype(np.int64) * n_columns + np.minimum(count_words(texts), n_columns - 1)
        self.texts[:] += np.bincount(cells, repeats, minlength=self.texts.size).reshape(self.texts.shape)
        self.weights[:] += np.bincount(cells, repeats * weights, minlength=self.texts.size).reshape(self.texts.shape)

    def cropped(self, options: AugmentationConfig, unchanged: int | None = None) -> WordHistogram:
        """What is expected after crops, which the label ``unchanged`` is spared.

        Other changes keep the number of words, or nearly so.
        """
        found = WordHistogram(_cropped(self.texts, options), _cropped(self.weights, options))
        if unchanged is not None:
            found.texts[unchanged], found.weights[unchanged] = self.texts[unchanged], self.weights[unchanged]
        return found


def _cropped(counts: NDArray[np.float64], options: AugmentationConfig) -> NDArray[np.float64]:
    more = counts.shape[1] - 1
    expected = counts * (1 - options.crop)
    share = options.crop / options.crop_max_words
    for n_words in range(1, min(options.crop_max_words, more - 1) + 1):
        # Shorter texts stay as they are.
        expected[:, :n_words] += share * counts[:, :n_words]
        expected[:, n_words] += share * counts[:, n_words:].sum(1)
    # Crops to more words than are told apart move nothing.
    expected += share * max(options.crop_max_words - more + 1, 0) * counts
    return expected


def bands_of(words: NDArray[np.integer], bounds: Sequence[int]) -> NDArray[np.int64]:
    """The band of each text, int64 [n], by its number of words: 0 for up to ``bounds[0]``, and so on."""
    return np.searchsorted(np.asarray(bounds, dtype=np.int64), words, side="left")


def length_factors(
    words: WordHistogram,
    bounds: Sequence[int],
    power: float,
    band_weights: Sequence[float],
    label_weights: NDArray[np.floating] | float = 1.0,
) -> NDArray[np.float64]:
    """Loss weights a label and band that make rare ones count more: share of the texts ** -``power``.

    A band in which no text of a label is expected has the label's factor for texts of all lengths.

    Args:
        words: the texts as they are expected to be read.
        bounds: B - 1 numbers of words, growing, at most W.
        power: 0 changes nothing, 1 gives all labels and bands that have texts the same total weight.
        band_weights: B numbers that the bands are multiplied by; none: 1.
        label_weights: [L, B] numbers that the bands of each label are multiplied by.

    Returns:
        float64 [L, B], such that the mean weight of the texts is 1.
    """
    n_words = np.arange(words.texts.shape[1])
    firsts = np.searchsorted(bands_of(n_words, bounds), np.arange(len(bounds) + 1))
    texts = np.add.reduceat(words.texts, firsts, axis=1)
    factors = balance_factors(texts, power)
    factors = np.where(texts > 0, factors, balance_factors(texts.sum(1), power)[:, None])
    factors *= np.asarray(band_weights or [1.0]) * label_weights
    mean = (np.add.reduceat(words.weights, firsts, axis=1) * factors).sum() / texts.sum()
    normalized: NDArray[np.float64] = factors / mean
    return normalized
