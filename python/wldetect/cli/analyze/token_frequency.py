"""`wldetect analyze token-frequency`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from wldetect.cli.analyze.options import add_model_path, positive
from wldetect.cli.options import thread_count
from wldetect.cli.output import say

if TYPE_CHECKING:
    from wldetect.analysis.counts import TokenCounts

NAME = "token-frequency"
HELP = "count every token over the training set, or over texts"
DESCRIPTION = """Count how often every token of the vocabulary occurs.

Counted is the training set of a configuration, by default the starter's, as training sees it: rows chosen, texts cut.
With --texts, texts are counted instead, with the tokenizer and the length limit of --model-path.

Writes token_counts.safetensors (counts: int64, one a token; where they are from is in the metadata) into the model
directory, and beside it a TSV file of the most and the least frequent tokens.

examples:
  wldetect analyze token-frequency --config configs/training/gemma3-270m.yaml --data CORPUS
  wldetect analyze token-frequency --model-path artifacts/starter --texts news.txt more.parquet"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options to ``parser``."""
    parser.add_argument("--config", type=Path, metavar="FILE", help="training configuration (default: the starter)")
    parser.add_argument("--data", metavar="PATH", help="what to train on, in place of dataset.name")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="any other key of the configuration by its dotted name; may be repeated",
    )
    parser.add_argument(
        "--texts",
        nargs="+",
        metavar="PATH",
        help="count these instead: text files with one text a line, tables with a text column, directories, patterns",
    )
    add_model_path(parser)
    parser.add_argument(
        "--text-column", default="text", metavar="NAME", help="column of --texts (default: %(default)s)"
    )
    parser.add_argument("--threads", type=thread_count, metavar="N", help="threads (default: one for each core)")
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="where to write (default: the model directory, see above)"
    )
    parser.add_argument(
        "--top",
        type=positive,
        default=1000,
        metavar="N",
        help="tokens at either end of the list (default: %(default)s)",
    )


def run(options: argparse.Namespace) -> int:
    """Count and write; returns the exit status."""
    from wldetect.analysis.counts import COUNTS_FILE, count_files, write_counts, write_frequency_table
    from wldetect.analysis.model import open_model
    from wldetect.embeddings.base import token_strings

    if options.texts is None:
        counts, directory, tokenizer_json = _training_set(options)
    else:
        directory = options.model_path
        counts = count_files(options.texts, directory, options.text_column, options.threads)
        tokenizer_json = open_model(directory).tokenizer_json
    output: Path = options.output or directory / COUNTS_FILE
    table = output.with_suffix(".tsv")
    write_counts(counts, output)
    write_frequency_table(counts, token_strings(tokenizer_json), table, options.top)
    n_seen = int((counts.counts > 0).sum())
    say(
        f"{counts.tokens:,} tokens in {counts.texts:,} texts: {n_seen:,} of {len(counts.counts):,} tokens of the "
        f"vocabulary ({n_seen / max(len(counts.counts), 1):.1%}) occur"
    )
    say(f"wrote: {output} and {table.name}")
    return 0


def _training_set(options: argparse.Namespace) -> tuple[TokenCounts, Path, str]:
    """The counts of a training set, the directory of its model, and the tokenizer."""
    from wldetect.analysis.counts import count_training_set
    from wldetect.config import DEFAULT_TRAINING_CONFIG, load_training_config, parse_override
    from wldetect.embeddings import open_sources
    from wldetect.files import default_cache_dir

    overrides: dict[str, object] = dict(parse_override(text) for text in options.set)
    if options.data is not None:
        # A path given here is relative to the current directory, not to the configuration.
        overrides["dataset.name"] = str(Path(options.data).resolve()) if Path(options.data).exists() else options.data
    config = load_training_config(options.config or DEFAULT_TRAINING_CONFIG(), overrides)
    cache_dir = default_cache_dir()
    source = open_sources(config.model, config.model_path, cache_dir)
    return count_training_set(config, source, cache_dir), config.artifacts_dir, source.tokenizer_json()
