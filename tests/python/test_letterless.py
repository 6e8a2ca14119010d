"""Texts without a letter are `zxx`, whatever the rows of a model say."""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np

from wldetect import WLDetect

LABELS = ["a", "b", "zxx"]
WORDS = {"ja": [4.0, 0.0, 0.0], "12": [0.0, 9.0, 0.0], "no12": [0.0, 3.0, 0.0]}
MakeModel = Callable[..., Path]


def test_without_letters(make_model_dir: MakeModel) -> None:
    detector = WLDetect.load(make_model_dir(LABELS, WORDS))
    found = detector.predict(["12", "12 12", "no12", "?!", "🔋", "-", "ja 12", "", " \n", "x"])
    labels = [answer and answer[0] for answer in found]
    # Those with letters are what their rows say, and nothing where they have none.
    assert labels == ["zxx", "zxx", "b", "zxx", "zxx", "zxx", "b", None, None, None]
    assert {answer[1] for answer in found if answer and answer[0] == "zxx"} == {1.0}
    logits, evidence = detector.logits(["12 12", "?"])
    assert logits.tolist() == [[0, 0, 10000]] * 2
    assert evidence.tolist() == [1, 1]


def test_models_without_the_label_answer_as_their_rows_say(make_model_dir: MakeModel) -> None:
    detector = WLDetect.load(make_model_dir(["a", "b", "c"], WORDS))
    assert [answer and answer[0] for answer in detector.predict(["12", "?!"])] == ["b", None]


def test_every_character(make_model_dir: MakeModel) -> None:
    """Unicode's categories, as Python has them, say the same of every character that they settle."""
    detector = WLDetect.load(make_model_dir(LABELS, WORDS))
    # Surrogates are no characters; those that are unassigned here may be letters elsewhere.
    chars = [char for char in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(char) not in ("Cs", "Cn")]
    labels = np.array([*LABELS, "und"])[detector.predict_arrays(chars)[0]]
    categories = np.array([unicodedata.category(char) for char in chars])
    kinds = np.array([category[0] for category in categories])
    assert set(labels[np.isin(kinds, ["P"]) | np.isin(categories, ["Nd", "No", "Sc", "Sk", "Sm"])]) == {"zxx"}
    assert "zxx" not in labels[kinds == "L"]
    assert "zxx" not in labels[[char.isspace() and char not in "\x1c\x1d\x1e\x1f" for char in chars]]
