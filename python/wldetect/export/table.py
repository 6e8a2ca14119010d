"""The lookup table of a trained model, computed in chunks of rows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from wldetect.embeddings.base import EmbeddingMatrix
from wldetect.errors import WLDetectError
from wldetect.training.model import LanguageModel

__all__ = ["table_chunks"]

# Values of embeddings at a time: 32 MB of float32.
_CHUNK_VALUES = 1 << 23


def table_chunks(
    model: LanguageModel, matrix: EmbeddingMatrix, chunk_rows: int | None = None
) -> Iterator[NDArray[np.float32]]:
    """Rows of the lookup table in token order: (embedding x token weight) @ projection + bias, or what the second stage
    of training has made of them.

    Yields:
        float32 [n, L], n at most ``chunk_rows``; None: as many as keep memory small.

    Raises:
        WLDetectError: a value is not finite, which no table may hold; names the token and the language index.
    """
    device = model.projection.weight.device
    n_tokens, width = matrix.shape
    chunk_rows = max(1, _CHUNK_VALUES // width) if chunk_rows is None else chunk_rows
    with torch.inference_mode():
        for first in range(0, n_tokens, chunk_rows):
            embeddings = torch.from_numpy(matrix.rows(slice(first, min(first + chunk_rows, n_tokens)))).to(device)
            rows: NDArray[np.float32] = model.table_rows(embeddings, first).float().cpu().numpy()
            bad = ~np.isfinite(rows)
            if bad.any():
                row, column = divmod(int(bad.argmax()), rows.shape[1])
                raise WLDetectError(
                    f"lookup table: expected finite logits, found {rows[row, column]} for token {first + row}, "
                    f"language {column}"
                )
            yield rows
