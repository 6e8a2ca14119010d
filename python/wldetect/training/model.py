"""The model: logits of a text = pool over its tokens of (embedding x token weight) @ projection + bias."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wldetect.config import Pooling
from wldetect.data.batches import Batch
from wldetect.training.lookup import EmbeddingLookup

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
    ) -> None:
        super().__init__()
        n_tokens, hidden_dim = lookup.shape
        self.lookup = lookup
        self.pooling = pooling
        self.token_weights = nn.Parameter(torch.ones(n_tokens, 1))
        self.projection = nn.Linear(hidden_dim, n_languages)
        # From zero, every language starts out equal, and no seed is needed.
        nn.init.zeros_(self.projection.weight)
        nn.init.zeros_(self.projection.bias)
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("token_mask", token_mask, persistent=False)

    def forward(self, batch: Batch) -> Tensor:
        """Logits float32 [B, L] of the texts of ``batch``."""
        embeddings, rows = self.lookup.rows(batch.ids)
        # Not indexing with brackets: this gradient is summed in a fixed order, so that runs repeat exactly.
        weights = self.token_weights.view(-1).index_select(0, batch.ids)
        keep = None if self.token_mask is None else ~self.token_mask[batch.ids]
        match self.pooling:
            case Pooling.average:
                return self._average(embeddings, rows, weights, keep, batch)
            case Pooling.logsumexp:
                pooled = _segment_logsumexp(self._token_logits(embeddings, rows, weights, keep), batch)
            case Pooling.max:
                pooled = _segment_max(self._token_logits(embeddings, rows, weights, keep), batch)
        return pooled if keep is None else torch.where(pooled.isneginf(), self.projection.bias, pooled)

    def _average(self, embeddings: Tensor, rows: Tensor, weights: Tensor, keep: Tensor | None, batch: Batch) -> Tensor:
        """Averages are linear: pooling first leaves one projection a text instead of one a token."""
        counts = batch.lengths
        if keep is not None:
            weights = weights * keep
            counts = torch.segment_reduce(keep.float(), "sum", lengths=batch.lengths.long())
        sums = F.embedding_bag(rows, embeddings, batch.offsets, mode="sum", per_sample_weights=weights)
        logits: Tensor = self.projection(self.dropout(sums / counts.clamp(min=1).unsqueeze(1)))
        return logits

    def _token_logits(self, embeddings: Tensor, rows: Tensor, weights: Tensor, keep: Tensor | None) -> Tensor:
        """Logits of every token, float32 [T, L]. Texts share most of their tokens, so each is projected once."""
        unique, positions = torch.unique(rows, return_inverse=True)
        # Equal tokens have equal weights: any position of one will do.
        first = torch.empty_like(unique, dtype=torch.int64)
        first[positions] = torch.arange(len(rows), device=rows.device)
        features = self.dropout(F.embedding(unique, embeddings) * weights.index_select(0, first).unsqueeze(1))
        logits: Tensor = self.projection(features).index_select(0, positions)
        return logits if keep is None else logits.masked_fill(~keep.unsqueeze(1), float("-inf"))

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
