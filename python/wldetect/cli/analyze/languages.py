"""`wldetect analyze languages`."""

from __future__ import annotations

import argparse
from pathlib import Path

from wldetect.cli.analyze.options import add_model_path
from wldetect.cli.extras import require_extras
from wldetect.cli.output import say

NAME = "languages"
HELP = "list a model's languages with their scores, as a document"
DESCRIPTION = """Write a Markdown table of a model's languages: label, English name, script, accuracy, precision, F1.

Needs the extra `analysis`, which has the names.

examples:
  wldetect analyze languages --model-path artifacts/gemma3-270m
  wldetect analyze languages --results flores_dev_results.json --output docs/languages.md"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options to ``parser``."""
    add_model_path(parser)
    parser.add_argument(
        "--results",
        type=Path,
        metavar="FILE",
        help="what `wldetect eval` wrote (default: flores_dev_results.json of the model directory)",
    )
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="the document (default: languages.md in the model directory)"
    )


def run(options: argparse.Namespace) -> int:
    """List and write; returns the exit status."""
    require_extras("wldetect analyze languages", ["analysis"])
    from wldetect.analysis.languages import read_evaluation, write_languages
    from wldetect.evaluation import results_file_name

    results: Path = options.results or options.model_path / results_file_name("dev")
    output: Path = options.output or options.model_path / "languages.md"
    evaluation = read_evaluation(results)
    command = ["wldetect", "analyze", "languages", "--results", _shown(results), "--output", _shown(output)]
    write_languages(evaluation, command, output)
    say(f"wrote: {output} ({len(evaluation.languages)} languages)")
    return 0


def _shown(path: Path) -> str:
    """A path as the document names it: where an absolute one lies is no one else's business."""
    return path.name if path.is_absolute() else path.as_posix()
