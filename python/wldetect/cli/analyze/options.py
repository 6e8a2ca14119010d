"""Options that several analyses have, and their types."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

from wldetect.cli.options import thread_count

if TYPE_CHECKING:
    from wldetect.evaluation import LabelledTexts

__all__ = [
    "DEFAULT_MODEL",
    "add_evaluation_options",
    "add_model_path",
    "add_table",
    "add_token_counts",
    "load_evaluation",
    "positive",
    "token_counts_path",
]

DEFAULT_MODEL = Path("artifacts/starter")
"""What `wldetect train` without a configuration writes."""

_MOST = 2**31 - 1


def positive(text: str) -> int:
    """A number of at least 1 that a file can keep in 32 bits.

    Raises:
        argparse.ArgumentTypeError: ``text`` is no such number.
    """
    if not re.fullmatch(r"[0-9]{1,10}", text) or not 1 <= int(text) <= _MOST:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 to {_MOST}, found {text!r}")
    return int(text)


def add_model_path(parser: argparse.ArgumentParser) -> None:
    """Add ``--model-path``, by default the starter model."""
    parser.add_argument(
        "--model-path", type=Path, default=DEFAULT_MODEL, metavar="DIR", help="model directory (default: %(default)s)"
    )


def add_table(parser: argparse.ArgumentParser) -> None:
    """Add ``--table``."""
    parser.add_argument(
        "--table",
        choices=["e3m4", "e4m3fn", "float32"],
        default="e3m4",
        help="which of the model's tables to use (default: %(default)s)",
    )


def add_token_counts(parser: argparse.ArgumentParser) -> None:
    """Add ``--token-counts``; see `token_counts_path`."""
    parser.add_argument(
        "--token-counts",
        type=Path,
        metavar="FILE",
        help="what `wldetect analyze token-frequency` wrote (default: token_counts.safetensors of the model directory)",
    )


def token_counts_path(options: argparse.Namespace) -> Path:
    """The file of token counts that the options name."""
    from wldetect.analysis.counts import COUNTS_FILE

    given: Path | None = options.token_counts
    model_path: Path = options.model_path
    return model_path / COUNTS_FILE if given is None else given


def add_evaluation_options(parser: argparse.ArgumentParser, *, required: bool) -> None:
    """Add ``--eval-data`` and what goes with it."""
    parser.add_argument(
        "--eval-data",
        required=required,
        metavar="PATH",
        help="labelled texts to score on: as --data of `wldetect eval`",
    )
    parser.add_argument("--split", default="dev", metavar="NAME", help="the part of them to use (default: %(default)s)")
    parser.add_argument("--text-column", default="text", metavar="NAME", help="(default: %(default)s)")
    parser.add_argument(
        "--language-column", metavar="NAME", help="(default: language, or else iso_639_3 and iso_15924 joined)"
    )
    parser.add_argument("--threads", type=thread_count, metavar="N", help="threads (default: one for each core)")


def load_evaluation(options: argparse.Namespace) -> LabelledTexts | None:
    """The texts that ``--eval-data`` names; None where it is not given."""
    from wldetect.evaluation import load_flores

    if options.eval_data is None:
        return None
    return load_flores(options.eval_data, options.split, options.text_column, options.language_column)
