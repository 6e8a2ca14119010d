"""The frozen embeddings as the model reads them: one tensor in memory (or mapped), or rows gathered batch by batch."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod

import torch
from torch import Tensor

from wldetect.embeddings.base import EmbeddingMatrix

__all__ = ["EmbeddingLookup", "GatheredLookup", "WholeLookup", "make_lookup"]


class EmbeddingLookup(ABC):
    """Rows of the frozen embeddings for the tokens of a batch."""

    shape: tuple[int, int]

    @abstractmethod
    def rows(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """A float32 [R, D] tensor of embeddings and, for each of ``ids`` [T], its row in it (int32 [T])."""


class WholeLookup(EmbeddingLookup):
    """All embeddings in one tensor: the rows are the token ids themselves."""

    def __init__(self, embeddings: Tensor) -> None:
        self.shape = (embeddings.shape[0], embeddings.shape[1])
        self._embeddings = embeddings

    def rows(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        return self._embeddings, ids


class GatheredLookup(EmbeddingLookup):
    """Embeddings that are not one float32 array (half precision, several models): the batch's rows are gathered."""

    def __init__(self, matrix: EmbeddingMatrix, device: torch.device) -> None:
        self.shape = matrix.shape
        self._matrix = matrix
        self._device = device

    def rows(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        unique, positions = torch.unique(ids, return_inverse=True)
        rows = torch.from_numpy(self._matrix.rows(unique.cpu().numpy()))
        return rows.to(self._device), positions.to(torch.int32)


def make_lookup(matrix: EmbeddingMatrix, device: torch.device) -> EmbeddingLookup:
    """The fastest way to read ``matrix`` from ``device``."""
    whole = matrix.contiguous()
    if whole is None:
        return GatheredLookup(matrix, device)
    with warnings.catch_warnings():
        # The array is mapped read-only, which torch cannot express; nothing writes to frozen embeddings.
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return WholeLookup(torch.from_numpy(whole).to(device))
