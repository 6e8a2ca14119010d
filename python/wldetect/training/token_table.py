"""The lookup table while it is trained itself, and the steps of its optimizer."""

from __future__ import annotations

import torch
from torch import Tensor

from wldetect.data.batches import Batch
from wldetect.training.learned_rows import LearnedRows, RowAdam

__all__ = ["TableAdam", "TokenTable"]


class TokenTable(LearnedRows):
    """Logits of a text = the average of its tokens' rows of a learned table [V, L].

    Rows of tokens that no batch has stay what they began as.

    Args:
        prior: float32 [V, L]: what the rows begin as, and what `TableAdam` pulls them towards.

    Attributes:
        prior: see there.
    """

    prior: Tensor

    def __init__(self, prior: Tensor) -> None:
        # Neither belongs to the state: the one is computed anew, of the other `TableAdam` gives what differs.
        super().__init__(prior.clone(), persistent=False)
        self.register_buffer("prior", prior, persistent=False)

    def forward(self, batch: Batch) -> Tensor:
        """Logits float32 [B, L] of the texts of ``batch``."""
        return self.averages(batch.ids, batch.offsets, batch.lengths)


class TableAdam(RowAdam):
    """Adam for the rows of a lookup table, which pulls the rows of each step towards where they began.

    As weight decay in AdamW, the pull is no part of the gradient: before a step of Adam, a row that the step has gives
    up the share ``rate * pull`` of its distance, once, however often texts have it. Without evidence, rows go back.

    Args:
        table: whose rows to learn.
        pull: see above, at least 0.
    """

    def __init__(self, table: TokenTable, pull: float) -> None:
        super().__init__(table)
        self._prior = table.prior
        self._pull = pull

    def _update(self, rows: Tensor, lengths: Tensor, gradient: Tensor, rate: float) -> None:
        if self._pull:
            table, found = self._table.rows, torch.unique(rows.long())
            # More than the whole way would overshoot.
            table[found] = torch.lerp(table[found], self._prior[found], min(rate * self._pull, 1.0))
        super()._update(rows, lengths, gradient, rate)

    def state_dict(self) -> dict[str, Tensor | int]:
        """What a checkpoint holds: rows and moments of the tokens whose row or moments have changed, a part of all."""
        rows = self._table.rows
        changed = (rows != self._prior).any(1) | self._first.any(1) | self._second.any(1)
        found = changed.nonzero().squeeze(1)
        parts = {"rows": rows[found], "first": self._first[found], "second": self._second[found]}
        return {"tokens": found, **parts, "step": self._step}

    def load_state_dict(self, state: dict[str, Tensor | int]) -> None:
        """Go on from a checkpoint, with a table whose rows are what they began as."""
        found = state["tokens"]
        assert isinstance(found, Tensor)
        for name, whole in (("rows", self._table.rows), ("first", self._first), ("second", self._second)):
            part = state[name]
            assert isinstance(part, Tensor)
            whole[found.to(whole.device)] = part.to(whole.device)
        self._step = int(state["step"])
