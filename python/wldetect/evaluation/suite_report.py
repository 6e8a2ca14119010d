"""Reports of a suite's scores: a JSON file, and one table for the terminal."""

from __future__ import annotations

import json
import textwrap
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path
from typing import Any

from wldetect.evaluation.metrics import ClassScores
from wldetect.evaluation.report import file_suffix, printable
from wldetect.evaluation.script_groups import ScriptGroup
from wldetect.evaluation.suite import SetKind
from wldetect.evaluation.suite_scores import GroupFacts, ModelScores, SetScores, SuiteResult
from wldetect.files import atomic_path

__all__ = ["format_suite_table", "suite_file_name", "suite_reliability_file_name", "write_suite_json"]

_WIDTH = 100
# One model's columns, and what they are when several stand side by side.
_ALONE = ("accuracy", "macro-F1", "mean prob.", "cal. error", "und", "no answer")
_BESIDE = ("accuracy", "macro-F1")


def suite_file_name(result: SuiteResult, suffix: str) -> str:
    """Name of a report: ``short_results.json``, or ``short_comparison.json`` of several models.

    Where another table than the default, or a part of the rows, was used, the name says so.
    """
    kind = "results" if len(result.models) == 1 else "comparison"
    return f"short_{kind}{file_suffix(result.table, result.features)}{suffix}"


def suite_reliability_file_name(result: SuiteResult) -> str:
    """Name of the plot of confidence and accuracy, which there is of one model alone."""
    return f"short_reliability{file_suffix(result.table, result.features)}.png"


def write_suite_json(result: SuiteResult, path: Path) -> None:
    """Write the scores as JSON, UTF-8, at once: after an interruption there is the old file or the new one.

    The keys, always in this order; ratios are in 0..1:

    - ``sets``, by name: ``data``, ``description`` of what a set of this name holds (empty: none is known), ``texts``
      and ``languages`` that were scored, ``mean_words`` of a text, ``left_out`` texts, and ``per_group``, by group of
      scripts: ``languages``, ``texts``, ``mean_words``.
    - ``models``, a list: ``model``, ``pooling``, number of ``languages``, and ``sets``, by name: ``overall`` with
      ``mean_probability`` and ``unknown``, the number of texts answered ``und``, ``calibration`` as in the results of
      an evaluation, ``per_group`` with ``accuracy`` and ``macro_f1``, ``per_language``, by code, and
      ``seconds`` and ``texts_per_second`` of the detector.
    - ``groups``: the scored languages by group of scripts.
    - ``left_out``: labels that were not scored, with the models that lack them.
    - ``provenance``: ``suite``, ``table``, ``features``, ``date``, ``wldetect_version``, ``threads``.

    Raises:
        OSError: the file cannot be written.
    """
    members = {group: [label for label, own in result.groups.items() if own is group] for group in ScriptGroup}
    content = {
        "sets": {
            name: {
                "data": facts.data,
                "description": SetKind.of(name).description,
                **_facts(facts.all),
                "left_out": facts.left_out,
                "per_group": {group.value: _facts(one) for group, one in facts.groups.items()},
            }
            for name, facts in result.sets.items()
        },
        "models": [_model(model) for model in result.models],
        "groups": {group.value: labels for group, labels in members.items() if labels},
        "left_out": result.left_out,
        "provenance": {
            "suite": "short",
            "table": result.table,
            "features": result.features,
            "date": result.date,
            "wldetect_version": result.version,
            "threads": result.threads,
        },
    }
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _facts(facts: GroupFacts) -> dict[str, Any]:
    return {"texts": facts.texts, "languages": facts.languages, "mean_words": facts.mean_words}


def _model(model: ModelScores) -> dict[str, Any]:
    return {
        "model": model.name,
        "pooling": model.pooling,
        "languages": model.languages,
        "sets": {name: _set(one) for name, one in model.sets.items()},
    }


def _set(one: SetScores) -> dict[str, Any]:
    return {
        "overall": {**asdict(one.scores), "mean_probability": one.mean_probability, "unknown": one.unknown},
        "calibration": asdict(one.reliability),
        "per_group": {group.value: asdict(scores) for group, scores in one.groups.items()},
        "per_language": {scores.label: _class(scores) for scores in one.classes},
        "seconds": one.seconds,
        "texts_per_second": one.scores.n / one.seconds if one.seconds > 0 else 0.0,
    }


def _class(scores: ClassScores) -> dict[str, Any]:
    return {key: value for key, value in asdict(scores).items() if key != "label"}


def format_suite_table(result: SuiteResult) -> str:
    """Format the scores for a terminal, without a line end: a row a set, all models side by side.

    Of one model there are also the mean probability of its answers, the expected calibration error, and the shares of
    texts answered ``und`` and of those without any answer. Accuracy, macro-F1 and these shares are per cent.
    """
    several = len(result.models) > 1
    columns = _BESIDE if several else _ALONE
    first = max(3, *(len(printable(name)) for name in result.sets))
    begin = f"{'set':<{first}}  {'texts':>9}"
    per_model = "  ".join(f"{column:>10}" for column in columns)
    letters = [chr(ord("A") + number % 26) + str(number // 26 or "") for number in range(len(result.models))]

    lines = _wrapped("table", f"{result.table}, {'all' if result.features == 'all' else result.features + ' only'}")
    for letter, model in zip(letters, result.models, strict=True):
        name = printable(model.name)
        text = f"{name}: {model.languages} languages, {model.pooling} pooling"
        lines += _wrapped(letter if several else "model", text)
    lines.append("")
    if several:
        width = len(per_model)
        lines.append(" " * len(begin) + "".join(f"  {letter:>{width}}" for letter in letters))
    lines.append(begin + "".join(f"  {per_model}" for _ in result.models))
    for name, facts in result.sets.items():
        cells = [cell for model in result.models for cell in _cells(model.sets[name])[: len(columns)]]
        lines.append(f"{printable(name):<{first}}  {facts.all.texts:>9,}" + "".join(f"  {cell:>10}" for cell in cells))
    return "\n".join([*lines, *_left_out(result)])


def _cells(one: SetScores) -> list[str]:
    """The cells of one set and model, in the order of the columns of a model alone."""
    scores = one.scores
    probability = "-" if one.mean_probability is None else f"{one.mean_probability:.3f}"
    error = one.reliability.expected_calibration_error
    shares = [100 * count / scores.n for count in (one.unknown, scores.unanswered - one.unknown)]
    return [
        f"{100 * scores.accuracy:.2f}",
        f"{100 * scores.macro_f1:.2f}",
        probability,
        "-" if error is None else f"{error:.4f}",
        *(f"{share:.2f}" for share in shares),
    ]


def _left_out(result: SuiteResult) -> list[str]:
    """What was not scored, by the models that lack the language."""
    lacking: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for label, models in result.left_out.items():
        lacking[tuple(models)].append(label)
    lines: list[str] = []
    for names, labels in lacking.items():
        who = f"{' and '.join(map(printable, names))} lack{'s' * (len(names) == 1)}"
        if len(names) == len(result.models):
            who = "the model lacks" if len(names) == 1 else "no model knows"
        count = f"{len(labels)} language{'s' * (len(labels) > 1)}"
        lines += ["", *_wrapped("left out", f"{count} that {who}: {', '.join(map(printable, labels))}")]
    return lines


def _wrapped(name: str, text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=f"{name:<10}", subsequent_indent=" " * 10, break_on_hyphens=False)
