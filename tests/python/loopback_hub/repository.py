"""What a hub stores: repositories with commits, branches and tags, who may read them, and what was asked."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

__all__ = ["File", "Kind", "Repository", "Request"]

_LARGE = (".safetensors", ".parquet", ".bin", ".gguf")


class Kind(Enum):
    """What a repository holds; the value is its place in the hub's addresses."""

    MODEL = "models"
    DATASET = "datasets"


@dataclass(frozen=True)
class File:
    """One version of a file."""

    content: bytes

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @cached_property
    def git_hash(self) -> str:
        return hashlib.sha1(b"blob %d\0" % len(self.content) + self.content).hexdigest()


@dataclass
class Repository:
    """One repository.

    Attributes:
        name: ``organization/name``.
        kind: model or dataset.
        private: only ``readers`` may know that it is there.
        gated: only ``readers`` may read its files.
        readers: tokens.
        commits: files by name by commit.
        references: commit by branch or tag.
    """

    name: str
    kind: Kind = Kind.MODEL
    private: bool = False
    gated: bool = False
    readers: set[str] = field(default_factory=set)
    commits: dict[str, dict[str, File]] = field(default_factory=dict)
    references: dict[str, str] = field(default_factory=dict)

    def commit(self, files: Mapping[str, bytes], reference: str = "main") -> str:
        """Add a commit of exactly these files, which ``reference`` is from now on; returns its hash."""
        kept = {name: File(content) for name, content in sorted(files.items())}
        text = "".join(f"{name} {file.sha256}\n" for name, file in kept.items()) + str(len(self.commits))
        commit = hashlib.sha1(text.encode()).hexdigest()
        self.commits[commit] = kept
        self.references[reference] = commit
        return commit

    def resolve(self, revision: str) -> str | None:
        """The commit of a revision, if there is one."""
        return self.references.get(revision, revision if revision in self.commits else None)

    def is_large(self, name: str) -> bool:
        """Whether the file is kept apart from Git, on another host."""
        return name.endswith(_LARGE)

    def etag(self, name: str, file: File) -> str:
        return file.sha256 if self.is_large(name) else file.git_hash

    def info(self, commit: str) -> dict[str, Any]:
        """The answer to the question what there is."""
        day = "2026-01-02T03:04:05.000Z"
        return {
            "_id": hashlib.sha1(self.name.encode()).hexdigest()[:24],
            "id": self.name,
            "author": self.name.split("/")[0],
            "sha": commit,
            "createdAt": day,
            "lastModified": day,
            "private": self.private,
            "gated": "manual" if self.gated else False,
            "disabled": False,
            "downloads": 0,
            "likes": 0,
            "tags": [],
            "siblings": [{"rfilename": name} for name in self.commits[commit]],
        }

    def entries(self, commit: str, folder: str, recursive: bool) -> list[dict[str, Any]] | None:
        """The files and folders in ``folder``; None where there is no such folder."""
        files = self.commits[commit]
        prefix = f"{folder}/" if folder else ""
        inside = [name for name in files if name.startswith(prefix)]
        if folder and not inside:
            return None
        folders = {
            str(parent)
            for name in inside
            for parent in PurePosixPath(name).parents
            if str(parent).startswith(prefix) and str(parent) not in (".", folder)
        }
        names = [*sorted(folders), *inside]
        return [self.entry(commit, name) for name in names if recursive or "/" not in name.removeprefix(prefix)]

    def entry(self, commit: str, name: str) -> dict[str, Any]:
        """One file or folder as the hub lists it."""
        file = self.commits[commit].get(name)
        if file is None:
            return {"type": "directory", "oid": hashlib.sha1(name.encode()).hexdigest(), "size": 0, "path": name}
        found = {"type": "file", "oid": file.git_hash, "size": len(file.content), "path": name}
        if self.is_large(name):
            found["lfs"] = {"oid": file.sha256, "size": len(file.content), "pointerSize": 134}
        return found


@dataclass
class Request:
    """One request that was answered.

    Attributes:
        host: "hub" or "cdn".
        method: GET, HEAD or POST.
        path: with the query.
        headers: of the request, names in lower case.
        status: of the answer; 0 before it is sent.
        received: bytes of the request.
        sent: bytes of the answer that were written to the connection, head and body.
    """

    host: str
    method: str
    path: str
    headers: dict[str, str]
    status: int = 0
    received: int = 0
    sent: int = 0
