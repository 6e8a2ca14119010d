"""Types of command-line options."""

from __future__ import annotations

import argparse
import re

__all__ = ["thread_count"]

_MOST_THREADS = 1024


def thread_count(text: str) -> int:
    """A number of threads, 1 to 1024.

    Raises:
        argparse.ArgumentTypeError: ``text`` is no such number.
    """
    if not re.fullmatch(r"[0-9]{1,4}", text) or not 1 <= int(text) <= _MOST_THREADS:
        raise argparse.ArgumentTypeError(f"expected 1 to {_MOST_THREADS} threads, found {text!r}")
    return int(text)
