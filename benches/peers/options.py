"""Options that every comparison has."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["add_shared_options", "check_shared_options", "count_of_threads", "cpu_count", "positive"]


def add_shared_options(parser: argparse.ArgumentParser, peers: Sequence[str]) -> None:
    """Add them to ``parser``; ``peers`` are the names to choose from, this package first."""
    add = parser.add_argument
    add(
        "--data",
        type=Path,
        required=True,
        metavar="FILE",
        help="parquet file: a column 'text', and 'language' or 'iso_639_3' and 'iso_15924'",
    )
    add(
        "--model-path",
        type=Path,
        metavar="DIR",
        help="model directory of this package (default: the model inside the package)",
    )
    add("--table", choices=("e3m4", "e4m3fn", "float32"), default="e3m4", help="its table (default: %(default)s)")
    add("--features", choices=("all", "tokens", "ngrams"), default="all", help="its rows (default: %(default)s)")
    add(
        "--tokenizer",
        type=Path,
        metavar="FILE",
        help="tokenizer.json for the reference implementation (default: the model's)",
    )
    add("--limit", type=positive, metavar="N", help="how many texts (default: all)")
    add(
        "--peers",
        nargs="+",
        choices=peers,
        default=peers,
        metavar="NAME",
        help="which, beside this package: " + ", ".join(peers[1:]),
    )
    add(
        "--wldetect-python",
        type=Path,
        default=Path(sys.executable),
        metavar="PYTHON",
        help="interpreter that has this package (default: the one that runs this)",
    )
    add("--peer-python", type=Path, metavar="PYTHON", help="interpreter to make the environments with (default: 3.12)")
    add(
        "--cache",
        type=Path,
        default=_cache_dir(),
        metavar="DIR",
        help="where environments are kept (default: peers/ in $WLDETECT_CACHE or ~/.cache/wldetect)",
    )
    add(
        "--records",
        type=Path,
        default=Path(__file__).resolve().parent / "records",
        metavar="DIR",
        help="where the record goes",
    )
    add("--no-record", action="store_true", help="print the table only")
    add("--timeout", type=positive, default=1800, metavar="SECONDS", help="for one run (default: %(default)s)")


def check_shared_options(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Refuse paths that there are not; the tokenizer is the model's, or None, where none was named."""
    if not options.data.is_file():
        parser.error(f"--data: there is no file {options.data}")
    if options.model_path is not None and not options.model_path.is_dir():
        parser.error(f"--model-path: there is no directory {options.model_path}")
    if options.tokenizer is not None:
        if not options.tokenizer.is_file():
            parser.error(f"--tokenizer: there is no file {options.tokenizer}")
    elif options.model_path is not None and (options.model_path / "tokenizer.json").is_file():
        options.tokenizer = options.model_path / "tokenizer.json"


def positive(text: str) -> int:
    """``text`` as a number of at least 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected at least 1, found {value}")
    return value


def count_of_threads(text: str) -> int:
    """``text`` as a number of threads: ``all`` is that of the CPUs, and more there cannot be."""
    available = cpu_count()
    count = available if text == "all" else positive(text)
    if count > available:
        raise argparse.ArgumentTypeError(f"{count} asked for, {available} CPUs may be used")
    return count


def cpu_count() -> int:
    """How many CPUs this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cache_dir() -> Path:
    return Path(os.environ.get("WLDETECT_CACHE") or Path.home() / ".cache" / "wldetect").expanduser() / "peers"
