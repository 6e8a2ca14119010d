#!/usr/bin/env python3
"""Copy a model with rarely seen tokens masked: the same as `wldetect analyze filter`.

Without options it is about the starter model; `--help` lists them.

example: python scripts/analysis/create_filtered_e3m4_model.py --threshold 10 --model-path artifacts/gemma3-270m
"""

from __future__ import annotations

import sys

from wldetect.cli import main

if __name__ == "__main__":
    raise SystemExit(main(["analyze", "filter", *sys.argv[1:]]))
