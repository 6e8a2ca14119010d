"""One tensor of a model on a hub as a file of its own, fetched once and checked whenever it is opened."""

from __future__ import annotations

import hashlib
import io
import json
import re
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wldetect.embeddings.base import file_fingerprint
from wldetect.embeddings.checkpoint import StoredTensor
from wldetect.embeddings.hub_client import HubFile
from wldetect.embeddings.hub_repository import HubRepository
from wldetect.embeddings.local import map_tensor
from wldetect.embeddings.range_download import discard_partial, download_range
from wldetect.embeddings.range_reader import FileChangedError, RangeReader, RangesRefusedError
from wldetect.embeddings.safetensors_file import MAPPED_AS
from wldetect.errors import EmbeddingError
from wldetect.files import atomic_path

__all__ = ["HubTensor", "open_tensor"]

_DIGEST = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True)
class HubTensor:
    """A tensor that is on the disk.

    Attributes:
        array: its values [V, D], mapped and read-only; uint16 for the bits of bfloat16.
        path: the file that holds them.
        span: first byte and the one after the last, in that file.
        sha256: what `tensor_fingerprint` was when the tensor was fetched; None in a file with a checksum of its own.
    """

    array: NDArray[Any]
    path: Path
    span: tuple[int, int]
    sha256: str | None


def open_tensor(repository: HubRepository, tensor: StoredTensor) -> HubTensor:
    """Map a tensor, after its bytes have been fetched if they are nowhere yet.

    Where the client library's cache has the whole file, the tensor is mapped there. Otherwise it is in the folder of
    the repository, in a ``.npy`` file named by the file's etag and the tensor's bytes, so that a later commit with the
    same file finds it; the values are aligned there. Beside it a JSON file says what it is and what its digest was.

    Raises:
        OSError: a file cannot be read or written.
        EmbeddingError: the tensor cannot be fetched, there is not enough disk space, or a checksum is wrong.
    """
    if repository.client.cached(tensor.file, repository.commit) is not None:
        return _in_whole_file(repository, tensor)
    file = repository.file(tensor.file)
    # An etag that is no digest says nothing beyond its own commit.
    own = hashlib.sha256(json.dumps([repository.commit, file.name, file.etag]).encode()).hexdigest()
    identity = file.etag if _DIGEST.fullmatch(file.etag) else own
    target = repository.folder / f"{identity}-{tensor.entry.start}-{tensor.entry.end}.npy"
    found = _open_fetched(target, repository, tensor, file)
    if found is None:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _alone(target):
            # Another process may have fetched it meanwhile.
            found = _open_fetched(target, repository, tensor, file)
            if found is None:
                try:
                    _fetch(target, repository, tensor, file)
                except RangesRefusedError as error:
                    discard_partial(target)
                    repository.whole_file(tensor.file, error)
                    return _in_whole_file(repository, tensor)
                found = _open_fetched(target, repository, tensor, file)
                if found is None:
                    raise EmbeddingError(f"{target}: the cached embeddings changed while they were being opened")
    return found


def _in_whole_file(repository: HubRepository, tensor: StoredTensor) -> HubTensor:
    path = repository.whole_file(tensor.file)
    return HubTensor(map_tensor(path, tensor), path, (tensor.entry.start, tensor.entry.end), None)


def _open_fetched(target: Path, repository: HubRepository, tensor: StoredTensor, file: HubFile) -> HubTensor | None:
    """The tensor that was fetched before; None, after a warning if there is a file, where it must be fetched."""
    if not target.exists():
        return None
    head = _head(tensor)
    span = (len(head), len(head) + tensor.entry.end - tensor.entry.start)
    size = target.stat().st_size
    with target.open("rb") as opened:
        usable = size == span[1] and opened.read(len(head)) == head
    if not usable:
        warnings.warn(
            f"{target}: unusable, fetching it again: expected {span[1]} bytes of {tensor.describe()}, found {size}",
            RuntimeWarning,
            stacklevel=4,
        )
        target.unlink()
        return None
    record = _record_path(target)
    try:
        sha256 = json.loads(record.read_text(encoding="utf-8"))["sha256"]
    except (OSError, ValueError, LookupError, TypeError):
        # The file gets its name only when it is whole: the process was ended between that and the record.
        sha256 = file_fingerprint(target, *span, tensor.entry.dtype, tensor.entry.shape)
        facts = {
            "repository": repository.client.repo,
            "commit": repository.commit,
            "file": file.name,
            "etag": file.etag,
            "bytes": [tensor.entry.start, tensor.entry.end],
            "tensor": tensor.name,
            "dtype": tensor.entry.dtype,
            "shape": tensor.entry.shape,
            "sha256": sha256,
        }
        with atomic_path(record) as temporary:
            temporary.write_text(json.dumps(facts, indent=1), encoding="utf-8")
    array: NDArray[Any] = np.load(target, mmap_mode="r", allow_pickle=False)
    return HubTensor(array, target, span, sha256)


def _fetch(target: Path, repository: HubRepository, tensor: StoredTensor, file: HubFile) -> None:
    span = (tensor.entry.start, tensor.entry.end)
    key = {"repository": repository.client.repo, "file": file.name, "etag": file.etag, "bytes": list(span)}
    _record_path(target).unlink(missing_ok=True)
    for last in (False, True):
        try:
            download_range(
                target,
                key,
                _head(tensor),
                span,
                lambda validator, stop: RangeReader(repository.client, file, repository.commit, validator, stop),
                f"{repository.where} {tensor.name}",
            )
        except FileChangedError as error:
            # What is there so far belongs to another file. Once more from the beginning, unless that happens again.
            discard_partial(target)
            if last:
                repository.forget(file.name)
                raise EmbeddingError(f"{repository.label(file.name)}: the file changed while it was fetched") from error
        else:
            return


def _head(tensor: StoredTensor) -> bytes:
    """What numpy writes before the values, a multiple of 64 bytes."""
    head = io.BytesIO()
    facts = {"descr": MAPPED_AS[tensor.entry.dtype], "fortran_order": False, "shape": tensor.entry.shape}
    np.lib.format.write_array_header_1_0(head, facts)
    return head.getvalue()


def _record_path(target: Path) -> Path:
    return target.with_suffix(".json")


def _alone(target: Path) -> Any:
    """A lock that one process holds, so that those that are started together do not all fetch."""
    from filelock import FileLock, Timeout

    lock = FileLock(f"{target}.lock")
    try:
        return lock.acquire(timeout=0)
    except Timeout:
        print(f"wldetect: {target}: another process is fetching it; waiting", file=sys.stderr)
        return lock.acquire()
