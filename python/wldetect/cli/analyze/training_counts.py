"""`wldetect analyze training-counts`."""

from __future__ import annotations

import argparse
from pathlib import Path

from wldetect.cli.analyze.options import add_model_path
from wldetect.cli.output import say

NAME = "training-counts"
HELP = "texts trained on against F1, language by language"
DESCRIPTION = """Plot how many texts of a language a model was trained on against its F1, and list the worst languages.

Reads provenance.json and flores_dev_results.json of the model directory; writes training_counts.png and .md.

example:
  wldetect analyze training-counts --model-path artifacts/gemma3-270m"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options to ``parser``."""
    add_model_path(parser)
    parser.add_argument(
        "--results",
        type=Path,
        metavar="FILE",
        help="what `wldetect eval` wrote (default: flores_dev_results.json of the model directory)",
    )
    parser.add_argument("--output-dir", type=Path, metavar="DIR", help="where to write (default: the model directory)")


def run(options: argparse.Namespace) -> int:
    """Compare and write; returns the exit status."""
    from wldetect.analysis.figures import save_png
    from wldetect.analysis.model import PROVENANCE_FILE
    from wldetect.analysis.training_counts import draw_training_counts, format_worst, read_language_scores
    from wldetect.evaluation import results_file_name
    from wldetect.files import atomic_path

    model_path = options.model_path
    results = options.results or model_path / results_file_name("dev")
    scores = read_language_scores(model_path / PROVENANCE_FILE, results)
    directory: Path = options.output_dir or model_path
    table = format_worst(scores)
    save_png(draw_training_counts(scores, model_path.resolve().name), directory / "training_counts.png")
    with atomic_path(directory / "training_counts.md") as temporary:
        temporary.write_text(table + "\n", encoding="utf-8")
    say(table)
    say(f"wrote: {directory / 'training_counts.png'} and training_counts.md")
    return 0
