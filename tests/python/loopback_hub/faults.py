"""What can go wrong between a hub and its client."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["Answer", "Cut", "Fault", "IgnoreRange", "OtherEtag", "OtherTotal", "ShortBody", "Stall", "What"]


@dataclass(frozen=True)
class Answer:
    """Another status, and nothing else."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Cut:
    """The connection is closed after ``after`` bytes of the body."""

    after: int


@dataclass(frozen=True)
class Stall:
    """Nothing comes after ``after`` bytes of the body, until the hub is closed."""

    after: int


@dataclass(frozen=True)
class ShortBody:
    """The answer is consistent, but ends ``missing`` bytes before what was asked for."""

    missing: int


@dataclass(frozen=True)
class IgnoreRange:
    """The whole file, with status 200."""


@dataclass(frozen=True)
class OtherEtag:
    """The content's host gives another etag."""

    etag: str


@dataclass(frozen=True)
class OtherTotal:
    """``Content-Range`` gives another size of the file."""

    total: int


What: TypeAlias = "Answer | Cut | Stall | ShortBody | IgnoreRange | OtherEtag | OtherTotal"


@dataclass
class Fault:
    """Something that goes wrong in the next requests that match.

    Attributes:
        what: how.
        host: "hub" or "cdn"; None: either.
        path: a pattern that the path of the request has to contain.
        method: the method of the request, or None for any.
        times: how often.
        after: how many matching requests go well before.
    """

    what: What
    host: str | None = None
    path: str = ""
    method: str | None = None
    times: int = 1
    after: int = 0

    def applies(self, host: str, method: str, path: str) -> bool:
        """Whether the request goes wrong; counts it if it matches."""
        if self.times == 0 or self.host not in (None, host) or self.method not in (None, method):
            return False
        if not re.search(self.path, path):
            return False
        if self.after:
            self.after -= 1
            return False
        self.times -= 1
        return True
