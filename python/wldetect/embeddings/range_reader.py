"""Reading parts of one file on a hub by range requests, however often the connection breaks."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator

from wldetect.embeddings.hub_client import ATTEMPTS, HubClient, HubFile, HubUnreachableError, is_temporary, pause

__all__ = ["FileChangedError", "RangeReader", "RangesRefusedError", "StoppedError"]

# Answers of a host whose addresses are good for a limited time, once that is over.
_EXPIRED = (400, 401, 403, 404, 410)


class RangesRefusedError(Exception):
    """The server does not hand out parts of this file."""


class FileChangedError(Exception):
    """The file is not the one that was first read from."""


class StoppedError(Exception):
    """Reading was given up because something else has ended the work."""


class _BrokenError(Exception):
    """No answer, or one that may be another the next time."""

    def __init__(self, reason: str, retry_after: str | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class RangeReader:
    """Byte ranges of one file; may be used by several threads at once.

    Args:
        client: the hub.
        file: the file as the hub describes it.
        commit: the commit it is read at, to ask again where its content is.
        validator: the etag that the host of the content gave in an earlier session, or None: see ``validator``.
        stop: ends all reading when it is set.
    """

    def __init__(
        self,
        client: HubClient,
        file: HubFile,
        commit: str,
        validator: str | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        self._client = client
        self._file = file
        self._commit = commit
        self._validator = validator
        self._stop = stop or threading.Event()
        self._lock = threading.Lock()
        # Where the content is; not known, or not any more, where it is None.
        self._url: str | None = None
        self._size = file.size
        # Not every host knows what to do about If-Range; etags are compared in any case.
        self._conditional = True

    @property
    def validator(self) -> str | None:
        """The etag of the first answer, which all others must have. The host that has the content has its own way to
        make etags; None before the first answer, or if there is none that compares byte for byte."""
        return self._validator

    @property
    def size(self) -> int | None:
        """The size of the whole file in bytes, known at the latest after the first answer."""
        return self._size

    def read(self, start: int, end: int) -> bytes:
        """The bytes [start, end); errors as `stream`."""
        return b"".join(self.stream(start, end))

    def stream(self, start: int, end: int) -> Iterator[bytes]:
        """The bytes [start, end) in blocks, in order. A request that breaks off is made again from the byte reached.

        Raises:
            RangesRefusedError: the server answers with the whole file, or not at all to ranges.
            FileChangedError: etag or size are others than before.
            StoppedError: ``stop`` was set.
            HubUnreachableError: several requests in a row have not brought a byte.
            EmbeddingError: the hub refuses the file.
        """
        position, failures = start, 0
        while position < end:
            reached = position
            retry_after = None
            reason: Exception
            try:
                for block in self._request(position, end):
                    position += len(block)
                    yield block
                reason = EOFError(f"the answer ended {end - position} bytes early")
            except self._client.no_answer as error:
                reason = error
            except _BrokenError as error:
                reason, retry_after = error, error.retry_after
            if position < end:
                failures = failures + 1 if position == reached else 1
                if failures == ATTEMPTS:
                    raise HubUnreachableError(
                        f"{self._client.repo}: {self._file.name}: cannot be read on from byte {position}: "
                        f"{' '.join(str(reason).split()) or type(reason).__name__}"
                    ) from reason
                pause(failures, retry_after, self._stop)

    def _request(self, start: int, end: int) -> Iterator[bytes]:
        """The body of one answer, which may break off or end early."""
        self._check_going_on()
        url = self._find()
        headers = self._client.headers(url)
        headers |= {"Range": f"bytes={start}-{end - 1}", "Accept-Encoding": "identity"}
        if self._validator is not None and self._conditional:
            headers["If-Range"] = self._validator
        with self._client.open(url, headers) as response:
            status = response.status_code
            if is_temporary(status):
                raise _BrokenError(f"status {status}", response.headers.get("Retry-After"))
            if status in _EXPIRED:
                self._forget(url)
                raise _BrokenError(f"status {status}")
            if status == 200 and "If-Range" in headers:
                if response.headers.get("ETag", headers["If-Range"]) != headers["If-Range"]:
                    raise FileChangedError
                self._conditional = False
                raise _BrokenError("the whole file although it has not changed")
            if status != 206:
                raise RangesRefusedError(f"status {status}")
            self._check_answer(response.headers, start, end)
            received = 0
            for block in response.iter_raw():
                self._check_going_on()
                received += len(block)
                if received > end - start:
                    raise RangesRefusedError("more bytes than were asked for")
                yield block

    def _check_answer(self, headers: dict[str, str], start: int, end: int) -> None:
        found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", headers.get("Content-Range", "").strip())
        if found is None or int(found[1]) != start or int(found[2]) >= end:
            raise RangesRefusedError(f"Content-Range: {headers.get('Content-Range')!r}")
        if headers.get("Content-Encoding", "identity") != "identity":
            raise RangesRefusedError(f"Content-Encoding: {headers['Content-Encoding']}")
        etag = headers.get("ETag", "")
        with self._lock:
            # A weak one does not vouch for the bytes.
            if etag.startswith('"'):
                self._validator = self._validator or etag
                if etag != self._validator:
                    raise FileChangedError
            if found[3] != "*":
                self._size = int(found[3]) if self._size is None else self._size
                if int(found[3]) != self._size:
                    raise FileChangedError

    def _find(self) -> str:
        """Where the content is, asked of the hub once for all threads; it says so too if it refuses the file."""
        with self._lock:
            if self._url is None:
                file, url = self._client.metadata(self._file.name, self._commit)
                if file.etag != self._file.etag:
                    raise FileChangedError
                self._url = url
            return self._url

    def _forget(self, url: str) -> None:
        with self._lock:
            if self._url == url:
                self._url = None

    def _check_going_on(self) -> None:
        if self._stop.is_set():
            raise StoppedError
