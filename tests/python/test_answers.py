"""Calibrated probabilities, ``und``, hidden languages and thresholds through Python."""

from __future__ import annotations

import json
import math
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from wldetect import ArtifactError, WLDetect

LABELS = ["a", "b", "c"]
WORDS = {"ja": [4.0, 0.0, 0.0], "no": [0.0, 2.0, 0.0], "si": [0.0, 0.0, 1.0]}
TEXTS = ["ja", "no", "si", "no no", "", None]
MakeModel = Callable[..., Path]


def calibration(temperatures: list[float], thresholds: dict[str, float]) -> dict[str, str]:
    one = {"inverse_temperatures": temperatures, "thresholds": thresholds}
    return {"calibration": json.dumps({"all": one})}


def share(logit: float) -> float:
    """Softmax of ``logit``, 0, 0 at the first."""
    return math.exp(logit) / (math.exp(logit) + 2)


@pytest.fixture
def model(make_model_dir: MakeModel) -> Path:
    hidden = {"hidden_languages": '["c"]'}
    return make_model_dir(LABELS, WORDS, more={**calibration([0.5, 2.0], {"b": 0.6}), **hidden})


def test_three_kinds_of_answer(model: Path) -> None:
    detector = WLDetect.load(model)
    # 4 times a half; 2 times a half, which is not enough for b; a hidden language; 2 times 2 for two words.
    expected = [("a", share(2)), ("und", share(1)), ("und", share(0.5)), ("b", share(4)), None, None]
    found = detector.predict(TEXTS)
    assert found == [answer and (answer[0], pytest.approx(answer[1], rel=1e-6)) for answer in expected]
    assert [detector.predict(text) for text in TEXTS if text is not None] == found[:-1]
    labels, probabilities = detector.predict_arrays(TEXTS)
    assert labels.tolist() == [0, -1, -1, 1, -1, -1]
    assert probabilities.tolist() == [0.0 if answer is None else answer[1] for answer in found]
    rows = detector.probabilities(TEXTS)
    np.testing.assert_array_equal(rows.max(axis=1), probabilities)
    np.testing.assert_allclose(rows.sum(axis=1), [1, 1, 1, 1, 0, 0], rtol=1e-6)


def test_hidden_languages_can_be_reported(model: Path) -> None:
    detector = WLDetect.load(model, hidden="report")
    assert detector.predict(["si", "no"]) == [("c", pytest.approx(share(0.5))), ("und", pytest.approx(share(1)))]
    with pytest.raises(ValueError) as caught:
        WLDetect.load(model, hidden="yes")  # type: ignore[arg-type]
    assert str(caught.value) == 'hidden: expected "unknown" or "report", found "yes"'


def test_thresholds_can_be_chosen(model: Path) -> None:
    def codes(threshold: float | None) -> list[str]:
        found = WLDetect.load(model, threshold=threshold).predict(["ja", "no", "si", "no no"])
        return [answer[0] for answer in found if answer is not None]

    assert codes(None) == ["a", "und", "und", "b"]
    assert codes(0.0) == ["a", "b", "und", "b"]
    assert codes(0.9) == ["und", "und", "und", "b"]
    assert codes(1.0) == ["und"] * 4
    for threshold in (-0.5, 1.5, math.nan):
        with pytest.raises(ValueError, match=r"^threshold: expected a number from 0 to 1, found "):
            WLDetect.load(model, threshold=threshold)


def test_long_texts_have_thresholds_of_their_own(make_model_dir: MakeModel) -> None:
    long = {"from_evidence": 2, "thresholds": {"a": 0.7, "c": 0.9}}
    one = {"inverse_temperatures": [1.0], "thresholds": {"b": 0.9}, "long_texts": long}
    model = make_model_dir(LABELS, WORDS, more={"calibration": json.dumps({"all": one}), "hidden_languages": "[]"})
    texts = ["ja", "no", "si", "ja ja", "ja no", "no no", "si si"]
    mixed = math.exp(2) / (math.exp(2) + math.exp(1) + 1)
    assert mixed < 0.7
    expected = [("a", 4), ("und", 2), ("c", 1), ("a", 4), ("und", None), ("b", 2), ("und", 1)]
    answers = [(label, mixed if logit is None else share(logit)) for label, logit in expected]
    detector = WLDetect.load(model)
    found = detector.predict(texts)
    assert found == [(label, pytest.approx(probability, rel=1e-6)) for label, probability in answers]
    assert detector.predict_arrays(texts)[0].tolist() == [0, -1, 2, 0, -1, 1, -1]
    # Who asks for a threshold has it for texts of every length.
    assert WLDetect.load(model, threshold=0.0).predict_arrays(texts)[0].tolist() == [0, 1, 2, 0, 0, 1, 2]


def test_logits_are_those_before_any_temperature(model: Path, make_model_dir: MakeModel) -> None:
    detector = WLDetect.load(model)
    logits, evidence = detector.logits(["ja", "no ja", "", None, "no no perhaps si"], threads=2)
    assert (logits.dtype, evidence.dtype) == (np.float32, np.int64)
    assert logits.tolist()[:4] == [[4, 0, 0], [2, 1, 0], [0, 0, 0], [0, 0, 0]]
    assert evidence.tolist() == [1, 2, 0, 0, 3]
    plain = WLDetect.load(make_model_dir(LABELS, WORDS, name="plain"))
    np.testing.assert_array_equal(plain.logits(["no no perhaps si"])[0], logits[4:])
    with pytest.raises(TypeError, match="texts: expected an iterable of str, found str"):
        detector.logits("ja")


def test_pickles_keep_how_to_answer(model: Path) -> None:
    texts = ["ja", "no", "si"]
    for hidden, threshold in (("unknown", None), ("report", None), ("report", 0.25), ("unknown", 0.0)):
        detector = WLDetect.load(model, hidden=hidden, threshold=threshold)  # type: ignore[arg-type]
        restored = pickle.loads(pickle.dumps(detector))
        assert repr(restored) == repr(detector)
        assert restored.predict(texts) == detector.predict(texts)
    assert repr(detector).endswith('features="all", threshold=0.0, languages=3)')


def test_what_is_wrong_is_an_artifact_error(make_model_dir: MakeModel) -> None:
    for name, more, reason in (
        ("x", calibration([0.0], {}), "calibration.all.inverse_temperatures[0]: expected a positive, finite number"),
        ("y", calibration([1.0], {"d": 0.5}), 'calibration.all.thresholds: expected languages of the table, found "d"'),
        ("z", {"hidden_languages": '["d"]'}, 'hidden_languages: expected languages of the table, found "d"'),
    ):
        directory = make_model_dir(LABELS, WORDS, name=name, more=more)
        with pytest.raises(ArtifactError) as caught:
            WLDetect.load(directory)
        assert str(caught.value).startswith(f"{directory / 'lookup_table_fp8_e3m4.safetensors'}: {reason}")
