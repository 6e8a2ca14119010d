"""`wldetect eval`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from wldetect._core import packaged_model
from wldetect.cli.evaluate_suite import add_suite_arguments, check_suite_arguments, run_suite
from wldetect.cli.evaluated import PROVENANCE, evaluation_of_training
from wldetect.cli.extras import require_extras
from wldetect.cli.options import add_model_options
from wldetect.cli.output import say
from wldetect.errors import ConfigError, DataError

if TYPE_CHECKING:
    from wldetect.evaluation import EvaluationResult, LabelledTexts

HELP = "score a model on labelled texts"
DESCRIPTION = """Score a model on labelled texts, FLORES by default, through the detector on its quantized table.

Prints a table; writes flores_SPLIT_results.json, flores_SPLIT_confusion.png and flores_SPLIT_reliability.png, a plot of
confidence and accuracy, into the model directory, or into the current one if the model is that inside the package.
Without --data, the texts are those that the model's training configuration names.

With --suite short, --data is a directory of parquet files with the columns text and language, each of them one set:
single words, noisy sentences, capitals, ... Prints one table of the sets; writes short_results.json and
short_results.png, a plot of accuracy against length in words by group of scripts, and short_reliability.png. Sets
called words1, words2, ... are texts of a length, and so are those of --sentences; others are shown as bars: noise10,
noise25, upper, no_accents, no_punctuation, no_case (scripts/plain_variants.py makes the last three), or any other name.
Sets that are not there are not missed. With --compare-with, several models stand side by side, scored on the languages
that all of them know, in short_comparison.json and short_comparison.png.

examples:
  wldetect eval --model-path artifacts/starter
  wldetect eval --model-path artifacts/gemma3-270m --data dev.parquet --split dev --table e4m3fn
  wldetect eval --data dev.parquet --languages configs/models/gemma3-270m.yaml
  wldetect eval --model-path artifacts/gemma3-270m --suite short --data variants/ --sentences dev.parquet
  wldetect eval --model-path artifacts/new --compare-with artifacts/old --suite short --data variants/"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options to ``parser``."""
    add_model_options(parser)
    parser.add_argument(
        "--data",
        metavar="PATH",
        help="FLORES+ parquet file, directory, other table with a text and a language column, or hub id; "
        "with --suite, a directory of sets",
    )
    parser.add_argument("--split", metavar="NAME", help="the part of the data to use (default: dev)")
    parser.add_argument("--text-column", metavar="NAME", help="(default: text)")
    parser.add_argument(
        "--language-column", metavar="NAME", help="(default: language, or else iso_639_3 and iso_15924 joined)"
    )
    parser.add_argument(
        "--features",
        choices=["all", "tokens", "ngrams"],
        help="which rows to detect with: all that the model has, or those of one family alone (default: all)",
    )
    parser.add_argument(
        "--languages",
        type=Path,
        metavar="FILE",
        help="a model configuration: only texts of its languages are scored, so that models of more languages can be "
        "compared with one of fewer (default: of all that the model knows)",
    )
    add_suite_arguments(parser)
    parser.add_argument("--output", type=Path, metavar="DIR", help="where to write (default: see above)")


def run(options: argparse.Namespace) -> int:
    """Evaluate and report; returns the exit status."""
    require_extras("wldetect eval", ["training"])
    check_suite_arguments(options)
    if options.model_path is None:
        _use_packaged_model(options)
    if options.suite is not None:
        return run_suite(options)
    from wldetect.evaluation import load_flores

    # What the options do not say is as it was in training, if the data is.
    trained = evaluation_of_training(options.model_path) if options.data is None else {}
    data = trained.get("data", options.data)
    split = options.split or trained.get("split") or "dev"
    text_column = options.text_column or trained.get("text_column") or "text"
    try:
        texts = load_flores(data, split, text_column, options.language_column or trained.get("language_column"))
    except FileNotFoundError as error:
        if options.data is not None:
            raise
        # The path may be relative to a configuration that is not at hand.
        record = options.model_path / PROVENANCE
        raise DataError(f"{record}: evaluation data {data!r} is not there; give it with --data") from error
    if options.languages is not None:
        from wldetect.config import load_model_config

        texts = texts.of(load_model_config(options.languages).labels)
    evaluate_and_report(
        options.model_path, texts, split, options.table, options.output, options.threads, options.features
    )
    return 0


def _use_packaged_model(options: argparse.Namespace) -> None:
    """The model inside the package has no evaluation data of its own, and nothing is written to where it lies."""
    options.model_path = packaged_model()
    if options.data is None:
        raise ConfigError("command line: --data: expected what to score the model inside the package on, found none")
    options.output = Path() if options.output is None else options.output


def evaluate_and_report(
    model_path: Path,
    texts: LabelledTexts,
    split: str,
    table: str,
    output: Path | None = None,
    threads: int | None = None,
    features: str | None = None,
) -> EvaluationResult:
    """Score the model in ``model_path`` on ``texts``; print the table, write the JSON file and the heat map."""
    from wldetect.analysis.figures import save_png
    from wldetect.evaluation import (
        evaluate,
        format_table,
        heat_map_file_name,
        reliability_file_name,
        results_file_name,
        write_heat_map,
        write_json,
    )
    from wldetect.evaluation.reliability_plot import draw_reliability
    from wldetect.evaluation.report import printable

    output = model_path if output is None else output
    result = evaluate(model_path, texts, table=table, threads=threads, progress=True, features=features)
    say(format_table(result))
    results = output / results_file_name(split, table, result.features)
    picture = output / heat_map_file_name(split, table, result.features)
    plot = output / reliability_file_name(split, table, result.features)
    write_json(result, results)
    write_heat_map(result, picture)
    panels = {printable(result.data): [("", result.reliability)]}
    save_png(draw_reliability(f"{printable(result.model)}: confidence and accuracy", panels), plot)
    say(f"wrote: {results}, {picture.name} and {plot.name}")
    return result
