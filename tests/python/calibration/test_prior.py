"""How likely labels are: read from the record of training, and what it does to a sample."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from wldetect.calibration.prior import label_prior, with_prior
from wldetect.calibration.run import calibrate
from wldetect.calibration.texts import draw_sample
from wldetect.evaluation import LabelledTexts

LABELS = ["a", "b", "c"]
DATASET = {"length_bands": [1, 5], "label_weights": [{"weights": [0.1, 0.5, 1.0], "labels": ["b", "gone"]}]}


def metadata(dataset: dict[str, object]) -> dict[str, str]:
    return {"provenance": json.dumps({"config": {"training": {"dataset": dataset}}})}


def test_the_record_of_training_says_it() -> None:
    assert label_prior({}, LABELS) is None
    assert label_prior({"provenance": "{}"}, LABELS) is None
    assert label_prior(metadata({"length_bands": [], "label_weights": []}), LABELS) is None
    prior = label_prior(metadata(DATASET), LABELS)
    assert prior is not None
    assert prior.length_bands == (1, 5)
    assert prior.weights.tolist() == [[1, 1, 1], [0.1, 0.5, 1.0], [1, 1, 1]]


def test_labels_count_by_band_and_lengths_as_before() -> None:
    texts = LabelledTexts(["ja ja ja ja ja ja ja ja", "no no no no no no no no"] * 5, ["a", "b"] * 5, "own")
    sample = draw_sample(texts, LABELS, 500, 1)
    prior = label_prior(metadata(DATASET), LABELS)
    assert prior is not None
    found = with_prior(sample, prior)
    assert (found.texts, found.labels.tolist()) == (sample.texts, sample.labels.tolist())
    for length, ratio in ((1, 0.1), (2, 0.5), (3, 0.5), (5, 0.5), (0, 1.0)):
        own = sample.lengths == length
        assert found.weights[own].sum() == pytest.approx(sample.weights[own].sum())
        first, second = (found.weights[own & (sample.labels == label)].sum() for label in (0, 1))
        assert second / first == pytest.approx(ratio)


def test_calibration_follows_it(make_model_dir: Callable[..., Path]) -> None:
    # "no" is as often of one language as of the other, which is rare.
    pairs = [("no", "a")] * 300 + [("no", "b")] * 300
    held = LabelledTexts([text for text, _ in pairs], [label for _, label in pairs], "held")
    words = {"no": [3.0, 1.0]}

    def confidence(name: str, more: dict[str, str]) -> float | None:
        model = make_model_dir(["a", "b"], words, name=name, more=more)
        return calibrate(model, held).ways["all"].lengths["whole texts"].after.mean_confidence

    assert confidence("even", {}) == pytest.approx(0.5, abs=0.05)
    rare = {"length_bands": [], "label_weights": [{"weights": [0.25], "labels": ["b"]}]}
    assert confidence("rare", metadata(rare)) == pytest.approx(0.8, abs=0.02)
