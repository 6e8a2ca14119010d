"""Printing the report of long work."""

from __future__ import annotations

import os
import sys

__all__ = ["discard_stdout", "say"]


def discard_stdout() -> None:
    """Send what is printed from now on, and what is still buffered, nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say(text: str) -> None:
    """Print ``text`` at once. A reader that has gone (head, say) is no reason to stop training a model."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        discard_stdout()
