"""How often each token occurs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from wldetect import _core
from wldetect.config import ResolvedConfig
from wldetect.data.augment import Augmentation
from wldetect.data.dataset import TokenizedDataset

__all__ = ["count_ids", "count_training_tokens"]

# Texts whose tokens are counted together: counting takes time for every token there is, too.
_TOGETHER = 16_384


def count_ids(chunks: Iterable[NDArray[np.integer]], n_tokens: int) -> NDArray[np.int64]:
    """Occurrences of each id from 0 to ``n_tokens`` - 1, int64 [V]; larger ids are left out.

    Args:
        chunks: token ids, at least 0, [n] each.
        n_tokens: V.
    """
    counts = np.zeros(n_tokens, dtype=np.int64)
    for chunk in chunks:
        counts += np.bincount(chunk[chunk < n_tokens], minlength=n_tokens)
    return counts


def count_training_tokens(
    dataset: TokenizedDataset,
    config: ResolvedConfig,
    tokenizer: _core.Tokenizer,
    n_tokens: int,
    *,
    progress: bool = True,
) -> NDArray[np.int64]:
    """Occurrences of each token in the texts of the first epoch, changed as training changes them, int64 [V].

    Later epochs have the same texts; only random changes to them are drawn anew.

    Args:
        dataset: the training texts, or their ids.
        config: what they were prepared for.
        tokenizer: text to ids.
        n_tokens: V; larger ids are left out.
        progress: show a progress bar, if somebody is looking.

    Raises:
        OSError: a shard cannot be read.
    """
    options = config.training.training
    change = Augmentation(options.augmentation, options.seed) if options.augmentation.active else None
    return count_ids(_first_epoch(dataset, options.seed, change, tokenizer, progress), n_tokens)


def _first_epoch(
    dataset: TokenizedDataset, seed: int, change: Augmentation | None, tokenizer: _core.Tokenizer, progress: bool
) -> Iterator[NDArray[np.int32]]:
    from tqdm import tqdm

    from wldetect.data.batches import BatchLoader

    loader = BatchLoader(dataset, _TOGETHER, seed, change=change, tokenizer=tokenizer)
    with tqdm(total=len(dataset), desc="counting", unit=" texts", disable=None if progress else True) as bar:
        for batch in loader.epoch(0):
            yield batch.ids.numpy()
            bar.update(len(batch))
