"""The answers of the two hosts."""

from __future__ import annotations

import contextlib
import json
import re
import socket
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from .faults import Answer, Cut, IgnoreRange, OtherEtag, OtherTotal, ShortBody, Stall
from .repository import File, Kind, Repository, Request

if TYPE_CHECKING:
    from .server import LoopbackHub

__all__ = ["CdnHandler", "HubHandler"]

_BLOCK = 2**16
_NAME = r"(?P<name>[\w.-]+/[\w.-]+|[\w.-]+)"
_API = re.compile(
    rf"/api/(?P<kind>models|datasets)/{_NAME}(?:/(?P<what>revision|tree|paths-info|refs)(?:/(?P<rest>.*))?)?"
)
_RESOLVE = re.compile(rf"/(?P<kind>datasets/)?{_NAME}/resolve/(?P<revision>[^/]+)/(?P<file>.+)")
_RESOLVE_CACHE = re.compile(rf"/api/resolve-cache/(?P<kind>models|datasets)/{_NAME}/(?P<revision>[^/]+)/(?P<file>.+)")


class _Handler(BaseHTTPRequestHandler):
    """Logging, counting and sending; what the two hosts have in common."""

    protocol_version = "HTTP/1.1"
    # Head and body are written one after the other; neither is to wait for the other's acknowledgement.
    disable_nagle_algorithm = True
    host = ""

    @property
    def hub(self) -> LoopbackHub:
        return self.server.hub  # type: ignore[attr-defined, no-any-return]

    def log_message(self, *_: object) -> None:
        """Nothing: a test's output is for what went wrong."""

    def do_HEAD(self) -> None:
        self._begin()

    def do_GET(self) -> None:
        self._begin()

    def do_POST(self) -> None:
        self._begin()

    def _begin(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        size = len(self.raw_requestline) + len(bytes(self.headers))
        self.record = Request(self.host, self.command, self.path, headers, received=size)
        with self.hub.lock:
            self.hub.requests.append(self.record)
        fault = self.hub.fault(self.host, self.command, self.path)
        if isinstance(fault, Answer):
            self.send(fault.status, dict(fault.headers), b"")
        else:
            self.answer(fault)

    def answer(self, fault: Any) -> None:
        raise NotImplementedError

    def send_json(self, value: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.send(status, {"Content-Type": "application/json", **(headers or {})}, json.dumps(value).encode())

    def send_error_code(self, status: int, code: str, message: str) -> None:
        self.send_json({"error": message}, status, {"X-Error-Code": code, "X-Error-Message": message})

    def send(self, status: int, headers: dict[str, str], body: bytes, fault: Any = None) -> None:
        """One answer; ``fault`` is about its body."""
        lines = [f"HTTP/1.1 {status} {self.responses.get(status, ('',))[0]}"]
        headers = {"Content-Length": str(len(body)), **headers}
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.record.status = status
        self._write("\r\n".join([*lines, "", ""]).encode())
        if self.command == "HEAD":
            return
        end = fault.after if isinstance(fault, (Cut, Stall)) else len(body)
        for start in range(0, min(end, len(body)), _BLOCK):
            self._write(body[start : min(start + _BLOCK, end)])
        if isinstance(fault, Stall):
            self.hub.closing.wait()
        if isinstance(fault, (Cut, Stall)):
            self.close_connection = True
            # The client may have left already.
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)

    def _write(self, data: bytes) -> None:
        self.wfile.write(data)
        self.record.sent += len(data)

    def send_file(self, file: File, headers: dict[str, str], fault: Any) -> None:
        """A file or the part of it that was asked for."""
        etag = fault.etag if isinstance(fault, OtherEtag) else headers["ETag"]
        headers = {**headers, "ETag": etag, "Accept-Ranges": "bytes"}
        content = file.content
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        same = self.headers.get("If-Range", etag) == etag
        if wanted is None or not same or isinstance(fault, IgnoreRange):
            self.send(200, headers, content, fault)
            return
        start, end = int(wanted[1]), min(int(wanted[2] or len(content)) + 1, len(content))
        if start >= len(content):
            self.send(416, {"Content-Range": f"bytes */{len(content)}"}, b"")
            return
        if isinstance(fault, ShortBody):
            end -= fault.missing
        total = fault.total if isinstance(fault, OtherTotal) else len(content)
        self.send(206, {**headers, "Content-Range": f"bytes {start}-{end - 1}/{total}"}, content[start:end], fault)


class CdnHandler(_Handler):
    """The host of large files: whoever has the address may read, and a token is an error."""

    host = "cdn"

    def answer(self, fault: Any) -> None:
        file = self.hub.content(urlsplit(self.path).path.strip("/"))
        if "authorization" in self.record.headers:
            self.send(400, {}, b"two ways of authorization")
        elif file is None:
            self.send(403, {}, b"expired")
        else:
            # An etag of its own making, as the hosts of contents have.
            self.send_file(file, {"ETag": f'"{file.git_hash[:32]}-1"'}, fault)


class HubHandler(_Handler):
    """The host that is asked."""

    host = "hub"

    def answer(self, fault: Any) -> None:
        length = int(self.record.headers.get("content-length", 0))
        self.body = self.rfile.read(length)
        self.record.received += length
        parts = urlsplit(self.path)
        self.query = parse_qs(parts.query)
        # The client library quotes the slashes of a revision, which is how it is told from the file.
        if (found := _RESOLVE_CACHE.fullmatch(parts.path)) is not None:
            self._resolve(Kind(found["kind"]), found["name"], found["revision"], found["file"], True, fault)
        elif (found := _API.fullmatch(parts.path)) is not None:
            self._api(Kind(found["kind"]), found["name"], found["what"], found["rest"] or "")
        elif (found := _RESOLVE.fullmatch(parts.path)) is not None:
            kind = Kind.DATASET if found["kind"] else Kind.MODEL
            self._resolve(kind, found["name"], found["revision"], found["file"], False, fault)
        else:
            self.send_json({"error": "Sorry, we can't find the page you are looking for."}, 404)

    def _permitted(self, kind: Kind, name: str, to_read: bool) -> Repository | None:
        """The repository; None once an answer was sent that says why not."""
        scheme, _, token = self.record.headers.get("authorization", "").partition(" ")
        if scheme and (scheme != "Bearer" or token not in self.hub.tokens):
            self.send_json({"error": "Invalid credentials in Authorization header"}, 401)
            return None
        repository = self.hub.find(kind, name)
        if repository is None or (repository.private and token not in repository.readers):
            self.send_error_code(404 if token else 401, "RepoNotFound", "Repository not found")
            return None
        if to_read and repository.gated and token not in repository.readers:
            message = f"Access to {name} is restricted."
            self.send_error_code(403 if token else 401, "GatedRepo", message)
            return None
        return repository

    def _commit(self, repository: Repository, revision: str) -> str | None:
        commit = repository.resolve(unquote(revision))
        if commit is None:
            self.send_error_code(404, "RevisionNotFound", f"Invalid rev id: {unquote(revision)}")
        return commit

    def _api(self, kind: Kind, name: str, what: str | None, rest: str) -> None:
        repository = self._permitted(kind, name, to_read=False)
        if repository is None:
            return
        if what == "refs":
            branches = [
                {"name": branch, "ref": f"refs/heads/{branch}", "targetCommit": commit}
                for branch, commit in repository.references.items()
            ]
            self.send_json({"branches": branches, "converts": [], "tags": []})
            return
        revision, _, path = (rest or "main").partition("/")
        commit = self._commit(repository, revision)
        if commit is None:
            return
        if what in (None, "revision"):
            self.send_json(repository.info(commit))
        elif what == "tree":
            recursive = self.query.get("recursive", ["false"])[0].lower() in ("1", "true")
            entries = repository.entries(commit, unquote(path).strip("/"), recursive)
            if entries is None:
                self.send_error_code(404, "EntryNotFound", f"{unquote(path)} does not exist on {revision}")
            else:
                self.send_json(entries)
        else:
            self.send_json(self._paths_info(repository, commit))

    def _paths_info(self, repository: Repository, commit: str) -> list[dict[str, Any]]:
        text = self.body.decode()
        asked = json.loads(text)["paths"] if text.startswith("{") else parse_qs(text).get("paths", [])
        files = repository.commits[commit]
        known = [path for path in asked if path in files or any(name.startswith(f"{path}/") for name in files)]
        return [repository.entry(commit, path) for path in known]

    def _resolve(self, kind: Kind, name: str, revision: str, file_name: str, cached: bool, fault: Any) -> None:
        repository = self._permitted(kind, name, to_read=True)
        commit = None if repository is None else self._commit(repository, revision)
        if repository is None or commit is None:
            return
        file_name = unquote(file_name)
        file = repository.commits[commit].get(file_name)
        if file is None:
            message = "Entry not found"
            headers = {"X-Error-Code": "EntryNotFound", "X-Error-Message": message, "X-Repo-Commit": commit}
            self.send_json({"error": message}, 404, headers)
            return
        headers = {"X-Repo-Commit": commit, "ETag": f'"{repository.etag(file_name, file)}"'}
        if repository.is_large(file_name):
            linked = {"X-Linked-Size": str(len(file.content)), "X-Linked-Etag": headers["ETag"]}
            location = {"Location": self.hub.content_url(file_name, file)}
            self.send(302, {"X-Repo-Commit": commit, **linked, **location}, b"")
        elif not cached:
            self.send(307, {**headers, "Location": f"/api/resolve-cache/{kind.value}/{name}/{commit}/{file_name}"}, b"")
        else:
            self.send_file(file, headers, fault)
