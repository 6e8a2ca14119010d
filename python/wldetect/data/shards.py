"""The tokenized form on disk: shards of texts in random order, each small enough to be held in memory."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from wldetect.data.balance import random_numbers

__all__ = ["Shard", "ShardWriter", "gather", "read_shard"]

# Tokens, or bytes of text, that are kept back before they are dealt out to the shards, and moved at a time in one.
_MOVED = 1 << 22
_GATHERED = 1 << 17
_RECORD = np.dtype([("length", np.int64), ("label", np.int32), ("weight", np.float32)])
_IDS, _TEXTS = "ids.bin", "texts.bin"
_Number = TypeVar("_Number", bound=np.generic)


@dataclass(frozen=True)
class Shard:
    """n texts, as token ids or as UTF-8.

    Attributes:
        values: int32 or uint8 [T]: the tokens or bytes of all texts end to end.
        offsets: int64 [n + 1]: text i has ``values[offsets[i]:offsets[i + 1]]``, at least one.
        labels: int32 [n].
        weights: float32 [n].
    """

    values: NDArray[np.int32] | NDArray[np.uint8]
    offsets: NDArray[np.int64]
    labels: NDArray[np.int32]
    weights: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.labels)


def gather(values: NDArray[_Number], begins: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[_Number]:
    """The pieces of ``values`` that begin at ``begins``, int64 [n], end to end."""
    ends = np.cumsum(lengths)
    taken = np.empty(ends[-1] if len(ends) else 0, dtype=values.dtype)
    # In runs of pieces, because the positions of the values take more room than the values, and caches are small.
    bounds = np.searchsorted(ends, np.arange(0, len(taken), _GATHERED), side="right")
    for first, last in pairwise(np.unique([*bounds.tolist(), len(ends)]).tolist()):
        start, end = ends[first] - lengths[first], ends[last - 1]
        positions = np.repeat(begins[first:last] - (ends[first:last] - lengths[first:last]), lengths[first:last])
        positions += np.arange(start, end)
        np.take(values, positions, out=taken[start:end], mode="clip")
    return taken


def read_shard(directory: Path) -> Shard:
    """Read a shard into memory. Mapped pages would count as well, and stay when it is done with.

    Raises:
        OSError: a file is missing or cannot be read.
    """
    holds_texts = (directory / _TEXTS).exists()
    path = directory / (_TEXTS if holds_texts else _IDS)
    values: NDArray[Any] = np.fromfile(path, dtype=np.uint8 if holds_texts else np.int32)
    arrays = [np.load(directory / f"{name}.npy") for name in ("offsets", "labels", "weights")]
    return Shard(values, *arrays)


class ShardWriter:
    """Deals texts out to shards at random, then shuffles each. What is in memory at a time is a part of one shard, or
    one shard.

    Args:
        directory: an empty directory; each shard becomes one in it.
        n_texts: the most texts there will be.
        shard_texts: texts of a shard, on average.
        seed: of where a text goes.
        holds_texts: whether the values are bytes of text instead of token ids.
    """

    def __init__(self, directory: Path, n_texts: int, shard_texts: int, seed: int, holds_texts: bool) -> None:
        self._paths = [directory / f"shard-{number:05}" for number in range(max(1, -(-n_texts // shard_texts)))]
        for path in self._paths:
            path.mkdir()
        self._seed = seed
        self._name = _TEXTS if holds_texts else _IDS
        self._dtype = np.dtype(np.uint8 if holds_texts else np.int32)
        self._pending: list[tuple[NDArray[np.generic], NDArray[np.void]]] = []
        self._size = 0
        self._texts = 0

    def add(
        self,
        values: NDArray[np.generic],
        offsets: NDArray[np.int64],
        labels: NDArray[np.int32],
        weights: NDArray[np.float32],
        repeats: NDArray[np.integer],
    ) -> None:
        """Add n texts, each as often as ``repeats``, int [n], says; offsets are int64 [n + 1]."""
        records = np.empty(len(labels), dtype=_RECORD)
        records["length"], records["label"], records["weight"] = np.diff(offsets), labels, weights
        if (repeats != 1).any():
            rows = np.repeat(np.arange(len(labels)), repeats)
            values = gather(values, offsets[rows], records["length"][rows])
            records = records[rows]
        self._pending.append((values.astype(self._dtype, copy=False), records))
        self._size += len(values)
        if self._size >= _MOVED:
            self._deal()

    def finish(self, renumber: NDArray[np.integer], done: Callable[[int], object]) -> dict[str, int]:
        """Shuffle each shard and write its files.

        Args:
            renumber: int, the index to write for each label.
            done: called with the number of texts of each shard.

        Returns:
            Texts of each shard, by its directory's name; one without any is removed.
        """
        self._deal()
        sizes = {}
        for number, path in enumerate(self._paths):
            if size := self._shuffle(number, path, renumber):
                sizes[path.name] = size
            done(size)
        return sizes

    def _deal(self) -> None:
        """Append what is pending to the shards it belongs to."""
        if not self._pending:
            return
        values = np.concatenate([part for part, _ in self._pending])
        records = np.concatenate([part for _, part in self._pending])
        self._pending, self._size = [], 0
        chosen = random_numbers(f"shard {self._seed}", self._texts, len(records)) * len(self._paths)
        self._texts += len(records)
        order = np.argsort(chosen.astype(np.int64), kind="stable")
        if len(self._paths) > 1:
            lengths = records["length"]
            values = gather(values, (np.cumsum(lengths) - lengths)[order], lengths[order])
            records = records[order]
        bounds = np.searchsorted(chosen.astype(np.int64)[order], np.arange(len(self._paths) + 1))
        ends = np.concatenate([[0], np.cumsum(records["length"])])
        for path, first, last in zip(self._paths, bounds[:-1], bounds[1:], strict=True):
            if first < last:
                _append(path / "values.part", values[ends[first] : ends[last]])
                _append(path / "records.part", records[first:last])

    def _shuffle(self, number: int, path: Path, renumber: NDArray[np.integer]) -> int:
        parts = path / "values.part", path / "records.part"
        if not parts[1].exists():
            path.rmdir()
            return 0
        values, records = np.fromfile(parts[0], dtype=self._dtype), np.fromfile(parts[1], dtype=_RECORD)
        order = np.random.default_rng([self._seed, number]).permutation(len(records))
        begins = (np.cumsum(records["length"]) - records["length"])[order]
        records = records[order]
        offsets = np.concatenate([[0], np.cumsum(records["length"])])
        with (path / self._name).open("wb") as file:
            # In runs of texts, so that not all of it is in memory twice.
            bounds = np.minimum(np.searchsorted(offsets, np.arange(0, offsets[-1] + _MOVED, _MOVED)), len(records))
            for first, last in pairwise(bounds.tolist()):
                gather(values, begins[first:last], records["length"][first:last]).tofile(file)
            file.flush()
            os.fsync(file.fileno())
        np.save(path / "offsets.npy", offsets)
        np.save(path / "labels.npy", renumber[records["label"]].astype(np.int32))
        np.save(path / "weights.npy", records["weight"])
        for part in parts:
            part.unlink()
        return len(records)


def _append(path: Path, array: NDArray[np.generic]) -> None:
    with path.open("ab") as file:
        array.tofile(file)
