"""What logits are multiplied by before the loss: sums, learned temperatures, and what they leave as it is."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from wldetect.config import Device, LossConfig, Pooling, TrainingOptions
from wldetect.data.batches import BatchLoader
from wldetect.training.checkpoint import CheckpointStore
from wldetect.training.lookup import WholeLookup
from wldetect.training.loop import TrainingInterruptedError, TrainingRoom, train
from wldetect.training.loss_scale import LossScale, make_loss_scale
from wldetect.training.losses import make_loss
from wldetect.training.model import LanguageModel

from .conftest import MakeDataset, StoppingLoader

LANGUAGES = 3


@given(
    st.lists(st.integers(0, 600), min_size=1, max_size=8),
    st.floats(0, 1),
    st.floats(-2, 2),
    st.integers(0, 2**32 - 1),
)
def test_it_multiplies_each_text_by_its_length_and_all_by_what_is_learned(
    lengths: list[int], power: float, logarithm: float, seed: int
) -> None:
    logits = np.random.default_rng(seed).normal(size=(len(lengths), LANGUAGES)).astype(np.float32)
    scale = LossScale(power, learned=True)
    assert scale.logarithm is not None
    with torch.no_grad():
        scale.logarithm.fill_(logarithm)
    expected = [
        [float(logit) * math.exp(logarithm) * max(length, 1) ** power for logit in row]
        for row, length in zip(logits, lengths, strict=True)
    ]
    found = scale(torch.from_numpy(logits), torch.tensor(lengths, dtype=torch.int32))
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found.detach().numpy(), expected, rtol=1e-4)


def test_a_whole_power_makes_a_sum_of_an_average(make_dataset: MakeDataset) -> None:
    model = make_model(LossConfig(length_power=1.0))
    batch = next(iter(BatchLoader(make_dataset(20), 20, seed=1).epoch(0)))
    with torch.no_grad():
        model.projection.weight.normal_()
        rows = model.table_rows(model.lookup.rows(torch.arange(50)), 0)
        texts = torch.split(batch.ids.long(), batch.lengths.tolist())
        sums = torch.stack([rows[ids].sum(0) for ids in texts])
        torch.testing.assert_close(model.scaled(model(batch), batch), sums, rtol=1e-4, atol=1e-4)


def test_a_learned_scale_is_the_temperature_of_logsumexp() -> None:
    torch.manual_seed(0)
    rows, temperature = torch.randn(7, LANGUAGES), 1.7
    scale = LossScale(0.0, learned=True)
    assert scale.logarithm is not None
    with torch.no_grad():
        scale.logarithm.fill_(math.log(temperature))
    found = scale(torch.logsumexp(rows / temperature, 0, keepdim=True), torch.tensor([7]))
    torch.testing.assert_close(found, temperature * torch.logsumexp(rows / temperature, 0, keepdim=True))


@pytest.mark.parametrize("options", [LossConfig(), LossConfig(label_smoothing=0.1)])
def test_nothing_is_made_where_nothing_is_asked_for(options: LossConfig) -> None:
    assert make_loss_scale(options) is None
    assert not any("loss_scale" in name for name in make_model(options).state_dict())


def test_a_learned_scale_is_learned_and_resumed(tmp_path: Path, make_dataset: MakeDataset) -> None:
    loss = LossConfig(learn_scale=True, length_power=0.5)
    whole = run(make_dataset, tmp_path / "whole", loss)
    assert whole.loss_scale is not None
    assert whole.loss_scale.logarithm is not None
    assert float(whole.loss_scale.logarithm.detach()) != 0.0
    with pytest.raises(TrainingInterruptedError):
        run(make_dataset, tmp_path / "parts", loss, loader=StoppingLoader(make_dataset(60), 5, seed=42))
    parts = run(make_dataset, tmp_path / "parts", loss, resume=True)
    for expected, found in zip(whole.parameters(), parts.parameters(), strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=0)


@pytest.mark.parametrize("pooling", list(Pooling))
def test_a_bias_that_is_not_wanted_stays_zero(tmp_path: Path, make_dataset: MakeDataset, pooling: Pooling) -> None:
    without = run(make_dataset, tmp_path / "without", LossConfig(), pooling=pooling, bias=False)
    assert not without.projection.bias.any()
    assert without.projection.weight.any()
    assert run(make_dataset, tmp_path / "with", LossConfig(), pooling=pooling).projection.bias.any()


def make_model(loss: LossConfig, pooling: Pooling = Pooling.average, bias: bool = True) -> LanguageModel:
    embeddings = torch.from_numpy(np.random.default_rng(3).normal(size=(50, 16)).astype(np.float32))
    return LanguageModel(WholeLookup(embeddings), 4, pooling, bias=bias, loss_scale=make_loss_scale(loss))


def run(make_dataset: MakeDataset, directory: Path, loss: LossConfig, **more: Any) -> LanguageModel:
    model = make_model(loss, more.get("pooling", Pooling.average), more.get("bias", True))
    options = TrainingOptions(
        batch_size=16, learning_rate=0.05, num_epochs=2, checkpoint_interval=3, device=Device.cpu, loss=loss
    )
    room = TrainingRoom(store=CheckpointStore(directory), identity={}, loss=make_loss(loss), progress=False)
    loader = more.get("loader", BatchLoader(make_dataset(60), options.batch_size, options.seed))
    train(model, loader, options, room, resume=more.get("resume", False))
    return model
