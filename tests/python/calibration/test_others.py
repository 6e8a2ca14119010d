"""Texts of languages that a model does not have, and noise: how they count, and what becomes of them."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from wldetect import DataError, WLDetect
from wldetect.calibration.report import format_calibration, install_calibration
from wldetect.calibration.run import FROM_EVIDENCE, calibrate
from wldetect.calibration.texts import NOISE, draw_sample, length_name, with_noise, with_others
from wldetect.evaluation import LabelledTexts

MakeModel = Callable[..., Path]
LABELS = ["a", "b", "c"]


def test_texts_of_other_languages_have_their_share() -> None:
    own = LabelledTexts(["ja ja ja", "no no"] * 5, ["a", "b"] * 5, "own")
    other = LabelledTexts(["oc oc", "si si si si", "ja"], ["y", "z", "a"], "other")
    sample = draw_sample(own, LABELS, 500, 1)
    both = with_others(sample, other, LABELS, 500, 1, 0.2)
    unknown = both.labels < 0
    assert unknown.sum() == len(both.texts) - len(sample.texts)
    assert set(np.array(both.texts)[unknown]) == {"oc oc", "oc", "si si si si", "si", "si si", "si si si"}
    for length in (0, 1, 2):
        own_weight, other_weight = (
            both.weights[(both.lengths == length) & (unknown == kind)].sum() for kind in (False, True)
        )
        assert other_weight / (own_weight + other_weight) == pytest.approx(0.2)
    with pytest.raises(DataError, match="other: expected texts of languages that the model does not have, found none"):
        with_others(sample, LabelledTexts(["ja"], ["a"], "other"), LABELS, 500, 1, 0.2)


def test_noisy_copies_are_of_whole_texts_and_count_half() -> None:
    words = " ".join(f"abcdefghij{number}" for number in range(20))
    sample = draw_sample(LabelledTexts([words, "no no no"], ["a", "b"], "own"), LABELS, 500, 1)
    noisy = with_noise(sample, 1)
    assert noisy.texts[: len(sample.texts)] == sample.texts
    assert list(map(length_name, (0, *(-rate for rate in NOISE)))) == [
        "whole texts",
        "whole, 10 % noise",
        "whole, 25 % noise",
    ]
    for rate in NOISE:
        own = noisy.lengths == -rate
        assert noisy.labels[own].tolist() == sample.labels[sample.lengths == 0].tolist()
        np.testing.assert_array_equal(noisy.weights[own], sample.weights[sample.lengths == 0] / 2)
        text = noisy.texts[int(np.flatnonzero(own)[0])]
        changed = sum(word not in text.split() for word in words.split())
        # Of eleven characters of a word, one of which is a digit.
        assert changed == pytest.approx(20 * (1 - (1 - rate / 100) ** 10), abs=7)
    assert with_noise(sample, 1).texts == noisy.texts != with_noise(sample, 2).texts


def test_the_detector_says_what_the_report_says(make_model_dir: MakeModel) -> None:
    # "hm" is of an unknown language, and a little more like a.
    model = make_model_dir(["a", "b"], {"ja": [8.0, 0.0], "no": [0.0, 8.0], "hm": [0.6, 0.0]})
    rng = random.Random(3)

    def texts(words: str, labels: str, name: str) -> LabelledTexts:
        drawn = [
            [rng.choice((word, word, word, "zz")) for _ in range(20)] for word in words.split() for _ in range(200)
        ]
        return LabelledTexts([" ".join(text) for text in drawn], [label for label in labels for _ in range(200)], name)

    own, other = texts("ja no", "ab", "own"), texts("hm", "c", "other")
    result = calibrate(model, own, others=other, other_share=0.2)
    assert (result.other_data, result.other_share, result.other_texts) == ("other", 0.2, 200 * 6)
    way = result.ways["all"]
    assert way.long_texts is not None
    assert (way.long_texts.from_evidence, list(way.long_texts.thresholds)) == (FROM_EVIDENCE, ["a", "b"])
    assert way.long_texts.thresholds["a"] > way.thresholds["a"] == 0
    whole = way.lengths["whole texts"]
    assert (whole.others_hidden, whole.others_unknown) == (0.0, 1.0)
    assert way.lengths["1 word"].others_unknown == 0
    assert whole.lost == 0
    assert "in other languages" in format_calibration(result).splitlines()[0]
    assert (WLDetect.load(model).predict_arrays(other.texts)[0] == 0).all()
    (path,) = install_calibration(result, model)
    assert path.name == "lookup_table_fp8_e3m4.safetensors"
    detector = WLDetect.load(model)
    assert np.mean(detector.predict_arrays(other.texts)[0] < 0) == whole.others_unknown
    assert np.mean(detector.predict_arrays(own.texts)[0] < 0) == pytest.approx(whole.unknown, abs=1e-9)
    # Few words tell nothing.
    assert detector.predict("hm hm") is not None and detector.predict_arrays(["hm hm"])[0].tolist() == [0]
    # Without others there is nothing to compare with.
    plain = calibrate(model, own)
    assert plain.ways["all"].long_texts is None
    assert plain.ways["all"].inverse_temperatures == way.inverse_temperatures
    assert plain.ways["all"].thresholds == way.thresholds
    assert list(plain.ways["all"].lengths) == [name for name in way.lengths if "noise" not in name]
