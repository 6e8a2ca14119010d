"""What training minimizes: a loss for each text, and weights for each language."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import functional as F

from wldetect.config import LossConfig, LossFunction
from wldetect.config.yaml_text import read_yaml
from wldetect.errors import ConfigError

__all__ = ["Loss", "class_weights", "make_loss"]

Loss: TypeAlias = Callable[[Tensor, Tensor], Tensor]
"""From logits float32 [B, L] and labels int64 [B] to the loss of each text, float32 [B]."""

_MOST_NAMED = 5
# The power of the inverse count that each name stands for.
_POWERS = {"none": 0.0, "balanced": 1.0, "inverse_sqrt": 0.5}


def make_loss(options: LossConfig, weights: Tensor | None = None) -> Loss:
    """The loss that ``options`` describes.

    Args:
        options: the ``training.loss`` section.
        weights: float32 [L], what the loss of a text is multiplied by, by language; None: 1.

    The focal loss is -alpha (1 - p)^gamma log p, with p the probability of the right language (Lin et al., Focal Loss
    for Dense Object Detection, 2017). With label smoothing, the smoothed cross-entropy takes the place of -log p.
    """

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        losses = F.cross_entropy(logits, labels, reduction="none", label_smoothing=options.label_smoothing)
        match options.name:
            case LossFunction.cross_entropy:
                pass
            case LossFunction.focal:
                right = F.log_softmax(logits, 1).gather(1, labels.unsqueeze(1)).squeeze(1)
                # Of 1 - p, and not of p: near 1 the difference would be rounded to 0, where the power has no gradient.
                wrong = -torch.expm1(right.clamp(max=-torch.finfo(right.dtype).tiny))
                losses = losses * wrong.pow(options.focal_gamma)
                if options.focal_alpha is not None:
                    losses = losses * options.focal_alpha
        return losses if weights is None else losses * weights.index_select(0, labels)

    return loss


def class_weights(name: str, counts: Mapping[str, int], config_path: Path, weights_path: Path | None) -> Tensor | None:
    """Loss weights a language, float32 [L], in the order of ``counts``, with mean 1 over all texts.

    Args:
        name: ``none``, ``balanced``, ``inverse_sqrt``, or else the name of a file, as configured.
        counts: texts of each language, at least one.
        config_path: the training file, for messages.
        weights_path: the file that ``name`` is found to be, if it is one: a YAML or JSON mapping of codes to weights.

    Raises:
        ConfigError: there is no such file, or it does not hold a weight above 0 for each language.
        OSError: the file cannot be read.
    """
    texts = torch.tensor(list(counts.values()), dtype=torch.float64)
    if name in _POWERS:
        if _POWERS[name] == 0.0:
            return None
        weights = texts.pow(-_POWERS[name])
    elif weights_path is None:
        expected = f"{', '.join(_POWERS)}, or an existing file"
        raise ConfigError(f"{config_path}: training.loss.class_weights: expected {expected}, found {name!r}")
    else:
        weights = torch.tensor(_read_weights(weights_path, list(counts)), dtype=torch.float64)
    return (weights * texts.sum() / (weights * texts).sum()).float()


def _read_weights(path: Path, labels: list[str]) -> list[float]:
    content = path.read_text(encoding="utf-8") if path.suffix.lower() == ".json" else None
    try:
        # JSON is YAML, but for what the YAML reader refuses (a tab, say).
        found: object = read_yaml(path) if content is None else json.loads(content)
    except ValueError as error:
        raise ConfigError(f"{path}: expected JSON: {error}") from error
    if not isinstance(found, dict):
        raise ConfigError(f"{path}: expected a mapping of language codes to weights, found {type(found).__name__}")
    missing = [label for label in labels if label not in found]
    if missing:
        more = f" and {len(missing) - _MOST_NAMED} more" if len(missing) > _MOST_NAMED else ""
        names = ", ".join(missing[:_MOST_NAMED])
        raise ConfigError(f"{path}: expected a weight for each language, missing {names}{more}")
    return [_weight(found[label], f"{path}: {label}") for label in labels]


def _weight(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < float("inf"):
        raise ConfigError(f"{where}: expected a number above 0, found {value!r}")
    return float(value)
