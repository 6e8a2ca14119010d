#!/usr/bin/env python3
"""Collect texts of languages that a model does not have, to measure how often it says so.

Reads the columns text and language of parquet files, takes of every label that is not in the model configuration at
most --most texts, and writes them to one parquet file. No such text is trained on.

example: python scripts/outside_languages.py data/corpora --model-config configs/models/default.yaml \\
           --output outside/outside.parquet
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from wldetect import WLDetect
from wldetect.config import load_model_config
from wldetect.files import atomic_path


def outside(table: pa.Table, known: tuple[str, ...], most: int, seed: int) -> pa.Table:
    """Rows of ``table`` of labels that are not ``known``, sorted by label; of each at most ``most``, random ones."""
    table = table.filter(pc.invert(pc.is_in(table["language"], pa.array(known))))
    order = np.random.default_rng(seed).permutation(len(table))
    labels = np.array(table["language"].to_pylist(), dtype=object)[order]
    rows: list[int] = []
    for label in sorted(set(labels)):
        rows += np.sort(order[labels == label][:most]).tolist()
    return table.take(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="a directory of parquet files")
    parser.add_argument("--model-config", type=Path, required=True, help="whose languages are left out")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE.parquet")
    parser.add_argument("--most", type=int, default=100, help="texts a language (default %(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--score", action="store_true", help="also tell how many of them the model inside the package calls und"
    )
    arguments = parser.parse_args()
    files = sorted(str(path) for path in arguments.data.glob("*.parquet"))
    table = ds.dataset(files).to_table(columns=["text", "language"])
    found = outside(table, load_model_config(arguments.model_config).labels, arguments.most, arguments.seed)
    with atomic_path(arguments.output) as temporary:
        pq.write_table(found, temporary)
    print(f"{arguments.output}: {len(found):,} texts of {len(set(found['language'].to_pylist()))} languages")
    if arguments.score:
        for threshold in (None, 0.5, 0.6, 0.7):
            labels, _ = WLDetect.load(threshold=threshold).predict_arrays(found["text"].to_pylist())
            own = "the model's thresholds" if threshold is None else f"threshold {threshold}"
            print(f"{own}: {np.mean(labels < 0):.1%} und")


if __name__ == "__main__":
    main()
