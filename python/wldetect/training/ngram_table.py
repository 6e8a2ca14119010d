"""The learned rows of character n-grams, and the projection that makes languages of them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wldetect.config import NgramsConfig
from wldetect.data.batches import NgramRows
from wldetect.training.learned_rows import LearnedRows

__all__ = ["NgramTable"]

# Standard deviation of the first rows, where a projection follows: rows of zeros would never get a gradient.
_SPREAD = 0.1


class NgramTable(LearnedRows):
    """Logits of a text = the average of its rows of a learned table [B, r] @ a learned projection [r, L].

    The projection is a parameter like others.

    Args:
        config: of the n-grams; without dimensions a row has one number for each language, and there is no projection.
        n_languages: L.
        seed: of the first rows.

    Attributes:
        projection: float32 [r, L], or None.
    """

    def __init__(self, config: NgramsConfig, n_languages: int, seed: int) -> None:
        if config.dimensions is None:
            super().__init__(torch.zeros(config.rows, n_languages))
            self.projection = None
        else:
            generator = torch.Generator().manual_seed(seed)
            super().__init__(_SPREAD * torch.randn(config.rows, config.dimensions, generator=generator))
            self.projection = nn.Parameter(torch.zeros(config.dimensions, n_languages))
        self.config = config

    def forward(self, ngrams: NgramRows) -> Tensor:
        """Logits float32 [n, L] of n texts; zeros for one without rows."""
        averages = self.averages(ngrams.rows, ngrams.offsets, ngrams.lengths)
        return averages if self.projection is None else averages @ self.projection

    def freeze(self) -> None:
        """Learn neither rows nor projection from here on."""
        self.frozen = True
        self.requires_grad_(False)
