#!/usr/bin/env python3
"""Compare token frequency with learned weights: the same as `wldetect analyze weights`.

Without options it is about the starter model; `--help` lists them.

example: python scripts/analysis/weight_analysis.py --model-path artifacts/gemma3-270m --threshold 10
"""

from __future__ import annotations

import sys

from wldetect.cli import main

if __name__ == "__main__":
    raise SystemExit(main(["analyze", "weights", *sys.argv[1:]]))
