"""The learned rows of character n-grams, and the steps of their optimizer."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wldetect import _core
from wldetect.config import NgramsConfig
from wldetect.data.batches import NgramRows
from wldetect.training.processes import Processes

__all__ = ["NgramAdam", "NgramTable", "step_in_torch"]

BETAS = (0.9, 0.999)
EPSILON = 1e-8
# Standard deviation of the first rows, where a projection follows: rows of zeros would never get a gradient.
_SPREAD = 0.1


class NgramTable(nn.Module):
    """Logits of a text = the average of its rows of a learned table [B, r] @ a learned projection [r, L].

    The projection is a parameter like others. The table is none, because a batch has few of its rows: where gradients
    are taken, `NgramAdam` finds in ``averaged`` what they are made of.

    Args:
        config: of the n-grams; without dimensions a row has one number for each language, and there is no projection.
        n_languages: L.
        seed: of the first rows.

    Attributes:
        rows: float32 [B, r].
        projection: float32 [r, L], or None.
        averaged: the rows of each batch since the last step of the optimizer, and their averages, float32 [n, r].
    """

    rows: Tensor

    def __init__(self, config: NgramsConfig, n_languages: int, seed: int) -> None:
        super().__init__()
        self.config = config
        self.averaged: list[tuple[NgramRows, Tensor]] = []
        if config.dimensions is None:
            self.register_buffer("rows", torch.zeros(config.rows, n_languages))
            self.projection = None
        else:
            generator = torch.Generator().manual_seed(seed)
            self.register_buffer("rows", _SPREAD * torch.randn(config.rows, config.dimensions, generator=generator))
            self.projection = nn.Parameter(torch.zeros(config.dimensions, n_languages))

    def forward(self, ngrams: NgramRows) -> Tensor:
        """Logits float32 [n, L] of n texts; zeros for one without rows."""
        averages = average(self.rows, ngrams)
        if torch.is_grad_enabled() and self.training:
            averages.requires_grad_()
            self.averaged.append((ngrams, averages))
        return averages if self.projection is None else averages @ self.projection


class NgramAdam:
    """Adam for the rows of a table that a batch has; the others stay as they are, their moments included.

    With several processes, each takes the whole step: what they exchange are the gradients of averages, which are far
    fewer than those of rows.

    Args:
        table: whose rows to learn.
    """

    def __init__(self, table: NgramTable) -> None:
        self._table = table
        self._first = torch.zeros_like(table.rows)
        self._second = torch.zeros_like(table.rows)
        self._step = 0

    def forget(self) -> None:
        """Get ready for the next step."""
        self._table.averaged.clear()

    def step(self, rate: float, processes: Processes) -> None:
        """Take a step with learning rate ``rate`` for the rows of the batches since the last one."""
        self._step += 1
        rows, lengths, gradient = self._gradients()
        rows, lengths, gradient = processes.gather((rows, lengths, gradient))
        self.forget()
        offsets = (torch.cumsum(lengths, 0) - lengths).to(torch.int32)
        table = self._table.rows
        if table.device.type == "cpu":
            _core.adam_rows(
                table.numpy(),
                self._first.numpy(),
                self._second.numpy(),
                rows.numpy(),
                offsets.numpy(),
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
        rows, lengths, gradients = [nothing], [nothing], [table.new_zeros(0, table.shape[1])]
        for ngrams, averages in self._table.averaged:
            rows.append(ngrams.rows)
            lengths.append(ngrams.lengths)
            gradients.append(torch.zeros_like(averages) if averages.grad is None else averages.grad)
        return torch.cat(rows), torch.cat(lengths), torch.cat(gradients)

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


def average(table: Tensor, ngrams: NgramRows) -> Tensor:
    """The average of each text's rows of ``table``, float32 [n, r]; zeros for a text without rows."""
    if table.device.type == "cpu":
        threads = torch.get_num_threads()
        averages = _core.average_rows(table.numpy(), ngrams.rows.numpy(), ngrams.offsets.numpy(), threads=threads)
        return torch.from_numpy(averages)
    with torch.no_grad():
        return F.embedding_bag(ngrams.rows.long(), table, ngrams.offsets.long(), mode="mean")


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
