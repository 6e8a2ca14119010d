"""The two hosts of the hub: the one that is asked, and the one that large files come from."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
from dataclasses import dataclass, field
from http.server import ThreadingHTTPServer
from typing import Any

from .faults import Fault
from .handlers import CdnHandler, HubHandler
from .repository import File, Kind, Repository, Request

__all__ = ["LoopbackHub"]


@dataclass
class LoopbackHub:
    """A hub that runs while the block does: ``with LoopbackHub() as hub``.

    Attributes:
        tokens: the tokens of all accounts; any other is refused.
        faults: what goes wrong, first match first.
        requests: everything that was asked, in the order of arrival.
        errors: exceptions in the hub itself; closing it raises the first.
        lock: of the two lists above.
        closing: set when the hub closes.
    """

    tokens: set[str] = field(default_factory=set)
    faults: list[Fault] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    closing: threading.Event = field(default_factory=threading.Event)
    _repositories: dict[tuple[Kind, str], Repository] = field(default_factory=dict)
    _contents: dict[str, tuple[str, File]] = field(default_factory=dict)
    _servers: list[_Server] = field(default_factory=list)
    _generation: int = 0

    def __enter__(self) -> LoopbackHub:
        for handler in (HubHandler, CdnHandler):
            server = _Server(("127.0.0.1", 0), handler, self)
            self._servers.append(server)
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        for server in self._servers:
            server.shutdown()
            server.server_close()
        if self.errors:
            raise self.errors[0]

    @property
    def endpoint(self) -> str:
        """For ``HF_ENDPOINT``."""
        return f"http://127.0.0.1:{self._servers[0].server_address[1]}"

    def add(self, repository: Repository) -> Repository:
        """Put a repository on the hub; returns it."""
        self._repositories[repository.kind, repository.name] = repository
        return repository

    def find(self, kind: Kind, name: str) -> Repository | None:
        """The repository of that name, whoever asks."""
        return self._repositories.get((kind, name))

    def content_url(self, name: str, file: File) -> str:
        """An address of a large file on the other host, good until `expire_urls`."""
        key = f"{file.sha256}-{self._generation}"
        self._contents[key] = (name, file)
        # Another name, because some clients compare hosts without their ports.
        return f"http://localhost:{self._servers[1].server_address[1]}/{key}?signature=secret"

    def content(self, key: str) -> File | None:
        """What is at an address of the other host."""
        found = self._contents.get(key)
        return None if found is None else found[1]

    def expire_urls(self) -> None:
        """Make all addresses of large files invalid."""
        self._contents.clear()
        self._generation += 1

    def fault(self, host: str, method: str, path: str) -> Any:
        """What goes wrong with this request, if anything."""
        with self.lock:
            return next((fault.what for fault in self.faults if fault.applies(host, method, path)), None)

    def wire_bytes(self) -> int:
        """Everything that went over the wire so far, in both directions, without TCP's own."""
        return sum(request.received + request.sent for request in self.requests)

    def asked(self, host: str, method: str = "GET", containing: str = "") -> list[Request]:
        """The requests so far that were made to ``host``."""
        return [
            request
            for request in self.requests
            if (request.host, request.method) == (host, method) and containing in request.path
        ]

    def environment(self, home: Any, token: str | None = None) -> dict[str, str]:
        """The variables for a process whose client libraries use this hub and keep everything under ``home``."""
        variables = {
            "HF_ENDPOINT": self.endpoint,
            "HF_HOME": str(home),
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_UPDATE_CHECK": "1",
            "HF_HUB_DISABLE_XET": "1",
            "NO_PROXY": "127.0.0.1,localhost",
        }
        return variables if token is None else {**variables, "HF_TOKEN": token}


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: Any, hub: LoopbackHub) -> None:
        self.hub = hub
        self._open: set[socket.socket] = set()
        super().__init__(address, handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def close_request(self, request: Any) -> None:
        self._open.discard(request)
        super().close_request(request)

    def server_close(self) -> None:
        super().server_close()
        # Threads that wait for another request on a connection that is kept open.
        for connection in list(self._open):
            _shut(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exc_info()[1]
        # The client may leave whenever it likes.
        if error is not None and not isinstance(error, (ConnectionError, TimeoutError)):
            self.hub.errors.append(error)


def _shut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
