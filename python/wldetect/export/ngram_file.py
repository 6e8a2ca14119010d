"""The file of the rows of character n-grams, beside the lookup table."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wldetect import _core
from wldetect.errors import WLDetectError
from wldetect.export.quantize import E3M4_STEP, TableDType, choose_scale, quantize
from wldetect.export.table_file import write_tensors
from wldetect.training.ngram_table import NgramTable

__all__ = ["NGRAM_TABLE_ID", "ngram_file_names", "ngram_table_id", "write_ngram_file"]

NGRAM_TABLE_ID = "ngram_table_id"
"""Metadata key, in both files, by which a lookup table and an n-gram table are known to belong together."""


def ngram_file_names() -> dict[TableDType, str]:
    """Name of the n-gram table beside the lookup table of each dtype; both 8-bit ones share it."""
    return {
        TableDType.E3M4: "ngram_table_fp8_e3m4.safetensors",
        TableDType.E4M3FN: "ngram_table_fp8_e3m4.safetensors",
        TableDType.FLOAT32: "ngram_table_float32.safetensors",
    }


def ngram_table_id(table: NgramTable) -> str:
    """A fingerprint (SHA-256, hexadecimal) of what was learned: rows and projection."""
    digest = hashlib.sha256(np.ascontiguousarray(_array(table.rows)).tobytes())
    if table.projection is not None:
        digest.update(_array(table.projection).tobytes())
    return digest.hexdigest()


def write_ngram_file(
    directory: Path, table: NgramTable, dtype: TableDType, metadata: Mapping[str, str], step: float = E3M4_STEP
) -> Path:
    """Write the n-gram table that a lookup table of ``dtype`` needs.

    Args:
        directory: the model directory.
        table: what was learned.
        dtype: of the lookup table; 8-bit rows are stored as E3M4 whichever it is.
        metadata: ``format_version``, ``languages`` and ``ngram_table_id`` of the lookup table.
        step: see `quantize`.

    Raises:
        WLDetectError: a value is not finite.
        OSError: there is no room, or the directory cannot be written.
    """
    stored_as = TableDType.FLOAT32 if dtype is TableDType.FLOAT32 else TableDType.E3M4
    rows = _array(table.rows)
    projection = None if table.projection is None else _array(table.projection)
    for name, values in (("n-gram rows", rows), ("n-gram projection", projection)):
        if values is not None and not np.isfinite(values).all():
            raise WLDetectError(f"{name}: expected finite values, found infinity or NaN")
    scale = choose_scale(float(np.abs(rows).max()), stored_as)
    tensors: dict[str, NDArray[Any]] = {
        "ngram_table": quantize([rows], scale, stored_as, step),
        "dtype": np.array([stored_as.file_id], dtype=np.uint8),
        "shape": np.array(rows.shape, dtype=np.int64),
        "scale": np.array([scale], dtype=np.float32),
    }
    if projection is not None:
        tensors["projection"] = projection
    text = {**metadata, "ngrams": json.dumps({**table.config.extraction, "hash": _core.NGRAM_HASH})}
    return write_tensors(directory / ngram_file_names()[dtype], tensors, text, first="ngram_table")


def _array(tensor: Any) -> NDArray[np.float32]:
    values: NDArray[np.float32] = tensor.detach().float().cpu().numpy()
    return values
