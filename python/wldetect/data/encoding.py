"""Texts to token ids, as they are trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wldetect import _core
from wldetect.config import NgramsConfig

__all__ = ["Encoding", "make_ngrams"]


def make_ngrams(config: NgramsConfig) -> _core.Ngrams:
    """What turns texts into rows of character n-grams, as the detector does it."""
    return _core.Ngrams(
        n_min=config.n_min,
        n_max=config.n_max,
        whole_words=config.whole_words,
        max_words=config.max_words,
        max_letters=config.max_letters,
        rows=config.rows,
        splitting=config.splitting.value,
    )


@dataclass(frozen=True)
class Encoding:
    """How texts become ids.

    Attributes:
        max_length: ids of a text that are used; the rest is left out.
        n_rows: rows of the embeddings; ids past them are left out, as in detection.
        threads: threads that tokenize; None: one for each core.
    """

    max_length: int | None
    n_rows: int
    threads: int | None = None

    def encode(self, tokenizer: _core.Tokenizer, texts: Sequence[str]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Ids of n texts end to end, int32, and offsets, int64 [n + 1]. A text may have none."""
        ids, offsets = tokenizer.encode_batch(texts, self.max_length, self.threads)
        has_row = ids < self.n_rows
        if not has_row.all():
            offsets = np.concatenate([[0], np.cumsum(has_row)])[offsets]
            ids = ids[has_row]
        return ids.astype(np.int32), offsets
