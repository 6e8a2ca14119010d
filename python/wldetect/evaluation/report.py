"""Reports of an evaluation: a JSON file, and a table for the terminal."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from wldetect.evaluation.run import EvaluationResult

__all__ = [
    "file_suffix",
    "format_table",
    "heat_map_file_name",
    "printable",
    "reliability_file_name",
    "results_file_name",
    "short",
    "write_json",
]

_WIDTH = 100
_LONGEST_LABEL = 20
_PAIRS_IN_JSON = 200
_PAIRS_IN_TABLE = 15


def results_file_name(split: str, table: str = "e3m4", features: str = "all") -> str:
    """Name of the JSON file in a model directory: ``flores_dev_results.json`` for the split ``dev``."""
    return f"flores_{split}_results{file_suffix(table, features)}.json"


def heat_map_file_name(split: str, table: str = "e3m4", features: str = "all") -> str:
    """Name of the picture beside it: ``flores_dev_confusion.png`` for the split ``dev``."""
    return f"flores_{split}_confusion{file_suffix(table, features)}.png"


def reliability_file_name(split: str, table: str = "e3m4", features: str = "all") -> str:
    """Name of the plot of confidence and accuracy: ``flores_dev_reliability.png`` for the split ``dev``."""
    return f"flores_{split}_reliability{file_suffix(table, features)}.png"


def file_suffix(table: str, features: str) -> str:
    """What tells the files of other tables and of a part of the rows apart: only the default's are the model's own."""
    return ("" if table == "e3m4" else f"_{table}") + ("" if features == "all" else f"_{features}")


def write_json(result: EvaluationResult, path: Path) -> None:
    """Write the results as JSON, UTF-8, at once: after an interruption there is the old file or the new one.

    The keys, always in this order: ``overall``, with ``unknown``, the number of texts answered ``und``;
    ``calibration``: how many ``texts`` have probabilities, ``accuracy`` and ``mean_confidence`` of their most probable
    labels, ``expected_calibration_error`` over 15 ``bins`` of equal width; ``per_language``, by language code, of the
    languages that have texts; ``confused_pairs``, the 200 most frequent; ``provenance``. Ratios are in 0..1.

    Raises:
        OSError: the file cannot be written.
    """
    from wldetect.files import atomic_path

    classes = sorted((one for one in result.classes if one.support), key=lambda one: one.label)
    content = {
        "overall": {**asdict(result.scores), "unknown": result.unknown},
        "calibration": asdict(result.reliability),
        "per_language": {
            one.label: {key: value for key, value in asdict(one).items() if key != "label"} for one in classes
        },
        "confused_pairs": [asdict(pair) for pair in result.pairs[:_PAIRS_IN_JSON]],
        "provenance": {
            "model": result.model,
            "table": result.table,
            "features": result.features,
            "pooling": result.pooling,
            "languages": len(result.languages),
            "data": result.data,
            "split": result.split,
            "labels_not_in_model": result.labels_not_in_model,
            "labels_without_texts": result.labels_without_texts,
            "date": result.date,
            "wldetect_version": result.version,
            "threads": result.threads,
            "seconds": result.seconds,
            "texts_per_second": result.texts_per_second,
            "bytes_per_second": result.bytes_per_second,
        },
    }
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def format_table(result: EvaluationResult, worst: int = 20) -> str:
    """Format the results for a terminal, in lines of at most 100 columns, without a line end.

    A summary comes first, then the ``worst`` languages by F1, leaving out those without a mistake, then the most
    confused pairs. "to X 3" beside a language means that 3 of its texts were taken for X; "from X 3", that 3 texts of
    X were taken for it.
    """
    lines = _summary(result)
    present = [one for one in result.classes if one.support]
    imperfect = sorted((one for one in present if one.f1 < 1.0), key=lambda one: (one.f1, one.label))[: max(worst, 0)]
    if imperfect:
        partners = _partners(result)
        width = max(len("language"), *(len(short(one.label)) for one in imperfect))
        head = f"{'language':<{width}}  {'texts':>7}  precision  recall     F1  false pos."
        lines += ["", f"The {len(imperfect)} worst of {len(present)} languages, by F1 (%)"]
        lines.append(f"{head}  confused with (texts)")
        for one in imperfect:
            row = (
                f"{short(one.label):<{width}}  {one.support:>7}  {100 * one.precision:>9.1f}  {100 * one.recall:>6.1f}"
                f"  {100 * one.f1:>5.1f}  {100 * one.false_positive_rate:>10.3f}"
            )
            room = _WIDTH - len(head) - 2
            lines.append(f"{row}  {_fitting(partners[one.label], room)}".rstrip())
    pairs = result.pairs[:_PAIRS_IN_TABLE]
    if pairs:
        left, right = (max(map(len, column)) for column in zip(*_pair_labels(result), strict=True))
        lines += ["", f"The {len(pairs)} most confused of {len(result.pairs)} pairs"]
        lines.append(f"{'language':<{max(left, 8)}}  {'taken for':<{max(right, 9)}}    texts  % of its texts")
        for pair, (true, predicted) in zip(pairs, _pair_labels(result), strict=True):
            share = f"{100 * pair.share:>14.1f}"
            lines.append(f"{true:<{max(left, 8)}}  {predicted:<{max(right, 9)}}  {pair.count:>7}  {share}")
    return "\n".join(lines)


def _pair_labels(result: EvaluationResult) -> list[tuple[str, str]]:
    return [(short(pair.true), short(pair.predicted)) for pair in result.pairs[:_PAIRS_IN_TABLE]]


def _summary(result: EvaluationResult) -> list[str]:
    scores = result.scores
    present = len(result.languages) - len(result.labels_without_texts)
    data = printable(f"{result.data}, split {result.split}" if result.split else result.data)
    model = printable(result.model)
    only = "" if result.features == "all" else f", {result.features} only"
    threads = "one thread a core" if result.threads is None else f"{result.threads} threads"
    confidence = [
        f"{value:.3f} when {when}"
        for value, when in ((scores.mean_confidence_correct, "right"), (scores.mean_confidence_wrong, "wrong"))
        if value is not None
    ]
    rows = [
        ("Model", f"{model}: {result.table} table{only}, {result.pooling} pooling, {len(result.languages)} languages"),
        ("Data", f"{data}: {scores.n:,} texts of {present} languages"),
        (
            "Accuracy",
            f"{100 * scores.accuracy:.2f} % ({scores.n_correct:,} right, {scores.unanswered:,} unanswered"
            + (f", of them {result.unknown:,} und)" if result.unknown else ")"),
        ),
        (
            "Macro",
            f"F1 {100 * scores.macro_f1:.2f} %, precision {100 * scores.macro_precision:.2f} %, "
            f"recall {100 * scores.macro_recall:.2f} %, "
            f"false-positive rate {100 * scores.macro_false_positive_rate:.4f} %",
        ),
        ("Confidence", f"mean {', '.join(confidence)}" if confidence else "no answers"),
        *_calibration(result),
        (
            "Speed",
            f"{result.texts_per_second:,.0f} texts/s, {result.bytes_per_second / 1e6:.2f} MB/s with {threads} "
            f"({result.seconds:.2f} s)",
        ),
        ("Made", f"{result.date} by wldetect {result.version}"),
    ]
    if result.labels_not_in_model:
        counts = ", ".join(f"{label} {count}" for label, count in result.labels_not_in_model.items())
        total = sum(result.labels_not_in_model.values())
        labels = _plural(len(result.labels_not_in_model), "label")
        rows.append(("Not scored", f"{total:,} texts of {labels} that the model does not know: {counts}"))
    if result.labels_without_texts:
        languages = _plural(len(result.labels_without_texts), "language")
        rows.append(("No texts", f"for {languages} of the model: {', '.join(result.labels_without_texts)}"))
    indent = max(len(name) for name, _ in rows) + 2
    return [
        line
        for name, text in rows
        for line in textwrap.wrap(
            text,
            _WIDTH,
            initial_indent=f"{name:<{indent}}",
            subsequent_indent=" " * indent,
            break_on_hyphens=False,
        )
    ]


def _calibration(result: EvaluationResult) -> list[tuple[str, str]]:
    found = result.reliability
    if found.expected_calibration_error is None:
        return []
    text = (
        f"expected error {found.expected_calibration_error:.4f}: mean confidence {found.mean_confidence:.3f}, "
        f"{found.accuracy:.3f} of the most probable languages right"
    )
    return [("Calibration", text)]


def _partners(result: EvaluationResult) -> dict[str, list[str]]:
    """For each language, with whom it was confused and how often, the most frequent first."""
    partners: dict[str, list[str]] = {language: [] for language in result.languages}
    for pair in result.pairs:
        partners[pair.true].append(f"to {short(pair.predicted)} {pair.count}")
        partners[pair.predicted].append(f"from {short(pair.true)} {pair.count}")
    return partners


def _fitting(items: Sequence[str], width: int) -> str:
    """Join as many of the first items as fit into ``width`` characters."""
    text = ""
    for item in items:
        longer = f"{text}, {item}" if text else item
        if len(longer) > width:
            break
        text = longer
    return text


def printable(name: str) -> str:
    """``name`` with line ends and the like, which a file's name may hold, shown as escapes."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in name)


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def short(label: str) -> str:
    """``label``, cut where it is too long for a table or a plot."""
    return label if len(label) <= _LONGEST_LABEL else f"{label[: _LONGEST_LABEL - 3]}..."
