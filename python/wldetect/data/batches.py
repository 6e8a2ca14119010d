"""Batches of tokenized texts in a seeded random order that any epoch and step can be reached in directly."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from wldetect import _core
from wldetect.data.dataset import TokenizedDataset
from wldetect.data.mixing import Draw, uniform
from wldetect.data.prefetch import Prefetcher
from wldetect.data.shards import Shard, gather

__all__ = ["Batch", "BatchLoader", "Change", "NgramRows"]

# Texts, their numbers among all texts of the data set, int64, and the epoch; to changed texts.
Change = Callable[[list[str], NDArray[np.int64], int], list[str]]


@dataclass(frozen=True)
class NgramRows:
    """Rows of the character n-grams of B texts, R in all.

    Attributes:
        rows: int32 [R]: those of all texts end to end.
        offsets: int32 [B]: where each text's rows begin.
        lengths: int32 [B]: how many each text has; it may be none.
    """

    rows: Tensor
    offsets: Tensor
    lengths: Tensor

    def to(self, device: torch.device) -> NgramRows:
        """The same rows on ``device``."""
        return NgramRows(*(part.to(device, non_blocking=True) for part in (self.rows, self.offsets, self.lengths)))


@dataclass(frozen=True)
class Batch:
    """B texts with T tokens in all, a process's part of a global batch. B may be 0.

    Attributes:
        ids: int32 [T]: the tokens of all texts end to end, without padding.
        offsets: int32 [B]: where each text's tokens begin.
        lengths: int32 [B]: how many each text has, at least one.
        labels: int64 [B].
        weights: float32 [B]: loss weights.
        total: texts of the global batch.
        ngrams: rows of their character n-grams; None: the model has no such rows.
        keep: float32 [B, 2]: 1 where a text is scored by its tokens (column 0), by its n-grams (column 1), and 0 where
            it is not; at least one is 1. None: both always are.
    """

    ids: Tensor
    offsets: Tensor
    lengths: Tensor
    labels: Tensor
    weights: Tensor
    total: int
    ngrams: NgramRows | None = None
    keep: Tensor | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def to(self, device: torch.device) -> Batch:
        """The same batch on ``device``."""
        if device.type == "cpu":
            return self
        return Batch(
            ids=self.ids.to(device, non_blocking=True),
            offsets=self.offsets.to(device, non_blocking=True),
            lengths=self.lengths.to(device, non_blocking=True),
            labels=self.labels.to(device, non_blocking=True),
            weights=self.weights.to(device, non_blocking=True),
            total=self.total,
            ngrams=None if self.ngrams is None else self.ngrams.to(device),
            keep=None if self.keep is None else self.keep.to(device, non_blocking=True),
        )


class BatchLoader:
    """Shuffled batches of a data set: shards in random order, the texts of each in random order.

    The order depends on the seed and the epoch alone. No more than two shards are in memory, the one that is read and
    the next; a data set of one shard stays there.

    Attributes:
        waited: seconds for which batches were waited for so far.
    """

    def __init__(
        self,
        dataset: TokenizedDataset,
        batch_size: int,
        seed: int,
        *,
        rank: int = 0,
        world_size: int = 1,
        prefetch: int = 4,
        change: Change | None = None,
        tokenizer: _core.Tokenizer | None = None,
        ngrams: _core.Ngrams | None = None,
        drop_tokens: float = 0.0,
        drop_ngrams: float = 0.0,
    ) -> None:
        """Read batches of ``dataset``.

        Args:
            dataset: texts or token ids.
            batch_size: texts of a global batch.
            seed: of the order.
            rank: which of the processes this is; each has a slice of every global batch.
            world_size: how many there are.
            prefetch: batches made ready ahead, in a thread; 0: none, each is made when it is asked for.
            change: changes this process's texts in each epoch, in that thread; only where the data set holds texts. A
                text of which no token is left is used as it was, and so are those of the label ``dataset.unchanged``.
            tokenizer: needed where the data set holds texts.
            ngrams: gives the rows of the character n-grams of the texts as they are tokenized; only where the data set
                holds texts. None: batches have none.
            drop_tokens: share of the texts that are scored by their n-grams alone; a text without any n-gram is scored
                by its tokens all the same.
            drop_ngrams: share of the texts that are scored by their tokens alone.

        Raises:
            ValueError: texts are to be changed, tokenized or taken apart, and the data set or the arguments do not
                allow it.
        """
        if dataset.encoding is None and change is not None:
            raise ValueError("expected a data set of texts to change, found one of token ids")
        if dataset.encoding is None and ngrams is not None:
            raise ValueError("expected a data set of texts to take n-grams of, found one of token ids")
        if min(drop_tokens, drop_ngrams) < 0 or drop_tokens + drop_ngrams > 1:
            expected = "expected shares drop_tokens and drop_ngrams of at least 0 each and at most 1 together"
            raise ValueError(f"{expected}, found {drop_tokens:g} and {drop_ngrams:g}")
        if dataset.encoding is None and dataset.length_bands:
            raise ValueError("expected a data set of texts to tell the lengths of, found one of token ids")
        if dataset.encoding is not None and tokenizer is None:
            raise ValueError("expected a tokenizer for a data set of texts, found none")
        if not 0 <= rank < world_size:
            raise ValueError(f"expected a rank from 0 to {world_size - 1}, found {rank}")
        self.waited = 0.0
        self._dataset = dataset
        self._batch_size = batch_size
        self._seed = seed
        self._rank = rank
        self._world_size = world_size
        self._prefetch = prefetch
        self._change = change
        self._tokenizer = tokenizer
        self._ngrams = ngrams
        self._drop_tokens = drop_tokens
        self._drop_ngrams = drop_ngrams
        self._only: Shard | None = None
        # The number of the first text of each shard.
        self._firsts = np.concatenate([[0], np.cumsum(dataset.sizes)])

    def __len__(self) -> int:
        """Global batches in one epoch; the last one may be smaller."""
        return -(-len(self._dataset) // self._batch_size)

    def epoch(self, number: int, first: int = 0) -> Generator[Batch, None, None]:
        """This process's part of each batch of epoch ``number``, from the one with index ``first`` on.

        What lies before is not read. Closing the generator ends the work ahead.

        Raises:
            OSError: a shard cannot be read.
        """
        with ExitStack() as stack:
            made = self._batches(number, first)
            batches: Iterator[Batch] = made
            if self._prefetch:
                batches = stack.enter_context(Prefetcher(made, self._prefetch))
            else:
                stack.callback(made.close)
            while True:
                begun = time.perf_counter()
                batch = next(batches, None)
                self.waited += time.perf_counter() - begun
                if batch is None:
                    return
                yield batch

    def _batches(self, epoch: int, first: int) -> Generator[Batch, None, None]:
        with _Shards(self, epoch) as shards:
            for index in range(first, len(self)):
                start = index * self._batch_size
                total = min(start + self._batch_size, len(self._dataset)) - start
                mine = [start + total * part // self._world_size for part in (self._rank, self._rank + 1)]
                yield self._batch(shards.pieces(*mine), epoch, total)

    def _batch(self, pieces: Iterable[_Piece], epoch: int, total: int) -> Batch:
        dtype = np.int32 if self._dataset.encoding is None else np.uint8
        # It begins with nothing, for batches without texts.
        number = np.zeros(0, np.int64)
        nothing = _Piece(np.zeros(0, dtype), number, np.zeros(0, np.int32), np.zeros(0, np.float32), number)
        ids, sizes, labels, weights, rows = map(np.concatenate, zip(nothing, *pieces, strict=True))
        ngrams = keep = None
        if self._dataset.encoding is not None:
            changeable = labels != (-1 if self._dataset.unchanged is None else self._dataset.unchanged)
            texts, ids, sizes = self._encode(ids.tobytes(), sizes, rows, changeable, epoch)
            if self._dataset.length_bands:
                weights = weights * self._dataset.length_factors(labels, texts)
            if self._ngrams is not None:
                found, bounds = self._ngrams.rows_batch(texts, self._dataset.encoding.threads)
                keep = self._keep(rows, epoch, np.diff(bounds))
                ngrams = NgramRows(*_ragged(found.astype(np.int32), np.diff(bounds)))
        return Batch(
            *_ragged(ids, sizes),
            labels=torch.from_numpy(labels.astype(np.int64)),
            weights=torch.from_numpy(weights),
            total=total,
            ngrams=ngrams,
            keep=None if keep is None else torch.from_numpy(keep),
        )

    def _encode(
        self,
        utf8: bytes,
        sizes: NDArray[np.int64],
        rows: NDArray[np.int64],
        changeable: NDArray[np.bool_],
        epoch: int,
    ) -> tuple[list[str], NDArray[np.int32], NDArray[np.int64]]:
        """The texts as they are used, their ids end to end, and how many each has."""
        encoding, tokenizer = self._dataset.encoding, self._tokenizer
        assert encoding is not None
        assert tokenizer is not None
        if not len(sizes):
            return [], np.zeros(0, np.int32), sizes
        ends = np.cumsum(sizes).tolist()
        texts = [utf8[begin:end].decode() for begin, end in zip([0, *ends[:-1]], ends, strict=True)]
        used = texts
        if self._change is not None:
            places = np.flatnonzero(changeable)
            used = list(texts)
            changed = self._change([texts[place] for place in places], rows[places], epoch)
            for place, text in zip(places.tolist(), changed, strict=True):
                used[place] = text
        ids, offsets = encoding.encode(tokenizer, used)
        begins, lengths = offsets[:-1].copy(), np.diff(offsets)
        lost = np.flatnonzero(lengths == 0)
        if len(lost):
            used = list(used)
            for place in lost.tolist():
                used[place] = texts[place]
            more, bounds = encoding.encode(tokenizer, [texts[place] for place in lost])
            begins[lost], lengths[lost] = bounds[:-1] + len(ids), np.diff(bounds)
            ids = gather(np.concatenate([ids, more]), begins, lengths)
        return used, ids, lengths

    def _keep(self, rows: NDArray[np.int64], epoch: int, n_ngrams: NDArray[np.int64]) -> NDArray[np.float32] | None:
        """By what the texts are scored, as in `Batch.keep`: of disjoint parts of [0, 1), one drops the tokens, one the
        n-grams."""
        if not self._drop_tokens and not self._drop_ngrams:
            return None
        drawn = uniform(self._seed, epoch, Draw.FAMILY, rows)
        by_ngrams = drawn < self._drop_tokens
        by_tokens = ~by_ngrams & (drawn < self._drop_tokens + self._drop_ngrams)
        return np.stack([~by_ngrams | (n_ngrams == 0), ~by_tokens], axis=1).astype(np.float32)


def _ragged(values: NDArray[np.int32], lengths: NDArray[np.int64]) -> tuple[Tensor, Tensor, Tensor]:
    """The values of all texts end to end, where each text begins, and how many it has, int32."""
    begins = (np.cumsum(lengths) - lengths).astype(np.int32)
    return torch.from_numpy(values), torch.from_numpy(begins), torch.from_numpy(lengths.astype(np.int32))


class _Piece(NamedTuple):
    """Texts of one shard: their values end to end, lengths, labels, weights, and numbers among all texts."""

    values: NDArray[Any]
    lengths: NDArray[np.int64]
    labels: NDArray[np.int32]
    weights: NDArray[np.float32]
    rows: NDArray[np.int64]


class _Shards:
    """The texts of an epoch in their order, over all shards; only those of the place that is read are in memory."""

    def __init__(self, loader: BatchLoader, epoch: int) -> None:
        self._loader = loader
        self._epoch = epoch
        dataset = loader._dataset
        self._order = np.random.default_rng([loader._seed, epoch]).permutation(len(dataset.sizes))
        self._starts = np.concatenate([[0], np.cumsum(dataset.sizes[self._order])])
        self._place = -1
        self._current: tuple[Shard, NDArray[np.int64]] | None = None
        self._ahead: tuple[int, Future[Shard]] | None = None
        # Reading ahead is for those who want anything ahead.
        self._thread = ThreadPoolExecutor(1, "shard") if loader._prefetch and len(dataset.sizes) > 1 else None

    def __enter__(self) -> _Shards:
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread is not None:
            self._thread.shutdown(cancel_futures=True)

    def pieces(self, start: int, end: int) -> Iterator[_Piece]:
        """The texts from ``start`` to ``end`` of the epoch."""
        while start < end:
            place = int(np.searchsorted(self._starts, start, side="right")) - 1
            stop = min(end, int(self._starts[place + 1]))
            yield self._piece(place, start - int(self._starts[place]), stop - int(self._starts[place]))
            start = stop

    def _piece(self, place: int, start: int, end: int) -> _Piece:
        shard, order = self._open(place)
        chosen = order[start:end]
        begins = shard.offsets[chosen]
        lengths = shard.offsets[chosen + 1] - begins
        values = gather(shard.values, begins, lengths)
        rows = chosen + self._loader._firsts[self._order[place]]
        return _Piece(values, lengths, shard.labels[chosen], shard.weights[chosen], rows)

    def _open(self, place: int) -> tuple[Shard, NDArray[np.int64]]:
        if self._current is None or place != self._place:
            # Let go of before the next is there, or there would be three.
            self._current = None
            ahead, self._ahead = self._ahead, None
            shard = ahead[1].result() if ahead is not None and ahead[0] == place else self._load(place)
            if self._thread is not None and place + 1 < len(self._order):
                self._ahead = place + 1, self._thread.submit(self._load, place + 1)
            seed = [self._loader._seed, self._epoch, int(self._order[place])]
            self._place, self._current = place, (shard, np.random.default_rng(seed).permutation(len(shard)))
        return self._current

    def _load(self, place: int) -> Shard:
        loader = self._loader
        if loader._only is not None:
            return loader._only
        shard = loader._dataset.load(int(self._order[place]))
        if len(self._order) == 1:
            loader._only = shard
        return shard
