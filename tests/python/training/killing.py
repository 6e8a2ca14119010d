"""Trains in children that are killed without warning, again and again; run by test_killed.py in a process of its own.

usage: killing.py DIRECTORY SEED

Every child goes on from the newest checkpoint and reports each step before it takes it. The parent kills it at a random
step, in whatever it is doing then, and prints a line of JSON about what it found. The last child is left in peace.
"""

from __future__ import annotations

import json
import os
import random
import signal
import struct
import sys
from collections.abc import Generator
from pathlib import Path

import numpy as np
import torch

from wldetect.config import LossConfig, Pooling, TrainingOptions
from wldetect.data.batches import Batch, BatchLoader
from wldetect.data.dataset import DatasetReport, TokenizedDataset
from wldetect.training.checkpoint import CheckpointStore
from wldetect.training.lookup import WholeLookup
from wldetect.training.loop import TrainingRoom, train
from wldetect.training.losses import make_loss
from wldetect.training.model import LanguageModel

KILLS = 20
OPTIONS = {"batch_size": 4, "learning_rate": 0.05, "num_epochs": 6, "checkpoint_interval": 5, "device": "cpu"}
TABLE = {"num_epochs": 6, "learning_rate": 0.05, "pull": 0.5}
IDENTITY = {"configuration": "a" * 64}
STEP = struct.Struct("<q")


def training_options() -> TrainingOptions:
    return TrainingOptions.model_validate({**OPTIONS, "table": TABLE})


def weights(model: LanguageModel) -> list[torch.Tensor]:
    assert model.table is not None
    return [*(parameter.detach() for parameter in model.parameters()), model.table.rows]


def make_dataset() -> TokenizedDataset:
    rng = np.random.default_rng(7)
    lengths = rng.integers(1, 9, 200)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    labels = rng.integers(0, 3, 200).astype(np.int32)
    ids = rng.integers(0, 50, offsets[-1]).astype(np.int32)
    counts = dict(zip("abc", np.bincount(labels).tolist(), strict=True))
    report = DatasetReport("0" * 64, [("random", 200)], list("abc"), counts, counts, [], {}, 0, len(ids))
    return TokenizedDataset.from_arrays(ids, offsets, labels, np.ones(200, np.float32), report)


class Reporting(BatchLoader):
    """Writes the number of each step to a pipe before the step is taken."""

    def __init__(self, pipe: int | None) -> None:
        options = training_options()
        super().__init__(make_dataset(), options.batch_size, options.seed)
        self._pipe = pipe

    def epoch(self, number: int, first: int = 0) -> Generator[Batch, None, None]:
        for index, batch in enumerate(super().epoch(number, first), start=first):
            if self._pipe is not None:
                os.write(self._pipe, STEP.pack(number * len(self) + index))
            yield batch


def work(directory: Path, pipe: int | None) -> LanguageModel:
    embeddings = torch.from_numpy(np.random.default_rng(3).normal(size=(50, 8)).astype(np.float32))
    model = LanguageModel(WholeLookup(embeddings), 3, Pooling.average)
    room = TrainingRoom(CheckpointStore(directory), IDENTITY, make_loss(LossConfig()), progress=False, say=str)
    train(model, Reporting(pipe), training_options(), room, resume=True)
    return model


def steps_until(pipe: int, wanted: int) -> tuple[int, int]:
    """The first step that a child reports, and the one that ``wanted`` more have brought it to."""
    (first,) = STEP.unpack(os.read(pipe, STEP.size))
    last = first
    while last < first + wanted:
        (last,) = STEP.unpack(os.read(pipe, STEP.size))
    return first, last


def kill_one(directory: Path, wanted: int) -> tuple[int, int]:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        work(directory, writing)
        os._exit(1)
    os.close(writing)
    first, last = steps_until(reading, wanted)
    os.kill(child, signal.SIGKILL)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    # It may have come further before the signal did.
    while rest := os.read(reading, STEP.size):
        (last,) = STEP.unpack(rest)
    os.close(reading)
    return first, last


def main(directory: Path, seed: int) -> None:
    rng = random.Random(seed)
    torch.set_num_threads(1)
    for _ in range(KILLS):
        first, last = kill_one(directory, rng.randint(1, 40))
        store = CheckpointStore(directory)
        # Every checkpoint there is can be read, not only the newest.
        readable = [torch.load(path, weights_only=True)["progress"]["step"] for path in store.paths()]
        print(json.dumps({"first": first, "last": last, "checkpoints": readable}))
    model = work(directory, None)
    torch.save(weights(model), directory / "killed.weights")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
