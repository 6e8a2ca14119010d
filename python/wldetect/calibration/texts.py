"""Held-out texts of many lengths: some of each label, whole and cropped to few words."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wldetect.data.augment import crop, perturbed
from wldetect.errors import DataError
from wldetect.evaluation.flores import LabelledTexts

__all__ = ["LENGTHS", "NOISE", "Sample", "draw_sample", "length_name", "with_noise", "with_others"]

LENGTHS = (1, 2, 3, 5, 10)
"""Words of the crops that are made of each text."""
NOISE = (10, 25)
"""Per cent of the letters that are perturbed in noisy copies."""


@dataclass(frozen=True, eq=False)
class Sample:
    """Texts to calibrate on.

    Attributes:
        texts: the texts.
        labels: int64 [n], their labels, by index; -1 where the model does not have the language.
        lengths: int64 [n], words they were cropped to; 0: whole; below 0: whole, with so many per cent of their letters
            perturbed.
        weights: float64 [n], how much each counts: every label the same at each length, 1 on average; see
            `with_others` for texts of other languages.
    """

    texts: list[str]
    labels: NDArray[np.int64]
    lengths: NDArray[np.int64]
    weights: NDArray[np.float64]


def length_name(length: int) -> str:
    """What to call texts of one length."""
    if length < 0:
        return f"whole, {-length} % noise"
    return "whole texts" if length == 0 else f"{length} word{'s' * (length > 1)}"


def draw_sample(texts: LabelledTexts, languages: Sequence[str], most: int, seed: int) -> Sample:
    """Choose at most ``most`` texts of each label, and crop each to as many words as `LENGTHS` says, as training does.

    A crop that is the whole text is not taken twice, and what has no letters not at all: no model says what that is.
    What is chosen and how it is cropped follows from the seed, the label and the place of a text among those of its
    label.

    Args:
        texts: held-out texts; those of other labels than ``languages`` are left out.
        languages: labels of the model, by index.
        most: texts of a label, at least 1.
        seed: of what is drawn.

    Raises:
        DataError: no text has a label of the model.
    """
    by_label: dict[str, list[str]] = {language: [] for language in languages}
    for text, label in zip(texts.texts, texts.labels, strict=True):
        if label in by_label:
            by_label[label].append(text)
    chosen: list[str] = []
    labels: list[int] = []
    lengths: list[int] = []
    for index, (label, own) in enumerate(by_label.items()):
        places = random.Random(f"{seed} {label}").sample(range(len(own)), min(most, len(own)))
        for place in sorted(places):
            rng = random.Random(f"{seed} {label} {place}")
            crops = {length: crop(own[place], length, rng) for length in LENGTHS}
            kept = [(length, text) for length, text in crops.items() if text != own[place]]
            for length, text in [*kept, (0, own[place])]:
                if not any(map(str.isalpha, text)):
                    continue
                chosen.append(text)
                labels.append(index)
                lengths.append(length)
    if not chosen:
        raise DataError(f"{texts.name}: expected texts of the model's {len(languages)} labels, found none")
    label_of, length_of = np.array(labels, dtype=np.int64), np.array(lengths, dtype=np.int64)
    return Sample(chosen, label_of, length_of, _weights(label_of, length_of))


def with_noise(sample: Sample, seed: int) -> Sample:
    """``sample`` and its whole texts once more for each of `NOISE`, with so many per cent of their letters perturbed.

    They count half: noisy texts are rarer than others.
    """
    whole = np.flatnonzero(sample.lengths == 0)
    texts, parts = list(sample.texts), [sample]
    for rate in NOISE:
        rng = random.Random(f"{seed} noise {rate}")
        texts += [perturbed(sample.texts[place], rate / 100, rng) for place in whole.tolist()]
        parts.append(Sample([], sample.labels[whole], np.full(len(whole), -rate), sample.weights[whole] / 2))
    labels, lengths, weights = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("labels", "lengths", "weights")
    )
    return Sample(texts, labels, lengths, weights)


def with_others(
    sample: Sample, texts: LabelledTexts, languages: Sequence[str], most: int, seed: int, share: float
) -> Sample:
    """``sample`` and texts of languages that the model does not have, drawn and cropped as it was.

    Args:
        sample: texts of its languages.
        texts: texts of others; labels of ``languages`` are left out.
        languages: labels of the model.
        most: texts of a language, at least 1.
        seed: of what is drawn.
        share: of the weight of the texts of each length that is to be theirs, above 0 and below 1.

    Raises:
        DataError: no text has another label than those of the model.
    """
    known = set(languages)
    others = sorted(set(texts.labels) - known)
    if not others:
        raise DataError(f"{texts.name}: expected texts of languages that the model does not have, found none")
    drawn = draw_sample(texts, others, most, seed)
    weights = drawn.weights.copy()
    for length in np.unique(drawn.lengths).tolist():
        own = drawn.lengths == length
        weights[own] *= share / (1 - share) * sample.weights[sample.lengths == length].sum() / weights[own].sum()
    return Sample(
        sample.texts + drawn.texts,
        np.concatenate([sample.labels, np.full(len(drawn.texts), -1, dtype=np.int64)]),
        np.concatenate([sample.lengths, drawn.lengths]),
        np.concatenate([sample.weights, weights]),
    )


def _weights(labels: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.float64]:
    """Every label the same at a length, and every length as much as it has texts."""
    weights = np.empty(len(labels))
    for length in np.unique(lengths):
        own = lengths == length
        counts = np.bincount(labels[own])
        weights[own] = 1 / counts[labels[own]]
        weights[own] *= np.count_nonzero(own) / weights[own].sum()
    return weights
