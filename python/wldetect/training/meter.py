"""Running means of loss and accuracy, kept on the device so that reading them is the only time it is waited for."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["Meter"]

_KEPT = 0.99


class Meter:
    """Means over about the last hundred steps, the newer ones counting more.

    Args:
        device: where the numbers are added.
    """

    def __init__(self, device: torch.device) -> None:
        self._means = torch.zeros(2, device=device)
        self._weight = 0.0
        self.loss = self.accuracy = float("nan")

    def add(self, sums: Tensor) -> None:
        """Add a step: float32 [3], the sum of its texts' losses, how many are answered right, how many there are."""
        self._means.mul_(_KEPT).add_(sums[:2] / sums[2], alpha=1 - _KEPT)
        self._weight = _KEPT * self._weight + (1 - _KEPT)

    def read(self) -> None:
        """Bring ``loss`` and ``accuracy`` up to date; waits for the device."""
        if self._weight:
            loss, accuracy = self._means.tolist()
            self.loss, self.accuracy = loss / self._weight, accuracy / self._weight
