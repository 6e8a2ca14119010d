"""A strict reader of a safetensors header: where each tensor's bytes are, without reading them.

The ``safetensors`` library hands out tensors, not offsets, and numpy has no bfloat16; to map a tensor in place, or to
fetch it alone, its byte range is what is needed.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wldetect.errors import EmbeddingError

__all__ = [
    "MAPPED_AS",
    "PREFIX_BYTES",
    "SafetensorsEntry",
    "check_matrix",
    "header_length",
    "parse_safetensors_header",
    "read_safetensors_header",
]

# How each storage type of an embedding is mapped; numpy has no bfloat16, so its bits are mapped as integers.
MAPPED_AS = {"F32": "<f4", "F16": "<f2", "BF16": "<u2"}
# What comes before the JSON header: its length.
PREFIX_BYTES = 8
# The format's own limit for the JSON header.
_MAX_HEADER_BYTES = 100_000_000
_ITEM_BYTES = {
    "BOOL": 1,
    "U8": 1,
    "I8": 1,
    "F8_E5M2": 1,
    "F8_E4M3": 1,
    "U16": 2,
    "I16": 2,
    "F16": 2,
    "BF16": 2,
    "U32": 4,
    "I32": 4,
    "F32": 4,
    "U64": 8,
    "I64": 8,
    "F64": 8,
}


@dataclass(frozen=True)
class SafetensorsEntry:
    """One tensor: its storage type by the format's name, its shape, and its bytes [start, end) in the file."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


def read_safetensors_header(path: Path) -> dict[str, SafetensorsEntry]:
    """The tensors of a safetensors file by name.

    Raises:
        OSError: the file is missing or unreadable.
        EmbeddingError: as `header_length` and `parse_safetensors_header`.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        raw = file.read(header_length(file.read(PREFIX_BYTES), size, str(path)))
    return parse_safetensors_header(raw, size, str(path))


def header_length(prefix: bytes, size: int, where: str) -> int:
    """The number of bytes of the JSON header, from the first ``PREFIX_BYTES`` bytes of a file of ``size`` bytes.

    Raises:
        EmbeddingError: a header of that length has no room in the file, or is longer than the format allows; begins
            with ``where``.
    """
    length = int.from_bytes(prefix, "little")
    if len(prefix) < PREFIX_BYTES or length > min(_MAX_HEADER_BYTES, size - PREFIX_BYTES):
        room = max(0, size - PREFIX_BYTES)
        raise _malformed(where, f"expected a header of at most {room} bytes, found {length}: truncated?")
    return length


def parse_safetensors_header(raw: bytes, size: int, where: str) -> dict[str, SafetensorsEntry]:
    """The tensors by name, from the JSON header of a file of ``size`` bytes.

    Raises:
        EmbeddingError: the header is malformed, a tensor's size disagrees with its type and shape, or the data does not
            end where the file does; begins with ``where``.
    """
    try:
        header = json.loads(raw.decode("utf-8"), object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError) as error:
        raise _malformed(where, f"the header is not JSON: {error}") from error
    if not isinstance(header, dict):
        raise _malformed(where, f"header: expected an object, found {type(header).__name__}")
    data_start = PREFIX_BYTES + len(raw)
    entries = {
        name: _entry(where, name, value, data_start, size) for name, value in header.items() if name != "__metadata__"
    }
    data_end = max((entry.end for entry in entries.values()), default=data_start)
    if data_end != size:
        raise _malformed(where, f"expected the last tensor to end with the file, at byte {size}, found {data_end}")
    return entries


def check_matrix(entry: SafetensorsEntry, name: str, where: str) -> None:
    """Check that a tensor is a matrix of a type that can be mapped.

    Raises:
        EmbeddingError: it is not; begins with ``where``, the file.
    """
    if len(entry.shape) != 2 or 0 in entry.shape:
        raise EmbeddingError(f"{where}: tensor {name}: shape: expected tokens x dimensions, found {list(entry.shape)}")
    if entry.dtype not in MAPPED_AS:
        raise EmbeddingError(
            f"{where}: tensor {name}: dtype: expected one of {', '.join(MAPPED_AS)}, found {entry.dtype}"
        )


def _malformed(where: str, reason: str) -> EmbeddingError:
    return EmbeddingError(f"{where}: safetensors file: {reason}")


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is repeated")
    return found


def _entry(where: str, name: str, value: Any, data_start: int, size: int) -> SafetensorsEntry:
    fields = value if isinstance(value, dict) else {}
    dtype, shape, offsets = fields.get("dtype"), _sizes(fields.get("shape")), _sizes(fields.get("data_offsets"))
    if not isinstance(dtype, str) or shape is None or offsets is None or len(offsets) != 2:
        raise _malformed(
            where, f"tensor {name!r}: expected dtype, shape and two data_offsets, found {str(value)[:200]}"
        )
    start, end = data_start + offsets[0], data_start + offsets[1]
    if start > end or end > size:
        raise _malformed(where, f"tensor {name!r}: expected bytes within the file's {size}, found {start} to {end}")
    if dtype in _ITEM_BYTES and math.prod(shape) * _ITEM_BYTES[dtype] != end - start:
        raise _malformed(
            where, f"tensor {name!r}: {dtype} {list(shape)} does not take the {end - start} bytes it is given"
        )
    return SafetensorsEntry(dtype, shape, start, end)


def _sizes(value: Any) -> tuple[int, ...] | None:
    """``value`` if it is a list of non-negative integers (JSON's true and false are not), else None."""
    if isinstance(value, list) and all(type(item) is int and item >= 0 for item in value):
        return tuple(value)
    return None
