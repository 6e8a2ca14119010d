"""Answers of detectors to tables: how much is right, how labels were compared, and what was not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from adapters import THIS_PACKAGE
from answers import Answered, common_languages, score_both
from codes import language_key
from record import table

from wldetect.evaluation.metrics import Scores

__all__ = ["Setting", "as_json", "as_markdown"]


@dataclass(frozen=True)
class Setting:
    """What was compared. Nothing names a place on the machine.

    Attributes:
        date: in ISO 8601.
        commit: of the checkout of the package under test, if it is one.
        model: name of its model directory; None: the model inside the package.
        data: name of the file of texts.
        languages: name of the model configuration whose languages alone were used; None: all were.
        command: the command line.
    """

    date: str
    commit: str
    model: str | None
    data: str
    languages: str | None
    command: str


_COMPARED = (
    "ISO 639-1 and ISO 639-3 codes meet, and members of a macrolanguage are one language, as far as `codes.py` knows.",
    "Scripts are ignored: a detector is asked about a language in every script that the texts have, even if it knows "
    "only one of them, and which one it names is not looked at.",
    "So nobody is asked what this package tells apart beyond that, Arabic of Egypt and of Morocco, say. A language "
    "with several labels has more weight in accuracy, and the same in macro-F1.",
    "A detector knows the languages that its interface lists. A group that heliport answers as one goes by its code: "
    "it is not asked about Bosnian, Croatian and Serbian (`hbs`), nor about Indonesian, and its `msa` is right for "
    "Malay.",
    'No answer is wrong, and so is "unknown": the `und` of this package at its model\'s thresholds, and whatever '
    "others call it.",
    "Macro-F1 is the mean over the languages of the texts, each counting the same. A wrong answer takes recall from "
    "the language of the text, and precision from the one it names if texts are in that.",
)
_NOT_COMPARED = (
    "Languages that a detector does not know. The more it knows, the more it can confuse: one of 200 languages is at "
    "a disadvantage beside one of 60, over common languages too, since each answers with any that it knows.",
    "Texts of other kinds and lengths: the scores are of this file alone. Whether a detector was trained on texts of "
    "it is not looked into.",
    "Probabilities, and what a threshold on them would gain. Speed: see `compare.py`.",
)


def as_markdown(setting: Setting, detectors: Sequence[Answered], labels: Sequence[str]) -> str:
    """The record: each detector over its own languages, all over common ones, and what that means.

    Args:
        setting: what was compared.
        detectors: this package first; those that have not been run are named with the reason.
        labels: of all texts, in the order that the detectors' positions are of.
    """
    truth = [language_key(label) for label in labels]
    model = "the model inside the package" if setting.model is None else f"the model `{setting.model}`"
    only = "" if setting.languages is None else f", only those of `{setting.languages}`"
    common = common_languages(detectors, truth)
    parts = [
        f"# Accuracy of detectors, {setting.date[:10]}, {setting.data}",
        f"{len(labels):,} texts of `{setting.data}`, {len(set(labels))} labels{only}, {len(set(truth))} languages as "
        f"they are compared. {THIS_PACKAGE} at commit {setting.commit}, with {model}.",
        "```sh\n" + setting.command + "\n```",
        "## Each detector over the languages that it knows",
        "Per cent. Knows: the languages that it can answer, as it names them; of these, how many the texts are in, as "
        f"they are compared, and how many texts. The last columns are what {THIS_PACKAGE} scores on the very same "
        "texts, whether it knows their languages or not. Slow detectors get fewer texts, as many of each label.",
        _scores(detectors, truth, None),
        *_unknown_here(detectors, truth),
        "## All over the languages that every one knows",
        f"Languages with texts: {len(common)}" + (f" ({', '.join(sorted(common))})." if common else "."),
        _scores(detectors, truth, common),
        "## How labels are compared",
        f"Loosely, because detectors name languages differently. Labels that are one language here: {_merged(labels)}.",
        _bullets(_COMPARED),
        "## What is not compared",
        _bullets(_NOT_COMPARED),
        "## How each is called",
        _bullets([f"{one.peer.name} ({one.versions() or 'not run'}): {one.peer.note}" for one in detectors]),
    ]
    return "\n\n".join(parts) + "\n"


def as_json(setting: Setting, detectors: Sequence[Answered], labels: Sequence[str]) -> dict[str, Any]:
    """All scores as JSON values; shares are in 0..1. Arguments are those of `as_markdown`."""
    truth = [language_key(label) for label in labels]
    common = common_languages(detectors, truth)
    peers = {
        one.peer.name: {
            "requirement": one.peer.requirement,
            "note": one.peer.note,
            "problem": one.problem,
            "versions": one.versions(),
            "languages": one.about.get("languages", []),
            "own": _numbers(score_both(one, detectors[0], truth, one.knows())),
            "common": _numbers(score_both(one, detectors[0], truth, common)),
        }
        for one in detectors
    }
    return {
        "setting": asdict(setting) | {"texts": len(labels), "labels": sorted(set(labels))},
        "common_languages": sorted(common),
        "peers": peers,
    }


def _scores(detectors: Sequence[Answered], truth: Sequence[str], common: set[str] | None) -> str:
    """The table over ``common`` languages, or, without any, over those that each detector knows."""
    head = ["detector", *(["knows", "of these"] if common is None else []), "texts", "accuracy", "macro-F1",
            f"{THIS_PACKAGE}: accuracy", f"{THIS_PACKAGE}: macro-F1", ""]  # fmt: skip
    rows = []
    for one in detectors:
        languages = one.knows() if common is None else common
        both = score_both(one, detectors[0], truth, languages)
        if both is None:
            reason = one.problem or ("no text is left" if one.answers else "not run")
            rows.append([one.peer.name, *["-"] * (len(head) - 2), reason])
            continue
        theirs, ours = both
        known = [str(len(one.about["languages"])), str(len(languages & set(truth)))] if common is None else []
        asked = sum(language in languages for language in truth)
        rows.append([
            one.peer.name,
            *known,
            f"{theirs.n:,}",
            *_percent(theirs),
            *(["-", "-"] if one is detectors[0] else _percent(ours)),
            f"slow: {theirs.n:,} of {asked:,} texts" if theirs.n < asked else "",
        ])  # fmt: skip
    return table(head, rows)


def _percent(scores: Scores) -> list[str]:
    return [f"{100 * scores.accuracy:.2f}", f"{100 * scores.macro_f1:.2f}"]


def _numbers(both: tuple[Scores, Scores] | None) -> dict[str, Any] | None:
    if both is None:
        return None
    theirs, ours = ({"accuracy": scores.accuracy, "macro_f1": scores.macro_f1} for scores in both)
    return {"texts": both[0].n, **theirs, THIS_PACKAGE: ours}


def _unknown_here(detectors: Sequence[Answered], truth: Sequence[str]) -> list[str]:
    """Which languages of the texts others know and this package does not, in a paragraph; none if there is nothing."""
    known = detectors[0].knows()
    lacking = {one.peer.name: sorted((one.knows() & set(truth)) - known) for one in detectors if one.answers}
    found = "; ".join(f"{name}: {', '.join(languages)}" for name, languages in lacking.items() if languages)
    return [f"Languages that {THIS_PACKAGE} does not know, so that it is wrong on all their texts: {found}."] * bool(
        found
    )


def _bullets(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _merged(labels: Sequence[str]) -> str:
    members: dict[str, list[str]] = {}
    for label in sorted(set(labels)):
        members.setdefault(language_key(label), []).append(label)
    several = {language: found for language, found in sorted(members.items()) if len(found) > 1}
    return "; ".join(f"{language} ({', '.join(found)})" for language, found in several.items()) or "none"
