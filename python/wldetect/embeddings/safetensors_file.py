"""A strict reader of a safetensors header: where each tensor's bytes are, without reading them.

The ``safetensors`` library hands out tensors, not offsets, and numpy has no bfloat16; to map a tensor in place, its
byte range is what is needed.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wldetect.errors import EmbeddingError

__all__ = ["SafetensorsEntry", "read_safetensors_header"]

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
        EmbeddingError: the header is malformed, a tensor's size disagrees with its type and shape, or the data does not
            end where the file does.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        prefix = file.read(8)
        length = int.from_bytes(prefix, "little")
        if len(prefix) < 8 or length > min(_MAX_HEADER_BYTES, size - 8):
            raise _malformed(path, f"expected a header of at most {max(0, size - 8)} bytes, found {length}: truncated?")
        raw = file.read(length)
    try:
        header = json.loads(raw.decode("utf-8"), object_pairs_hook=_without_repeats)
    except (ValueError, RecursionError) as error:
        raise _malformed(path, f"the header is not JSON: {error}") from error
    if not isinstance(header, dict):
        raise _malformed(path, f"header: expected an object, found {type(header).__name__}")
    data_start = 8 + length
    entries = {
        name: _entry(path, name, value, data_start, size) for name, value in header.items() if name != "__metadata__"
    }
    data_end = max((entry.end for entry in entries.values()), default=data_start)
    if data_end != size:
        raise _malformed(path, f"expected the last tensor to end with the file, at byte {size}, found {data_end}")
    return entries


def _malformed(path: Path, reason: str) -> EmbeddingError:
    return EmbeddingError(f"{path}: safetensors file: {reason}")


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is repeated")
    return found


def _entry(path: Path, name: str, value: Any, data_start: int, size: int) -> SafetensorsEntry:
    fields = value if isinstance(value, dict) else {}
    dtype, shape, offsets = fields.get("dtype"), _sizes(fields.get("shape")), _sizes(fields.get("data_offsets"))
    if not isinstance(dtype, str) or shape is None or offsets is None or len(offsets) != 2:
        raise _malformed(path, f"tensor {name!r}: expected dtype, shape and two data_offsets, found {str(value)[:200]}")
    start, end = data_start + offsets[0], data_start + offsets[1]
    if start > end or end > size:
        raise _malformed(path, f"tensor {name!r}: expected bytes within the file's {size}, found {start} to {end}")
    if dtype in _ITEM_BYTES and math.prod(shape) * _ITEM_BYTES[dtype] != end - start:
        raise _malformed(
            path, f"tensor {name!r}: {dtype} {list(shape)} does not take the {end - start} bytes it is given"
        )
    return SafetensorsEntry(dtype, shape, start, end)


def _sizes(value: Any) -> tuple[int, ...] | None:
    """``value`` if it is a list of non-negative integers (JSON's true and false are not), else None."""
    if isinstance(value, list) and all(type(item) is int and item >= 0 for item in value):
        return tuple(value)
    return None
