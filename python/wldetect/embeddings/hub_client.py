"""Asking a model hub, through the client library, and putting its many errors into one line each."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit

from wldetect import _core
from wldetect.errors import EmbeddingError, MissingExtraError

__all__ = ["HubClient", "HubFile", "HubUnreachableError", "is_temporary", "pause"]

_T = TypeVar("_T")

# So often in a row is asked, before it counts as the answer that none comes, or that the hub is out of order.
ATTEMPTS = 5
# The same for short questions where no connection can be made: there may be no network, and a cache.
_ATTEMPTS_TO_CONNECT = 3
# Seconds before the first of these attempts; each pause is twice the one before, up to the longest.
FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 8.0
_LONGEST_ASKED_FOR = 60.0


class HubUnreachableError(EmbeddingError):
    """The hub does not answer, may not be asked, or says that it is out of order."""


@dataclass(frozen=True)
class HubFile:
    """A file of a repository at one commit, without its content.

    Attributes:
        name: the file's name in the repository.
        etag: what the hub identifies the content by: the SHA-256 of a large file, the Git hash of a small one.
        size: in bytes; None where the hub does not say.
    """

    name: str
    etag: str
    size: int | None

    @property
    def sha256(self) -> str | None:
        """The SHA-256 (hex) of the content, if that is what the hub identifies it by."""
        return self.etag if re.fullmatch(r"[0-9a-f]{64}", self.etag) else None


class HubClient:
    """The hub that ``HF_ENDPOINT`` names, seen from one model's repository.

    The token comes from ``HF_TOKEN`` or from ``hf auth login``. Every method that asks the hub raises
    `HubUnreachableError` where there is no answer, and `EmbeddingError` for an answer that is no help.

    Args:
        repo: the model's id, ``organization/name``.

    Raises:
        EmbeddingError: ``repo`` cannot be an id.
        MissingExtraError: the client library is not installed.
    """

    def __init__(self, repo: str) -> None:
        self.repo = repo
        self._hub = _library()
        self.endpoint: str = self._hub.constants.ENDPOINT.rstrip("/")
        self._api = self._hub.HfApi(endpoint=self.endpoint, library_name="wldetect", library_version=_core.__version__)
        try:
            self._hub.utils.validate_repo_id(repo)
        except self._hub.utils.HFValidationError as error:
            raise EmbeddingError(
                f"source: expected an existing path or the id of a model on a hub, found {repo!r}"
            ) from error

    @property
    def offline(self) -> bool:
        """Whether ``HF_HUB_OFFLINE`` forbids asking."""
        return bool(self._hub.constants.HF_HUB_OFFLINE)

    @property
    def timeout(self) -> float:
        """Seconds without a byte after which a connection counts as broken (``HF_HUB_DOWNLOAD_TIMEOUT``)."""
        return float(self._hub.constants.HF_HUB_DOWNLOAD_TIMEOUT)

    def info(self, revision: str | None) -> tuple[str, list[str]]:
        """The commit that ``revision`` (None: the main branch) is now, and the names of all files in it, sorted."""
        with self._explained("the list of its files", revision):
            try:
                info = self._retried(lambda: self._api.model_info(self.repo, revision=revision, timeout=self.timeout))
            except (ValueError, TypeError, KeyError) as error:
                if isinstance(error, self.no_answer):
                    raise
                raise EmbeddingError(
                    f"{self.repo}: expected a model hub at {self.endpoint} (HF_ENDPOINT), found something else: "
                    f"{error!r}"
                ) from error
        # The commit becomes the name of a file.
        if not re.fullmatch(r"[0-9a-f]{40,64}", info.sha or "") or info.siblings is None:
            raise EmbeddingError(
                f"{self.repo}: expected a commit and a list of files from {self.endpoint}, found {info.sha!r}"
            )
        return info.sha, sorted(file.rfilename for file in info.siblings)

    def metadata(self, name: str, commit: str) -> tuple[HubFile, str]:
        """What the hub says about a file, and where its content is for the time being: on another host, or there."""
        url = self._hub.hf_hub_url(self.repo, name, revision=commit, endpoint=self.endpoint)
        with self._explained(name, commit):
            found = self._retried(lambda: self._api.get_hf_file_metadata(url=url, timeout=self.timeout))
        if found.etag is None:
            raise EmbeddingError(f"{self.repo}: {name}: expected an etag from {self.endpoint}, found none")
        return HubFile(name, found.etag, found.size), urljoin(url, found.location)

    def download(self, name: str, commit: str) -> Path:
        """A whole file, through the client library and its own cache."""
        with self._explained(name, commit):
            return Path(self._api.hf_hub_download(self.repo, name, revision=commit))

    def cached(self, name: str, revision: str) -> Path | None:
        """The file if the client library's cache has it; ``revision`` is a commit, or what the cache last had for a
        branch or tag."""
        found = self._hub.try_to_load_from_cache(self.repo, name, revision=revision)
        # Something else than text stands for a file that is known not to exist.
        return Path(found) if isinstance(found, str) else None

    def snapshot(self, revision: str) -> Path | None:
        """The folder of the client library's cache that holds files of ``revision``, named by its commit, if any."""
        cache = Path(self._hub.constants.HF_HUB_CACHE) / f"models--{self.repo.replace('/', '--')}"
        try:
            commit = (cache / "refs" / revision).read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            commit = revision
        folder = cache / "snapshots" / commit
        return folder if folder.is_dir() else None

    def headers(self, url: str) -> dict[str, str]:
        """The headers for a request to ``url``; the token is for the hub itself and for nobody else."""
        token = None if _origin(url) == _origin(self.endpoint) else False
        headers: dict[str, str] = self._hub.utils.build_hf_headers(
            token=token, library_name="wldetect", library_version=_core.__version__
        )
        return headers

    @contextmanager
    def open(self, url: str, headers: dict[str, str]) -> Iterator[Any]:
        """Send a GET request through the client library's session, so that its proxies and certificates count.

        Yields the response, whose body has not been read. Redirects are followed; the session leaves the token out
        where they lead to another host.
        """
        session = self._hub.utils.get_session()
        with session.stream("GET", url, headers=headers, timeout=self.timeout, follow_redirects=True) as response:
            yield response

    @property
    def no_answer(self) -> tuple[type[Exception], ...]:
        """What is raised where a connection cannot be made or breaks, or for an answer that is an error.

        The client library's own error is one of its HTTP library's, which has changed its name once already.
        """
        bases = [base for base in self._hub.utils.HfHubHTTPError.__mro__ if base.__name__ == "HTTPError"]
        return (*bases, ConnectionError, TimeoutError)

    def explain(self, error: Exception, what: str, revision: str | None) -> Exception:
        """The one line that says what to do about ``error``; ``what`` could not be had."""
        utils = self._hub.utils
        reason = " ".join(str(error).split())
        response = getattr(error, "response", None)
        status = getattr(response, "status_code", None)
        if isinstance(error, utils.GatedRepoError):
            return EmbeddingError(
                f"{self.repo}: {what}: access has to be granted first: accept the terms on "
                f"{self.endpoint}/{self.repo}, {self._how_to_log_in()}"
            )
        # A hub may not tell a model that does not exist from one that is private.
        unknown = status == 401 and self._hub.get_token() is None
        if isinstance(error, utils.RepositoryNotFoundError) or unknown:
            return EmbeddingError(
                f"{self.repo}: expected an existing path or a model on {self.endpoint}, found neither, or no access to "
                f"it: {self._how_to_log_in()}"
            )
        if isinstance(error, utils.RevisionNotFoundError):
            return EmbeddingError(f"{self.repo}: revision: expected a branch, a tag or a commit, found {revision!r}")
        if self.offline:
            return HubUnreachableError(
                f"{self.repo}: {what} is not in the cache, and HF_HUB_OFFLINE forbids fetching it"
            )
        if status == 401:
            return EmbeddingError(f"{self.repo}: {self.endpoint} refuses the token: {self._how_to_log_in()}")
        if isinstance(error, utils.EntryNotFoundError) and not isinstance(error, utils.LocalEntryNotFoundError):
            return EmbeddingError(f"{self.repo}: {what}: no such file in revision {revision!r}")
        if status is not None and not is_temporary(status):
            return EmbeddingError(f"{self.repo}: {what}: {self.endpoint} answers {status}: {reason}")
        cause = " ".join(str(error.__cause__ or error).split())
        return HubUnreachableError(
            f"{self.repo}: {what} is not in the cache, and {self.endpoint} cannot be reached: {cause}"
        )

    def _how_to_log_in(self) -> str:
        if self._hub.get_token() is None:
            return "and log in with 'hf auth login', or set HF_TOKEN"
        return "with the account whose token is in use (from HF_TOKEN or 'hf auth login')"

    @contextmanager
    def _explained(self, what: str, revision: str | None) -> Iterator[None]:
        """Turn what the client library raises into one line, and keep its notes on retries to itself."""
        logger = logging.getLogger("huggingface_hub")
        level = logger.level
        logger.setLevel(logging.ERROR)
        try:
            yield
        except (*self.no_answer, self._hub.utils.EntryNotFoundError) as error:
            raise self.explain(error, what, revision) from error
        finally:
            logger.setLevel(level)

    def _retried(self, ask: Callable[[], _T]) -> _T:
        """The answer, asked for again while there is none, or while the hub is out of order or too busy."""
        failures = 0
        while True:
            failures += 1
            try:
                return ask()
            except self.no_answer as error:
                response = getattr(error, "response", None)
                if response is None:
                    last = self.offline or failures == _ATTEMPTS_TO_CONNECT
                else:
                    last = failures == ATTEMPTS or not is_temporary(response.status_code)
                if last:
                    raise
                pause(failures, None if response is None else response.headers.get("Retry-After"))


def is_temporary(status: int) -> bool:
    """Whether an HTTP status says that the same request may succeed later."""
    return status >= 500 or status in (408, 429)


def pause(failures: int, asked_for: str | None = None, stop: threading.Event | None = None) -> None:
    """Wait before another attempt, the longer the more have failed in a row; or as many seconds as the server asks for.

    Returns at once when ``stop`` is set.
    """
    seconds = min(_LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** (failures - 1))
    if asked_for is not None and asked_for.isdecimal():
        seconds = min(_LONGEST_ASKED_FOR, float(asked_for))
    (stop or threading.Event()).wait(seconds)


def _library() -> Any:
    try:
        import huggingface_hub
        import huggingface_hub.constants
        import huggingface_hub.utils
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"a model on a hub needs the package {error.name}: pip install {error.name}") from error
    return huggingface_hub


def _origin(url: str) -> tuple[str, str, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or {"http": 80, "https": 443}.get(parts.scheme)
