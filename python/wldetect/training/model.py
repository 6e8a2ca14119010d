"""The model: logits of a text = pool over its tokens of (embedding x token weight) @ projection + bias."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wldetect.config import Pooling, Precision
from wldetect.data.batches import Batch
from wldetect.training.lookup import EmbeddingLookup
from wldetect.training.projection import project_tokens

__all__ = ["LanguageModel"]


class LanguageModel(nn.Module):
    """Token weights, projection and bias over frozen embeddings [V, D], for L languages.

    Texts come end to end without padding, so that no padding can leak into a pool. Tokens whose ``token_mask`` entry
    is set are left out of every pool, and out of the count that an average divides by; a text of masked tokens alone
    has the bias as its logits: there is no evidence in it.

    Args:
        lookup: the frozen embeddings.
        n_languages: L.
        pooling: how tokens become a text.
        dropout: share of pooled (average) or token (logsumexp, max) features zeroed in training.
        token_mask: bool [V], True for tokens to leave out.
        precision: of the projection's factors. Sums, parameters and their gradients are float32 whatever it is.
    """

    token_weights: nn.Parameter
    token_mask: Tensor | None

    def __init__(
        self,
        lookup: EmbeddingLookup,
        n_languages: int,
        pooling: Pooling,
        dropout: float = 0.0,
        token_mask: Tensor | None = None,
        precision: Precision = Precision.float32,
    ) -> None:
        super().__init__()
        n_tokens, hidden_dim = lookup.shape
        self.lookup = lookup
        self.pooling = pooling
        self.precision = precision
        self.token_weights = nn.Parameter(torch.ones(n_tokens, 1))
        self.projection = nn.Linear(hidden_dim, n_languages)
        # From zero, every language starts out equal, and no seed is needed.
        nn.init.zeros_(self.projection.weight)
        nn.init.zeros_(self.projection.bias)
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("token_mask", token_mask, persistent=False)

    def forward(self, batch: Batch) -> Tensor:
        """Logits float32 [B, L] of the texts of ``batch``."""
        match self.pooling:
            case Pooling.average:
                return self._average(batch)
            case Pooling.logsumexp:
                pooled = _segment_logsumexp(self._token_logits(batch), batch)
            case Pooling.max:
                pooled = _segment_max(self._token_logits(batch), batch)
        return pooled if self.token_mask is None else torch.where(pooled.isneginf(), self.projection.bias, pooled)

    def _average(self, batch: Batch) -> Tensor:
        """Averages are linear: pooling first leaves one projection a text instead of one a token."""
        weights = self._weights(batch.ids)
        counts = batch.lengths
        if self.token_mask is not None:
            keep = ~self.token_mask[batch.ids]
            weights = weights * keep
            counts = torch.segment_reduce(keep.float(), "sum", lengths=batch.lengths.long())
        sums = self.lookup.weighted_sums(batch.ids, batch.offsets, weights)
        features = self.dropout(sums / counts.clamp(min=1).unsqueeze(1))
        with torch.autocast(features.device.type, torch.bfloat16, enabled=self.precision is Precision.bfloat16):
            logits: Tensor = self.projection(features)
        return logits.float()

    def _token_logits(self, batch: Batch) -> Tensor:
        """Logits of every token, float32 [T, L]. Texts share most of their tokens, so each is projected once."""
        unique, positions = torch.unique(batch.ids, return_inverse=True)
        dropout = self.dropout.p if self.training else 0.0
        projected = project_tokens(self.lookup, unique, self.projection.weight, dropout, self.precision)
        logits = projected * self._weights(unique).unsqueeze(1) + self.projection.bias
        if self.token_mask is not None:
            logits = logits.masked_fill(self.token_mask[unique].unsqueeze(1), float("-inf"))
        return logits.index_select(0, positions)

    def _weights(self, ids: Tensor) -> Tensor:
        # Not indexing with brackets: this gradient is summed in a fixed order, so that runs repeat exactly.
        return self.token_weights.view(-1).index_select(0, ids)

    def table_rows(self, embeddings: Tensor, first: int) -> Tensor:
        """Rows of the lookup table, float32 [n, L], for ``embeddings`` [n, D] of the tokens from ``first`` on."""
        weights = self.token_weights[first : first + len(embeddings)]
        logits: Tensor = self.projection(embeddings * weights)
        return logits


def _segments(batch: Batch, n_columns: int) -> Tensor:
    """The text each token belongs to, int64 [T, L], as scatter wants it."""
    texts = torch.arange(len(batch), device=batch.lengths.device)
    owners = torch.repeat_interleave(texts, batch.lengths.long())
    return owners.unsqueeze(1).expand(-1, n_columns)


def _segment_max(logits: Tensor, batch: Batch) -> Tensor:
    empty = logits.new_full((len(batch), logits.shape[1]), float("-inf"))
    return empty.scatter_reduce(0, _segments(batch, logits.shape[1]), logits, "amax")


def _segment_logsumexp(logits: Tensor, batch: Batch) -> Tensor:
    segments = _segments(batch, logits.shape[1])
    # The peak only keeps the exponentials in range; the gradient through it cancels. A text without unmasked tokens has
    # none, and any finite number keeps infinity minus infinity away.
    peaks = _segment_max(logits.detach(), batch).clamp(min=torch.finfo(logits.dtype).min)
    sums = torch.zeros_like(peaks).scatter_add(0, segments, (logits - peaks.gather(0, segments)).exp())
    return peaks + sums.log()
