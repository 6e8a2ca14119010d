"""Optimizers and learning-rate schedules by the names the configuration gives them, over both stages of a run."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from torch import nn
from torch.optim import SGD, Adam, AdamW
from torch.optim import Optimizer as TorchOptimizer
from torch.optim.lr_scheduler import LambdaLR

from wldetect.config import Optimizer, Scheduler, TrainingOptions

__all__ = ["Plan", "make_optimizer", "make_scheduler"]


@dataclass(frozen=True)
class Plan:
    """What is trained when: first token weights and projection, then, where asked for, the lookup table itself.

    Both stages pass over the same texts. Epochs and optimizer steps count through, from 0.

    Attributes:
        options: the ``training`` section.
        steps_per_epoch: optimizer steps of one pass.
    """

    options: TrainingOptions
    steps_per_epoch: int

    @property
    def n_epochs(self) -> int:
        """Passes of both stages."""
        return self.options.num_epochs + self.options.table.num_epochs

    @property
    def n_steps(self) -> int:
        """Optimizer steps of both stages."""
        return self.n_epochs * self.steps_per_epoch

    def tunes_table(self, epoch: int) -> bool:
        """Whether epoch ``epoch`` is one of the second stage."""
        return epoch >= self.options.num_epochs

    def learning_rate(self, step: int) -> float:
        """The learning rate of ``step``: in the second stage, that of the table's rows."""
        tuned = self.options.table.learning_rate
        return self._share(step) * (tuned if self._is_second(step) else self.options.learning_rate)

    def dense_share(self, step: int) -> float:
        """Which share of ``learning_rate`` and of that of n-grams ``step`` is taken with."""
        return self._share(step) * (self.options.table.ngrams_share if self._is_second(step) else 1.0)

    def _is_second(self, step: int) -> bool:
        return self.options.table.num_epochs > 0 and step >= self.options.num_epochs * self.steps_per_epoch

    def _share(self, step: int) -> float:
        """How far the schedule is up: each stage has one of its own."""
        first = self.options.num_epochs * self.steps_per_epoch
        if self._is_second(step):
            return _scheduled(self.options, step - first, self.n_steps - first)
        return _scheduled(self.options, step, first)

    def name(self, epoch: int) -> str:
        """What to call epoch ``epoch`` when it is done."""
        if self.tunes_table(epoch):
            return f"table, epoch {epoch - self.options.num_epochs + 1} of {self.options.table.num_epochs}"
        return f"epoch {epoch + 1} of {self.options.num_epochs}"


def make_optimizer(parameters: Iterable[nn.Parameter], options: TrainingOptions) -> TorchOptimizer:
    """The optimizer that ``options`` names."""
    rate, decay = options.learning_rate, options.weight_decay
    # Fused: one pass over the token weights instead of a dozen.
    match options.optimizer:
        case Optimizer.adamw:
            return AdamW(parameters, lr=rate, weight_decay=decay, fused=True)
        case Optimizer.adam:
            return Adam(parameters, lr=rate, weight_decay=decay, fused=True)
        case Optimizer.sgd:
            return SGD(parameters, lr=rate, weight_decay=decay, momentum=0.9, fused=True)


def make_scheduler(optimizer: TorchOptimizer, plan: Plan) -> LambdaLR:
    """The schedule of ``plan``; stepped once after each optimizer step."""
    return LambdaLR(optimizer, plan.dense_share)


def _scheduled(options: TrainingOptions, step: int, total_steps: int) -> float:
    """The share of the largest learning rate at step ``step`` of ``total_steps``."""
    match options.scheduler:
        case Scheduler.none:
            return 1.0
        case Scheduler.cosine:
            return _cosine(step / max(total_steps, 1))
        case Scheduler.cosine_warmup:
            # A short run warms up over at most a tenth of itself.
            warmup = min(options.warmup_steps, max(total_steps // 10, 1))
            if step < warmup:
                return (step + 1) / warmup
            return _cosine((step - warmup) / max(total_steps - warmup, 1))


def _cosine(progress: float) -> float:
    return 0.5 * (1.0 + math.cos(math.pi * min(progress, 1.0)))
