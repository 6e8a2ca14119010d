"""A table file of a model directory: its tensors and metadata, written whole and read back."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from wldetect import _core
from wldetect.errors import ArtifactError
from wldetect.export.quantize import TableDType
from wldetect.files import atomic_path

__all__ = ["TableFile", "read_table_file", "read_tensors", "write_table_file", "write_tensors"]

_CHUNK_ROWS = 16_384
# Bytes of a cache line.
_LINE = 64
# What the format calls the types of the tensors that are written.
_DTYPES = {"u1": "U8", "i4": "I32", "i8": "I64", "f4": "F32"}


@dataclass(frozen=True, eq=False)
class TableFile:
    """What a table file holds.

    Attributes:
        dtype: how values are stored.
        stored: uint8 codes or float32, [V, L]; stored value x scale = logit.
        scale: see there.
        mask: uint8 [V], not zero for tokens that are left out of pooling; None: none is.
        min_count: tokens seen fewer times in training are among the masked ones; None: no such threshold was set.
        metadata: text by key: languages, pooling, tokenizer fingerprint, provenance.
    """

    dtype: TableDType
    stored: NDArray[Any]
    scale: float
    mask: NDArray[np.uint8] | None
    min_count: int | None
    metadata: Mapping[str, str]

    def logits(self, chunk_rows: int = _CHUNK_ROWS) -> Iterator[NDArray[np.float32]]:
        """The rows in order as logits, float32 [n, L], n at most ``chunk_rows``."""
        for first in range(0, len(self.stored), chunk_rows):
            rows = self.stored[first : first + chunk_rows]
            if self.dtype is not TableDType.FLOAT32:
                rows = _core.fp8_decode(rows, cast(Literal["e3m4", "e4m3fn"], self.dtype.value))
            yield rows * np.float32(self.scale)


def write_table_file(path: Path, table: TableFile) -> Path:
    """Write ``table`` to ``path`` under a temporary name, renamed when it is whole.

    Raises:
        OSError: there is no room, or the directory cannot be written.
    """
    tensors: dict[str, NDArray[Any]] = {
        "lookup_table": table.stored,
        "dtype": np.array([table.dtype.file_id], dtype=np.uint8),
        "shape": np.array(table.stored.shape, dtype=np.int64),
        "scale": np.array([table.scale], dtype=np.float32),
    }
    if table.mask is not None:
        tensors["zero_weight_mask"] = table.mask
    if table.min_count is not None:
        tensors["min_count_threshold"] = np.array([table.min_count], dtype=np.int32)
    return write_tensors(path, tensors, table.metadata)


def write_tensors(
    path: Path, tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, str], first: str | None = None
) -> Path:
    """Write a safetensors file under a temporary name, renamed when it is whole; returns ``path``.

    Args:
        path: the file.
        tensors: by name: uint8, int32, int64 or float32.
        metadata: text by key.
        first: the tensor whose data comes first. It begins where a cache line does, so that rows of a line's size are
            read in one.

    Raises:
        OSError: there is no room, or the directory cannot be written.
    """
    # Behind the first, larger numbers come before smaller ones, so that most lie at multiples of their size.
    ordered = sorted(tensors, key=lambda name: (name != first, -tensors[name].itemsize))
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    end = 0
    for name in ordered:
        tensor = tensors[name]
        offsets = [end, end + tensor.nbytes]
        header[name] = {"dtype": _DTYPES[tensor.dtype.str[1:]], "shape": list(tensor.shape), "data_offsets": offsets}
        end = offsets[1]
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    # The format allows spaces behind the header; its length stands before it in eight bytes.
    text += b" " * (-(8 + len(text)) % _LINE)
    with atomic_path(path) as temporary:
        try:
            with temporary.open("wb") as file:
                file.write(struct.pack("<Q", len(text)) + text)
                for name in ordered:
                    file.write(np.ascontiguousarray(tensors[name], tensors[name].dtype.newbyteorder("<")).data)
        except OSError as error:
            # An error of writing does not say where.
            raise OSError(error.errno, f"cannot be written: {error.strerror}", str(path)) from error
    return path


def read_tensors(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """All tensors and the metadata of a safetensors file.

    Raises:
        OSError: it cannot be read.
        ArtifactError: it is not a whole safetensors file.
    """
    from safetensors import SafetensorError, safe_open

    # Opened here first, so that a missing file is the error that the system gives.
    with path.open("rb"):
        pass
    try:
        with safe_open(path, framework="numpy") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            return tensors, dict(file.metadata() or {})
    except (SafetensorError, TypeError) as error:
        # A dtype that numpy lacks is a TypeError.
        raise ArtifactError(f"{path}: not a whole safetensors file: {error}") from error


def read_table_file(path: Path, dtype: TableDType) -> TableFile:
    """Read the table file ``path``, which must hold a table of ``dtype``.

    What only the detector relies on (finite values, known metadata) is checked where a detector loads the file.

    Raises:
        OSError: it cannot be read.
        ArtifactError: it is not a whole safetensors file, or a tensor is missing or of another type or shape.
    """
    tensors, metadata = read_tensors(path)

    def tensor(name: str, kind: type[np.generic], *shape: int) -> NDArray[Any]:
        if name not in tensors:
            raise ArtifactError(f"{path}: {name}: tensor missing; found {sorted(tensors)}")
        found = tensors[name]
        if found.dtype != kind or (shape and found.shape != shape):
            expected = f"{np.dtype(kind).name} {list(shape) or '[V, L]'}"
            raise ArtifactError(f"{path}: {name}: expected {expected}, found {found.dtype.name} {list(found.shape)}")
        return found

    file_id = int(tensor("dtype", np.uint8, 1)[0])
    if file_id != dtype.file_id:
        raise ArtifactError(f"{path}: dtype: expected {dtype.file_id} ({dtype.value}), found {file_id}")
    stored = tensor("lookup_table", np.float32 if dtype is TableDType.FLOAT32 else np.uint8)
    if stored.ndim != 2:
        raise ArtifactError(f"{path}: lookup_table: expected 2 dimensions, found {stored.ndim}")
    mask = tensor("zero_weight_mask", np.uint8, len(stored)) if "zero_weight_mask" in tensors else None
    min_count = int(tensor("min_count_threshold", np.int32, 1)[0]) if "min_count_threshold" in tensors else None
    return TableFile(dtype, stored, float(tensor("scale", np.float32, 1)[0]), mask, min_count, metadata)
