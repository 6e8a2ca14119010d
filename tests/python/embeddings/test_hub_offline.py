"""Models of a hub without it: what is cached here, and what another program has fetched."""

from __future__ import annotations

import hashlib
from pathlib import Path

import huggingface_hub.constants
import numpy as np
import pytest

from loopback_hub import LoopbackHub, point_at
from wldetect.embeddings.base import tensor_fingerprint
from wldetect.errors import EmbeddingError

from .hub_models import REPO, VALUES, error_of, fetched, open_model, put, single


def offline(patch: pytest.MonkeyPatch, hub: LoopbackHub, by_variable: bool) -> None:
    if by_variable:
        patch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    else:
        # Nothing listens there.
        point_at(patch, "http://127.0.0.1:9")


@pytest.mark.parametrize("by_variable", [True, False])
@pytest.mark.parametrize("revision", [None, "commit"])
def test_offline_with_everything_cached(
    hub: LoopbackHub,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    by_variable: bool,
    revision: str | None,
) -> None:
    commit = put(hub, single()).resolve("main")
    revision = commit if revision else None
    first = open_model(tmp_path)
    first.matrix()
    first.tokenizer_json()
    offline(monkeypatch, hub, by_variable)
    asked = len(hub.requests)
    again = open_model(tmp_path, revision=revision)
    assert np.array_equal(again.matrix().rows(slice(None)), VALUES)
    assert again.tokenizer_json() == first.tokenizer_json()
    assert again.provenance()["commit"] == commit
    assert len(hub.requests) == asked
    said = capsys.readouterr().err
    # The user who has forbidden it knows; and what cannot change needs no question.
    assert ("cannot be reached: " in said and f"going on with commit {commit}" in said) == (
        not by_variable and revision is None
    )


@pytest.mark.parametrize("by_variable", [True, False])
def test_offline_without_a_cache(
    hub: LoopbackHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by_variable: bool
) -> None:
    put(hub, single())
    offline(monkeypatch, hub, by_variable)
    message = error_of(tmp_path)
    assert message.startswith(f"{REPO}: the list of its files is not in the cache, and ")
    assert ("HF_HUB_OFFLINE forbids" if by_variable else "http://127.0.0.1:9 cannot be reached: ") in message


def test_offline_without_the_embedding(hub: LoopbackHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(hub, single())
    source = open_model(tmp_path)
    offline(monkeypatch, hub, True)
    with pytest.raises(EmbeddingError, match=r"model\.safetensors is not in the cache, and HF_HUB_OFFLINE forbids"):
        source.matrix()
    with pytest.raises(EmbeddingError, match=r"tokenizer\.json is not in the cache, and HF_HUB_OFFLINE forbids"):
        source.tokenizer_json()


def test_files_that_another_program_has_fetched(
    hub: LoopbackHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A whole model in the client library's cache is used as it is, without a question if there must be none."""
    commit = put(hub, single()).resolve("main")
    huggingface_hub.snapshot_download(REPO)
    offline(monkeypatch, hub, True)
    for revision in (None, commit):
        source = open_model(tmp_path / str(revision), revision=revision)
        assert np.array_equal(source.matrix().rows(slice(None)), VALUES)
        assert source.provenance()["commit"] == commit
        assert source.fingerprint() == tensor_fingerprint(VALUES, "F32", (4, 5))
        assert source.tokenizer_json()
    assert not list(tmp_path.glob("*/cache"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    before = len(hub.asked("cdn"))
    source = open_model(tmp_path)
    assert np.array_equal(source.matrix().rows(slice(None)), VALUES)
    assert len(hub.asked("cdn")) == before
    assert fetched(tmp_path) == []


def test_other_files_that_another_program_has_fetched(
    hub: LoopbackHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(hub, single())
    huggingface_hub.hf_hub_download(REPO, "tokenizer.json")
    offline(monkeypatch, hub, True)
    assert "the list of its files is not in the cache, and HF_HUB_OFFLINE forbids" in error_of(tmp_path)


def test_a_damaged_file_of_another_program(hub: LoopbackHub, tmp_path: Path) -> None:
    put(hub, single())
    path = Path(huggingface_hub.hf_hub_download(REPO, "model.safetensors"))
    content = bytearray(path.read_bytes())
    content[-50] ^= 1
    path.resolve().write_bytes(content)
    right, found = hashlib.sha256(single()["model.safetensors"]), hashlib.sha256(content)
    message = error_of(tmp_path)
    assert f"sha256: expected {right.hexdigest()}, as the hub has it, found {found.hexdigest()}: delete" in message
