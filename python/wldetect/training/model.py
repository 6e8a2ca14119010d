"""The model: logits of a text = pool over its tokens of (embedding x token weight) @ projection + bias, and where the
model has them, the average of its character n-grams' learned rows @ a projection of their own."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wldetect.config import Pooling, Precision
from wldetect.data.batches import Batch
from wldetect.training.lookup import EmbeddingLookup
from wldetect.training.loss_scale import LossScale
from wldetect.training.ngram_table import NgramTable
from wldetect.training.projection import project_tokens
from wldetect.training.token_table import TokenTable

__all__ = ["LanguageModel"]

# Values of embeddings at a time, where those of all tokens are projected: 32 MB of float32.
_CHUNK_VALUES = 1 << 23


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
        ngrams: rows of character n-grams, whose logits are added to those of the tokens; None: tokens alone.
        bias: whether the projection has a learned bias; else it stays zero.
        loss_scale: what logits are multiplied by before the loss is taken, and there alone; None: nothing.
        precision: of the projection's factors. Sums, parameters and their gradients are float32 whatever it is.

    Attributes:
        table: logits of each token, which are learned themselves; None before `tune_table`.
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
        ngrams: NgramTable | None = None,
        bias: bool = True,
        loss_scale: LossScale | None = None,
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
        self.projection.bias.requires_grad_(bias)
        self.dropout = nn.Dropout(dropout)
        self.ngrams = ngrams
        self.loss_scale = loss_scale
        self.table: TokenTable | None = None
        self.register_buffer("token_mask", token_mask, persistent=False)

    def tune_table(self) -> None:
        """Score texts by a table of logits from here on, which is learned itself.

        It begins as what token weights, projection and bias make of each token; these are frozen.

        Raises:
            ValueError: the pooling is not average, or tokens are masked.
        """
        if self.pooling is not Pooling.average or self.token_mask is not None:
            raise ValueError(f"expected average pooling without masked tokens, found {self.pooling.value}")
        n_tokens, hidden_dim = self.lookup.shape
        weight = self.projection.weight
        logits = weight.new_empty(n_tokens, len(weight))
        with torch.no_grad():
            for ids in torch.split(torch.arange(n_tokens, device=weight.device), max(_CHUNK_VALUES // hidden_dim, 1)):
                logits[ids] = self.table_rows(self.lookup.rows(ids), int(ids[0]))
        self.table = TokenTable(logits)
        for parameter in (self.token_weights, weight, self.projection.bias):
            parameter.requires_grad_(False)

    def compile_layers(self, backend: str = "inductor") -> None:
        """Have torch compile what comes after the embeddings are read, for batches of any size, when it first runs."""
        self._head = torch.compile(self._head, dynamic=True, backend=backend)  # type: ignore[method-assign]
        self._pool_tokens = torch.compile(  # type: ignore[method-assign]
            self._pool_tokens, dynamic=True, backend=backend
        )

    def forward(self, batch: Batch) -> Tensor:
        """Logits float32 [B, L] of the texts of ``batch``."""
        logits = self._token_logits(batch)
        if self.ngrams is None or batch.ngrams is None:
            return logits
        others: Tensor = self.ngrams(batch.ngrams)
        if batch.keep is None:
            return logits + others
        return logits * batch.keep[:, :1] + others * batch.keep[:, 1:]

    def scaled(self, logits: Tensor, batch: Batch) -> Tensor:
        """What the loss is taken of, float32 [B, L], for the logits of ``batch``."""
        if self.loss_scale is None:
            return logits
        scaled: Tensor = self.loss_scale(logits, batch.lengths)
        return scaled

    def _token_logits(self, batch: Batch) -> Tensor:
        if self.table is not None:
            logits: Tensor = self.table(batch)
            return logits
        match self.pooling:
            case Pooling.average:
                return self._average(batch)
            case Pooling.logsumexp | Pooling.max:
                return self._by_token(batch)

    def _average(self, batch: Batch) -> Tensor:
        """Averages are linear: pooling first leaves one projection a text instead of one a token."""
        weights = self._weights(batch.ids)
        counts = batch.lengths
        if self.token_mask is not None:
            keep = ~self.token_mask[batch.ids]
            weights = weights * keep
            counts = torch.segment_reduce(keep.float(), "sum", lengths=batch.lengths.long())
        return self._head(self.lookup.weighted_sums(batch.ids, batch.offsets, weights), counts)

    def _head(self, sums: Tensor, counts: Tensor) -> Tensor:
        features = self.dropout(sums / counts.clamp(min=1).unsqueeze(1))
        with torch.autocast(features.device.type, torch.bfloat16, enabled=self.precision is Precision.bfloat16):
            logits: Tensor = self.projection(features)
        return logits.float()

    def _by_token(self, batch: Batch) -> Tensor:
        """Every token is projected, but texts share most of theirs, so that each comes once."""
        unique, positions = torch.unique(batch.ids, return_inverse=True)
        dropout = self.dropout.p if self.training else 0.0
        projected = project_tokens(self.lookup, unique, self.projection.weight, dropout, self.precision)
        masked = None if self.token_mask is None else self.token_mask[unique]
        return self._pool_tokens(projected, self._weights(unique), masked, positions, batch.lengths)

    def _pool_tokens(
        self, projected: Tensor, weights: Tensor, masked: Tensor | None, positions: Tensor, lengths: Tensor
    ) -> Tensor:
        logits = projected * weights.unsqueeze(1) + self.projection.bias
        if masked is not None:
            logits = logits.masked_fill(masked.unsqueeze(1), float("-inf"))
        pool = _segment_logsumexp if self.pooling is Pooling.logsumexp else _segment_max
        pooled = pool(logits.index_select(0, positions), lengths)
        return pooled if masked is None else torch.where(pooled.isneginf(), self.projection.bias, pooled)

    def _weights(self, ids: Tensor) -> Tensor:
        # Not indexing with brackets: this gradient is summed in a fixed order, so that runs repeat exactly.
        return self.token_weights.view(-1).index_select(0, ids)

    def table_rows(self, embeddings: Tensor, first: int) -> Tensor:
        """Rows of the lookup table, float32 [n, L], for ``embeddings`` [n, D] of the tokens from ``first`` on."""
        if self.table is not None:
            return self.table.rows[first : first + len(embeddings)]
        weights = self.token_weights[first : first + len(embeddings)]
        logits: Tensor = self.projection(embeddings * weights)
        return logits


def _segments(logits: Tensor, lengths: Tensor) -> Tensor:
    """The text each token belongs to, int64 [T, L], as scatter wants it."""
    texts = torch.arange(len(lengths), device=lengths.device)
    # The size is known here; without it, a GPU would have to be asked.
    owners = torch.repeat_interleave(texts, lengths.long(), output_size=len(logits))
    return owners.unsqueeze(1).expand(-1, logits.shape[1])


def _segment_max(logits: Tensor, lengths: Tensor) -> Tensor:
    empty = logits.new_full((len(lengths), logits.shape[1]), float("-inf"))
    return empty.scatter_reduce(0, _segments(logits, lengths), logits, "amax")


def _segment_logsumexp(logits: Tensor, lengths: Tensor) -> Tensor:
    segments = _segments(logits, lengths)
    # The peak only keeps the exponentials in range; the gradient through it cancels. A text without unmasked tokens has
    # none, and any finite number keeps infinity minus infinity away.
    peaks = _segment_max(logits.detach(), lengths).clamp(min=torch.finfo(logits.dtype).min)
    sums = torch.zeros_like(peaks).scatter_add(0, segments, (logits - peaks.gather(0, segments)).exp())
    return peaks + sums.log()
