#!/usr/bin/env python3
"""Collect texts of languages that a model does not have: half of them to calibrate it with, half to score it on.

Reads the columns text and language of parquet files, and takes of a label at most --most texts. Two kinds of label are
taken: those that the training file neither has nor merges into another, and, since these are few, a quarter of those
that it merges into a label of several. That quarter is held out of the training that is calibrated, as a whole, for the
label to be one that the model has not seen; the final training has it. Which labels it has, and which half a label is
of, follow from their codes. Writes to the output directory:

  held_out.parquet   all texts of that quarter, for `dataset.held_out` of the training that is calibrated
  calibrate.parquet  for `wldetect calibrate --others`
  score.parquet      to measure how often that model says that it does not know

example: python scripts/outside_languages.py data/corpora --config configs/training/default.yaml --output outside
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from wldetect import WLDetect
from wldetect.config import ResolvedConfig, load_training_config
from wldetect.files import atomic_path

HALVES = ("calibrate", "score")


def held_out_labels(merged: Mapping[str, Sequence[str]], present: Collection[str]) -> set[str]:
    """A quarter of the labels that are merged into others; a label that would have no text without them keeps all.

    Args:
        merged: labels by what they are merged into.
        present: labels that there are texts of.
    """
    found: set[str] = set()
    for label, members in merged.items():
        chosen = {member for member in members if hashlib.sha256(member.encode()).digest()[-1] % 4 == 0}
        if present & {label, *members} - chosen:
            found |= chosen
    return found & set(present)


def outside(table: pa.Table, known: Collection[str], most: int, seed: int) -> pa.Table:
    """Rows of ``table`` of labels that are not ``known``, sorted by label; of each at most ``most``, random ones."""
    table = table.filter(pc.invert(pc.is_in(table["language"], pa.array(sorted(known), pa.string()))))
    order = np.random.default_rng(seed).permutation(len(table))
    labels = np.array(table["language"].to_pylist(), dtype=object)[order]
    rows: list[int] = []
    for label in sorted(set(labels)):
        rows += np.sort(order[labels == label][:most]).tolist()
    return table.take(rows)


def half_of(label: str) -> str:
    """Which half a language is of."""
    return HALVES[hashlib.sha256(f"half {label}".encode()).digest()[0] % 2]


def score(table: pa.Table, model: Path) -> None:
    """Tell how many of the texts the model in the directory ``model`` calls ``und``, and why."""
    texts = table["text"].to_pylist()
    named = np.array(table["language"].to_pylist())
    reported, hidden = (
        WLDetect.load(model, hidden=hidden).predict_arrays(texts)[0] < 0 for hidden in ("report", "unknown")
    )
    by_language = np.mean([hidden[named == label].mean() for label in sorted(set(named))])
    print(f"und: {hidden.mean():.1%} of the texts, {by_language:.1%} on average over languages")
    only_hidden = hidden & ~reported
    print(f"     {reported.mean():.1%} of the texts are none of its languages, {only_hidden.mean():.1%} hidden ones")
    for threshold in (0.5, 0.7):
        labels, _ = WLDetect.load(model, threshold=threshold).predict_arrays(texts)
        print(f"threshold {threshold}: {np.mean(labels < 0):.1%} und")


def score_hidden(table: pa.Table, config: ResolvedConfig, model: Path) -> None:
    """Tell how many of the texts of hidden labels the model calls ``und``."""
    table = table.filter(pc.is_in(table["language"], pa.array(config.model.hidden_languages, pa.string())))
    unknown = WLDetect.load(model).predict_arrays(table["text"].to_pylist())[0] < 0
    named = np.array(table["language"].to_pylist())
    by_label = np.mean([unknown[named == label].mean() for label in sorted(set(named))])
    count = f"{len(table):,} held-out texts of {len(set(named))} hidden labels"
    print(f"{count}: {unknown.mean():.1%} und, {by_label:.1%} on average over labels")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="a directory of parquet files")
    parser.add_argument("--config", type=Path, required=True, help="the training file, whose labels are left out")
    parser.add_argument("--output", type=Path, required=True, metavar="DIRECTORY")
    parser.add_argument("--most", type=int, default=100, help="texts a language (default %(default)s)")
    parser.add_argument(
        "--leave-out",
        nargs="*",
        default=[],
        metavar="CODE",
        help="more labels that are left out, of which there is no telling that they are none of the model's",
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--score", type=Path, metavar="MODEL", help="also tell how many texts to score this model calls und"
    )
    parser.add_argument(
        "--held-out",
        type=Path,
        metavar="FILE",
        help="with --score: held-out texts, of which those of hidden labels count",
    )
    arguments = parser.parse_args()
    config = load_training_config(arguments.config)
    files = sorted(str(path) for path in arguments.data.glob("*.parquet"))
    table = ds.dataset(files).to_table(columns=["text", "language"])
    merged = config.training.dataset.merge_labels
    held_out = held_out_labels(merged, set(table["language"].to_pylist()))
    known = {*config.labels, *arguments.leave_out}
    known.update(*merged.values())
    write(
        arguments.output / "held_out.parquet",
        table.filter(pc.is_in(table["language"], pa.array(sorted(held_out), pa.string()))),
    )
    found = outside(table, known - held_out, arguments.most, arguments.seed)
    halves = np.array([half_of(label) for label in found["language"].to_pylist()])
    for half in HALVES:
        write(arguments.output / f"{half}.parquet", found.filter(pa.array(halves == half)))
    if arguments.score is not None:
        score(found.filter(pa.array(halves == "score")), arguments.score)
        if arguments.held_out is not None:
            score_hidden(pq.read_table(arguments.held_out, columns=["text", "language"]), config, arguments.score)


def write(path: Path, rows: pa.Table) -> None:
    with atomic_path(path) as temporary:
        pq.write_table(rows, temporary)
    print(f"{path}: {len(rows):,} texts of {len(set(rows['language'].to_pylist()))} languages")


if __name__ == "__main__":
    main()
