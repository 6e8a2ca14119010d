"""The loop: it learns, resumes exactly, accumulates exactly, and loses nothing when it is stopped."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from wldetect.config import Device, LossConfig, Optimizer, Pooling, ProjectionConfig, Scheduler, TrainingOptions
from wldetect.data.batches import BatchLoader
from wldetect.data.dataset import TokenizedDataset
from wldetect.errors import ConfigError, DataError, WLDetectError
from wldetect.training.checkpoint import CheckpointStore
from wldetect.training.lookup import WholeLookup
from wldetect.training.loop import TrainingInterruptedError, TrainingRoom, choose_device, train
from wldetect.training.losses import make_loss
from wldetect.training.model import LanguageModel

from .conftest import MakeDataset, StoppingLoader

IDENTITY = {"configuration": "a" * 64, "corpus": "b" * 64}


def make_model(pooling: Pooling = Pooling.average, dropout: float = 0.0) -> LanguageModel:
    embeddings = torch.from_numpy(np.random.default_rng(3).normal(size=(50, 16)).astype(np.float32))
    return LanguageModel(WholeLookup(embeddings), 4, pooling, dropout)


def options(**changes: Any) -> TrainingOptions:
    base = {"batch_size": 16, "learning_rate": 0.05, "num_epochs": 3, "checkpoint_interval": 5, "device": Device.cpu}
    return TrainingOptions.model_validate({**base, **changes})


def run(dataset: TokenizedDataset, store: CheckpointStore, chosen: TrainingOptions, **more: Any) -> LanguageModel:
    model = make_model(more.pop("pooling", Pooling.average), chosen.projection.dropout)
    loader = more.pop("loader", BatchLoader(dataset, chosen.batch_size, chosen.seed))
    resume = more.pop("resume", False)
    train(model, loader, chosen, room(store, **more), resume=resume)
    return model


def room(store: CheckpointStore, **more: Any) -> TrainingRoom:
    return TrainingRoom(
        **{"store": store, "identity": IDENTITY, "loss": make_loss(LossConfig()), "progress": False, **more}
    )


def weights(model: LanguageModel) -> list[torch.Tensor]:
    tuned = [] if model.table is None else [model.table.rows]
    return [tensor.detach().clone() for tensor in [*model.parameters(), *tuned]]


@pytest.mark.parametrize("pooling", list(Pooling))
@pytest.mark.parametrize("optimizer", list(Optimizer))
def test_it_learns(tmp_path: Path, make_dataset: MakeDataset, pooling: Pooling, optimizer: Optimizer) -> None:
    dataset = make_dataset(n_texts=800)
    chosen = options(optimizer=optimizer, num_epochs=8, gradient_clip=5.0, learning_rate=0.1)
    model = make_model(pooling)
    said: list[str] = []
    store = CheckpointStore(tmp_path)
    result = train(model, BatchLoader(dataset, 16, 1), chosen, room(store, say=said.append))
    assert len(said) == 8
    assert said[7].startswith("epoch 8 of 8: loss 0.")
    assert result.accuracy > 0.7
    assert result.loss < 0.9 < np.log(4)
    assert result.steps == 8 * 50
    assert result.texts == 8 * 800


@pytest.mark.parametrize("scheduler", list(Scheduler))
@pytest.mark.parametrize("accumulate", [1, 3])
@pytest.mark.parametrize("at", [1, 7, 13, 20])
def test_resuming_gives_the_weights_of_an_uninterrupted_run(
    tmp_path: Path, make_dataset: MakeDataset, scheduler: Scheduler, accumulate: int, at: int
) -> None:
    dataset = make_dataset()
    chosen = options(
        scheduler=scheduler,
        gradient_accumulation_steps=accumulate,
        projection=ProjectionConfig(dropout=0.2),
        weight_decay=0.01,
    )
    whole = run(dataset, CheckpointStore(tmp_path / "whole"), chosen)
    store = CheckpointStore(tmp_path / "stopped")
    with pytest.raises(TrainingInterruptedError, match=r"interrupted after step \d+ of \d+; saved .*--resume"):
        run(dataset, store, chosen, loader=StoppingLoader(dataset, at, seed=chosen.seed))
    resumed = run(dataset, store, chosen, resume=True)
    for expected, found in zip(weights(whole), weights(resumed), strict=True):
        assert torch.equal(expected, found)


# 13 batches an epoch: in the first stage, its last step, the second stage's first, one in its middle, and its last.
@pytest.mark.parametrize("accumulate", [1, 3])
@pytest.mark.parametrize("at", [7, 13, 14, 20, 39])
def test_resuming_a_run_of_two_stages_gives_the_weights_of_an_uninterrupted_one(
    tmp_path: Path, make_dataset: MakeDataset, accumulate: int, at: int
) -> None:
    dataset = make_dataset()
    table = {"num_epochs": 2, "learning_rate": 0.03, "pull": 0.5}
    chosen = options(num_epochs=1, gradient_accumulation_steps=accumulate, weight_decay=0.01, table=table)
    whole = run(dataset, CheckpointStore(tmp_path / "whole"), chosen)
    first = run(
        dataset,
        CheckpointStore(tmp_path / "first"),
        options(num_epochs=1, gradient_accumulation_steps=accumulate, weight_decay=0.01),
    )
    store = CheckpointStore(tmp_path / "stopped")
    with pytest.raises(
        TrainingInterruptedError, match=rf"interrupted after step \d+ of {3 * -(-13 // accumulate)}; saved"
    ):
        run(dataset, store, chosen, loader=StoppingLoader(dataset, at, seed=chosen.seed))
    resumed = run(dataset, store, chosen, resume=True)
    assert len(weights(whole)) == 4
    for expected, found in zip(weights(whole), weights(resumed), strict=True):
        assert torch.equal(expected, found)
    # The second stage learns rows, and nothing else.
    for expected, found in zip(weights(first), weights(whole)[:3], strict=True):
        assert torch.equal(expected, found)
    assert whole.table is not None
    assert not torch.equal(whole.table.rows, whole.table.prior)


def test_the_second_stage_learns_what_a_projection_cannot(tmp_path: Path, make_dataset: MakeDataset) -> None:
    """There are fewer dimensions than tokens, and their directions say nothing."""
    dataset, said = make_dataset(n_texts=800), list[str]()
    results = []
    for table in ({}, {"num_epochs": 6, "learning_rate": 0.1, "pull": 0.0}):
        model = make_model()
        chosen = options(num_epochs=6, learning_rate=0.1, table=table)
        store = CheckpointStore(tmp_path / str(len(results)))
        results.append(train(model, BatchLoader(dataset, 16, 1), chosen, room(store, say=said.append)))
    assert results[1].loss < results[0].loss - 0.02
    assert results[1].steps == 2 * results[0].steps
    assert [line.partition(":")[0] for line in said[-7:]] == [
        "epoch 6 of 6",
        *(f"table, epoch {number} of 6" for number in range(1, 7)),
    ]


def test_interrupting_saves_even_without_checkpoints(tmp_path: Path, make_dataset: MakeDataset) -> None:
    dataset = make_dataset()
    chosen = options(save_checkpoints=False)
    store = CheckpointStore(tmp_path)
    # Not always Python's own: a shell starts background jobs with the signal ignored.
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(TrainingInterruptedError):
        run(dataset, store, chosen, loader=StoppingLoader(dataset, 4, seed=1))
    assert len(store.paths()) == 1
    assert signal.getsignal(signal.SIGINT) is before


def test_accumulating_equals_one_large_batch(tmp_path: Path, make_dataset: MakeDataset) -> None:
    dataset = make_dataset(n_texts=192)
    large = run(dataset, CheckpointStore(tmp_path / "a"), options(batch_size=48, optimizer="sgd"))
    small = run(
        dataset, CheckpointStore(tmp_path / "b"), options(batch_size=16, gradient_accumulation_steps=3, optimizer="sgd")
    )
    for expected, found in zip(weights(large), weights(small), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_resuming_without_a_checkpoint_starts_anew(tmp_path: Path, make_dataset: MakeDataset) -> None:
    dataset = make_dataset()
    first = run(dataset, CheckpointStore(tmp_path / "a"), options())
    second = run(dataset, CheckpointStore(tmp_path / "b"), options(), resume=True)
    for expected, found in zip(weights(first), weights(second), strict=True):
        assert torch.equal(expected, found)


def test_resuming_a_finished_run_changes_nothing(tmp_path: Path, make_dataset: MakeDataset) -> None:
    dataset = make_dataset()
    store = CheckpointStore(tmp_path)
    first, second = make_model(), make_model()
    results = [
        train(model, BatchLoader(dataset, 16, 42), options(), room(store), resume=resume)
        for model, resume in ((first, False), (second, True))
    ]
    for expected, found in zip(weights(first), weights(second), strict=True):
        assert torch.equal(expected, found)
    assert results[1].texts == 0
    assert (results[1].loss, results[1].accuracy) == (results[0].loss, results[0].accuracy)
    assert np.isfinite(results[1].loss)


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path, make_dataset: MakeDataset) -> None:
    dataset = make_dataset()
    store = CheckpointStore(tmp_path)
    run(dataset, store, options())
    with pytest.raises(WLDetectError, match=r"step_\d+\.pt: cannot resume: corpus differs: expected c+, found b+"):
        run(dataset, store, options(), resume=True, identity={**IDENTITY, "corpus": "c" * 64})


def test_a_damaged_checkpoint_is_named(tmp_path: Path, make_dataset: MakeDataset) -> None:
    dataset = make_dataset()
    store = CheckpointStore(tmp_path)
    run(dataset, store, options())
    path = store.paths()[-1]
    whole = path.read_bytes()
    for content in (b"", b"nonsense", whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(DataError, match=rf"{path.name}: not a whole checkpoint") as caught:
            run(dataset, store, options(), resume=True)
        assert "\n" not in str(caught.value)


def test_only_the_newest_checkpoints_are_kept(tmp_path: Path, make_dataset: MakeDataset) -> None:
    run(make_dataset(), CheckpointStore(tmp_path, keep=2), options())
    # 13 batches an epoch: steps 35 and 39 of 39.
    assert sorted(path.name for path in tmp_path.iterdir()) == ["step_00000035.pt", "step_00000039.pt"]


def test_a_full_disk_does_not_end_the_run(
    tmp_path: Path, make_dataset: MakeDataset, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise RuntimeError("PytorchStreamWriter failed writing file data/0: file write failed")

    dataset = make_dataset()
    whole = run(dataset, CheckpointStore(tmp_path / "a"), options())
    monkeypatch.setattr(torch, "save", full)
    other = run(dataset, CheckpointStore(tmp_path / "b"), options())
    for expected, found in zip(weights(whole), weights(other), strict=True):
        assert torch.equal(expected, found)
    assert list((tmp_path / "b").iterdir()) == []
    assert capsys.readouterr().err.count("warning: no checkpoint written, training goes on") == 1


def test_a_loss_that_is_not_finite_is_an_error(tmp_path: Path, make_dataset: MakeDataset) -> None:
    with pytest.raises(WLDetectError, match=r"the loss is (nan|inf) after step \d+; a smaller training.learning_rate"):
        run(make_dataset(), CheckpointStore(tmp_path), options(optimizer="sgd", learning_rate=1e30, scheduler="none"))


def test_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert choose_device(Device.cpu).type == choose_device(Device.auto).type == "cpu"
    expected = "training.device: expected one of auto, cpu, found 'cuda', which is not here"
    with pytest.raises(ConfigError, match=expected):
        choose_device(Device.cuda)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert choose_device(Device.auto) == torch.device("cuda", 0)
    assert choose_device(Device.cuda, 1) == torch.device("cuda", 1)
    with pytest.raises(ConfigError, match="expected a GPU for each process, at least 3, found 2 on this machine"):
        choose_device(Device.cuda, 2)
