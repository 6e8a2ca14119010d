"""Options that several commands have, and their types."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

__all__ = ["add_model_options", "share", "thread_count"]

_MOST_THREADS = 1024


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Add what every command that detects needs: ``--model-path``, ``--table`` and ``--threads``."""
    parser.add_argument(
        "--model-path", type=Path, metavar="DIR", help="model directory (default: the model inside the package)"
    )
    parser.add_argument(
        "--table",
        choices=["e3m4", "e4m3fn", "float32"],
        default="e3m4",
        help="which of the model's tables to use (default: %(default)s)",
    )
    parser.add_argument("--threads", type=thread_count, metavar="N", help="threads (default: one for each core)")


def share(text: str) -> float:
    """A number from 0 to 1.

    Raises:
        argparse.ArgumentTypeError: ``text`` is no such number.
    """
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 1, found {text!r}")
    return value


def thread_count(text: str) -> int:
    """A number of threads, 1 to 1024.

    Raises:
        argparse.ArgumentTypeError: ``text`` is no such number.
    """
    if not re.fullmatch(r"[0-9]{1,4}", text) or not 1 <= int(text) <= _MOST_THREADS:
        raise argparse.ArgumentTypeError(f"expected 1 to {_MOST_THREADS} threads, found {text!r}")
    return int(text)
