"""The tokenized training set: built once from the sources, kept on disk, memory-mapped from then on."""

from __future__ import annotations

import contextlib
import hashlib
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
from wldetect.config import DatasetConfig, ResolvedConfig, resolve_name
from wldetect.data.balance import balance_weights, select_rows
from wldetect.data.columns import Columns
from wldetect.data.files import listed
from wldetect.data.sources import SourceRows, read_source
from wldetect.errors import DataError

__all__ = ["DatasetReport", "TokenizedDataset", "prepare_dataset"]

# Raised whenever the layout or the meaning of the cached files changes.
_CACHE_VERSION = 1
_CHUNK = 20_000


@dataclass(frozen=True)
class DatasetReport:
    """What became of the rows of the sources.

    Attributes:
        fingerprint: SHA-256 (hex) over the contents of all sources.
        sources: name and number of rows of each source.
        labels: the labels that are trained, in index order.
        found: rows of each configured label before choosing.
        kept: rows of each configured label that are trained on; 0 for a label that was dropped.
        dropped: configured labels with too few rows, or none that has a token.
        unknown: rows of labels that are not configured, by label; they are left out.
        empty: chosen rows without a token, which are left out.
        tokens: tokens of all rows together.
    """

    fingerprint: str
    sources: list[tuple[str, int]]
    labels: list[str]
    found: dict[str, int]
    kept: dict[str, int]
    dropped: list[str]
    unknown: dict[str, int]
    empty: int
    tokens: int

    def format_table(self, minimum: int) -> str:
        """Counts a language before and after choosing, as text for a terminal, with what was left out below."""
        lines = [f"{'language':<12} {'found':>9} {'kept':>9}"]
        lines += [f"{label:<12} {self.found[label]:>9,} {self.kept[label]:>9,}" for label in self.found]
        lines.append(f"{'all':<12} {sum(self.found.values()):>9,} {sum(self.kept.values()):>9,}")
        if self.unknown:
            most = sorted(self.unknown.items(), key=lambda item: (-item[1], item[0]))
            shown = ", ".join(f"{label!r} {count:,}" for label, count in most[:8])
            more = f" and {len(most) - 8} more" if len(most) > 8 else ""
            rows = sum(self.unknown.values())
            lines.append(f"left out: {rows:,} rows of {len(most)} labels that are not configured: {shown}{more}")
        if self.empty:
            lines.append(f"left out: {self.empty:,} rows without a single token")
        if self.dropped:
            counts = ", ".join(f"{label} ({self.found[label]:,})" for label in self.dropped)
            lines.append(f"warning: dropped, fewer than {max(minimum, 1)} rows with a token: {counts}")
        return "\n".join(lines)


@dataclass(frozen=True)
class TokenizedDataset:
    """Token ids of N texts end to end, memory-mapped.

    Attributes:
        ids: int32 [T]: the tokens of all texts.
        offsets: int64 [N + 1]: text i has the tokens ``offsets[i]:offsets[i + 1]``, at least one.
        labels: int32 [N]: index into ``report.labels``.
        weights: float32 [N]: loss weights, with mean 1.
        report: what became of the sources' rows.
        path: the directory the arrays are mapped from.
    """

    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]
    labels: NDArray[np.int32]
    weights: NDArray[np.float32]
    report: DatasetReport
    path: Path

    def __len__(self) -> int:
        return len(self.labels)


def prepare_dataset(
    config: ResolvedConfig,
    tokenizer: _core.Tokenizer,
    cache_dir: Path,
    *,
    n_rows: int | None = None,
    progress: bool = True,
) -> TokenizedDataset:
    """Read, filter, cap and tokenize the sources of ``config``, or map what an earlier run left in ``cache_dir``.

    The cached form is keyed by the contents of the sources, the tokenizer, the labels, the limits and the seed: any
    change makes a new one. It is written under a temporary name and renamed when whole.

    Args:
        config: what to read, choose and leave out.
        tokenizer: text to ids.
        cache_dir: where the tokenized form is kept.
        n_rows: rows of the embeddings; ids past them are left out, as in detection. None: every id has a row.
        progress: show a progress bar, if somebody is looking.

    Raises:
        DataError: a source cannot be read, lacks a column, or no row is left.
    """
    options = config.training.dataset
    sources = _read_sources(options, config.training_path, cache_dir)
    # Every id is at least 0, so that this limit leaves out none.
    n_rows = np.iinfo(np.int32).max if n_rows is None else n_rows
    key = _cache_key(config, sources, tokenizer, n_rows)
    directory = cache_dir / "tokens" / key
    if not (directory / "report.json").is_file():
        _build(directory, config, sources, tokenizer, n_rows, progress)
    stored = json.loads((directory / "report.json").read_text(encoding="utf-8"))
    # The same content may have had other names when it was tokenized.
    stored["sources"] = [(source.name, len(source.rows)) for source in sources]
    report = DatasetReport(**stored)
    if not report.labels:
        others = listed([repr(label) for label in sorted(report.unknown)]) or "none"
        raise DataError(
            f"{config.training_path}: dataset: expected texts of the {len(report.found)} configured languages, found "
            f"none to train on: {sum(report.found.values())} rows of theirs (min_samples_per_language "
            f"{options.min_samples_per_language}), {sum(report.unknown.values())} rows of other labels ({others})"
        )
    labels = np.load(directory / "labels.npy", mmap_mode="r")
    weights = np.load(directory / "weights.npy")
    if not weights.any():
        raise DataError(f"{config.training_path}: dataset: expected a weight above 0, found none among the rows kept")
    if options.balance_languages:
        weights *= balance_weights(labels, len(report.labels), options.balance_power)
    weights /= weights.mean()
    ids = np.memmap(directory / "ids.bin", dtype=np.int32, mode="r")
    offsets = np.load(directory / "offsets.npy", mmap_mode="r")
    return TokenizedDataset(ids, offsets, labels, weights, report, directory)


def _read_sources(options: DatasetConfig, config_path: Path, cache_dir: Path) -> list[SourceRows]:
    sources = []
    for source in options.all_sources:
        extra = [column for column in (source.weight_column, source.frequency_column) if column is not None]
        columns = Columns((source.text_column, source.language_column), tuple(extra))
        sources.append(read_source(resolve_name(source.name, config_path), source.split, columns, cache_dir))
    return sources


def _corpus_fingerprint(sources: Sequence[SourceRows]) -> str:
    return hashlib.sha256("\n".join(source.fingerprint for source in sources).encode()).hexdigest()


def _cache_key(config: ResolvedConfig, sources: Sequence[SourceRows], tokenizer: _core.Tokenizer, n_rows: int) -> str:
    options = config.training.dataset
    relevant = {
        "version": _CACHE_VERSION,
        "corpus": _corpus_fingerprint(sources),
        "sources": [source.model_dump(mode="json", exclude={"name"}) for source in options.all_sources],
        "maximum": options.max_samples_per_language,
        "minimum": options.min_samples_per_language,
        "seed": options.seed,
        "labels": config.labels,
        "max_sequence_length": config.inference.max_sequence_length,
        "tokenizer": tokenizer.sha256,
        # Of no effect unless the tokenizer knows more ids.
        "n_rows": min(n_rows, tokenizer.vocab_size),
    }
    return hashlib.sha256(json.dumps(relevant, sort_keys=True).encode()).hexdigest()


def _build(
    directory: Path,
    config: ResolvedConfig,
    sources: Sequence[SourceRows],
    tokenizer: _core.Tokenizer,
    n_rows: int,
    progress: bool,
) -> None:
    options = config.training.dataset
    codes, unknown = _label_codes(sources, options, config.labels)
    lengths = [len(source.rows) for source in sources]
    starts = np.concatenate([[0], np.cumsum(lengths)])
    origin = np.repeat(np.arange(len(sources)), lengths)
    selection = select_rows(
        codes,
        origin,
        config.labels,
        seed=options.seed,
        minimum=options.min_samples_per_language,
        maximum=options.max_samples_per_language,
        source_maxima=[source.max_samples_per_language for source in options.all_sources],
        importance=_importance(sources, options),
    )
    with _whole_directory(directory) as temporary:
        offsets = [np.zeros(1, dtype=np.int64)]
        used: list[NDArray[np.int64]] = []
        end = 0
        with (temporary / "ids.bin").open("wb") as file, _bar(len(selection.rows), progress) as bar:
            for index, (source, settings) in enumerate(zip(sources, options.all_sources, strict=True)):
                rows = selection.rows[(selection.rows >= starts[index]) & (selection.rows < starts[index + 1])]
                for chunk in np.array_split(rows, max(1, -(-len(rows) // _CHUNK))):
                    texts = _texts(source, settings.text_column, chunk - starts[index])
                    ids, bounds = tokenizer.encode_batch(
                        texts, config.inference.max_sequence_length, config.training.training.num_workers or None
                    )
                    has_row = ids < n_rows
                    if not has_row.all():
                        bounds = np.concatenate([[0], np.cumsum(has_row)])[bounds]
                        ids = ids[has_row]
                    sizes = np.diff(bounds)
                    ids.astype(np.int32).tofile(file)
                    used.append(chunk[sizes > 0])
                    # A text without tokens adds no ids, so leaving out its bound leaves out the text.
                    offsets.append(end + bounds[1:][sizes > 0])
                    end += len(ids)
                    bar.update(len(chunk))
            file.flush()
            os.fsync(file.fileno())
        kept_rows = np.concatenate(used)
        # Counted here, because a label may have had nothing but texts without tokens.
        kept = np.bincount(codes[kept_rows], minlength=len(config.labels))
        trained = [label for label, count in zip(config.labels, kept, strict=True) if count]
        # Dropped labels leave no gap in the indices.
        renumbered = np.cumsum(kept > 0) - 1
        np.save(temporary / "offsets.npy", np.concatenate(offsets))
        np.save(temporary / "labels.npy", renumbered[codes[kept_rows]].astype(np.int32))
        np.save(temporary / "weights.npy", _row_weights(sources, options, starts, kept_rows))
        report = DatasetReport(
            fingerprint=_corpus_fingerprint(sources),
            sources=[(source.name, len(source.rows)) for source in sources],
            labels=trained,
            found=_by_label(config.labels, selection.found),
            kept=_by_label(config.labels, kept),
            dropped=[label for label in config.labels if label not in set(trained)],
            unknown=unknown,
            empty=int(len(selection.rows) - len(kept_rows)),
            tokens=end,
        )
        (temporary / "report.json").write_text(json.dumps(asdict(report), indent=1), encoding="utf-8")


def _label_codes(
    sources: Sequence[SourceRows], options: DatasetConfig, labels: Sequence[str]
) -> tuple[NDArray[np.int32], dict[str, int]]:
    """Label index of every row of every source, -1 where the label is not configured, and the count of those."""
    index = {label: position for position, label in enumerate(labels)}
    codes: list[NDArray[np.int32]] = []
    unknown: dict[str, int] = {}
    for source, settings in zip(sources, options.all_sources, strict=True):
        column = source.rows.data.column(settings.language_column).combine_chunks().dictionary_encode()
        names = [str(name) for name in column.dictionary.to_pylist()]
        # The last entry stands for a missing label.
        lookup = np.array([index.get(name, -1) for name in names] + [-1], dtype=np.int32)
        positions = column.indices.fill_null(len(names)).to_numpy(zero_copy_only=False)
        codes.append(lookup[positions])
        for name, count in zip([*names, "(missing)"], np.bincount(positions, minlength=len(names) + 1), strict=True):
            if count and name not in index:
                unknown[name] = unknown.get(name, 0) + int(count)
    return np.concatenate(codes), unknown


def _importance(sources: Sequence[SourceRows], options: DatasetConfig) -> NDArray[np.float64] | None:
    if all(settings.frequency_column is None for settings in options.all_sources):
        return None
    parts = []
    for source, settings in zip(sources, options.all_sources, strict=True):
        if settings.frequency_column is None:
            parts.append(np.ones(len(source.rows)))
        else:
            parts.append(_numbers(source, settings.frequency_column) ** settings.frequency_power)
    return np.concatenate(parts)


def _row_weights(
    sources: Sequence[SourceRows], options: DatasetConfig, starts: NDArray[np.int64], rows: NDArray[np.int64]
) -> NDArray[np.float32]:
    parts = []
    for index, (source, settings) in enumerate(zip(sources, options.all_sources, strict=True)):
        mine = rows[(rows >= starts[index]) & (rows < starts[index + 1])] - starts[index]
        weights = np.full(len(mine), settings.weight, dtype=np.float32)
        if settings.weight_column is not None:
            weights *= _numbers(source, settings.weight_column)[mine]
        parts.append(weights)
    return np.concatenate(parts).astype(np.float32)


def _numbers(source: SourceRows, column: str) -> NDArray[np.float64]:
    values: NDArray[np.float64] = source.rows.data.column(column).to_numpy()
    return values


def _texts(source: SourceRows, column: str, rows: NDArray[np.int64]) -> list[str]:
    """The texts of ``rows``, ascending; one that is missing is empty."""
    if not len(rows):
        return []
    # Taking from a column joins all of it in memory; from a slice, only that much.
    first = int(rows[0])
    part = source.rows.data.column(column).slice(first, int(rows[-1]) + 1 - first)
    return [text or "" for text in part.take(rows - first).to_pylist()]


def _by_label(labels: Sequence[str], counts: NDArray[np.int64]) -> dict[str, int]:
    return dict(zip(labels, (int(count) for count in counts), strict=True))


@contextlib.contextmanager
def _whole_directory(final: Path) -> Iterator[Path]:
    """A directory under a temporary name that becomes ``final`` when the block ends well, and is removed otherwise."""
    final.parent.mkdir(parents=True, exist_ok=True)
    temporary = final.with_name(f".{final.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    temporary.mkdir()
    try:
        yield temporary
        # A directory cannot replace another: what lies there is the leftover of a damaged cache.
        shutil.rmtree(final, ignore_errors=True)
        temporary.replace(final)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _bar(total: int, progress: bool) -> Any:
    from tqdm import tqdm

    hidden = not (progress and sys.stderr.isatty())
    return tqdm(total=total, desc="tokenizing", unit=" texts", unit_scale=True, disable=hidden)
