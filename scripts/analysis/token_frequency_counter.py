#!/usr/bin/env python3
"""Count every token over a training set: the same as `wldetect analyze token-frequency`.

Without options it is about the starter model; `--help` lists them.

example: python scripts/analysis/token_frequency_counter.py --config configs/training/gemma3-270m.yaml --data CORPUS
"""

from __future__ import annotations

import sys

from wldetect.cli import main

if __name__ == "__main__":
    raise SystemExit(main(["analyze", "token-frequency", *sys.argv[1:]]))
