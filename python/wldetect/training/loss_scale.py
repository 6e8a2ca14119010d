"""What logits are multiplied by before the loss is taken."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from wldetect.config import LossConfig

__all__ = ["LossScale", "make_loss_scale"]


class LossScale(nn.Module):
    """Logits of a text of n tokens, multiplied by n^p, and by a number that is learned or 1.

    Neither changes which language is the most probable one, but both change what is learned. The table knows nothing of
    them: probabilities are calibrated afterwards.

    Args:
        length_power: p.
        learned: whether there is a learned number; it begins as 1.
    """

    logarithm: nn.Parameter | None

    def __init__(self, length_power: float, learned: bool) -> None:
        super().__init__()
        self._power = length_power
        self.logarithm = nn.Parameter(torch.zeros(())) if learned else None

    def forward(self, logits: Tensor, lengths: Tensor) -> Tensor:
        """What the loss is taken of, float32 [B, L], for ``logits`` [B, L] of texts of ``lengths`` [B] tokens.

        A text without tokens counts as one of one.
        """
        if self._power:
            logits = logits * lengths.clamp(min=1).to(logits.dtype).pow(self._power).unsqueeze(1)
        return logits if self.logarithm is None else logits * self.logarithm.exp()


def make_loss_scale(options: LossConfig) -> LossScale | None:
    """The scale that ``options`` describes; None where logits stay as they are."""
    if not options.length_power and not options.learn_scale:
        return None
    return LossScale(options.length_power, options.learn_scale)
