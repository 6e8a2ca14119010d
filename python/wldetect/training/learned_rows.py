"""Learned rows of a table of which a batch has few, and the steps of their optimizer."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wldetect import _core
from wldetect.training.processes import Processes

__all__ = ["LearnedRows", "RowAdam", "step_in_torch"]

BETAS = (0.9, 0.999)
EPSILON = 1e-8


class LearnedRows(nn.Module):
    """A learned table; a text has some of its rows, of which the average is taken.

    The table is no parameter, because a batch has few of its rows: where gradients are taken, `RowAdam` finds in
    ``averaged`` what they are made of.

    Args:
        rows: float32 [B, r], as they begin.
        persistent: whether they are part of the state dictionary.

    Attributes:
        rows: float32 [B, r].
        averaged: of each batch since the last step of the optimizer: rows, how many each text has, and their averages.
        frozen: whether they stay as they are.
    """

    rows: Tensor

    def __init__(self, rows: Tensor, *, persistent: bool = True) -> None:
        super().__init__()
        self.register_buffer("rows", rows, persistent=persistent)
        self.averaged: list[tuple[Tensor, Tensor, Tensor]] = []
        self.frozen = False

    def averages(self, rows: Tensor, offsets: Tensor, lengths: Tensor) -> Tensor:
        """The average of each text's rows, float32 [n, r]; zeros for a text without rows.

        Args:
            rows: int32 [R]: the rows of all texts end to end.
            offsets: int32 [n]: where each text's rows begin.
            lengths: int32 [n]: how many each text has.
        """
        averages = _average(self.rows, rows, offsets)
        if torch.is_grad_enabled() and self.training and not self.frozen:
            averages.requires_grad_()
            self.averaged.append((rows, lengths, averages))
        return averages


class RowAdam:
    """Adam for the rows of a table that a batch has; the others stay as they are, their moments included.

    With several processes, each takes the whole step: what they exchange are the gradients of averages, which are far
    fewer than those of rows.

    Args:
        table: whose rows to learn.
    """

    def __init__(self, table: LearnedRows) -> None:
        self._table = table
        self._first = torch.zeros_like(table.rows)
        self._second = torch.zeros_like(table.rows)
        self._step = 0

    @property
    def learns(self) -> bool:
        """Whether steps are to be taken."""
        return not self._table.frozen

    def forget(self) -> None:
        """Get ready for the next step."""
        self._table.averaged.clear()

    def step(self, rate: float, processes: Processes) -> None:
        """Take a step with learning rate ``rate`` for the rows of the batches since the last one."""
        self._step += 1
        rows, lengths, gradient = processes.gather(self._gradients())
        self.forget()
        self._update(rows, lengths, gradient, rate)

    def _update(self, rows: Tensor, lengths: Tensor, gradient: Tensor, rate: float) -> None:
        table = self._table.rows
        if table.device.type == "cpu":
            _core.adam_rows(
                table.numpy(),
                self._first.numpy(),
                self._second.numpy(),
                rows.numpy(),
                (torch.cumsum(lengths, 0) - lengths).to(torch.int32).numpy(),
                gradient.numpy(),
                rate=rate,
                betas=BETAS,
                epsilon=EPSILON,
                step_number=self._step,
                threads=torch.get_num_threads(),
            )
        else:
            step_in_torch(table, self._first, self._second, rows, lengths, gradient, rate, self._step)

    def _gradients(self) -> tuple[Tensor, Tensor, Tensor]:
        """Rows and lengths of all texts since the last step, int32, and the gradients of their averages."""
        table = self._table.rows
        nothing = torch.zeros(0, dtype=torch.int32, device=table.device)
        found = [(nothing, nothing, table.new_zeros(0, table.shape[1]))]
        for rows, lengths, averages in self._table.averaged:
            found.append((rows, lengths, torch.zeros_like(averages) if averages.grad is None else averages.grad))
        rows, lengths, gradients = map(torch.cat, zip(*found, strict=True))
        return rows, lengths, gradients

    def state_dict(self) -> dict[str, Tensor | int]:
        """What a checkpoint holds."""
        return {"first": self._first, "second": self._second, "step": self._step}

    def load_state_dict(self, state: dict[str, Tensor | int]) -> None:
        """Go on from a checkpoint."""
        first, second, step = state["first"], state["second"], state["step"]
        assert isinstance(first, Tensor)
        assert isinstance(second, Tensor)
        self._first.copy_(first)
        self._second.copy_(second)
        self._step = int(step)


def _average(table: Tensor, rows: Tensor, offsets: Tensor) -> Tensor:
    if table.device.type == "cpu":
        threads = torch.get_num_threads()
        return torch.from_numpy(_core.average_rows(table.numpy(), rows.numpy(), offsets.numpy(), threads=threads))
    with torch.no_grad():
        return F.embedding_bag(rows.long(), table, offsets.long(), mode="mean")


def step_in_torch(
    table: Tensor,
    first: Tensor,
    second: Tensor,
    rows: Tensor,
    lengths: Tensor,
    gradient: Tensor,
    rate: float,
    step: int,
) -> None:
    """What the Rust core's ``adam_rows`` does, for other devices than the CPU, and for tests to compare with.

    Args:
        table: float32 [B, r], changed in place, as are the moments ``first`` and ``second``.
        first: running means of the gradient,
        second: and of its square.
        rows: int32 [R]: those of all texts end to end.
        lengths: int32 [n]: how many each text has.
        gradient: float32 [n, r]: that of the averages.
        rate: the learning rate.
        step: number of this step, from 1.
    """
    shares = gradient / lengths.clamp(min=1).unsqueeze(1)
    found, places = torch.unique(rows.long(), return_inverse=True)
    total = table.new_zeros(len(found), table.shape[1])
    total.index_add_(0, places, shares.repeat_interleave(lengths.long(), 0))
    mean = BETAS[0] * first[found] + (1 - BETAS[0]) * total
    square = BETAS[1] * second[found] + (1 - BETAS[1]) * total * total
    first[found], second[found] = mean, square
    corrected = rate * (1 - BETAS[1] ** step) ** 0.5 / (1 - BETAS[0] ** step)
    table[found] -= corrected * mean / (square.sqrt() + EPSILON)
