"""The list of a model's languages with their scores, as a Markdown document made from an evaluation."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wldetect.analysis.model import read_json_object
from wldetect.errors import ArtifactError, MissingExtraError
from wldetect.files import atomic_path

__all__ = [
    "EvaluatedLanguage",
    "Evaluation",
    "format_languages",
    "language_name",
    "read_evaluation",
    "script_name",
    "write_languages",
]

# The library names these as variants of a script that it leaves out.
_SCRIPTS = {"Hans": "Han (simplified)", "Hant": "Han (traditional)"}
# How the standard tells a language from the group of languages with its name.
_QUALIFIER = " (individual language)"

_WIDTH = 120
_LEGEND = (
    "Accuracy: share of a language's texts that were taken for it (its recall). Precision: share of the texts taken "
    "for it that are its own."
)
_LEGEND_RATE = "False positives: share of the texts of all other languages that were taken for it."


@dataclass(frozen=True)
class EvaluatedLanguage:
    """One language of an evaluation; all ratios in 0..1.

    Attributes:
        label: its code, such as ``deu_Latn``.
        accuracy: share of its texts that were taken for it: its recall.
        precision: share of the texts taken for it that are its own.
        f1: harmonic mean of both.
        false_positive_rate: share of the other languages' texts that were taken for it; None: not known.
    """

    label: str
    accuracy: float
    precision: float
    f1: float
    false_positive_rate: float | None


@dataclass(frozen=True)
class Evaluation:
    """What is listed of an evaluation.

    Attributes:
        languages: sorted by label.
        model: name of the model directory.
        table: dtype of the table.
        data: name of the data, without the folders that it was in.
        split: the part of the data, if it has parts.
        n: texts scored.
        accuracy: over all texts, 0..1.
        macro_f1: mean F1 of the languages, 0..1.
    """

    languages: list[EvaluatedLanguage]
    model: str
    table: str
    data: str
    split: str | None
    n: int
    accuracy: float
    macro_f1: float


def read_evaluation(path: Path) -> Evaluation:
    """Read the JSON file that an evaluation wrote.

    Raises:
        OSError: it cannot be read.
        ArtifactError: it is not such a file.
    """
    content = read_json_object(path)
    try:
        overall, origin = content["overall"], content["provenance"]
        languages = [_language(label, scores) for label, scores in sorted(content["per_language"].items())]
        return Evaluation(
            languages=languages,
            model=str(origin["model"]),
            table=str(origin["table"]),
            data=Path(str(origin["data"])).name,
            split=origin["split"],
            n=int(overall["n"]),
            accuracy=float(overall["accuracy"]),
            macro_f1=float(overall["macro_f1"]),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ArtifactError(f"{path}: expected the results of an evaluation, found {error!r}") from None


def _language(label: str, scores: dict[str, Any]) -> EvaluatedLanguage:
    rate = scores.get("false_positive_rate")
    return EvaluatedLanguage(
        label=label,
        accuracy=float(scores["recall"]),
        precision=float(scores["precision"]),
        f1=float(scores["f1"]),
        false_positive_rate=None if rate is None else float(rate),
    )


def language_name(label: str) -> str:
    """English name of a language code with or without a script; the code itself where it has none.

    Raises:
        MissingExtraError: the packages that know the names are not installed.
    """
    langcodes = _langcodes()
    code = label.partition("_")[0]
    # As it stands first: normalizing takes Dari (prs) for the Persian of Afghanistan. But only it knows long codes of
    # languages that have a short one (deu, de).
    for normalize in (False, True):
        try:
            name = str(langcodes.Language.get(code, normalize=normalize).language_name("en"))
        except ValueError:
            # Not the form of a code at all.
            return code
        if not name.startswith("Unknown language"):
            return name.removesuffix(_QUALIFIER)
    return code


def script_name(label: str) -> str:
    """English name of the script of a label such as ``deu_Latn``; empty where it has none."""
    script = label.partition("_")[2]
    if not script or script in _SCRIPTS:
        return _SCRIPTS.get(script, "")
    langcodes = _langcodes()
    name = str(langcodes.Language.make(script=script).script_name("en"))
    return script if name.startswith("Unknown Script") else name


def _langcodes() -> Any:
    try:
        import langcodes
        import language_data  # noqa: F401 - the names themselves
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"names of languages need the extra analysis, of which {error.name} is not installed here; install it "
            "with: pip install langcodes language_data"
        ) from None
    return langcodes


def format_languages(evaluation: Evaluation, command: str) -> str:
    """The whole document, Markdown without a line end; ``command`` is what it says that it was made with.

    Raises:
        MissingExtraError: the packages that know the names are not installed.
    """
    data = f"{evaluation.data} (split {evaluation.split})" if evaluation.split else evaluation.data
    with_rate = all(one.false_positive_rate is not None for one in evaluation.languages)
    head = ["label", "language", "script", "accuracy", "precision", "F1", *(["false positives"] if with_rate else [])]
    paragraphs = [
        "# Languages",
        f"Generated by `{command}`; what is changed here is lost.",
        f"Model `{evaluation.model}`, {evaluation.table.upper()} table, {len(evaluation.languages)} languages, scored "
        f"on {evaluation.n:,} texts of `{data}`: accuracy {100 * evaluation.accuracy:.2f} %, macro-F1 "
        f"{100 * evaluation.macro_f1:.2f} %.",
        _LEGEND + (f" {_LEGEND_RATE}" if with_rate else ""),
    ]
    lines = [
        *(f"{_wrapped(paragraph)}\n" for paragraph in paragraphs),
        f"| {' | '.join(head)} |",
        f"|---|---|---|{'---:|' * (len(head) - 3)}",
        *(_row(one, with_rate) for one in evaluation.languages),
    ]
    return "\n".join(lines)


def _wrapped(paragraph: str) -> str:
    return textwrap.fill(paragraph, _WIDTH, break_long_words=False, break_on_hyphens=False)


def _row(one: EvaluatedLanguage, with_rate: bool) -> str:
    ratios = [f"{100 * ratio:.2f} %" for ratio in (one.accuracy, one.precision, one.f1)]
    if with_rate:
        ratios.append(f"{100 * (one.false_positive_rate or 0.0):.4f} %")
    return f"| {' | '.join([f'`{one.label}`', language_name(one.label), script_name(one.label), *ratios])} |"


def write_languages(evaluation: Evaluation, command: Sequence[str], path: Path) -> None:
    """Write the document under a temporary name, renamed when it is whole; ``command`` as in `format_languages`.

    Raises:
        MissingExtraError: the packages that know the names are not installed.
        OSError: the file cannot be written.
    """
    text = format_languages(evaluation, " ".join(command))
    with atomic_path(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
