"""Optimizers and learning-rate schedules by the names the configuration gives them."""

from __future__ import annotations

import math
from collections.abc import Iterable

from torch import nn
from torch.optim import SGD, Adam, AdamW
from torch.optim import Optimizer as TorchOptimizer
from torch.optim.lr_scheduler import LambdaLR

from wldetect.config import Optimizer, Scheduler, TrainingOptions

__all__ = ["make_optimizer", "make_scheduler"]


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


def make_scheduler(optimizer: TorchOptimizer, options: TrainingOptions, total_steps: int) -> LambdaLR:
    """The schedule that ``options`` names, over ``total_steps`` optimizer steps; stepped once after each."""

    def factor(step: int) -> float:
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

    return LambdaLR(optimizer, factor)


def _cosine(progress: float) -> float:
    return 0.5 * (1.0 + math.cos(math.pi * min(progress, 1.0)))
