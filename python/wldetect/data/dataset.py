"""The tokenized training set: built once from the sources, kept on disk, read shard by shard from then on."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wldetect import _core
from wldetect.config import NOT_LANGUAGE, DatasetConfig, ResolvedConfig
from wldetect.data.balance import balance_factors, select_rows
from wldetect.data.bands import WordHistogram, bands_of, length_factors
from wldetect.data.characters import count_words
from wldetect.data.cleaning import Cleaner, Reason
from wldetect.data.encoding import Encoding
from wldetect.data.files import listed
from wldetect.data.inputs import Inputs, cache_key, looks_up_words, open_inputs
from wldetect.data.prefetch import Prefetcher
from wldetect.data.report import DatasetReport
from wldetect.data.scan import in_chunks, label_index, listed_words, read_chosen, scan_sources
from wldetect.data.shards import Shard, ShardWriter, read_shard
from wldetect.errors import DataError

__all__ = ["DatasetReport", "TokenizedDataset", "needs_texts", "prepare_dataset"]

# Texts that are tokenized at a time, at least.
_CHUNK = 20_000
_REPORT, _INDEX, _CLEANING = "report.json", "shards.json", "cleaning_report.json"


@dataclass(frozen=True)
class TokenizedDataset:
    """N texts in shards of random texts, on disk or in memory.

    Attributes:
        report: what became of the sources' rows.
        path: the directory of the shards; None: there is one, in memory.
        sizes: int64 [S]: texts of each shard.
        factors: float32 [L, bands]: what the weights of a label's texts are multiplied by.
        encoding: how texts become ids, where the shards hold texts; None: they hold ids.
        length_bands: numbers of words, growing, that part the bands; none: there is one band.
    """

    report: DatasetReport
    path: Path | None
    sizes: NDArray[np.int64]
    factors: NDArray[np.float32]
    encoding: Encoding | None
    _held: Sequence[str | Shard]
    length_bands: tuple[int, ...] = ()

    @classmethod
    def from_arrays(
        cls,
        ids: NDArray[np.int32],
        offsets: NDArray[np.int64],
        labels: NDArray[np.int32],
        weights: NDArray[np.float32],
        report: DatasetReport,
    ) -> TokenizedDataset:
        """A data set in memory, of one shard (see `wldetect.data.shards.Shard`); the weights are taken as they are."""
        shard = Shard(ids, offsets, labels, weights)
        factors = np.ones((int(labels.max(initial=0)) + 1, 1), dtype=np.float32)
        return cls(report, None, np.array([len(shard)], dtype=np.int64), factors, None, (shard,))

    def __len__(self) -> int:
        return int(self.sizes.sum())

    def load(self, index: int) -> Shard:
        """Read the shard ``index``; its weights have, over all shards, the mean 1.

        Where there are several bands, they have so with `length_factors`, which only texts as they are used decide.

        Raises:
            OSError: a file cannot be read.
        """
        held = self._held[index]
        if isinstance(held, Shard):
            return held
        assert self.path is not None
        shard = read_shard(self.path / held)
        if self.length_bands:
            return shard
        return Shard(shard.values, shard.offsets, shard.labels, shard.weights * self.factors[shard.labels, 0])

    def length_factors(self, labels: NDArray[np.integer], texts: Sequence[str]) -> NDArray[np.float32]:
        """What the weights of n texts are multiplied by where there are several bands, float32 [n].

        Args:
            labels: int [n].
            texts: as they are used, after all changes.
        """
        factors: NDArray[np.float32] = self.factors[labels, bands_of(count_words(texts), self.length_bands)]
        return factors

    @property
    def unchanged(self) -> int | None:
        """The index of the label whose texts are not changed at random: of text that is not language; None: not there.

        A word cut out of code is a word, and its noise and its lengths are made with it.
        """
        return _unchanged(self.report.labels)

    @property
    def cleaning_report(self) -> Path | None:
        """The file of what cleaning did (see `wldetect.data.cleaning.Cleaner.report`); None: nothing was cleaned."""
        path = None if self.path is None else self.path / _CLEANING
        return path if path is not None and path.is_file() else None


def needs_texts(config: ResolvedConfig) -> bool:
    """Whether training needs the texts and not only their ids: changed texts can only be tokenized when they have been,
    and n-grams and words are those of texts."""
    options = config.training
    return (
        options.training.augmentation.active
        or config.model.features.ngrams is not None
        or bool(options.dataset.length_bands)
    )


def prepare_dataset(
    config: ResolvedConfig,
    tokenizer: _core.Tokenizer,
    cache_dir: Path,
    *,
    n_rows: int | None = None,
    keep_texts: bool = False,
    progress: bool = True,
) -> TokenizedDataset:
    """Read, clean, choose and tokenize the rows of the sources of ``config``, or find what an earlier run left.

    The cached form is keyed by the contents of the sources, the tokenizer, the labels, the limits and the seed: any
    change makes a new one. It is written under a temporary name and renamed when whole. No more than a shard of it is
    in memory at a time.

    Args:
        config: what to read, choose and leave out.
        tokenizer: text to ids.
        cache_dir: where the tokenized form is kept.
        n_rows: rows of the embeddings; ids past them are left out, as in detection. None: every id has a row.
        keep_texts: keep the texts that are chosen instead of their ids, to be changed and tokenized in each epoch.
        progress: show progress bars, if somebody is looking.

    Raises:
        ValueError: there are bands of lengths, and texts are not to be kept.
        DataError: a source cannot be read, lacks a column, has a forbidden sentence, or no row is left.
    """
    options = config.training.dataset
    if options.length_bands and not keep_texts:
        raise ValueError("expected texts to be kept for length_bands, found keep_texts=False")
    inputs = open_inputs(config, cache_dir, progress)
    encoding = Encoding(
        config.inference.max_sequence_length,
        # Every id is at least 0, so that this limit leaves out none.
        np.iinfo(np.int32).max if n_rows is None else n_rows,
        config.training.training.num_workers or None,
    )
    directory = cache_dir / "tokens" / cache_key(config, inputs, tokenizer, encoding, keep_texts)
    if not (directory / _REPORT).is_file():
        _build(directory, config, inputs, tokenizer, encoding, keep_texts, progress)
    stored = json.loads((directory / _REPORT).read_text(encoding="utf-8"))
    # The same content may have had other names when it was tokenized.
    names = [rows.name for rows, _ in inputs.sources]
    stored["sources"] = [(name, count) for name, (_, count) in zip(names, stored["sources"], strict=True)]
    names = [source.name for source in inputs.held_out]
    stored["held_out"] = dict(zip(names, stored["held_out"].values(), strict=True))
    report = DatasetReport(**stored)
    if not report.labels:
        others = listed([repr(label) for label in sorted(report.unknown)]) or "none"
        cleaned = sum(report.cleaned.values()) + sum(report.held_out.values())
        removed = f", {cleaned} of them left out by cleaning" if cleaned else ""
        raise DataError(
            f"{config.training_path}: dataset: expected texts of the {len(report.found)} configured languages, found "
            f"none to train on: {sum(report.found.values())} rows of theirs (min_samples_per_language "
            f"{options.min_samples_per_language}){removed}, {sum(report.unknown.values())} rows of other labels "
            f"({others})"
        )
    index = json.loads((directory / _INDEX).read_text(encoding="utf-8"))
    if not any(index["weights"]):
        raise DataError(f"{config.training_path}: dataset: expected a weight above 0, found none among the rows kept")
    shards: dict[str, int] = index["texts"]
    return TokenizedDataset(
        report,
        directory,
        np.array(list(shards.values()), dtype=np.int64),
        _factors(config, report, index).astype(np.float32),
        encoding if keep_texts else None,
        tuple(shards),
        tuple(options.length_bands),
    )


def _unchanged(labels: Sequence[str]) -> int | None:
    return labels.index(NOT_LANGUAGE) if NOT_LANGUAGE in labels else None


def _factors(config: ResolvedConfig, report: DatasetReport, index: dict[str, Any]) -> NDArray[np.float64]:
    """What makes languages count as they are to, float64 [L, bands]; the mean of all weights becomes 1."""
    options = config.training.dataset
    power = options.balance_power if options.balance_languages else 0.0
    own = _label_weights(options, report.labels)
    if options.length_bands:
        stored = WordHistogram(np.array(index["words"]["texts"]), np.array(index["words"]["weights"]))
        words = stored.cropped(config.training.training.augmentation, _unchanged(report.labels))
        return length_factors(words, options.length_bands, power, options.band_weights, own)
    counts = np.array([report.kept[label] for label in report.labels])
    factors = balance_factors(counts, power)[:, None] * own
    factors *= counts.sum() / (np.array(index["weights"]) @ factors)
    return factors


def _label_weights(options: DatasetConfig, labels: Sequence[str]) -> NDArray[np.float64]:
    """``label_weights``, float64 [L, bands]."""
    given = {label: group.weights for group in options.label_weights for label in group.labels}
    return np.array([given.get(label, [1.0] * (len(options.length_bands) + 1)) for label in labels])


def _build(
    directory: Path,
    config: ResolvedConfig,
    inputs: Inputs,
    tokenizer: _core.Tokenizer,
    encoding: Encoding,
    keep_texts: bool,
    progress: bool,
) -> None:
    options, labels, sources = config.training.dataset, config.labels, inputs.sources
    index = label_index(labels, options.merge_labels)
    cleaner = Cleaner(options.cleaning, labels, inputs.held_out)
    foreign = None
    if looks_up_words(config):
        with _bar("reading words", " rows", None, progress) as bar:
            foreign = listed_words(sources, index, bar.update)
    with _bar("counting", " rows", None, progress) as bar:
        scan = scan_sources(sources, labels, index, cleaner, bar.update, foreign, inputs.forbidden)
    selection = select_rows(
        scan.counts,
        labels,
        seed=options.seed,
        minimum=options.min_samples_per_language,
        maximum=options.max_samples_per_language,
        source_maxima=[source.max_samples_per_language for source in options.all_sources],
        importance=scan.importance,
        alpha=options.sampling_alpha,
        max_repeats=options.max_repeats,
        frequent=scan.frequent,
    )
    kept, weights = np.zeros(len(labels), dtype=np.int64), np.zeros(len(labels))
    less, lessened = np.zeros(len(labels), dtype=np.int64), np.zeros(len(labels))
    words = WordHistogram.empty(len(labels), options.length_bands[-1]) if options.length_bands else None
    tokens = empty = repeated = 0
    with _whole_directory(directory) as temporary:
        writer = ShardWriter(temporary, selection.total, options.shard_texts, options.seed, keep_texts)
        # Read in a thread while those before are tokenized.
        with (
            _bar("tokenizing", " rows", sum(scan.rows), progress) as bar,
            Prefetcher(
                in_chunks(read_chosen(sources, labels, index, scan, selection, cleaner, bar.update, foreign), _CHUNK), 2
            ) as chunks,
        ):
            for chosen in chunks:
                ids, offsets = encoding.encode(tokenizer, chosen.texts)
                sizes = np.diff(offsets)
                used = sizes > 0
                empty += int((~used).sum())
                repeats, codes = chosen.repeats[used].astype(np.int64), chosen.codes[used]
                tokens += int((sizes[used] * repeats).sum())
                repeated += int((repeats - 1).sum())
                kept += np.bincount(codes, repeats, minlength=len(labels)).astype(np.int64)
                weights += np.bincount(codes, repeats * chosen.weights[used], minlength=len(labels))
                missing = repeats * (1.0 - chosen.ratios[used])
                less += np.bincount(codes, repeats * (missing > 0), minlength=len(labels)).astype(np.int64)
                lessened += np.bincount(codes, missing, minlength=len(labels))
                # A text without tokens adds no ids, so leaving out its bound leaves out the text.
                bounds = np.concatenate([offsets[:1], offsets[1:][used]])
                values: NDArray[Any] = ids
                if keep_texts:
                    texts = [text for text, use in zip(chosen.texts, used, strict=True) if use]
                    values, bounds = _utf8(texts)
                    if words is not None:
                        words.add(texts, codes, repeats, chosen.weights[used])
                writer.add(values, bounds, codes, chosen.weights[used], repeats)
        trained = [label for label, count in zip(labels, kept, strict=True) if count]
        with _bar("shuffling", " texts", int(kept.sum()), progress) as bar:
            # Dropped labels leave no gap in the indices.
            shards = writer.finish(np.cumsum(kept > 0) - 1, bar.update)
        removed = cleaner.removed()
        removed.pop(Reason.HELD_OUT.value, None)
        report = DatasetReport(
            fingerprint=inputs.fingerprint,
            sources=[(rows.name, count) for (rows, _), count in zip(sources, scan.rows, strict=True)],
            labels=trained,
            found=_by_label(labels, scan.found),
            kept=_by_label(labels, kept),
            dropped=[label for label in labels if label not in set(trained)],
            unknown=scan.unknown,
            empty=empty,
            tokens=tokens,
            cleaned=removed,
            held_out=cleaner.removed_as_held_out(),
            repeated=repeated,
            foreign={label: count for label, count in _by_label(labels, less).items() if count},
            foreign_weight={
                label: float(count - lost) for label, count, lost in zip(labels, less, lessened, strict=True) if count
            },
        )
        content: dict[str, Any] = {"texts": shards, "weights": weights[kept > 0].tolist()}
        if words is not None:
            content["words"] = {"texts": words.texts[kept > 0].tolist(), "weights": words.weights[kept > 0].tolist()}
        _write_json(temporary / _INDEX, content)
        if cleaner.active:
            _write_json(temporary / _CLEANING, cleaner.report())
        _write_json(temporary / _REPORT, asdict(report))


def _utf8(texts: Sequence[str]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    encoded = [text.encode() for text in texts]
    ends = np.cumsum(np.fromiter(map(len, encoded), np.int64, len(encoded)))
    return np.frombuffer(b"".join(encoded), dtype=np.uint8), np.concatenate([[0], ends])


def _by_label(labels: Sequence[str], counts: NDArray[np.int64]) -> dict[str, int]:
    return dict(zip(labels, (int(count) for count in counts), strict=True))


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")


@contextlib.contextmanager
def _whole_directory(final: Path) -> Iterator[Path]:
    """A directory under a temporary name that becomes ``final`` when the block ends well, and is removed otherwise."""
    final.parent.mkdir(parents=True, exist_ok=True)
    temporary = final.with_name(f".{final.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    temporary.mkdir()
    try:
        yield temporary
        if (final / _REPORT).is_file():
            # Another process was faster, and may be reading it already.
            shutil.rmtree(temporary)
            return
        # A directory cannot replace another: what lies there is the leftover of a damaged cache.
        shutil.rmtree(final, ignore_errors=True)
        temporary.replace(final)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _bar(what: str, unit: str, total: int | None, progress: bool) -> Any:
    from tqdm import tqdm

    hidden = not (progress and sys.stderr.isatty())
    return tqdm(total=total, desc=what, unit=unit, unit_scale=True, disable=hidden)
