"""Other metadata for a table file that is there: the tensors, and what else its header says, stay as they are."""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from wldetect.errors import ArtifactError
from wldetect.files import atomic_path

__all__ = ["rewrite_metadata"]

# Bytes of a cache line: where data begins, it begins a line.
_LINE = 64
# What the format allows.
_LONGEST_HEADER = 100_000_000
_CHUNK = 1 << 20


def rewrite_metadata(path: Path, changes: Mapping[str, str]) -> None:
    """Write the safetensors file ``path`` anew with ``changes`` among its metadata.

    Under a temporary name, renamed when it is whole: whoever has the file mapped keeps the old one.

    Raises:
        OSError: it cannot be read, there is no room, or the directory cannot be written.
        ArtifactError: it is not a safetensors file.
    """
    with path.open("rb") as file:
        header = _read_header(path, file)
        header["__metadata__"] = {**header.get("__metadata__", {}), **changes}
        text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
        # The format allows spaces behind the header; its length stands before it in eight bytes.
        text += b" " * (-(8 + len(text)) % _LINE)
        with atomic_path(path) as temporary:
            try:
                with temporary.open("wb") as copy:
                    copy.write(struct.pack("<Q", len(text)) + text)
                    shutil.copyfileobj(file, copy, _CHUNK)
            except OSError as error:
                # An error of writing does not say where.
                raise OSError(error.errno, f"cannot be written: {error.strerror}", str(path)) from error


def _read_header(path: Path, file: BinaryIO) -> dict[str, Any]:
    """The header of an open file, which is then at the data."""
    try:
        (length,) = struct.unpack("<Q", file.read(8))
        if length > _LONGEST_HEADER:
            raise ValueError(f"a header of {length} bytes")
        text = file.read(length)
        if len(text) < length:
            raise ValueError(f"{len(text)} of {length} bytes of the header")
        header = json.loads(text)
    except (struct.error, ValueError) as error:
        raise ArtifactError(f"{path}: not a whole safetensors file: {error}") from None
    if not isinstance(header, dict) or not isinstance(header.get("__metadata__", {}), dict):
        raise ArtifactError(f"{path}: not a whole safetensors file: its header is no object of tensors and metadata")
    return header
