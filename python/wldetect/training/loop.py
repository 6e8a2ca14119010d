"""The training loop: batches in, optimizer steps out, checkpoints on the way, and nothing lost on Ctrl-C."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from wldetect.config import Device, TrainingOptions
from wldetect.data.batches import Batch, BatchLoader
from wldetect.errors import ConfigError, WLDetectError
from wldetect.training.checkpoint import Checkpoint, CheckpointStore, Progress
from wldetect.training.interrupt import InterruptGuard
from wldetect.training.model import LanguageModel
from wldetect.training.schedule import make_optimizer, make_scheduler

__all__ = ["TrainingInterruptedError", "TrainingResult", "choose_device", "train"]


@dataclass(frozen=True)
class TrainingResult:
    """What a finished run reports.

    Attributes:
        steps: optimizer steps in all, those before a resume included.
        texts: texts this process trained on.
        seconds: time of this process's loop, without reading data or writing the model.
        loss: running mean of the loss at the end.
        accuracy: running share of training texts answered right at the end.
    """

    steps: int
    texts: int
    seconds: float
    loss: float
    accuracy: float

    @property
    def texts_per_second(self) -> float:
        """Speed of the loop."""
        return self.texts / self.seconds if self.seconds > 0 else 0.0


class TrainingInterruptedError(WLDetectError):
    """Training was interrupted by Ctrl-C; the text says where its state was saved."""

    interrupted = True


def choose_device(device: Device) -> torch.device:
    """The device that ``device`` names; ``auto`` is the first there is of cuda, mps and cpu.

    Raises:
        ConfigError: the device asked for is not there.
    """
    available: dict[Device, Callable[[], bool]] = {
        Device.cuda: torch.cuda.is_available,
        Device.mps: torch.backends.mps.is_available,
        Device.cpu: lambda: True,
    }
    if device is Device.auto:
        device = next(candidate for candidate, is_available in available.items() if is_available())
    if not available[device]():
        there = ", ".join(name.value for name, is_available in available.items() if is_available())
        raise ConfigError(f"training.device: expected one of auto, {there}, found {device.value!r}, which is not here")
    return torch.device(device.value)


def train(
    model: LanguageModel,
    loader: BatchLoader,
    options: TrainingOptions,
    store: CheckpointStore,
    identity: dict[str, str],
    *,
    resume: bool = False,
    progress: bool = True,
    say: Callable[[str], None] = print,
) -> TrainingResult:
    """Train ``model`` in place on the batches of ``loader``.

    Args:
        model: on the device it is to be trained on.
        loader: the batches; their order depends on its seed and the epoch alone.
        options: the ``training`` section.
        store: where checkpoints go.
        identity: fingerprints that a checkpoint must agree on to be resumed.
        resume: go on from the newest checkpoint, where there is one.
        progress: show a progress bar, if somebody is looking.
        say: called with a line after each epoch.

    Raises:
        TrainingInterruptedError: Ctrl-C was pressed; a checkpoint was written first.
        WLDetectError: the checkpoint to resume from belongs to another run, or the loss is not finite.
    """
    return _Run(model, loader, options, store, identity).train(resume, progress, say)


class _Run:
    def __init__(
        self,
        model: LanguageModel,
        loader: BatchLoader,
        options: TrainingOptions,
        store: CheckpointStore,
        identity: dict[str, str],
    ) -> None:
        self._model = model
        self._loader = loader
        self._options = options
        self._store = store
        self._identity = identity
        self._device = next(model.parameters()).device
        steps_per_epoch = -(-len(loader) // options.gradient_accumulation_steps)
        self._total_steps = steps_per_epoch * options.num_epochs
        self._optimizer = make_optimizer(model.parameters(), options)
        self._scheduler = make_scheduler(self._optimizer, options, self._total_steps)
        self._progress = Progress()
        self._meter = _Meter()
        self._could_save = True

    def train(self, resume: bool, progress: bool, say: Callable[[str], None]) -> TrainingResult:
        _seed_everything(self._options.seed)
        if resume and (checkpoint := self._store.latest(self._identity)) is not None:
            self._restore(checkpoint)
        self._model.train()
        texts, begun = 0, time.perf_counter()
        with InterruptGuard() as interrupt, _bar(self._total_steps, self._progress.step, progress) as bar:
            for batches, after in self._steps():
                texts += self._step(batches)
                self._progress = after
                bar.update()
                line = self._meter.describe(texts, time.perf_counter() - begun)
                bar.set_postfix_str(line, refresh=False)
                if after.batch == 0:
                    with bar.external_write_mode():
                        say(f"epoch {after.epoch} of {self._options.num_epochs}: {line}")
                if interrupt.requested:
                    self._stop()
                if self._options.save_checkpoints and after.step % self._options.checkpoint_interval == 0:
                    self._save_if_possible()
        seconds = time.perf_counter() - begun
        if self._options.save_checkpoints:
            self._save_if_possible()
        self._model.eval()
        return TrainingResult(self._progress.step, texts, seconds, self._meter.loss, self._meter.accuracy)

    def _steps(self) -> Iterator[tuple[list[Batch], Progress]]:
        """The batches of each remaining optimizer step, and the progress once it is taken."""
        step, first = self._progress.step, self._progress.batch
        for epoch in range(self._progress.epoch, self._options.num_epochs):
            pending: list[Batch] = []
            for index, batch in enumerate(self._loader.epoch(epoch, first), start=first + 1):
                pending.append(batch)
                last = index == len(self._loader)
                if last or len(pending) == self._options.gradient_accumulation_steps:
                    step += 1
                    yield pending, Progress(step, epoch + 1, 0) if last else Progress(step, epoch, index)
                    pending = []
            first = 0

    def _step(self, batches: list[Batch]) -> int:
        self._optimizer.zero_grad(set_to_none=True)
        total = sum(len(batch) for batch in batches)
        for batch in batches:
            moved = batch.to(self._device)
            logits = self._model(moved)
            losses = F.cross_entropy(logits, moved.labels, reduction="none")
            # Divided by the texts of the whole step, so that accumulating equals one large batch.
            (losses * moved.weights).sum().div(total).backward()  # type: ignore[no-untyped-call]
            self._meter.add(losses.detach(), logits.detach(), moved.labels)
        if self._options.gradient_clip is not None:
            torch.nn.utils.clip_grad_norm_(self._model.parameters(), self._options.gradient_clip)
        self._optimizer.step()
        self._scheduler.step()
        if not np.isfinite(self._meter.loss):
            raise WLDetectError(
                f"training: the loss is {self._meter.loss} after step {self._progress.step + 1}; "
                "a smaller training.learning_rate or a training.gradient_clip may help"
            )
        return total

    def _stop(self) -> None:
        path = self._store.save(self._checkpoint())
        raise TrainingInterruptedError(
            f"interrupted after step {self._progress.step} of {self._total_steps}; saved {path}; "
            "the same command with --resume goes on from there"
        )

    def _save_if_possible(self) -> None:
        """A checkpoint that cannot be written is no reason to lose the run it was to protect."""
        try:
            self._store.save(self._checkpoint())
            self._could_save = True
        except OSError as error:
            if self._could_save:
                print(f"warning: no checkpoint written, training goes on: {error}", file=sys.stderr)
            self._could_save = False

    def _checkpoint(self) -> Checkpoint:
        generators: dict[str, Any] = {"torch": torch.get_rng_state()}
        if self._device.type == "cuda":
            generators["cuda"] = torch.cuda.get_rng_state(self._device)
        state = {
            "model": self._model.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "scheduler": self._scheduler.state_dict(),
            "generators": generators,
        }
        return Checkpoint(self._progress, self._identity, state)

    def _restore(self, checkpoint: Checkpoint) -> None:
        self._progress = checkpoint.progress
        self._model.load_state_dict(checkpoint.state["model"])
        self._optimizer.load_state_dict(checkpoint.state["optimizer"])
        self._scheduler.load_state_dict(checkpoint.state["scheduler"])
        generators = checkpoint.state["generators"]
        torch.set_rng_state(generators["torch"])
        if self._device.type == "cuda" and "cuda" in generators:
            torch.cuda.set_rng_state(generators["cuda"], self._device)


class _Meter:
    """Running means of loss and accuracy, over about the last hundred batches."""

    def __init__(self) -> None:
        self._loss = self._right = self._weight = 0.0

    def add(self, losses: Tensor, logits: Tensor, labels: Tensor) -> None:
        right = (logits.argmax(1) == labels).float().mean()
        loss, share = torch.stack([losses.mean(), right]).tolist()
        self._loss = 0.99 * self._loss + 0.01 * loss
        self._right = 0.99 * self._right + 0.01 * share
        self._weight = 0.99 * self._weight + 0.01

    @property
    def loss(self) -> float:
        return self._loss / self._weight if self._weight else float("nan")

    @property
    def accuracy(self) -> float:
        return self._right / self._weight if self._weight else float("nan")

    def describe(self, texts: int, seconds: float) -> str:
        return f"loss {self.loss:.4f}, accuracy {self.accuracy:.2%}, {texts / max(seconds, 1e-9):,.0f} texts/s"


def _seed_everything(seed: int) -> None:
    random.seed(seed)
    torch.manual_seed(seed)


def _bar(total: int, initial: int, progress: bool) -> Any:
    from tqdm import tqdm

    hidden = not (progress and sys.stderr.isatty())
    return tqdm(total=total, initial=initial, desc="training", unit=" steps", disable=hidden)
