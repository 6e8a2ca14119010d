"""`wldetect analyze weights`."""

from __future__ import annotations

import argparse
from pathlib import Path

from wldetect.cli.analyze.options import add_model_path, add_table, add_token_counts, positive, token_counts_path
from wldetect.cli.output import say

NAME = "weights"
HELP = "token frequency against learned weights, and thresholds that follow"
DESCRIPTION = """Compare how often tokens were seen in training with the weights that they have learned.

Writes token_weight_frequency_analysis.png (six panels), and token_filtering_recommendations.txt and .json: what
thresholds mask, which ones are recommended by which rule, weights by count, rare tokens of large weight.

examples:
  wldetect analyze weights
  wldetect analyze weights --model-path artifacts/gemma3-270m --threshold 20 --output-dir reports"""

_PICTURE = "token_weight_frequency_analysis.png"
_REPORT = "token_filtering_recommendations.txt"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options to ``parser``."""
    add_model_path(parser)
    add_table(parser)
    add_token_counts(parser)
    parser.add_argument(
        "--threshold", type=positive, default=10, metavar="N", help="the threshold to mark (default: %(default)s)"
    )
    parser.add_argument("--output-dir", type=Path, metavar="DIR", help="where to write (default: the model directory)")


def run(options: argparse.Namespace) -> int:
    """Analyze and write; returns the exit status."""
    import json

    from wldetect.analysis.counts import other_corpus, read_counts, require_same_tokens
    from wldetect.analysis.figures import save_png
    from wldetect.analysis.model import open_model, read_provenance
    from wldetect.analysis.weight_plot import draw_weights
    from wldetect.analysis.weights import analyze_weights, format_report, report_json
    from wldetect.embeddings.base import token_strings
    from wldetect.export.quantize import TableDType
    from wldetect.files import atomic_path

    counts_path = token_counts_path(options)
    counts = read_counts(counts_path)
    model = open_model(options.model_path, TableDType(options.table))
    require_same_tokens(counts, counts_path, model)
    tokens = analyze_weights(model, counts)
    report = format_report(tokens, counts, options.threshold, token_strings(model.tokenizer_json))
    directory: Path = options.output_dir or options.model_path
    save_png(draw_weights(tokens, options.threshold, options.model_path.resolve().name), directory / _PICTURE)
    with atomic_path(directory / _REPORT) as temporary:
        temporary.write_text(report + "\n", encoding="utf-8")
    with atomic_path((directory / _REPORT).with_suffix(".json")) as temporary:
        content = report_json(tokens, counts, options.threshold)
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    say(report)
    if remark := other_corpus(counts, read_provenance(model)):
        say(remark)
    say(f"wrote: {directory / _PICTURE}, {_REPORT} and {Path(_REPORT).stem}.json")
    return 0
