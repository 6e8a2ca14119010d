"""Losses against their formulas in float64, and weights a language."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from wldetect.config import LossConfig
from wldetect.errors import ConfigError
from wldetect.training.losses import class_weights, make_loss

COUNTS = {"a": 100, "b": 25, "c": 1}


def oracle(logits: torch.Tensor, labels: torch.Tensor, options: LossConfig) -> list[float]:
    """Text by text, from the definitions."""
    losses = []
    for row, label in zip(logits.double(), labels.tolist(), strict=True):
        probabilities = torch.exp(row) / torch.exp(row).sum()
        n, smoothing = len(row), options.label_smoothing
        target = [smoothing / n + (1 - smoothing) * (index == label) for index in range(n)]
        loss = -sum(share * torch.log(p) for share, p in zip(target, probabilities, strict=True))
        if options.name == "focal":
            loss = loss * (1 - probabilities[label]) ** options.focal_gamma * (options.focal_alpha or 1)
        losses.append(float(loss))
    return losses


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"label_smoothing": 0.1},
        {"name": "focal"},
        {"name": "focal", "focal_gamma": 0.5, "focal_alpha": 0.25},
        {"name": "focal", "focal_gamma": 0.0, "label_smoothing": 0.2},
    ],
)
def test_losses_are_those_of_the_formulas(keys: dict[str, Any]) -> None:
    options = LossConfig.model_validate(keys)
    generator = torch.Generator().manual_seed(3)
    logits = 3 * torch.randn(40, 7, generator=generator)
    labels = torch.randint(0, 7, (40,), generator=generator)
    found = make_loss(options)(logits, labels)
    assert found.shape == (40,)
    expected = torch.tensor(oracle(logits, labels, options), dtype=torch.float64)
    torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
def test_a_focal_loss_of_a_certain_text_has_a_finite_gradient(gamma: float) -> None:
    logits = torch.tensor([[200.0, -200.0], [-200.0, 200.0]], requires_grad=True)
    losses = make_loss(LossConfig.model_validate({"name": "focal", "focal_gamma": gamma}))(logits, torch.tensor([0, 0]))
    losses.sum().backward()
    assert logits.grad is not None
    assert torch.isfinite(losses).all() and torch.isfinite(logits.grad).all()
    assert losses[0] < 1e-6 < losses[1]


def test_weights_multiply_the_losses_of_their_language() -> None:
    logits, labels = torch.randn(6, 3), torch.tensor([0, 1, 2, 2, 1, 0])
    weights = torch.tensor([1.0, 2.0, 0.5])
    plain, weighted = make_loss(LossConfig())(logits, labels), make_loss(LossConfig(), weights)(logits, labels)
    torch.testing.assert_close(weighted, plain * torch.tensor([1.0, 2.0, 0.5, 0.5, 2.0, 1.0]))


@pytest.mark.parametrize(("name", "ratio"), [("balanced", 4.0), ("inverse_sqrt", 2.0)])
def test_weights_by_count_have_mean_one_over_the_texts(name: str, ratio: float) -> None:
    weights = class_weights(name, COUNTS, Path("train.yaml"), None)
    assert weights is not None and weights.dtype == torch.float32
    assert weights[1] / weights[0] == pytest.approx(ratio)
    assert sum(float(w) * n for w, n in zip(weights, COUNTS.values(), strict=True)) == pytest.approx(126)


def test_none_is_no_weights() -> None:
    assert class_weights("none", COUNTS, Path("train.yaml"), None) is None


@pytest.mark.parametrize("suffix", [".yaml", ".json"])
def test_weights_of_a_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"weights{suffix}"
    path.write_text(json.dumps({"c": 3, "b": 2, "a": 0.5, "unused": 9}))
    weights = class_weights(str(path), COUNTS, Path("train.yaml"), path)
    assert weights is not None
    assert (weights / weights[0]).tolist() == pytest.approx([1, 4, 6])


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("[1, 2]", "expected a mapping of language codes to weights, found list"),
        ('{"a": 1}', "expected a weight for each language, missing b, c"),
        ('{"a": 1, "b": 0, "c": 1}', "b: expected a number above 0, found 0"),
        ('{"a": 1, "b": "x", "c": 1}', "b: expected a number above 0, found 'x'"),
        ('{"a": 1, "b": true, "c": 1}', "b: expected a number above 0, found True"),
        ('{"a": 1, "b": Infinity, "c": 1}', "b: expected a number above 0, found inf"),
        ('{"a": 1', "expected JSON: Expecting ',' delimiter"),
    ],
)
def test_bad_weights_are_named(tmp_path: Path, content: str, expected: str) -> None:
    path = tmp_path / "weights.json"
    path.write_text(content)
    with pytest.raises(ConfigError) as caught:
        class_weights("weights.json", COUNTS, Path("train.yaml"), path)
    assert str(caught.value).startswith(f"{path}: {expected}")


def test_a_name_that_is_no_file_is_an_error() -> None:
    with pytest.raises(ConfigError) as caught:
        class_weights("balance", COUNTS, Path("train.yaml"), None)
    assert str(caught.value) == (
        "train.yaml: training.loss.class_weights: expected none, balanced, inverse_sqrt, or an existing file, "
        "found 'balance'"
    )
