"""Letting the client library of this process use the hub."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import huggingface_hub
import huggingface_hub.constants
import pytest

from .server import LoopbackHub

__all__ = ["point_at", "use_hub"]


@contextmanager
def use_hub(hub: LoopbackHub, home: Path) -> Iterator[None]:
    """Point the client library at ``hub``, with its caches under ``home`` and no token, while the block runs.

    The library reads its variables when it is imported, so that what it made of them has to be replaced.
    """
    replaced = {
        "HF_HUB_CACHE": str(home / "hub"),
        "HF_TOKEN_PATH": str(home / "token"),
        "HF_HUB_DISABLE_TELEMETRY": True,
        "HF_HUB_DISABLE_XET": True,
        "HF_HUB_OFFLINE": False,
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in replaced.items():
            patch.setattr(huggingface_hub.constants, name, value)
        for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
            patch.delenv(name, raising=False)
        patch.setenv("NO_PROXY", "127.0.0.1,localhost")
        point_at(patch, hub.endpoint)
        try:
            yield
        finally:
            # Connections that were kept open belong to this hub.
            huggingface_hub.close_session()


def point_at(patch: pytest.MonkeyPatch, endpoint: str) -> None:
    """What ``HF_ENDPOINT`` does when the client library is imported."""
    template = endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    patch.setattr(huggingface_hub.constants, "ENDPOINT", endpoint)
    patch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
