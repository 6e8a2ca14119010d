"""Cleaning: what is left out and why, whatever the batches, and what is counted of it."""

from __future__ import annotations

import random
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wldetect.config import CleaningConfig
from wldetect.data import cleaning as module
from wldetect.data.cleaning import Cleaner, Reason, duplicate_key
from wldetect.data.hash_file import Hashes
from wldetect.data.held_out import HeldOut, text_hashes
from wldetect.data.report import _REASONS
from wldetect.data.scripts import letter_scripts, script_matrix

LABELS = ["deu_Latn", "rus_Cyrl", "jpn_Jpan", "other"]


def held_out(*texts: str, name: str = "held") -> HeldOut:
    return HeldOut(name, Hashes(np.unique(text_hashes(texts))), "")


def clean(
    rows: list[tuple[str, int]], *, size: int = 100, held: tuple[HeldOut, ...] = (), **settings: Any
) -> tuple[list[bool], Cleaner]:
    cleaner = Cleaner(CleaningConfig.model_validate(settings), LABELS, held)
    kept: list[bool] = []
    for first in range(0, len(rows), size):
        texts, labels = zip(*rows[first : first + size], strict=True)
        kept += cleaner.keep(texts, np.array(labels)).tolist()
    return kept, cleaner


class Naive:
    """One text after the other, as the attributes of `CleaningConfig` say."""

    def __init__(self, held: set[str], **settings: Any) -> None:
        self.settings = CleaningConfig.model_validate(settings)
        self.held = held
        self.seen: set[tuple[int, str]] = set()
        self.scripts = script_matrix(LABELS)

    def reason(self, text: str, label: int) -> Reason | None:
        settings = self.settings
        if text.strip(" .").casefold() in self.held:
            return Reason.HELD_OUT
        letters = [letter_scripts()[ord(character)] for character in text if character.isalpha()]
        if len(letters) < settings.min_letters:
            return Reason.FEW_LETTERS
        known = [code for code in letters if code > 1]
        if known and sum(self.scripts[label, code] for code in known) / len(known) < settings.min_script_share:
            return Reason.OTHER_SCRIPT
        if settings.deduplicate:
            key = label, " ".join(unicodedata.normalize("NFC", text).casefold().split())
            if key in self.seen:
                return Reason.DUPLICATE
            self.seen.add(key)
        return None


texts = st.text(st.sampled_from("aAéбЯあ中1. \u0301ʼ"), max_size=6)


@settings(deadline=None)
@given(
    rows=st.lists(st.tuples(texts, st.integers(0, 3)), min_size=1, max_size=40),
    size=st.integers(1, 41),
    share=st.sampled_from([0.0, 0.3, 0.5, 1.0]),
    letters=st.integers(0, 3),
    deduplicate=st.booleans(),
    characters=st.sampled_from([1, 5, 1 << 22]),
)
def test_equals_the_oracle(
    rows: list[tuple[str, int]], size: int, share: float, letters: int, deduplicate: bool, characters: int
) -> None:
    settings: dict[str, Any] = {"min_script_share": share, "min_letters": letters, "deduplicate": deduplicate}
    naive = Naive({"aa", "1"}, **settings)
    reasons = [naive.reason(*row) for row in rows]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_CHARACTERS", characters)
        kept, cleaner = clean(rows, size=size, held=(held_out("aa", "1"),), **settings)
    assert kept == [reason is None for reason in reasons]
    report = cleaner.report()
    for index, label in enumerate(LABELS):
        mine = [reason for reason, row in zip(reasons, rows, strict=True) if row[1] == index]
        expected = {reason.value: mine.count(reason) for reason in Reason}
        assert report["languages"].get(label, {"rows": 0, "normalized": 0, **dict.fromkeys(expected, 0)}) == {
            "rows": len(mine),
            "normalized": 0,
            **expected,
        }
    assert cleaner.removed() == {reason.value: reasons.count(reason) for reason in Reason if reason in reasons}


def test_nothing_unless_asked_for() -> None:
    rows = [("", 0), ("а", 0), ("a", 0), ("a", 0), ("1", 1)]
    kept, cleaner = clean(rows)
    assert kept == [True] * 5
    assert not cleaner.active
    assert cleaner.removed() == cleaner.removed_as_held_out() == {}
    for chosen in ({"nfc": True}, {"deduplicate": True}, {"min_script_share": 0.1}, {"min_letters": 1}):
        assert Cleaner(CleaningConfig.model_validate(chosen), LABELS).active
    assert Cleaner(CleaningConfig(), LABELS, [held_out("a")]).active


def test_duplicates_are_those_of_a_language() -> None:
    rows = [("Ein  Satz", 0), ("ein satz\n", 0), ("ein satz", 1), ("ein satz.", 0), ("E\u0301t\u00e9", 0)]
    rows += [("\u00e9te\u0301", 0), ("STRASSE", 0), ("straße", 0), ("", 0), (" ", 0)]
    kept, _ = clean(rows, deduplicate=True, size=3)
    assert kept == [True, False, True, True, True, False, True, False, True, False]
    assert duplicate_key("a", "b c") != duplicate_key("a b", "c")


def test_normalization_form() -> None:
    rows = [("Cafe\u0301", 0), ("Caf\u00e9", 0), ("\ufb01n", 0), ("plain", 0)]
    kept, cleaner = clean(rows, nfc=True)
    assert kept == [True] * 4
    assert cleaner.normalize([text for text, _ in rows]) == ["Caf\u00e9", "Caf\u00e9", "\ufb01n", "plain"]
    assert cleaner.report()["languages"]["deu_Latn"]["normalized"] == 1
    assert Cleaner(CleaningConfig(), LABELS).normalize(["e\u0301"]) == ["e\u0301"]


def test_share_of_letters_in_the_script() -> None:
    rows = [("дa", 1), ("дaa", 1), ("123 ...", 1), ("あア中", 2), ("あa", 2), ("abcдд", 3), ("ʼʼʼд", 1)]
    kept, cleaner = clean(rows, min_script_share=0.5)
    assert kept == [True, False, True, True, True, True, True]
    assert cleaner.report()["labels_without_script_check"] == ["other"]
    assert clean(rows, min_script_share=1.0)[0] == [False, False, True, True, False, True, True]


def test_held_out_texts_are_counted_for_the_first_that_has_them() -> None:
    rows = [("Eins.", 0), ("zwei", 0), ("drei", 1), ("ZWEI!", 1)]
    held = (held_out("eins", "zwei", name="first"), held_out("zwei", "drei", name="second"))
    kept, cleaner = clean(rows, held=held)
    assert kept == [False] * 4
    assert cleaner.removed_as_held_out() == {"first": 3, "second": 1}
    assert cleaner.report()["held_out"] == {"first": 3, "second": 1}


def test_examples_are_few_and_short() -> None:
    rows = [(f"{number} " + "a" * 500, 1) for number in range(50)] + [("b", 1), ("д", 0)]
    random.Random(1).shuffle(rows)
    _, cleaner = clean(rows, min_script_share=0.5, size=7)
    examples = cleaner.report()["examples"]
    wrong = [text for text, label in rows if label == 1]
    assert examples == {"other_script": {"rus_Cyrl": [text[:200] for text in wrong[:3]], "deu_Latn": ["д"]}}


def test_every_reason_is_described() -> None:
    assert {*_REASONS, Reason.HELD_OUT.value} == {reason.value for reason in Reason}


def test_report_of_a_data_set(project: Any, write_rows: Any, tmp_path: Path) -> None:
    import json

    rows = {
        "text": ["w1", "W1", "w2 w3", "w4", "123", None, "w5", "w6", "дд", "w7"],
        "language": ["deu_Latn", "deu_Latn", "eng_Latn", "eng_Latn", "fra_Latn", *["eng_Latn"] * 4, "nld_Latn"],
    }
    write_rows(project.root / "corpus" / "a.jsonl", rows)
    held = write_rows(tmp_path / "held.jsonl", {"text": ["W5.", "nothing"]})
    cleaned = project.changed(
        dataset__cleaning={"deduplicate": True, "min_letters": 1, "min_script_share": 0.5},
        dataset__held_out=[str(held)],
    )
    data = cleaned.prepare()
    from .project import content, expected

    left = [("deu_Latn", "w1"), ("eng_Latn", "w2 w3"), ("eng_Latn", "w4"), ("eng_Latn", "w6")]
    assert content(data) == expected(project, left)
    report = data.report
    assert report.found == {"deu_Latn": 2, "eng_Latn": 6, "fra_Latn": 1}
    assert report.kept == {"deu_Latn": 1, "eng_Latn": 3, "fra_Latn": 0}
    assert report.cleaned == {"few_letters": 2, "other_script": 1, "duplicate": 1}
    assert report.held_out == {str(held): 1}
    assert report.dropped == ["fra_Latn"]
    lines = report.format_table(0).splitlines()
    assert f"left out: 1 rows that are held out: {held} 1" in lines
    reasons = "rows 2 with too few letters, 1 in another script, 1 that others are equal to"
    assert f"left out by cleaning: {reasons}" in lines
    assert data.cleaning_report is not None
    stored = json.loads(data.cleaning_report.read_text(encoding="utf-8"))
    assert stored["languages"]["eng_Latn"]["other_script"] == 1
    assert stored["examples"]["duplicate"] == {"deu_Latn": ["W1"]}
    # The cache says the same.
    assert cleaned.prepare().report == report
    assert project.prepare().cleaning_report is None
