"""Fixtures of the hub's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from loopback_hub import LoopbackHub, use_hub
from wldetect.embeddings import hub_client


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackHub]:
    """A hub that this process' client library uses; nothing waits before it asks again."""
    monkeypatch.setattr(hub_client, "FIRST_PAUSE", 0.0)
    with LoopbackHub() as hub, use_hub(hub, tmp_path / "hf"):
        yield hub
