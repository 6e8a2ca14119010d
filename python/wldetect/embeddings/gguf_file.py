"""A strict reader of a GGUF file's header: metadata and the list of tensors, over a memory map.

The ``gguf`` package has a reader too, but it makes a few Python objects for each of a vocabulary's entries, which takes
13 seconds for 262,144 tokens, and a truncated file surfaces in it as whichever exception numpy raises first. Here
arrays are walked and decoded only on request (0.1 s), and every read is checked against the size of the file.
Decoding a tensor's blocks stays with the ``gguf`` package.
"""

from __future__ import annotations

import hashlib
import math
import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from wldetect.errors import EmbeddingError

__all__ = ["GGUFFile", "GGUFTensor"]

Scalar: TypeAlias = "int | float | bool | str"
_T = TypeVar("_T", int, float, bool, str)

_STRING, _ARRAY = 8, 9
# GGUF's value types by number, as struct and numpy codes; everything is little-endian.
_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_MAX_DIMENSIONS = 4
_DEFAULT_ALIGNMENT = 32


@dataclass(frozen=True)
class GGUFTensor:
    """One tensor of the list: where it is and how it is stored, not its data.

    ``shape`` is in numpy's order (rows first), ``type_id`` GGML's number of the storage type, ``offset`` the absolute
    position of the first byte in the file.
    """

    name: str
    shape: tuple[int, ...]
    type_id: int
    offset: int

    @property
    def n_elements(self) -> int:
        """The number of values; an arbitrary-precision product, so that a hostile shape cannot overflow."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class _ArrayEntry:
    """An array of the metadata that has been walked but not decoded: element type, length and byte range."""

    type_id: int
    count: int
    start: int
    end: int


class GGUFFile:
    """An open GGUF file (version 2 or 3, little-endian).

    ``data`` is the whole file as read-only uint8, memory-mapped; ``tensors`` lists the tensors by name.

    Raises:
        OSError: the file cannot be opened.
        EmbeddingError: it is not a GGUF file, or its header is truncated or malformed; names the file and the reason.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("rb") as file:
            magic = file.read(4)
            if magic != b"GGUF":
                raise EmbeddingError(f"{path}: not a GGUF file: expected the magic b'GGUF', found {magic!r}")
            self._buffer = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self.data: NDArray[np.uint8] = np.frombuffer(self._buffer, dtype=np.uint8)
        self._offset = 4
        self._metadata: dict[str, Scalar | _ArrayEntry] = {}
        self._spans: dict[str, tuple[int, int]] = {}
        try:
            self.tensors: Mapping[str, GGUFTensor] = MappingProxyType(self._read_header())
        except UnicodeDecodeError as error:
            raise self._malformed(f"a name or text near byte {self._offset} is not UTF-8") from error

    def value(self, key: str, kind: type[_T]) -> _T | None:
        """A single value of the metadata, or None where the file does not have ``key``.

        Raises:
            EmbeddingError: the value is not of ``kind``.
        """
        found = self._metadata.get(key)
        if found is not None and type(found) is not kind:
            description = "an array" if isinstance(found, _ArrayEntry) else f"{found!r} ({type(found).__name__})"
            raise self._malformed(f"{key}: expected {kind.__name__}, found {description}")
        return found

    def strings(self, key: str) -> list[str] | None:
        """An array of strings of the metadata, or None where the file does not have ``key``.

        Raises:
            EmbeddingError: ``key`` is something else, or an element is not UTF-8.
        """
        entry = self._array(key, strings=True)
        if entry is None:
            return None
        buffer, offset, found = self._buffer, entry.start, []
        length_of = struct.Struct("<Q").unpack_from
        try:
            for _ in range(entry.count):
                begin = offset + 8
                offset = begin + length_of(buffer, offset)[0]
                found.append(buffer[begin:offset].decode("utf-8"))
        except UnicodeDecodeError as error:
            raise self._malformed(f"{key}: element {len(found)} is not UTF-8") from error
        return found

    def numbers(self, key: str) -> NDArray[Any] | None:
        """An array of numbers of the metadata in its stored dtype (read-only), or None where ``key`` is missing.

        Raises:
            EmbeddingError: ``key`` is something else.
        """
        entry = self._array(key, strings=False)
        if entry is None:
            return None
        dtype = np.dtype("<" + _SCALARS[entry.type_id])
        return np.frombuffer(self._buffer, dtype=dtype, count=entry.count, offset=entry.start)

    def metadata_digest(self, prefix: str) -> str:
        """SHA-256 (hex) over the keys that start with ``prefix`` and their values as stored, in alphabetical order."""
        digest = hashlib.sha256()
        for key in sorted(self._spans):
            if key.startswith(prefix):
                start, end = self._spans[key]
                digest.update(f"{key}\0{end - start}\0".encode())
                digest.update(self.data[start:end].data)
        return digest.hexdigest()

    def _array(self, key: str, *, strings: bool) -> _ArrayEntry | None:
        entry = self._metadata.get(key)
        if entry is None:
            return None
        if not isinstance(entry, _ArrayEntry) or (entry.type_id == _STRING) != strings:
            raise self._malformed(f"{key}: expected an array of {'strings' if strings else 'numbers'}")
        return entry

    def _read_header(self) -> dict[str, GGUFTensor]:
        version = self._number("I")
        if version & 0xFFFF == 0:
            raise self._malformed("big-endian files are not supported")
        if version not in (2, 3):
            raise self._malformed(f"version: expected 2 or 3, found {version}")
        # An entry takes at least 8 bytes of name length and 4 of type, which bounds both counts.
        n_tensors, n_entries = self._count(12, "tensors"), self._count(12, "metadata entries")
        for _ in range(n_entries):
            self._read_entry()
        tensors = [self._read_tensor() for _ in range(n_tensors)]
        alignment = self.value("general.alignment", int)
        alignment = _DEFAULT_ALIGNMENT if alignment is None else alignment
        if alignment < 1 or alignment & (alignment - 1):
            raise self._malformed(f"general.alignment: expected a power of two, found {alignment}")
        data_start = -(-self._offset // alignment) * alignment
        by_name: dict[str, GGUFTensor] = {}
        for tensor in tensors:
            if tensor.name in by_name:
                raise self._malformed(f"tensor {tensor.name!r} is listed twice")
            by_name[tensor.name] = GGUFTensor(tensor.name, tensor.shape, tensor.type_id, data_start + tensor.offset)
        return by_name

    def _read_entry(self) -> None:
        key = self._text()
        if key in self._metadata:
            raise self._malformed(f"metadata key {key!r} is listed twice")
        start = self._offset
        type_id = self._number("I")
        if type_id == _STRING:
            self._metadata[key] = self._text()
        elif type_id == _ARRAY:
            self._metadata[key] = self._walk_array(key)
        elif type_id in _SCALARS:
            self._metadata[key] = self._number(_SCALARS[type_id])
        else:
            raise self._malformed(f"metadata key {key!r}: unknown value type {type_id}")
        self._spans[key] = (start, self._offset)

    def _walk_array(self, key: str) -> _ArrayEntry:
        type_id = self._number("I")
        if type_id == _STRING:
            count = self._count(8, key)
            start = offset = self._offset
            length_of = struct.Struct("<Q").unpack_from
            try:
                for _ in range(count):
                    offset += 8 + length_of(self._buffer, offset)[0]
            except (struct.error, OverflowError) as error:
                raise self._malformed(f"truncated within {key!r}: the file has {len(self._buffer)} bytes") from error
            self._skip(offset - start)
        elif type_id in _SCALARS:
            size = struct.calcsize("<" + _SCALARS[type_id])
            count = self._count(size, key)
            start = self._offset
            self._skip(size * count)
        else:
            raise self._malformed(f"metadata key {key!r}: arrays of value type {type_id} are not supported")
        return _ArrayEntry(type_id, count, start, self._offset)

    def _read_tensor(self) -> GGUFTensor:
        name = self._text()
        n_dimensions = self._number("I")
        if n_dimensions > _MAX_DIMENSIONS:
            raise self._malformed(
                f"tensor {name!r}: dimensions: expected at most {_MAX_DIMENSIONS}, found {n_dimensions}"
            )
        # GGUF lists the fastest-varying dimension first, numpy last.
        shape = tuple(self._number("Q") for _ in range(n_dimensions))[::-1]
        type_id, offset = self._number("I"), self._number("Q")
        return GGUFTensor(name, shape, type_id, offset)

    def _skip(self, n_bytes: int) -> int:
        """Step over ``n_bytes`` and return where they began; the one place that checks against the file's size."""
        start = self._offset
        if n_bytes > len(self._buffer) - start:
            raise self._malformed(
                f"truncated: expected {n_bytes} more bytes at byte {start} of the header, the file has "
                f"{len(self._buffer)} bytes"
            )
        self._offset = start + n_bytes
        return start

    def _number(self, code: str) -> Any:
        fmt = struct.Struct("<" + code)
        return fmt.unpack_from(self._buffer, self._skip(fmt.size))[0]

    def _count(self, minimum_size: int, what: str) -> int:
        count: int = self._number("Q")
        if count > (len(self._buffer) - self._offset) // minimum_size:
            raise self._malformed(
                f"truncated or malformed: {count} {what} announced, more than fit into the file's "
                f"{len(self._buffer)} bytes"
            )
        return count

    def _text(self) -> str:
        length: int = self._number("Q")
        start = self._skip(length)
        return self._buffer[start : start + length].decode("utf-8")

    def _malformed(self, reason: str) -> EmbeddingError:
        return EmbeddingError(f"{self.path}: GGUF file: {reason}")
