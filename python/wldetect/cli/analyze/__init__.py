"""`wldetect analyze`: commands that look inside a model. Each is a module that adds its options and runs."""

from __future__ import annotations

import argparse

from wldetect.cli.analyze import filter as filter_tokens
from wldetect.cli.analyze import languages, quantization, token_frequency, training_counts, weights
from wldetect.cli.extras import require_extras

HELP = "look inside a model: token counts, weights, filtering, quantization, languages"
DESCRIPTION = """Look inside a model.

examples:
  wldetect analyze token-frequency --config configs/training/gemma3-270m.yaml
  wldetect analyze weights --model-path artifacts/gemma3-270m
  wldetect analyze filter --model-path artifacts/gemma3-270m --threshold 10 --eval-data dev.parquet

`wldetect analyze COMMAND --help` explains a command."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the commands to ``parser``."""
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in (token_frequency, weights, filter_tokens, quantization, training_counts, languages):
        command = commands.add_parser(
            module.NAME,
            help=module.HELP,
            description=module.DESCRIPTION,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(command)
        command.set_defaults(analysis=module.run, analysis_name=module.NAME)


def run(options: argparse.Namespace) -> int:
    """Run the chosen command; returns the exit status."""
    require_extras(f"wldetect analyze {options.analysis_name}", ["training"])
    return int(options.analysis(options))
