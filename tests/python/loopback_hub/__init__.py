"""A model hub on loopback: the endpoints that the real client libraries call, and the ways in which they fail."""

from __future__ import annotations

from .client import point_at, use_hub
from .faults import Answer, Cut, Fault, IgnoreRange, OtherEtag, OtherTotal, ShortBody, Stall
from .repository import File, Kind, Repository, Request
from .server import LoopbackHub

__all__ = [
    "Answer",
    "Cut",
    "Fault",
    "File",
    "IgnoreRange",
    "Kind",
    "LoopbackHub",
    "OtherEtag",
    "OtherTotal",
    "Repository",
    "Request",
    "ShortBody",
    "Stall",
    "point_at",
    "use_hub",
]
