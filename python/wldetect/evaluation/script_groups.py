"""Groups of languages by script, so that a suite's scores show where a model is weak."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from enum import Enum

from wldetect.data.scripts import script_of_label

__all__ = ["ScriptGroup", "script_groups"]


class ScriptGroup(Enum):
    """What the languages of a group have in common; the value names it in tables and plots."""

    LATIN = "Latin"
    CYRILLIC = "Cyrillic"
    ARABIC = "Arabic"
    INDIC = "Devanagari and other Indic"
    EAST_ASIAN = "Han, Kana, Hangul"
    ONE_LANGUAGE = "scripts of one language"
    OTHER = "others"


# By ISO 15924 codes, those of variants included.
_LARGE = {
    ScriptGroup.LATIN: ("Latn", "Latf", "Latg"),
    ScriptGroup.CYRILLIC: ("Cyrl", "Cyrs"),
    ScriptGroup.ARABIC: ("Arab", "Aran"),
    ScriptGroup.EAST_ASIAN: ("Hans", "Hant", "Hani", "Hanb", "Jpan", "Hira", "Kana", "Hrkt", "Kore", "Hang", "Bopo"),
}
_INDIC = ("Deva", "Beng", "Gujr", "Guru", "Knda", "Mlym", "Orya", "Sinh", "Taml", "Telu")
_GROUPS = {script: group for group, scripts in _LARGE.items() for script in scripts}


def script_groups(labels: Iterable[str], models: Sequence[Iterable[str]]) -> dict[str, ScriptGroup]:
    """The group of each label, by its ISO 15924 part.

    Latin, Cyrillic, Arabic and East Asian scripts are a group whatever the languages. Of the others, a script that no
    model has two languages in tells the language alone: scripts of one language. What is left is Indic, or other, as
    are labels without a known script.

    Args:
        labels: the labels to group.
        models: the languages of each model.
    """
    counts = [Counter(script_of_label(language) for language in languages) for languages in models]
    return {label: _group(script_of_label(label), counts) for label in labels}


def _group(script: str | None, counts: Sequence[Counter[str | None]]) -> ScriptGroup:
    if script is None:
        return ScriptGroup.OTHER
    if script in _GROUPS:
        return _GROUPS[script]
    if all(count[script] <= 1 for count in counts):
        return ScriptGroup.ONE_LANGUAGE
    return ScriptGroup.INDIC if script in _INDIC else ScriptGroup.OTHER
