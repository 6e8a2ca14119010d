"""Fetching a tensor over connections that break, stall, lie and end: the bytes are right, and few are fetched twice."""

from __future__ import annotations

import json
import random
import threading
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import numpy as np
import pytest

from loopback_hub import (
    Answer,
    Cut,
    Fault,
    File,
    IgnoreRange,
    LoopbackHub,
    OtherEtag,
    OtherTotal,
    Repository,
    ShortBody,
    Stall,
)
from wldetect.embeddings import range_download
from wldetect.embeddings.base import tensor_fingerprint
from wldetect.embeddings.hub import HubSource
from wldetect.errors import EmbeddingError

from .builders import matrix, safetensors_bytes, stored_as, word_tokenizer

NAME = "model.embed_tokens.weight"
REPO = "org/model"
PART = 4096
# Seven parts, the last one short.
VALUES = matrix(400, 16)
TENSOR = VALUES.nbytes


@pytest.fixture
def model(hub: LoopbackHub, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """A model whose embedding lies in the middle of its file and is fetched in several parts."""
    monkeypatch.setattr(range_download, "PART_BYTES", PART)
    tensors = {
        "a": stored_as(matrix(50, 50), "F32"),
        NAME: stored_as(VALUES, "F32"),
        "z": stored_as(matrix(9, 9), "F32"),
    }
    repository = hub.add(Repository(REPO))
    tokenizer = word_tokenizer(["a", "b"]).encode()
    repository.commit({"model.safetensors": safetensors_bytes(tensors), "tokenizer.json": tokenizer})
    return repository


def open_model(tmp_path: Path) -> HubSource:
    return HubSource(REPO, NAME, 16, tmp_path / "cache")


def check(source: HubSource) -> None:
    assert np.array_equal(source.matrix().rows(slice(None)), VALUES)
    assert source.fingerprint() == tensor_fingerprint(VALUES, "F32", VALUES.shape)


def parts_asked(hub: LoopbackHub) -> list[str]:
    """The ranges that were asked for, apart from those of the header."""
    ranges = [request.headers["range"].removeprefix("bytes=") for request in hub.asked("cdn")]
    return [asked for asked in ranges if int(asked.split("-")[0]) > 1000]


def left_over(tmp_path: Path) -> set[str]:
    return {path.suffix for path in (tmp_path / "cache").rglob("*") if path.suffix in (".part", ".state", ".tmp")}


@pytest.mark.parametrize("threads", [1, 4])
def test_each_byte_is_asked_for_once(
    hub: LoopbackHub, model: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    monkeypatch.setattr(range_download, "_THREADS", threads)
    check(open_model(tmp_path))
    assert len(parts_asked(hub)) == len(set(parts_asked(hub))) == 7
    # Every request after the first, of each thread at the latest, names what it expects to find.
    naming = sum("if-range" in request.headers for request in hub.asked("cdn")[2:])
    assert 7 - threads <= naming <= 6
    assert left_over(tmp_path) == set()


@pytest.mark.parametrize("seed", range(5))
def test_cut_ten_times_at_random_bytes(hub: LoopbackHub, model: Repository, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    cuts = [Fault(Cut(chance.randrange(PART)), host="cdn", after=chance.randrange(3)) for _ in range(10)]
    source = open_model(tmp_path)
    hub.faults += cuts
    check(source)
    assert not any(cut.times for cut in cuts)
    assert left_over(tmp_path) == set()


def test_cut_parts_go_on_at_the_byte_reached(
    hub: LoopbackHub, model: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(range_download, "_THREADS", 1)
    source = open_model(tmp_path)
    before = sum(request.sent for request in hub.requests)
    hub.faults += [Fault(Cut(1000), host="cdn", times=10)]
    check(source)
    starts = [int(asked.split("-")[0]) for asked in parts_asked(hub)]
    assert starts[:5] == [starts[0] + 1000 * step for step in range(5)]
    assert sum(request.sent for request in hub.requests) - before < TENSOR + 40 * 400


@pytest.mark.parametrize(
    "what", [Answer(500), Answer(503, (("Retry-After", "0"),)), Answer(403), Answer(404), ShortBody(100), Cut(0)]
)
def test_other_faults_are_tried_again(hub: LoopbackHub, model: Repository, tmp_path: Path, what: Any) -> None:
    source = open_model(tmp_path)
    hub.faults.append(Fault(what, host="cdn", times=4, after=1))
    check(source)
    assert hub.faults[0].times == 0


def test_stalled(hub: LoopbackHub, model: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DOWNLOAD_TIMEOUT", 1)
    source = open_model(tmp_path)
    hub.faults.append(Fault(Stall(77), host="cdn", times=2))
    check(source)


def test_addresses_that_expire(
    hub: LoopbackHub, model: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(range_download, "_THREADS", 1)
    source = open_model(tmp_path)
    answer = hub.content

    def content(key: str) -> Any:
        found = answer(key)
        if len(parts_asked(hub)) in (2, 4):
            hub.expire_urls()
        return found

    monkeypatch.setattr(hub, "content", content)
    check(source)
    assert [request.status for request in hub.asked("cdn")].count(403) == 2


def test_an_end_to_patience(hub: LoopbackHub, model: Repository, tmp_path: Path) -> None:
    source = open_model(tmp_path)
    hub.faults.append(Fault(Answer(500), host="cdn", times=99, after=3))
    with pytest.raises(
        EmbeddingError, match=r"^org/model: model\.safetensors: cannot be read on from byte \d+: status 5"
    ):
        source.matrix()
    # What is there already is not lost.
    assert left_over(tmp_path) == {".part", ".state"}
    hub.faults.clear()
    asked = len(parts_asked(hub))
    check(open_model(tmp_path))
    assert len(parts_asked(hub)) - asked < 7
    assert left_over(tmp_path) == set()


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("what", [OtherEtag('"other"'), OtherTotal(99999)])
def test_a_file_that_changes(
    hub: LoopbackHub, model: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: Any, times: int
) -> None:
    """Once: all is fetched again. Whenever it is asked for: an error."""
    monkeypatch.setattr(range_download, "_THREADS", 1)
    source = open_model(tmp_path)
    hub.faults += [Fault(what, host="cdn", after=after) for after in (3, 4)[:times]]
    if times == 1:
        check(source)
        assert len(set(parts_asked(hub))) == 7
        assert len(parts_asked(hub)) == 4 + 7
    else:
        with pytest.raises(EmbeddingError, match=r"/model\.safetensors: the file changed while it was fetched$"):
            source.matrix()
    assert left_over(tmp_path) == set()


def test_a_commit_that_changes(hub: LoopbackHub, model: Repository, tmp_path: Path) -> None:
    """It must not; but if a hub does it, nothing is mixed, and the next time everything is read anew."""
    source = open_model(tmp_path)
    files = model.commits[model.references["main"]]
    tensors = {NAME: stored_as(VALUES, "F32"), "b": stored_as(matrix(3, 3), "F32")}
    files["model.safetensors"] = File(safetensors_bytes(tensors))
    with pytest.raises(EmbeddingError, match=r"/model\.safetensors: the file changed while it was fetched$"):
        source.matrix()
    check(open_model(tmp_path))


def test_a_host_that_takes_if_range_wrong(
    hub: LoopbackHub, model: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole file with the right etag is no other file: ranges are asked for without a condition from then on."""
    monkeypatch.setattr(range_download, "_THREADS", 1)
    source = open_model(tmp_path)
    asked = len(hub.asked("cdn"))
    hub.faults.append(Fault(IgnoreRange(), host="cdn", after=3))
    check(source)
    requests = hub.asked("cdn")[asked:]
    assert ["if-range" in request.headers for request in requests] == [False, True, True, True, *[False] * 4]
    assert len(list((tmp_path / "cache").rglob("*.npy"))) == 1


@pytest.mark.parametrize("what", [IgnoreRange(), Answer(416)])
@pytest.mark.parametrize("header_too", [True, False])
def test_ranges_refused(
    hub: LoopbackHub,
    model: Repository,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    what: Any,
    header_too: bool,
) -> None:
    """The whole file is fetched then, by the client library, and its checksum compared."""
    monkeypatch.setattr(range_download, "_THREADS", 1)
    fault = Fault(what, host="cdn", times=1)
    hub.faults += [fault] if header_too else []
    source = open_model(tmp_path)
    hub.faults += [] if header_too else [fault]
    check(source)
    said = capsys.readouterr().err
    expected = f"model.safetensors: {hub.endpoint} does not hand out parts of it (status "
    assert said.count("\n") == 1
    assert expected in said
    assert said.endswith(": fetching the whole file\n")
    assert list((tmp_path / "cache").rglob("*.npy")) == []
    asked = len(hub.asked("cdn"))
    check(open_model(tmp_path))
    assert len(hub.asked("cdn")) == asked


def test_another_key_begins_anew(hub: LoopbackHub, model: Repository, tmp_path: Path) -> None:
    source = open_model(tmp_path)
    hub.faults.append(Fault(Answer(500), host="cdn", times=99, after=3))
    with pytest.raises(EmbeddingError):
        source.matrix()
    hub.faults.clear()
    (state,) = (tmp_path / "cache").rglob("*.state")
    (part,) = (tmp_path / "cache").rglob("*.part")
    content = json.loads(state.read_text())
    assert content["whole"]
    content["key"]["what"]["etag"] = "other"
    state.write_text(json.dumps(content))
    part.write_bytes(b"\xff" * part.stat().st_size)
    check(open_model(tmp_path))


def test_bytes_on_the_wire(hub: LoopbackHub, tmp_path: Path) -> None:
    """With parts of the real size: requests, headers, the list of files and the index included."""
    values = matrix(16_384, 256)
    layers = {
        f"model.layers.{layer}.{part}.weight": stored_as(matrix(8, 8), "BF16")
        for layer in range(60)
        for part in "abcdefg"
    }
    shards = {
        "model-00001-of-00002.safetensors": {NAME: stored_as(values, "BF16"), **layers},
        "model-00002-of-00002.safetensors": {f"{name}2": tensor for name, tensor in layers.items()},
    }
    weight_map = {name: shard for shard, tensors in shards.items() for name in tensors}
    files = {shard: safetensors_bytes(tensors) for shard, tensors in shards.items()}
    files["model.safetensors.index.json"] = json.dumps({"weight_map": weight_map}).encode()
    files["config.json"] = b"{}"
    hub.add(Repository(REPO)).commit(files)
    source = HubSource(REPO, NAME, 256, tmp_path / "cache")
    source.matrix()
    assert values.nbytes // 2 < hub.wire_bytes() < 1.02 * values.nbytes // 2
    assert source.fingerprint() == tensor_fingerprint(values.view(np.uint16)[:, 1::2].copy(), "BF16", values.shape)


def test_several_at_once(hub: LoopbackHub, model: Repository, tmp_path: Path) -> None:
    """Processes, or here threads, that start together wait for the one that fetches."""
    sources = [open_model(tmp_path) for _ in range(4)]
    threads = [threading.Thread(target=source.matrix) for source in sources]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for source in sources:
        check(source)
    assert len(parts_asked(hub)) == 7
