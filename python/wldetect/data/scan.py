"""The two passes over the sources: one counts their rows, the other reads those that were chosen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from wldetect.config import NOT_LANGUAGE, DatasetSourceConfig
from wldetect.data.balance import FrequentRows, Selection
from wldetect.data.cleaning import Cleaner
from wldetect.data.files import listed
from wldetect.data.forbidden import refuse_forbidden
from wldetect.data.foreign import ForeignWords
from wldetect.data.held_out import HeldOut
from wldetect.data.sources import SourceRows, place_of_row
from wldetect.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ChosenTexts", "Scan", "in_chunks", "label_index", "listed_words", "read_chosen", "scan_sources"]

Source = tuple[SourceRows, DatasetSourceConfig]


@dataclass(frozen=True)
class Scan:
    """What is known of the rows of S sources after the first pass. Usable rows have a configured label, and cleaning
    leaves them in.

    Attributes:
        rows: S: rows of each source.
        found: int64 [L]: rows of each label.
        counts: int64 [S, L]: usable rows.
        unknown: rows of labels that are not configured, by label.
        importance: S x L: float32, one number for each usable row; None: all have 1. None where that is so of all.
        frequent: S: of sources with ``frequency_repeats``; None for others.
        usable: for each batch of rows of the sources, in order, whether cleaning leaves them in, as packed bits; None:
            nothing is cleaned.
    """

    rows: list[int]
    found: NDArray[np.int64]
    counts: NDArray[np.int64]
    unknown: dict[str, int]
    importance: list[list[NDArray[np.float32] | None]] | None
    usable: list[NDArray[np.uint8]] | None
    frequent: list[FrequentRows | None] | None


@dataclass(frozen=True)
class ChosenTexts:
    """Texts that are used.

    Attributes:
        texts: n texts; one that is missing is empty.
        codes: int32 [n]: the index of the label of each.
        weights: float32 [n]: loss weights, without those of languages.
        ratios: float32 [n]: what they were multiplied by because of other languages (`ForeignWords.ratios`), at most 1.
        repeats: unsigned int [n]: how often each is used, at least once.
    """

    texts: list[str]
    codes: NDArray[np.int32]
    weights: NDArray[np.float32]
    ratios: NDArray[np.float32]
    repeats: NDArray[np.unsignedinteger]


def label_index(labels: Sequence[str], merged: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """The position of each label, and of those that are ``merged`` into one of them, by name."""
    index = {label: position for position, label in enumerate(labels)}
    return index | {member: index[label] for label, members in merged.items() for member in members}


def listed_words(sources: Sequence[Source], index: dict[str, int], done: Callable[[int], object]) -> ForeignWords:
    """The words of the sources with a ``foreign_power``, to be counted in the others.

    Args:
        sources: rows and settings of each.
        index: the configured labels (`label_index`).
        done: called with the number of rows of each batch.
    """

    def entries() -> Iterator[list[str]]:
        for source, settings in sources:
            if settings.foreign_power > 0:
                for batch in source.batches([settings.language_column, settings.text_column]):
                    mine = np.flatnonzero(_label_codes(batch.column(settings.language_column), index) >= 0)
                    yield _texts(batch.column(settings.text_column), mine)
                    done(len(batch))

    return ForeignWords(entries(), max(index.values()) + 1)


def scan_sources(
    sources: Sequence[Source],
    labels: Sequence[str],
    index: dict[str, int],
    cleaner: Cleaner,
    done: Callable[[int], object],
    foreign: ForeignWords | None = None,
    forbidden: Sequence[HeldOut] = (),
) -> Scan:
    """Count the usable rows of each label in each source, and look through their texts if there is a reason to.

    Args:
        sources: rows and settings of each.
        labels: the configured labels.
        index: where they are (`label_index`).
        cleaner: decides which rows are usable.
        done: called with the number of rows of each batch.
        foreign: counts the words of the usable rows of the sources without a ``foreign_power``.
        forbidden: no sentence of these may be among the usable rows.

    Raises:
        DataError: a sentence is, frequencies are all 0, or a source has no configured label.
    """
    unknown: dict[str, int] = {}
    found = np.zeros(len(labels), dtype=np.int64)
    counts = np.zeros((len(sources), len(labels)), dtype=np.int64)
    usable: list[NDArray[np.uint8]] = []
    rows: list[int] = []
    importance: list[list[NDArray[np.float32] | None]] = []
    frequent: list[FrequentRows | None] = []
    for number, (source, settings) in enumerate(sources):
        columns = [settings.language_column]
        counter = foreign if settings.foreign_power == 0 else None
        columns += [settings.text_column] if cleaner.active or counter is not None or forbidden else []
        columns += [settings.frequency_column] if settings.frequency_column is not None else []
        parts: list[tuple[NDArray[np.int32], NDArray[np.float32]]] = []
        plain: list[tuple[NDArray[np.int32], NDArray[np.float32]]] = []
        n_rows, largest, known = 0, 0.0, found.sum()
        for batch in source.batches(columns):
            codes = _label_codes(batch.column(settings.language_column), index, unknown)
            found += np.bincount(codes[codes >= 0], minlength=len(labels))
            if cleaner.active:
                mine = np.flatnonzero(codes >= 0)
                texts = _texts(batch.column(settings.text_column), mine)
                left = np.zeros(len(codes), dtype=np.bool_)
                left[mine] = cleaner.keep(texts, codes[mine])
                usable.append(np.packbits(left))
                codes = np.where(left, codes, -1)
            if forbidden:
                mine = np.flatnonzero(codes >= 0)
                names = [labels[code] for code in codes[mine].tolist()]
                place = partial(_place, source, settings, mine + n_rows, names)
                refuse_forbidden(forbidden, _texts(batch.column(settings.text_column), mine), place)
            if counter is not None:
                # Words of code are of no language.
                mine = np.flatnonzero((codes >= 0) & (codes != index.get(NOT_LANGUAGE, -1)))
                counter.count(_texts(batch.column(settings.text_column), mine), codes[mine])
            counts[number] += np.bincount(codes[codes >= 0], minlength=len(labels))
            if settings.frequency_column is not None:
                numbers = batch.column(settings.frequency_column).to_numpy()
                largest = max(largest, float(numbers.max(initial=0.0)))
                numbers = np.maximum(numbers[codes >= 0], settings.frequency_floor)
                weights = settings.sampling_weight * numbers**settings.frequency_power
                parts.append((codes[codes >= 0], weights.astype(np.float32)))
                if settings.frequency_repeats > 0:
                    plain.append((codes[codes >= 0], numbers.astype(np.float32)))
            n_rows += len(batch)
            done(len(batch))
        if settings.frequency_column is not None and n_rows and largest == 0.0:
            raise DataError(
                f"{source.name}: {settings.frequency_column}: expected a frequency above 0 in some row, found 0 in all "
                f"{n_rows}"
            )
        if n_rows and found.sum() == known and len(sources) > 1:
            others = listed([repr(label) for label in sorted(unknown)])
            raise DataError(
                f"{source.name}: {settings.language_column}: expected labels of the {len(labels)} configured "
                f"languages, found none in {n_rows} rows; unknown labels so far: {others}"
            )
        rows.append(n_rows)
        repeats = settings.frequency_repeats
        frequent.append(FrequentRows(repeats, _by_label(plain, len(labels))) if repeats > 0 else None)
        if settings.frequency_column is None and settings.sampling_weight != 1.0:
            weight = np.float32(settings.sampling_weight)
            importance.append([np.full(count, weight, dtype=np.float32) for count in counts[number].tolist()])
        else:
            importance.append(_by_label(parts, len(labels)))
    weighted = any(settings.frequency_column is not None or settings.sampling_weight != 1.0 for _, settings in sources)
    return Scan(
        rows,
        found,
        counts,
        unknown,
        importance if weighted else None,
        usable if cleaner.active else None,
        frequent if any(frequent) else None,
    )


def _place(
    source: SourceRows, settings: DatasetSourceConfig, rows: NDArray[np.int64], labels: Sequence[str], index: int
) -> str:
    """Where the text of ``index`` is: its file, row and label."""
    return f"{place_of_row(source.name, settings.split, settings.text_column, int(rows[index]))}: label {labels[index]}"


def read_chosen(
    sources: Sequence[Source],
    labels: Sequence[str],
    index: dict[str, int],
    scan: Scan,
    selection: Selection,
    cleaner: Cleaner,
    done: Callable[[int], object],
    foreign: ForeignWords | None = None,
) -> Iterator[ChosenTexts]:
    """The texts of ``selection``, in the order of the sources; ``foreign`` is what `scan_sources` has counted in."""
    usable = iter(scan.usable or ())
    # The number of the next row of each label among all of its rows.
    following = selection.starts[:-1].copy()
    for source, settings in sources:
        for batch in source.batches():
            codes = _label_codes(batch.column(settings.language_column), index)
            if scan.usable is not None:
                codes = np.where(np.unpackbits(next(usable), count=len(codes)), codes, -1)
            rows = np.flatnonzero(codes >= 0)
            mine = codes[rows]
            repeats = selection.repeats[following[mine] + _ranks(mine, len(labels))]
            following += np.bincount(mine, minlength=len(labels))
            taken = repeats > 0
            rows, mine, repeats = rows[taken], mine[taken], repeats[taken]
            if len(rows):
                weights = np.full(len(rows), settings.weight, dtype=np.float32)
                if settings.weight_column is not None:
                    weights *= batch.column(settings.weight_column).to_numpy()[rows].astype(np.float32)
                texts = cleaner.normalize(_texts(batch.column(settings.text_column), rows))
                ratios = np.ones(len(rows), dtype=np.float32)
                if foreign is not None and settings.foreign_power > 0:
                    ratios = (foreign.ratios(texts, mine) ** settings.foreign_power).astype(np.float32)
                yield ChosenTexts(texts, mine.astype(np.int32), weights * ratios, ratios, repeats)
            done(len(batch))


def in_chunks(chosen: Iterable[ChosenTexts], size: int) -> Iterator[ChosenTexts]:
    """Put together so that there are ``size`` texts or more in each but the last."""
    pending: list[ChosenTexts] = []
    for part in chosen:
        pending.append(part)
        if sum(len(one.texts) for one in pending) >= size:
            yield _joined(pending)
            pending = []
    if pending:
        yield _joined(pending)


def _joined(parts: Sequence[ChosenTexts]) -> ChosenTexts:
    return ChosenTexts(
        [text for part in parts for text in part.texts],
        np.concatenate([part.codes for part in parts]),
        np.concatenate([part.weights for part in parts]),
        np.concatenate([part.ratios for part in parts]),
        np.concatenate([part.repeats for part in parts]),
    )


def _label_codes(column: pa.Array, index: dict[str, int], unknown: dict[str, int] | None = None) -> NDArray[np.int32]:
    """The index of each label, -1 for one that is not in ``index``; those are counted in ``unknown``."""
    encoded = column.dictionary_encode()
    names = [str(name) for name in encoded.dictionary.to_pylist()]
    # The last entry stands for a missing label.
    lookup = np.array([index.get(name, -1) for name in names] + [-1], dtype=np.int32)
    positions = encoded.indices.fill_null(len(names)).to_numpy(zero_copy_only=False)
    if unknown is not None:
        for name, count in zip([*names, "(missing)"], np.bincount(positions, minlength=len(names) + 1), strict=True):
            if count and name not in index:
                unknown[name] = unknown.get(name, 0) + int(count)
    codes: NDArray[np.int32] = lookup[positions]
    return codes


def _texts(column: pa.Array, rows: NDArray[np.int64]) -> list[str]:
    return [text or "" for text in column.take(rows).to_pylist()]


def _ranks(codes: NDArray[np.integer], n_labels: int) -> NDArray[np.int64]:
    """For each row, how many rows before it have its code."""
    order = np.argsort(codes, kind="stable")
    counts = np.bincount(codes, minlength=n_labels)
    ranks = np.empty(len(codes), dtype=np.int64)
    ranks[order] = np.arange(len(codes)) - np.repeat(np.cumsum(counts) - counts, counts)
    return ranks


def _by_label(
    parts: Sequence[tuple[NDArray[np.int32], NDArray[np.float32]]], n_labels: int
) -> list[NDArray[np.float32] | None]:
    """The numbers of each label, in order; None where there is none."""
    if not parts:
        return [None] * n_labels
    codes = np.concatenate([codes for codes, _ in parts])
    numbers = np.concatenate([numbers for _, numbers in parts])[np.argsort(codes, kind="stable")]
    return list(np.split(numbers, np.cumsum(np.bincount(codes, minlength=n_labels))[:-1]))
