"""`wldetect analyze filter`."""

from __future__ import annotations

import argparse
from pathlib import Path

from wldetect.cli.analyze.options import (
    add_evaluation_options,
    add_model_path,
    add_table,
    add_token_counts,
    load_evaluation,
    positive,
    token_counts_path,
)
from wldetect.cli.output import say

NAME = "filter"
HELP = "copy a model with rarely seen tokens masked"
DESCRIPTION = """Write a copy of a model in which tokens seen fewer than N times in training are masked.

Masked tokens are left out of pooling; their rows are zeros. With --compact they have no row at all, and of a table that
has rows of some tokens only it is so anyway. The threshold stands in the table's file. The model itself is not changed.
With --eval-data, both models are scored on it, side by side.

examples:
  wldetect analyze filter --threshold 10
  wldetect analyze filter --model-path artifacts/gemma3-270m --threshold 10 --eval-data dev.parquet"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options to ``parser``."""
    parser.add_argument(
        "--threshold", type=positive, required=True, metavar="N", help="the smallest count that is kept"
    )
    add_model_path(parser)
    add_table(parser)
    add_token_counts(parser)
    parser.add_argument("--compact", action="store_true", help="drop the rows of these tokens rather than mask them")
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="the new model directory (default: MODEL-minN beside the model)"
    )
    add_evaluation_options(parser, required=False)


def run(options: argparse.Namespace) -> int:
    """Filter, evaluate, report; returns the exit status."""
    from wldetect.analysis.answers import answer
    from wldetect.analysis.counts import other_corpus, read_counts
    from wldetect.analysis.filter import REPORT_FILE, filter_model, format_filter_report, write_filter_report
    from wldetect.analysis.model import open_model, read_provenance
    from wldetect.export.quantize import TableDType

    dtype = TableDType(options.table)
    model_path = options.model_path
    output: Path = options.output or model_path.with_name(f"{model_path.resolve().name}-min{options.threshold}")
    counts_path = token_counts_path(options)
    counts = read_counts(counts_path)
    # Read before anything is written, so that a wrong path is found out now.
    texts = load_evaluation(options)
    before = None if texts is None else answer(model_path, texts, dtype, options.threads, name="before")
    result = filter_model(model_path, counts, counts_path, options.threshold, output, dtype, options.compact)
    after = None if texts is None else answer(output, texts, dtype, options.threads, name="after")
    write_filter_report(result, output / REPORT_FILE, before, after)
    say(format_filter_report(result, before, after))
    if remark := other_corpus(counts, read_provenance(open_model(model_path, dtype))):
        say(remark)
    say(f"wrote: {output}")
    return 0
