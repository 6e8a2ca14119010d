"""What is familiar: the fit on made-up answers, and the detector's arithmetic against the report's."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from wldetect import DataError, WLDetect
from wldetect.calibration.familiarity import (
    FROM_EVIDENCE,
    ODDS_WEIGHT,
    Answers,
    Familiarity,
    fit_familiarity,
    log_odds,
)
from wldetect.calibration.report import format_calibration, install_calibration
from wldetect.calibration.run import calibrate
from wldetect.calibration.texts import draw_sample, with_unknown
from wldetect.evaluation import LabelledTexts

MakeModel = Callable[..., Path]
LABELS = ["a", "b", "c"]


def answers(logits: list[float], label: int = 0, probability: float = 0.9, rows: int = 20) -> Answers:
    count = len(logits)
    return Answers(
        np.full(count, label), np.array(logits), np.full(count, probability), np.full(count, rows, dtype=np.int64)
    )


def joined(*parts: Answers) -> Answers:
    return Answers(*(np.concatenate([getattr(part, name) for part in parts]) for name in Answers.__dataclass_fields__))


def test_log_odds() -> None:
    found = log_odds(np.array([0.5, 0.75, 1.0, 1 - 1e-9], dtype=np.float64))
    np.testing.assert_allclose(found, [0, np.log(3), np.log(1e6), np.log(1e6)])
    assert log_odds(np.array([1.0], dtype=np.float32)) == pytest.approx(np.log(1e6))


def test_each_label_has_the_range_of_its_own_texts() -> None:
    rng = np.random.default_rng(1)
    # Texts of unknown languages have logits halfway to those of the label that they are taken for.
    own = [answers(rng.normal(mean, 1, 2000).tolist(), label) for label, mean in ((0, 10.0), (1, 30.0))]
    foreign = [answers(rng.normal(mean, 1, 400).tolist(), label) for label, mean in ((0, 5.0), (1, 15.0))]
    seen = joined(*own, *foreign)
    right = np.arange(len(seen.predicted)) < 4000
    found = fit_familiarity(LABELS, seen, right, np.ones(len(right)), 0.1)
    assert list(found.least) == list(found.odds_weights) == LABELS
    familiar = found.holds(LABELS, seen)
    assert familiar[right].mean() > 0.99
    assert familiar[~right].mean() < 0.02
    # One of 15 is enough for the first, not for the second.
    assert found.holds(LABELS, joined(answers([15.0], 0), answers([15.0], 1))).tolist() == [True, False]
    # Of the third, nothing is known: it has what all have.
    assert found.odds_weights["c"] > max(found.odds_weights["a"], found.odds_weights["b"])
    # A surer answer needs less.
    sure = answers([8.0], probability=0.999999)
    unsure = answers([8.0], probability=0.3)
    assert (found.holds(LABELS, sure), found.holds(LABELS, unsure)) == (True, False)
    # Few rows tell nothing.
    short = answers([-100.0], rows=FROM_EVIDENCE - 1)
    assert found.holds(LABELS, short)
    assert not found.holds(LABELS, answers([-100.0], rows=FROM_EVIDENCE))


def test_a_fit_without_anything_to_tell_apart_lets_all_pass() -> None:
    seen = answers([1.0, 2.0, 3.0])
    found = fit_familiarity(LABELS, seen, np.ones(3, dtype=np.bool_), np.ones(3), 0.1)
    assert found.holds(LABELS, seen).all()
    short = answers([1.0], rows=1)
    found = fit_familiarity(LABELS, short, np.ones(1, dtype=np.bool_), np.ones(1), 0.1)
    assert found.from_evidence == FROM_EVIDENCE
    assert all(weight >= ODDS_WEIGHT * 1e-3 for weight in found.odds_weights.values())


def test_texts_of_other_languages_have_their_share() -> None:
    own = LabelledTexts(["ja ja ja", "no no"] * 5, ["a", "b"] * 5, "own")
    other = LabelledTexts(["oc oc", "si si si si", "ja"], ["y", "z", "a"], "other")
    sample = draw_sample(own, LABELS, 500, 1)
    both = with_unknown(sample, other, LABELS, 500, 1, 0.2)
    unknown = both.labels < 0
    assert unknown.sum() == len(both.texts) - len(sample.texts)
    assert set(np.array(both.texts)[unknown]) == {"oc oc", "oc", "si si si si", "si", "si si", "si si si"}
    for length in (0, 1, 2):
        own_weight, other_weight = (
            both.weights[(both.lengths == length) & (unknown == kind)].sum() for kind in (False, True)
        )
        assert other_weight / (own_weight + other_weight) == pytest.approx(0.2)
    with pytest.raises(DataError, match="other: expected texts of languages that the model does not have, found none"):
        with_unknown(sample, LabelledTexts(["ja"], ["a"], "other"), LABELS, 500, 1, 0.2)


def test_the_detector_says_what_the_report_says(make_model_dir: MakeModel) -> None:
    # "hm" is of an unknown language, and a little more like a.
    model = make_model_dir(["a", "b"], {"ja": [8.0, 0.0], "no": [0.0, 8.0], "hm": [3.0, 0.0]})
    rng = random.Random(3)

    def texts(words: str, labels: str, name: str) -> LabelledTexts:
        drawn = [
            [rng.choice((word, word, word, "ja")) for _ in range(12)] for word in words.split() for _ in range(300)
        ]
        return LabelledTexts([" ".join(text) for text in drawn], [label for label in labels for _ in range(300)], name)

    own, other = texts("ja no", "ab", "own"), texts("hm", "c", "other")
    result = calibrate(model, own, others=other, other_share=0.2)
    assert (result.other_data, result.other_share, result.other_texts) == ("other", 0.2, 300 * 6)
    whole = result.ways["all"].lengths["whole texts"]
    assert (whole.others_hidden, whole.others_unknown) == (0.0, pytest.approx(1, abs=0.05))
    assert whole.lost < 0.02
    assert "in other languages" in format_calibration(result).splitlines()[0]
    before = WLDetect.load(model).predict_arrays(other.texts)[0]
    assert (before == 0).all()
    (path,) = install_calibration(result, model)
    detector = WLDetect.load(model)
    assert np.mean(detector.predict_arrays(other.texts)[0] < 0) == pytest.approx(whole.others_unknown)
    assert np.mean(detector.predict_arrays(own.texts)[0] < 0) == pytest.approx(whole.unknown, abs=1e-9)
    # The same sums as the detector's, text by text.
    familiarity = result.ways["all"].familiarity
    assert familiarity is not None
    logits, evidence = detector.logits([*own.texts, *other.texts])
    found, probabilities = WLDetect.load(model, threshold=0.0).predict_arrays([*own.texts, *other.texts])
    seen = Answers(found.astype(np.int64), logits.max(axis=1), probabilities, evidence)
    answered = detector.predict_arrays([*own.texts, *other.texts])[0] >= 0
    np.testing.assert_array_equal(familiarity.holds(["a", "b"], seen), answered)
    stored = json.loads(json.dumps(result.ways["all"].familiarity.__dict__))
    assert Familiarity(**stored) == familiarity
    assert path.name == "lookup_table_fp8_e3m4.safetensors"
    # Without others there is nothing to compare with.
    assert calibrate(model, own).ways["all"].familiarity is None
