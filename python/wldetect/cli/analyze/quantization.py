"""`wldetect analyze quantization`."""

from __future__ import annotations

import argparse
from pathlib import Path

from wldetect.cli.analyze.options import add_evaluation_options, add_model_path, load_evaluation
from wldetect.cli.output import say

NAME = "quantization"
HELP = "what storing the table in 8-bit floats costs"
DESCRIPTION = """Measure what storing a model's table in 8-bit floats costs: E3M4 and E4M3FN, one scale for the table
or one a language, several parts of the format's range, and clipping.

Needs the table before quantization: train with `--set output.float32_table=true`. What the detector cannot load (one
scale a language) is scored as the float32 table that it stands for. Writes quantization.md, .json and .png.

example:
  wldetect analyze quantization --model-path artifacts/gemma3-270m --eval-data dev.parquet"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options to ``parser``."""
    add_model_path(parser)
    add_evaluation_options(parser, required=True)
    parser.add_argument("--output-dir", type=Path, metavar="DIR", help="where to write (default: the model directory)")


def run(options: argparse.Namespace) -> int:
    """Measure and write; returns the exit status."""
    from wldetect.analysis.figures import save_png
    from wldetect.analysis.quantization import measure_quantization
    from wldetect.analysis.quantization_plot import draw_quantization
    from wldetect.analysis.quantization_report import format_markdown, write_quantization_reports
    from wldetect.analysis.variants import all_variants

    texts = load_evaluation(options)
    assert texts is not None, "--eval-data is required"
    result = measure_quantization(options.model_path, texts, all_variants(), options.threads)
    directory: Path = options.output_dir or options.model_path
    write_quantization_reports(result, directory / "quantization.md", directory / "quantization.json")
    save_png(draw_quantization(result), directory / "quantization.png")
    say(format_markdown(result))
    say(f"wrote: {directory / 'quantization.md'}, quantization.json and quantization.png")
    return 0
