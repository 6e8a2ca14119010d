"""A table file of a model directory: its tensors and metadata, written whole and read back."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from wldetect import _core
from wldetect.errors import ArtifactError
from wldetect.export.quantize import TableDType
from wldetect.files import atomic_path

__all__ = ["TableFile", "number_rows", "read_table_file", "read_tensors", "write_table_file", "write_tensors"]

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
        stored: uint8 codes or float32, [rows, L]; stored value x scale = logit.
        scale: see there.
        mask: uint8 [rows], not zero for tokens that are left out of pooling; None: none is.
        min_count: tokens seen fewer times in training are masked or have no row; None: no such threshold was set.
        metadata: text by key: languages, pooling, tokenizer fingerprint, provenance.
        row_of_token: int32 [V], the number of each token's row, -1: it has none; None: token i has row i. Only where
            there is no mask.
    """

    dtype: TableDType
    stored: NDArray[Any]
    scale: float
    mask: NDArray[np.uint8] | None
    min_count: int | None
    metadata: Mapping[str, str]
    row_of_token: NDArray[np.int32] | None = None

    @property
    def n_tokens(self) -> int:
        """V: tokens that could have a row."""
        return len(self.stored if self.row_of_token is None else self.row_of_token)

    @property
    def kept_rows(self) -> NDArray[np.bool_]:
        """bool [rows]: those that are not masked."""
        return np.ones(len(self.stored), dtype=bool) if self.mask is None else self.mask == 0

    @property
    def kept_tokens(self) -> NDArray[np.bool_]:
        """bool [V]: the tokens that have a row, not a masked one."""
        return self.kept_rows if self.row_of_token is None else self.row_of_token >= 0

    def by_token(self, values: NDArray[Any]) -> NDArray[Any]:
        """One of ``values`` [rows, ...] for each token, [V, ...]; zeros for those without a row."""
        if self.row_of_token is None:
            return values
        found = np.zeros((self.n_tokens, *values.shape[1:]), dtype=values.dtype)
        kept = self.kept_tokens
        found[kept] = values[self.row_of_token[kept]]
        return found

    def with_rows_of(self, tokens: NDArray[np.bool_]) -> TableFile:
        """The same table with rows of ``tokens`` only, bool [V], which have one now; in the order of their ids."""
        numbers = np.arange(len(self.stored), dtype=np.int32) if self.row_of_token is None else self.row_of_token
        return replace(self, stored=self.stored[numbers[tokens]], mask=None, row_of_token=number_rows(tokens))

    def logits(self, chunk_rows: int = _CHUNK_ROWS) -> Iterator[NDArray[np.float32]]:
        """The rows in order as logits, float32 [n, L], n at most ``chunk_rows``."""
        for first in range(0, len(self.stored), chunk_rows):
            rows = self.stored[first : first + chunk_rows]
            if self.dtype is not TableDType.FLOAT32:
                rows = _core.fp8_decode(rows, cast(Literal["e3m4", "e4m3fn"], self.dtype.value))
            yield rows * np.float32(self.scale)


def number_rows(tokens: NDArray[np.bool_]) -> NDArray[np.int32]:
    """The number of each token's row where ``tokens`` have one, bool [V], in the order of their ids; int32 [V]."""
    return np.where(tokens, np.cumsum(tokens) - 1, -1).astype(np.int32)


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
    if table.row_of_token is not None:
        tensors["row_of_token"] = table.row_of_token
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
        ArtifactError: it is not a whole safetensors file, a tensor is missing or of another type or shape, or a row is
            not that of exactly one token.
    """
    tensors, metadata = read_tensors(path)

    def tensor(name: str, kind: type[np.generic], *shape: int) -> NDArray[Any]:
        if name not in tensors:
            raise ArtifactError(f"{path}: {name}: tensor missing; found {sorted(tensors)}")
        found = tensors[name]
        if found.dtype != kind or (shape and found.shape != shape):
            expected = f"{np.dtype(kind).name} {list(shape) or '[rows, L]'}"
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
    row_of_token = None
    if "row_of_token" in tensors:
        row_of_token = tensor("row_of_token", np.int32, tensors["row_of_token"].size)
        if mask is not None:
            raise ArtifactError(f"{path}: zero_weight_mask: expected none beside row_of_token, found one")
        if not np.array_equal(np.sort(row_of_token[row_of_token != -1]), np.arange(len(stored))):
            raise ArtifactError(
                f"{path}: row_of_token: expected each of {len(stored)} rows once and -1, found other numbers"
            )
    scale = float(tensor("scale", np.float32, 1)[0])
    return TableFile(dtype, stored, scale, mask, min_count, metadata, row_of_token)
