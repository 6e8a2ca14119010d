"""How likely each label is before anything of a text is seen, as training took it to be."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from wldetect.calibration.texts import Sample
from wldetect.data.bands import bands_of
from wldetect.data.characters import count_words

__all__ = ["LabelPrior", "label_prior", "with_prior"]


@dataclass(frozen=True, eq=False)
class LabelPrior:
    """``dataset.label_weights`` of the training of a model.

    Attributes:
        length_bands: numbers of words at which bands of texts end.
        weights: float64 [L, bands], of each label in each band; 1 where training says nothing.
    """

    length_bands: tuple[int, ...]
    weights: NDArray[np.float64]


def label_prior(metadata: Mapping[str, str], languages: Sequence[str]) -> LabelPrior | None:
    """What the record of training in a table's metadata says of ``languages``, labels by index; None: nothing."""
    record = json.loads(metadata.get("provenance", "{}"))
    dataset = record.get("config", {}).get("training", {}).get("dataset", {})
    groups = dataset.get("label_weights")
    if not groups:
        return None
    bands = tuple(dataset.get("length_bands", ()))
    weights = np.ones((len(languages), len(bands) + 1))
    index = {language: place for place, language in enumerate(languages)}
    for group in groups:
        for label in group["labels"]:
            if label in index:
                weights[index[label]] = group["weights"]
    return LabelPrior(bands, weights)


def with_prior(sample: Sample, prior: LabelPrior) -> Sample:
    """``sample``, in which labels count as they do in ``prior``; the texts of a length together count as they did."""
    bands = bands_of(count_words(sample.texts), prior.length_bands)
    weights = sample.weights * prior.weights[sample.labels, bands]
    for length in np.unique(sample.lengths).tolist():
        own = sample.lengths == length
        weights[own] *= sample.weights[own].sum() / weights[own].sum()
    return replace(sample, weights=weights)
