#!/usr/bin/env python3
"""Compare hashed rows of n-grams with rows for a kept list of them, one each, at the same number of rows.

Trains one model a way and number of rows, and scores it, before quantization, on the parquet files of --variants:

  hashed       every n-gram has a row, several share one: what `wldetect train` trains
  information  the n-grams that tell most about the language, by mutual information in the training texts, have a row
               each, and others none: the best that a list can be, since its rows are found without any conflict
  frequency    the same, for those n-grams that texts are made of most

Nothing of a list is written, and no detector has one: this is the comparison alone.

example: python scripts/analysis/kept_ngrams.py --flores data/flores/dev.parquet --variants data/flores/variants
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# As the command does, before torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from wldetect import _core
from wldetect.config import NgramsConfig, ResolvedConfig, load_training_config, parse_override
from wldetect.data.augment import Augmentation
from wldetect.data.batches import BatchLoader
from wldetect.data.dataset import TokenizedDataset, prepare_dataset
from wldetect.data.encoding import make_ngrams
from wldetect.embeddings import EmbeddingMatrix, open_sources
from wldetect.errors import WLDetectError
from wldetect.evaluation.flores import load_flores
from wldetect.evaluation.suite import load_suite
from wldetect.files import default_cache_dir
from wldetect.training.checkpoint import CheckpointStore
from wldetect.training.lookup import make_lookup
from wldetect.training.loop import TrainingRoom, choose_device, train
from wldetect.training.losses import make_loss
from wldetect.training.model import LanguageModel
from wldetect.training.ngram_table import NgramTable
from wldetect.training.validation import Validation

ROOT = Path(__file__).resolve().parents[2]
HASHED, INFORMATION, FREQUENCY = WAYS = ("hashed", "information", "frequency")
# Different n-grams, for numbers as long as these, practically have different ones.
MANY_ROWS = 1 << 31
# Batches whose counts are kept apart before they are added up.
PART = 200


class KeptNgrams:
    """Rows for the n-grams of a list.

    Args:
        config: which n-grams a text has.
        kept: their numbers among `MANY_ROWS`, sorted. The n-gram at a position has the row of that position.
    """

    def __init__(self, config: NgramsConfig, kept: NDArray[np.uint32]) -> None:
        self._all = make_ngrams(config.model_copy(update={"rows": MANY_ROWS}))
        self._kept = kept

    def rows_batch(
        self, texts: Sequence[str], threads: int | None = None
    ) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        """As ``_core.Ngrams.rows_batch``, without the n-grams that are not in the list."""
        numbers, offsets = self._all.rows_batch(texts, threads)
        places = np.minimum(np.searchsorted(self._kept, numbers), len(self._kept) - 1)
        has_row = self._kept[places] == numbers
        return places[has_row].astype(np.uint32), np.concatenate([[0], np.cumsum(has_row)])[offsets]


@dataclass(frozen=True)
class Counts:
    """What the training texts of an epoch have of each n-gram with each label, one entry a pair, sorted.

    Attributes:
        numbers: the n-gram's, among `MANY_ROWS`.
        labels: the label's index.
        weights: the texts' weights, each divided among its n-grams.
    """

    numbers: NDArray[np.uint32]
    labels: NDArray[np.int64]
    weights: NDArray[np.float64]

    def best(self, way: str, n_rows: int) -> NDArray[np.uint32]:
        """The numbers of the ``n_rows`` best n-grams, sorted."""
        starts = np.flatnonzero(np.diff(self.numbers, prepend=-1))
        totals = np.add.reduceat(self.weights, starts)
        if way == INFORMATION:
            totals = self._information(starts, totals)
        most = np.argsort(-totals, kind="stable")[:n_rows]
        return np.sort(self.numbers[starts][most])

    def _information(self, starts: NDArray[np.int64], totals: NDArray[np.float64]) -> NDArray[np.float64]:
        """Each n-gram's part of the mutual information of n-grams and labels.

        Shares of labels are smoothed by one average n-gram of the labels' own shares, or else n-grams that occur once
        would tell everything.
        """
        priors = np.bincount(self.labels, self.weights)
        priors /= priors.sum()
        one = totals.sum() / len(self.numbers)
        owners = np.repeat(np.arange(len(starts)), np.diff([*starts, len(self.numbers)]))
        shares = (self.weights + one * priors[self.labels]) / (totals + one)[owners]
        known = np.add.reduceat(shares * np.log(shares / priors[self.labels]), starts)
        # Labels that an n-gram was never seen with.
        rest = np.maximum(1 - np.add.reduceat(shares, starts), 0) * np.log(one / (totals + one))
        information: NDArray[np.float64] = totals * (known + rest)
        return information


def count(loader: BatchLoader) -> Counts:
    """Counts over the first epoch of ``loader``, whose n-grams have `MANY_ROWS` rows."""
    pairs, weights = np.zeros(0, np.uint64), np.zeros(0)
    parts: list[tuple[NDArray[np.uint64], NDArray[np.float64]]] = []
    for index, batch in enumerate(tqdm(loader.epoch(0), "counting n-grams", len(loader), disable=None)):
        assert batch.ngrams is not None
        lengths = batch.ngrams.lengths.numpy()
        labels = np.repeat(batch.labels.numpy().astype(np.uint64), lengths)
        each = np.repeat(batch.weights.numpy() / np.maximum(lengths, 1), lengths)
        parts.append((batch.ngrams.rows.numpy().astype(np.uint64) << np.uint64(16) | labels, each))
        if len(parts) == PART or index == len(loader) - 1:
            keys = np.concatenate([pairs, *(part for part, _ in parts)])
            pairs, places = np.unique(keys, return_inverse=True)
            weights = np.bincount(places, np.concatenate([weights, *(part for _, part in parts)]))
            parts = []
    return Counts((pairs >> np.uint64(16)).astype(np.uint32), (pairs & np.uint64(0xFFFF)).astype(np.int64), weights)


@dataclass(frozen=True)
class Bench:
    """What all models have in common."""

    config: ResolvedConfig
    features: NgramsConfig
    matrix: EmbeddingMatrix
    tokenizer: _core.Tokenizer
    dataset: TokenizedDataset

    def loader(self, ngrams: _core.Ngrams | KeptNgrams) -> BatchLoader:
        options = self.config.training.training
        return BatchLoader(
            self.dataset,
            options.batch_size,
            options.seed,
            change=Augmentation(options.augmentation, options.seed) if options.augmentation.active else None,
            tokenizer=self.tokenizer,
            ngrams=ngrams,
            drop_tokens=options.ngrams.drop_tokens,
            drop_ngrams=options.ngrams.drop_ngrams,
        )

    def train(self, n_rows: int, ngrams: _core.Ngrams | KeptNgrams) -> LanguageModel:
        options = self.config.training.training
        n_labels = len(self.dataset.report.labels)
        device = choose_device(options.device)
        model = LanguageModel(
            make_lookup(self.matrix, device, lambda line: None),
            n_labels,
            self.config.inference.pooling,
            options.projection.dropout,
            precision=options.precision,
            ngrams=NgramTable(self.features.model_copy(update={"rows": n_rows}), n_labels, options.seed),
        ).to(device)
        with tempfile.TemporaryDirectory() as temporary:
            room = TrainingRoom(
                store=CheckpointStore(Path(temporary)),
                identity={},
                loss=make_loss(options.loss, None),
                say=lambda line: print(line, file=sys.stderr),
            )
            train(model, self.loader(ngrams), options, room)
        return model


def set_up(config: ResolvedConfig, features: NgramsConfig) -> Bench:
    source = open_sources(config.model, config.model_path, default_cache_dir())
    matrix = source.matrix()
    tokenizer = _core.Tokenizer(source.tokenizer_json())
    dataset = prepare_dataset(config, tokenizer, default_cache_dir(), n_rows=matrix.shape[0], keep_texts=True)
    return Bench(config, features, matrix, tokenizer, dataset)


def compare(options: argparse.Namespace) -> None:
    overrides = {"training.save_checkpoints": False, **dict(parse_override(text) for text in options.set)}
    config = load_training_config(options.config, overrides)
    features = config.model.features.ngrams
    if features is None:
        raise WLDetectError(f"{options.config}: features.ngrams: expected n-grams to compare, found null")
    sets = load_suite(options.variants, None if options.flores is None else load_flores(str(options.flores)))
    bench = set_up(config, features)
    counts = None
    print(f"| n-grams | rows | {' | '.join(sets)} |", "|---" + "|---:" * (1 + len(sets)) + "|", sep="\n", flush=True)
    for n_rows in options.rows:
        for way in options.ways:
            ngrams: _core.Ngrams | KeptNgrams
            if way == HASHED:
                ngrams = make_ngrams(features.model_copy(update={"rows": n_rows}))
            else:
                if counts is None:
                    counts = count(bench.loader(make_ngrams(features.model_copy(update={"rows": MANY_ROWS}))))
                ngrams = KeptNgrams(features, counts.best(way, n_rows))
            model = bench.train(n_rows, ngrams)
            cells = []
            for texts in sets.values():
                length = config.inference.max_sequence_length
                labels = bench.dataset.report.labels
                scored = Validation(texts, labels, bench.tokenizer, length, bench.matrix.shape[0], ngrams)
                cells.append(f"{100 * scored.score(model).accuracy:.2f}")
            print(f"| {way} | {n_rows:,} | {' | '.join(cells)} |", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--config", type=Path, default=ROOT / "configs/training/gemma3-270m-ngrams.yaml", help="the training file"
    )
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a key of it; may be repeated")
    parser.add_argument("--flores", type=Path, help="full sentences to score on: FLORES dev, a parquet file")
    parser.add_argument(
        "--variants", type=Path, required=True, metavar="DIR", help="parquet files to score on, each one set"
    )
    parser.add_argument("--rows", type=int, nargs="+", default=[65_536, 131_072, 262_144], metavar="N")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    options = parser.parse_args()
    try:
        compare(options)
    except (WLDetectError, OSError) as error:
        print(f"{Path(__file__).name}: error: {error}", file=sys.stderr)
        return 130 if getattr(error, "interrupted", False) else 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
