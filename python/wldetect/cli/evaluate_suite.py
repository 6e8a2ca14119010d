"""`wldetect eval --suite`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from wldetect.cli.evaluated import PROVENANCE, evaluation_of_training
from wldetect.cli.output import say
from wldetect.errors import ConfigError, DataError

if TYPE_CHECKING:
    from wldetect.evaluation import LabelledTexts

__all__ = ["add_suite_arguments", "check_suite_arguments", "run_suite"]

# Where the sets are looked for, beside the data that the model was evaluated on.
_VARIANTS = "variants"


def add_suite_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of scoring a suite to ``parser``."""
    parser.add_argument(
        "--suite",
        choices=["short"],
        help="score on several sets of short, noisy and shouted texts: the parquet files of --data (default: of the "
        f"directory {_VARIANTS} beside the evaluation data of training, with these data as --sentences)",
    )
    parser.add_argument(
        "--sentences", metavar="PATH", help="with --suite: full sentences as one more set, anything that --data takes"
    )
    parser.add_argument(
        "--compare-with",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="with --suite: another model directory, to be shown beside the first; may be repeated",
    )


def check_suite_arguments(options: argparse.Namespace) -> None:
    """Refuse options that only a suite has where there is none.

    Raises:
        ConfigError: names the option.
    """
    if options.suite is None:
        for name, given in (("--sentences", options.sentences is not None), ("--compare-with", options.compare_with)):
            if given:
                raise ConfigError(f"command line: {name}: expected --suite beside it, found none")


def run_suite(options: argparse.Namespace) -> int:
    """Score one or several models on a suite and report; returns the exit status."""
    from wldetect.analysis.figures import save_png
    from wldetect.config import load_model_config
    from wldetect.evaluation.reliability_plot import draw_reliability
    from wldetect.evaluation.report import printable
    from wldetect.evaluation.suite import load_suite
    from wldetect.evaluation.suite_plot import draw_suite
    from wldetect.evaluation.suite_report import (
        format_suite_table,
        suite_file_name,
        suite_reliability_file_name,
        write_suite_json,
    )
    from wldetect.evaluation.suite_scores import score_suite

    directory, sentences = options.data, None
    split, text_column = options.split or "dev", options.text_column or "text"
    if directory is None:
        directory, sentences = _beside_evaluation_data(options.model_path)
    if options.sentences is not None:
        sentences = _load(options.sentences, split, text_column, options.language_column)
    sets = load_suite(directory, sentences, split, text_column, options.language_column)
    if options.languages is not None:
        labels = load_model_config(options.languages).labels
        sets = {name: texts.of(labels) for name, texts in sets.items()}
    result = score_suite(
        [options.model_path, *options.compare_with], sets, options.table, options.features, options.threads
    )
    say(format_suite_table(result))
    output = options.model_path if options.output is None else options.output
    scores = output / suite_file_name(result, ".json")
    picture = output / suite_file_name(result, ".png")
    write_suite_json(result, scores)
    save_png(draw_suite(result), picture)
    written = [str(scores), picture.name]
    if len(result.models) == 1:
        (model,) = result.models
        panels = {name: [("", one.reliability)] for name, one in model.sets.items()}
        plot = output / suite_reliability_file_name(result)
        save_png(draw_reliability(f"{printable(model.name)}: confidence and accuracy", panels), plot)
        written.append(plot.name)
    say(f"\nwrote: {', '.join(written[:-1])} and {written[-1]}")
    return 0


def _beside_evaluation_data(model_path: Path) -> tuple[Path, LabelledTexts]:
    """The directory of sets beside what the model was evaluated on in training, and the latter itself."""
    record = model_path / PROVENANCE
    try:
        trained = evaluation_of_training(model_path)
    except FileNotFoundError:
        raise DataError(
            f"{record}: expected the record of a training run, found none; give the sets with --data"
        ) from None
    data = Path(str(trained["data"]))
    place = data.parent / _VARIANTS
    if not place.is_dir():
        raise DataError(
            f"{record}: expected sets in {place}, beside the evaluation data, found no directory; give one with --data"
        )
    return place, _load(
        str(data), trained.get("split") or "dev", trained.get("text_column") or "text", trained.get("language_column")
    )


def _load(data: str, split: str, text_column: str, language_column: str | None) -> LabelledTexts:
    from wldetect.evaluation import load_flores

    return load_flores(data, split, text_column, language_column)
