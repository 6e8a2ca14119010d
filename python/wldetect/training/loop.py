"""The training loop: batches in, optimizer steps out, checkpoints on the way, and nothing lost on Ctrl-C."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from wldetect.config import Device, TrainingOptions
from wldetect.data.batches import Batch, BatchLoader
from wldetect.errors import ConfigError, WLDetectError
from wldetect.training.checkpoint import Checkpoint, CheckpointStore, Progress
from wldetect.training.interrupt import InterruptGuard
from wldetect.training.learned_rows import RowAdam
from wldetect.training.log import TrainingLog
from wldetect.training.losses import Loss
from wldetect.training.meter import Meter
from wldetect.training.model import LanguageModel
from wldetect.training.processes import Processes
from wldetect.training.schedule import Plan, make_optimizer, make_scheduler
from wldetect.training.token_table import TableAdam
from wldetect.training.validation import Validation

__all__ = ["TrainingInterruptedError", "TrainingResult", "TrainingRoom", "choose_device", "train"]


@dataclass(frozen=True)
class TrainingResult:
    """What a finished run reports.

    Attributes:
        steps: optimizer steps in all, those before a resume included.
        texts: texts that all processes together trained on since this run began or was resumed.
        seconds: time of the loop, without reading data or writing the model.
        waiting: share of that time in which a step waited for its texts.
        loss: running mean of the loss at the end.
        accuracy: running share of training texts answered right at the end.
    """

    steps: int
    texts: int
    seconds: float
    waiting: float
    loss: float
    accuracy: float

    @property
    def texts_per_second(self) -> float:
        """Speed of the loop."""
        return self.texts / self.seconds if self.seconds > 0 else 0.0


@dataclass(frozen=True)
class TrainingRoom:
    """What surrounds the loop.

    Attributes:
        store: where checkpoints go.
        identity: fingerprints that a checkpoint must agree on to be resumed.
        loss: what is minimized.
        processes: those that train together.
        log: where numbers go; None: nowhere.
        validation: what to score the model on every ``eval_every`` steps; None: nothing.
        progress: whether to show a progress bar, if somebody is looking.
        say: called with a line after each epoch.
    """

    store: CheckpointStore
    identity: dict[str, str]
    loss: Loss
    processes: Processes = field(default_factory=Processes)
    log: Callable[[int], TrainingLog] | None = None
    validation: Validation | None = None
    progress: bool = True
    say: Callable[[str], None] = print


class TrainingInterruptedError(WLDetectError):
    """Training was interrupted by Ctrl-C; the text says where its state was saved."""

    interrupted = True


def choose_device(device: Device, local_rank: int = 0) -> torch.device:
    """The device that ``device`` names; ``auto`` is the first there is of cuda, mps and cpu.

    Args:
        device: as configured.
        local_rank: number of this process on its machine; each takes a GPU of its own.

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
    if device is not Device.cuda:
        return torch.device(device.value)
    if local_rank >= torch.cuda.device_count():
        found = f"found {torch.cuda.device_count()} on this machine"
        raise ConfigError(f"training.device: expected a GPU for each process, at least {local_rank + 1}, {found}")
    return torch.device(device.value, local_rank)


def train(
    model: LanguageModel, loader: BatchLoader, options: TrainingOptions, room: TrainingRoom, *, resume: bool = False
) -> TrainingResult:
    """Train ``model`` in place on the batches of ``loader``.

    Args:
        model: on the device it is to be trained on, the same in every process.
        loader: this process's part of the batches; their order depends on its seed and the epoch alone.
        options: the ``training`` section.
        room: what surrounds the loop.
        resume: go on from the newest checkpoint, where there is one.

    Raises:
        TrainingInterruptedError: Ctrl-C was pressed; a checkpoint was written first.
        WLDetectError: the checkpoint to resume from belongs to another run, the loss is not finite, or another process
            is gone.
    """
    return _Run(model, loader, options, room).train(resume)


class _Run:
    def __init__(self, model: LanguageModel, loader: BatchLoader, options: TrainingOptions, room: TrainingRoom) -> None:
        self._model = model
        self._loader = loader
        self._options = options
        self._room = room
        self._processes = room.processes
        self._device = next(model.parameters()).device
        self._plan = Plan(options, steps_per_epoch=-(-len(loader) // options.gradient_accumulation_steps))
        self._optimizer = make_optimizer(model.parameters(), options)
        self._scheduler = make_scheduler(self._optimizer, self._plan)
        self._ngrams = None if model.ngrams is None else RowAdam(model.ngrams)
        self._table: TableAdam | None = None
        self._progress = Progress()
        self._meter = Meter(self._device)
        self._log: TrainingLog | None = None
        self._texts = 0
        self._begun = 0.0
        self._could_save = True

    def train(self, resume: bool) -> TrainingResult:
        options = self._options
        if resume and (checkpoint := self._room.store.latest(self._room.identity)) is not None:
            self._restore(checkpoint)
        if self._room.log is not None and self._processes.is_first:
            self._log = self._room.log(self._progress.step)
        self._model.train()
        waited, self._begun = self._loader.waited, time.perf_counter()
        try:
            # Closed at once, whatever happens: batches are made ready in a thread.
            with InterruptGuard() as interrupt, self._bar() as bar, closing(self._steps()) as steps:
                for batches, after in steps:
                    stop = self._step(batches, interrupt.requested)
                    self._progress = after
                    bar.update()
                    if after.step % options.log_every == 0 or after.batch == 0:
                        self._report(bar, at_end_of_epoch=after.batch == 0)
                    if stop:
                        self._stop()
                    if options.save_checkpoints and after.step % options.checkpoint_interval == 0:
                        self._save_if_possible()
                    if options.eval_every and after.step % options.eval_every == 0:
                        self._validate(bar)
            seconds = time.perf_counter() - self._begun
            waited = self._loader.waited - waited
            self._read_meter()
            if options.save_checkpoints:
                self._save_if_possible()
        finally:
            if self._log is not None:
                self._log.close()
        self._model.eval()
        share = waited / seconds if seconds > 0 else 0.0
        return TrainingResult(self._progress.step, self._texts, seconds, share, self._meter.loss, self._meter.accuracy)

    def _steps(self) -> Generator[tuple[list[Batch], Progress], None, None]:
        """The batches of each remaining optimizer step, and the progress once it is taken."""
        step, first = self._progress.step, self._progress.batch
        for epoch in range(self._progress.epoch, self._plan.n_epochs):
            if self._plan.tunes_table(epoch) and self._table is None:
                self._begin_table()
            pending: list[Batch] = []
            with closing(self._loader.epoch(epoch, first)) as batches:
                for index, batch in enumerate(batches, start=first + 1):
                    pending.append(batch)
                    last = index == len(self._loader)
                    if last or len(pending) == self._options.gradient_accumulation_steps:
                        step += 1
                        yield pending, Progress(step, epoch + 1, 0) if last else Progress(step, epoch, index)
                        pending = []
            first = 0

    def _step(self, batches: list[Batch], interrupted: bool) -> bool:
        """One optimizer step; returns whether any process was interrupted, which all must learn at the same step."""
        self._seed_dropout()
        self._optimizer.zero_grad(set_to_none=True)
        for rows in (self._ngrams, self._table):
            if rows is not None:
                rows.forget()
        total = sum(batch.total for batch in batches)
        # Sums of losses and right answers, texts, and interrupted processes.
        sums = torch.zeros(4, device=self._device)
        sums[3] = float(interrupted)
        for batch in batches:
            # The last batch of an epoch may have fewer texts than there are processes.
            if len(batch):
                moved = batch.to(self._device)
                logits = self._model(moved)
                losses = self._room.loss(self._model.scaled(logits, moved), moved.labels)
                # Divided by the texts of the whole step, so that accumulating equals one large batch.
                (losses * moved.weights).sum().div(total).backward()  # type: ignore[no-untyped-call]
                right = (logits.detach().argmax(1) == moved.labels).sum()
                sums[:3] += torch.stack([losses.detach().sum(), right.float(), sums.new_tensor(float(len(batch)))])
        parameters = [parameter for parameter in self._model.parameters() if parameter.requires_grad]
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        self._processes.add_up([*gradients, sums])
        if self._options.gradient_clip is not None:
            torch.nn.utils.clip_grad_norm_(parameters, self._options.gradient_clip)
        if self._ngrams is not None and self._ngrams.learns:
            # Its share of the largest learning rate is that of the others.
            share = float(self._scheduler.get_last_lr()[0]) / self._options.learning_rate
            largest = self._options.ngrams.learning_rate or self._options.learning_rate
            self._ngrams.step(share * largest, self._processes)
        if self._table is not None:
            self._table.step(self._plan.learning_rate(self._progress.step), self._processes)
        self._optimizer.step()
        self._scheduler.step()
        self._meter.add(sums[:3])
        self._texts += total
        # Alone, there is nobody to hear from, and no need to wait for the device.
        return interrupted if self._processes.size == 1 else bool(sums[3] > 0)

    def _seed_dropout(self) -> None:
        """What is dropped depends on seed, step and process alone, so that a resumed run drops the same."""
        if self._options.projection.dropout > 0:
            numbers = [self._options.seed, self._progress.step, self._processes.rank]
            torch.manual_seed(int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1)))

    def _report(self, bar: Any, *, at_end_of_epoch: bool) -> None:
        self._read_meter()
        seconds = max(time.perf_counter() - self._begun, 1e-9)
        meter, speed = self._meter, self._texts / seconds
        line = f"loss {meter.loss:.4f}, accuracy {meter.accuracy:.2%}, {speed:,.0f} texts/s"
        bar.set_postfix_str(line, refresh=False)
        if self._log is not None:
            self._log.write(
                self._progress.step,
                epoch=self._progress.epoch + self._progress.batch / max(len(self._loader), 1),
                loss=meter.loss,
                accuracy=meter.accuracy,
                learning_rate=self._plan.learning_rate(self._progress.step),
                texts_per_second=speed,
                waiting=self._loader.waited / seconds,
            )
        if at_end_of_epoch and self._processes.is_first:
            with bar.external_write_mode():
                self._room.say(f"{self._plan.name(self._progress.epoch - 1)}: {line}")

    def _validate(self, bar: Any) -> None:
        """Score the model; the other processes wait for the first one at their next step."""
        if self._room.validation is None or not self._processes.is_first:
            return
        scores = self._room.validation.score(self._model)
        if self._log is not None:
            self._log.write(
                self._progress.step,
                eval_accuracy=scores.accuracy,
                eval_macro_f1=scores.macro_f1,
                eval_loss=scores.loss,
            )
        with bar.external_write_mode():
            self._room.say(
                f"step {self._progress.step:,} of {self._plan.n_steps:,}: evaluation accuracy {scores.accuracy:.2%}, "
                f"macro-F1 {scores.macro_f1:.2%}, loss {scores.loss:.4f}"
            )

    def _read_meter(self) -> None:
        self._meter.read()
        if self._progress.step and not np.isfinite(self._meter.loss):
            raise WLDetectError(
                f"training: the loss is {self._meter.loss} after step {self._progress.step}; "
                "a smaller training.learning_rate or a training.gradient_clip may help"
            )

    def _stop(self) -> None:
        self._read_meter()
        where = "the first process saved a checkpoint"
        if self._processes.is_first:
            where = f"saved {self._room.store.save(self._checkpoint())}"
        raise TrainingInterruptedError(
            f"interrupted after step {self._progress.step} of {self._plan.n_steps}; {where}; "
            "the same command with --resume goes on from there"
        )

    def _save_if_possible(self) -> None:
        """A checkpoint that cannot be written is no reason to lose the run it was to protect."""
        # What is not finite must not push out the last good one.
        self._read_meter()
        if not self._processes.is_first:
            return
        try:
            self._room.store.save(self._checkpoint())
            self._could_save = True
        except OSError as error:
            if self._could_save:
                print(f"warning: no checkpoint written, training goes on: {error}", file=sys.stderr)
            self._could_save = False

    def _checkpoint(self) -> Checkpoint:
        state = {
            "model": self._model.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "scheduler": self._scheduler.state_dict(),
            "meter": self._meter.state_dict(),
        }
        if self._ngrams is not None:
            state["ngrams"] = self._ngrams.state_dict()
        if self._table is not None:
            state["table"] = self._table.state_dict()
        return Checkpoint(self._progress, self._room.identity, state)

    def _restore(self, checkpoint: Checkpoint) -> None:
        self._progress = checkpoint.progress
        self._model.load_state_dict(checkpoint.state["model"])
        self._optimizer.load_state_dict(checkpoint.state["optimizer"])
        self._scheduler.load_state_dict(checkpoint.state["scheduler"])
        self._meter.load_state_dict(checkpoint.state["meter"])
        if self._ngrams is not None:
            self._ngrams.load_state_dict(checkpoint.state["ngrams"])
        if "table" in checkpoint.state:
            self._begin_table().load_state_dict(checkpoint.state["table"])

    def _begin_table(self) -> TableAdam:
        """Go over to the second stage, which trains the lookup table itself."""
        self._model.tune_table()
        assert self._model.table is not None
        if self._model.ngrams is not None and self._options.table.ngrams_share == 0.0:
            self._model.ngrams.freeze()
        self._table = TableAdam(self._model.table, self._options.table.pull)
        return self._table

    def _bar(self) -> Any:
        from tqdm import tqdm

        hidden = not (self._room.progress and self._processes.is_first and sys.stderr.isatty())
        return tqdm(
            total=self._plan.n_steps, initial=self._progress.step, desc="training", unit=" steps", disable=hidden
        )
