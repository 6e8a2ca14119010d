"""A calibration in a model's tables, and reports of it: a JSON file, a plot, and a table for the terminal."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from wldetect.analysis.figures import save_png
from wldetect.calibration.run import CalibrationResult, Way, WayResult
from wldetect.errors import ArtifactError
from wldetect.evaluation.reliability_plot import draw_reliability
from wldetect.evaluation.report import printable
from wldetect.export.metadata import rewrite_metadata
from wldetect.export.quantize import TableDType
from wldetect.files import atomic_path

__all__ = ["JSON_FILE", "PLOT_FILE", "format_calibration", "install_calibration", "write_reports"]

JSON_FILE = "calibration_results.json"
PLOT_FILE = "calibration_results.png"

# Must agree with the Rust core's artifact module.
_KEY = "calibration"


def install_calibration(result: CalibrationResult, model_path: Path) -> list[Path]:
    """Put the calibration into the metadata of every lookup table of ``model_path``; returns these files.

    Each is written whole under a temporary name and renamed; after an interruption between two of them, one table has
    the new calibration and another does not, and each is a valid one.

    Raises:
        OSError: a file cannot be read or written.
        ArtifactError: a table is malformed, or there is none.
    """
    ways = {
        way: {
            "inverse_temperatures": one.inverse_temperatures,
            "thresholds": one.thresholds,
            **({} if one.long_texts is None else {"long_texts": asdict(one.long_texts)}),
        }
        for way, one in result.ways.items()
    }
    text = json.dumps(ways, ensure_ascii=False, separators=(",", ":"))
    paths = [path for dtype in TableDType if (path := model_path / dtype.file_name).exists()]
    if not paths:
        raise ArtifactError(f"{model_path}: expected one or more lookup tables, found none")
    for path in paths:
        rewrite_metadata(path, {_KEY: text})
    return paths


def write_reports(result: CalibrationResult, directory: Path) -> list[Path]:
    """Write the numbers as JSON and the reliability as a plot, each at once; returns the files.

    The keys of the JSON file, always in this order; ratios are in 0..1:

    - ``ways``, by what rows are used: ``inverse_temperatures``, for 1 row, 2 rows, ...; ``thresholds``, by label;
      ``common_threshold``; ``long_texts`` with ``from_evidence`` and ``thresholds``, by label, or null;
      ``answers``, texts that each label was most probable for; ``lengths``, by name:
      reliability ``before`` and ``after``, ``unknown`` and ``lost`` shares, and those of texts in other languages,
      ``others_hidden`` and ``others_unknown``; ``precision_before`` and ``precision_after``, by label.
    - ``texts``, ``other_texts``, ``texts_by_label``, ``precision``, ``samples_per_label``, ``seed``, ``model``,
      ``data``, ``other_data``, ``other_share``, ``table``, ``date``, ``version``.

    Raises:
        OSError: a file cannot be written.
    """
    with atomic_path(directory / JSON_FILE) as temporary:
        temporary.write_text(json.dumps(asdict(result), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    # Without rows of n-grams, both ways are one.
    shown: list[Way] = [way for way in result.ways if way == "all" or "ngrams" in result.ways]
    panels = {
        f"{way}: {name}": [("before", found.before), ("after", found.after)]
        for way in shown
        for name, found in result.ways[way].lengths.items()
    }
    title = f"{printable(result.model)}: confidence and accuracy on held-out texts"
    save_png(draw_reliability(title, panels), directory / PLOT_FILE)
    return [directory / JSON_FILE, directory / PLOT_FILE]


def format_calibration(result: CalibrationResult) -> str:
    """Format the result for a terminal, without a line end: a row for each way and length.

    Errors are expected calibration errors before and after; accuracy, unknown and lost are per cent, and so is what
    of the texts in other languages is unknown.
    """
    labels = sum(count > 0 for count in result.texts_by_label.values())
    lines = [f"{result.texts:,} texts and crops of {labels} of {len(result.texts_by_label)} labels"]
    others = f"; {result.other_texts:,} in other languages" if result.other_texts else ""
    lines[0] += others
    width = max(len(name) for one in result.ways.values() for name in one.lengths)
    heading = f"rows    {'texts':<{width}}  accuracy  error before  after  unknown  right answers lost"
    lines.append(heading + ("  others unknown" if others else ""))
    for way, one in result.ways.items():
        for name, found in one.lengths.items():
            after = found.after
            if after.accuracy is None:
                continue
            errors = [one.expected_calibration_error or 0.0 for one in (found.before, after)]
            lines.append(
                f"{way:<6}  {name:<{width}}  {100 * after.accuracy:>8.2f}  {errors[0]:>12.4f}  {errors[1]:.4f}"
                f"  {100 * found.unknown:>6.2f}  {100 * found.lost:>18.2f}"
                + ("" if found.others_unknown is None else f"  {100 * found.others_unknown:>14.2f}")
            )
    return "\n".join([*lines, *(_thresholds(way, one) for way, one in result.ways.items())])


def _thresholds(way: Way, one: WayResult) -> str:
    values = sorted(one.thresholds.values())
    return (
        f"{way:<6}  thresholds {values[0]:.4f} to {values[-1]:.4f}, median {values[len(values) // 2]:.4f}, "
        f"of all labels together {one.common_threshold:.4f}"
    )
