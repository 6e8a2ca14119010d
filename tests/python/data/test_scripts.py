"""Scripts of letters and of labels."""

from __future__ import annotations

import unicodedata

import numpy as np
import pytest

from wldetect.config import load_model_config
from wldetect.config.paths import DEFAULT_TRAINING_CONFIG
from wldetect.data.scripts import letter_scripts, script_matrix, script_of_label

SAMPLES = {
    "Latn": "azßÞǅﬁＡªº\u212a\u212bⁿ",
    "Cyrl": "яӘѣ",
    "Grek": "αΏΩ",
    "Arab": "عپﷲﻻ",
    "Hebr": "אﭏ",
    "Deva": "कॐ",
    "Beng": "ক",
    "Mtei": "ꯀ",
    "Olck": "ᱚ",
    "Tfng": "ⴰ",
    "Ethi": "አ",
    "Nkoo": "ߊ",
    "Thai": "กเ",
    "Laoo": "ກ",
    "Khmr": "ក",
    "Mymr": "က",
    "Tibt": "ཀ",
    "Geor": "აႠ",
    "Armn": "աﬓ",
    "Hang": "한ㄱᄀﾡ",
    "Kana": "アｱ",
    "Hira": "あ",
    "Hani": "中㐀\U00020000豈〆",
    "Cans": "ᐁ",
    "Cher": "ᎠꭰᏰ",
    "Adlm": "\U0001e900",
    "Tang": "\U00017000\U00018d00",
    "Yiii": "ꀀ",
    "Bopo": "ㄅ",
}


def codes(text: str) -> list[int]:
    return [int(letter_scripts()[ord(character)]) for character in text]


@pytest.mark.parametrize("script", SAMPLES)
def test_letters(script: str) -> None:
    (allowed,) = script_matrix([f"xxx_{script}"])
    assert all(code > 1 and allowed[code] for code in codes(SAMPLES[script])), SAMPLES[script]
    for other, text in SAMPLES.items():
        if other != script:
            assert not any(allowed[code] for code in codes(text)), other


def test_what_is_no_letter() -> None:
    assert codes("1.,! \u0301\u094d\U0001f600٣") == [0] * 9
    # Letters that several scripts use.
    assert codes("ʼµ") == [1, 1]


def test_nearly_every_letter_has_a_script() -> None:
    table = letter_scripts()
    letters = [point for point in range(len(table)) if unicodedata.category(chr(point))[0] == "L"]
    np.testing.assert_array_equal(np.flatnonzero(table), letters)
    unknown = [unicodedata.name(chr(point), "?") for point in np.flatnonzero(table == 1).tolist()]
    # Unicode, too, has them in several scripts or in none, but for 15 marks of the Vedas.
    shared = {"MODIFIER", "MATHEMATICAL", "DOUBLE-STRUCK", "SCRIPT", "BLACK-LETTER", "VERTICAL", "PLANCK", "VEDIC"}
    assert len([name for name in unknown if name.split()[0] not in shared]) < 20


@pytest.mark.parametrize(
    ("label", "script"),
    [
        ("deu_Latn", "Latn"),
        ("cmn_Hans", "Hans"),
        ("jpn_Jpan", "Jpan"),
        ("kor_Kore", "Kore"),
        ("arz_Arab_EG", "Arab"),
        ("de", None),
        ("deu_latn", None),
        ("xxx_Zyyy", None),
        ("Latn", None),
        ("", None),
    ],
)
def test_script_of_label(label: str, script: str | None) -> None:
    assert script_of_label(label) == script


def test_labels_of_several_scripts() -> None:
    labels = ["cmn_Hans", "cmn_Hant", "jpn_Jpan", "kor_Kore", "kor_Hang", "de"]
    matrix = script_matrix(labels)
    text = "中あアㄅ한a"
    expected = [[1, 0, 0, 0, 0, 0]] * 2 + [[1, 1, 1, 0, 0, 0], [1, 0, 0, 0, 1, 0], [0, 0, 0, 0, 1, 0], [1] * 6]
    assert matrix[:, codes(text)].astype(int).tolist() == expected


def test_every_starter_label_has_a_script() -> None:
    config = load_model_config(DEFAULT_TRAINING_CONFIG().parents[1] / "models" / "starter.yaml")
    assert [label for label in config.labels if script_of_label(label) is None] == []
