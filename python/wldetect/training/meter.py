"""Running means of loss and accuracy, kept on the device so that reading them is the only time it is waited for."""

from __future__ import annotations

from typing import Any

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

    def state_dict(self) -> dict[str, Any]:
        """What another meter needs to go on from here."""
        return {"means": self._means, "weight": self._weight}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from where the meter was that ``state`` is of."""
        self._means = state["means"].to(self._means.device)
        self._weight = state["weight"]
