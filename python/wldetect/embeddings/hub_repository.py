"""The files of one model on a hub at one commit: what is known of them, and the caches they are kept in."""

from __future__ import annotations

import hashlib
import json
import re
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from wldetect.embeddings.checkpoint import CheckpointFiles
from wldetect.embeddings.hub_client import HubClient, HubFile, HubUnreachableError
from wldetect.embeddings.range_reader import FileChangedError, RangeReader, RangesRefusedError
from wldetect.embeddings.safetensors_file import (
    PREFIX_BYTES,
    SafetensorsEntry,
    header_length,
    parse_safetensors_header,
    read_safetensors_header,
)
from wldetect.errors import EmbeddingError
from wldetect.files import atomic_path

__all__ = ["HubRepository"]

_COMMIT = re.compile(r"[0-9a-f]{40}")
_MAIN = "main"
_BLOCK_BYTES = 2**20


class HubRepository(CheckpointFiles):
    """A model on a hub at the commit that a branch or a tag is when it is opened.

    What the hub has said is kept in ``<cache_dir>/hub/<organization>--<name>/``: the commit of each branch or tag that
    was asked for, and for each commit the list of files and the headers that were read. A commit's files never change,
    so that nothing of a commit that is known is asked for again; where the hub cannot be reached, branches and tags
    are what they were the last time, and what other programs have put into the client library's own cache counts too.

    Args:
        client: the hub.
        revision: branch, tag or commit; None: the main branch.
        cache_dir: the package's cache.

    Raises:
        OSError: the cache cannot be written.
        EmbeddingError: there is no such model or revision, no access to it, or the hub cannot be reached and nothing is
            known of it.
    """

    def __init__(self, client: HubClient, revision: str | None, cache_dir: Path) -> None:
        self.client = client
        self.folder = cache_dir / "hub" / client.repo.replace("/", "--")
        self.revision = revision or _MAIN
        self._commits = self.folder / "revisions.json"
        # Where the client library's cache holds the files although the hub was never asked for them from here.
        self._snapshot: Path | None = None
        if _COMMIT.fullmatch(self.revision) and self._read_record(self.revision):
            self.commit = self.revision
        else:
            try:
                self.commit, names = client.info(revision)
            except HubUnreachableError as error:
                self.commit = self._last_known(error)
            else:
                _write_json(self._commits, {**_read_json(self._commits), self.revision: self.commit})
                self._record = {"files": names, **self._read_record(self.commit)}
                self._write_record()
                return
        self._record = self._read_record(self.commit)

    @property
    def where(self) -> str:
        return f"{self.client.repo}@{self.commit[:12]}"

    def names(self) -> list[str]:
        if self._snapshot is not None:
            files = (path for path in self._snapshot.rglob("*") if path.is_file())
            return sorted(path.relative_to(self._snapshot).as_posix() for path in files)
        return [str(name) for name in self._record["files"]]

    def path(self, name: str) -> Path:
        return self.client.cached(name, self.commit) or self.client.download(name, self.commit)

    def header(self, name: str) -> dict[str, SafetensorsEntry]:
        """The tensors of one safetensors file, from its first bytes alone.

        Raises:
            OSError: the cache cannot be read or written.
            EmbeddingError: the file is malformed, or the hub cannot be reached and has not been asked before.
        """
        known = self._shard(name).get("header")
        if known is not None:
            return {tensor: SafetensorsEntry(**{**entry, "shape": tuple(entry["shape"])}) for tensor, entry in known}
        whole = self.client.cached(name, self.commit)
        if whole is not None:
            return read_safetensors_header(whole)
        try:
            return self._fetch_header(name)
        except RangesRefusedError as error:
            return read_safetensors_header(self.whole_file(name, error))
        except FileChangedError as error:
            self.forget(name)
            raise EmbeddingError(f"{self.label(name)}: the file changed while it was read") from error

    def file(self, name: str) -> HubFile:
        """What the hub says about a file, or has said.

        Raises:
            OSError: the cache cannot be written.
            EmbeddingError: the hub cannot be reached and has not been asked before.
        """
        known = self._shard(name).get("file")
        if known is not None:
            return HubFile(**known)
        file, _ = self.client.metadata(name, self.commit)
        self._note(name, file=asdict(file))
        return file

    def whole_file(self, name: str, reason: Exception | None = None) -> Path:
        """The whole file in the client library's cache, fetched where it is not there, and with the right checksum.

        Args:
            name: the file.
            reason: why it is fetched although a part would do; said on stderr.

        Raises:
            OSError: as for the client library.
            EmbeddingError: it cannot be fetched, or its SHA-256 is not the one that the hub has for it.
        """
        path = self.client.cached(name, self.commit)
        if path is None:
            print(
                f"wldetect: {self.label(name)}: {self.client.endpoint} does not hand out parts of it ({reason}): "
                f"fetching the whole file",
                file=sys.stderr,
            )
            path = self.client.download(name, self.commit)
        self._verify(name, path)
        return path

    def forget(self, name: str) -> None:
        """Forget what the hub has said about a file, so that it is asked again.

        Raises:
            OSError: the cache cannot be written.
        """
        self._record.get("shards", {}).pop(name, None)
        self._write_record()

    def _verify(self, name: str, path: Path) -> None:
        """Compare the file with the hub's checksum, once for this size and time of change."""
        # The library's cache names the content by its etag, which is all there is if the hub was never asked.
        known = self._shard(name).get("file")
        sha256 = (HubFile(name, path.resolve().name, None) if known is None else HubFile(**known)).sha256
        status = path.stat()
        seen = [status.st_size, status.st_mtime_ns]
        if sha256 is None or self._shard(name).get("verified") == seen:
            return
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while block := file.read(_BLOCK_BYTES):
                digest.update(block)
        if digest.hexdigest() != sha256:
            raise EmbeddingError(
                f"{path}: sha256: expected {sha256}, as the hub has it, found {digest.hexdigest()}: delete the file to "
                f"fetch it again"
            )
        self._note(name, verified=seen)

    def _fetch_header(self, name: str) -> dict[str, SafetensorsEntry]:
        reader = RangeReader(self.client, self.file(name), self.commit)
        prefix = reader.read(0, PREFIX_BYTES)
        size = reader.size
        if size is None:
            raise EmbeddingError(f"{self.label(name)}: expected its size from {self.client.endpoint}, found none")
        length = header_length(prefix, size, self.label(name))
        raw = reader.read(PREFIX_BYTES, PREFIX_BYTES + length)
        entries = parse_safetensors_header(raw, size, self.label(name))
        self._note(name, header=[[tensor, asdict(entry)] for tensor, entry in entries.items()])
        return entries

    def _last_known(self, error: HubUnreachableError) -> str:
        """The commit that the revision was when the hub could last be asked, here or by another program."""
        known = self.revision if _COMMIT.fullmatch(self.revision) else _read_json(self._commits).get(self.revision)
        if isinstance(known, str) and self._read_record(known):
            commit = known
        else:
            self._snapshot = self.client.snapshot(self.revision)
            # A tokenizer alone, which many programs fetch, is of no use here.
            if self._snapshot is None or not any(self._snapshot.glob("*.safetensors")):
                raise error
            commit = self._snapshot.name
        if not self.client.offline:
            print(f"wldetect: {error}; going on with commit {commit}, which is", file=sys.stderr)
        return commit

    def _shard(self, name: str) -> dict[str, Any]:
        shard: dict[str, Any] = self._record.setdefault("shards", {}).setdefault(name, {})
        return shard

    def _note(self, name: str, **facts: object) -> None:
        self._shard(name).update(facts)
        self._write_record()

    def _record_path(self, commit: str) -> Path:
        return self.folder / f"{commit}.json"

    def _read_record(self, commit: str) -> dict[str, Any]:
        """What is known of a commit; nothing where that is not in order."""
        record = _read_json(self._record_path(commit))
        files = record.get("files")
        return record if isinstance(files, list) and record.get("repo") == self.client.repo else {}

    def _write_record(self) -> None:
        if self._snapshot is None:
            _write_json(self._record_path(self.commit), {"repo": self.client.repo, **self._record})


def _read_json(path: Path) -> dict[str, Any]:
    """A JSON object that was written here; an empty one where it is missing or damaged, for it can be made again."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _write_json(path: Path, value: dict[str, Any]) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1), encoding="utf-8")
