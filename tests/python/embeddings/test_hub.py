"""Models on a hub, through the real client library: what is found, fetched, kept and refused."""

from __future__ import annotations

import json
from pathlib import Path

import huggingface_hub.constants
import numpy as np
import pytest

from loopback_hub import Answer, Fault, LoopbackHub, Repository
from wldetect.embeddings.hub import HubSource
from wldetect.embeddings.local import LocalSource
from wldetect.errors import EmbeddingError

from .builders import widened, word_tokenizer
from .hub_models import NAME, REPO, SHARDS, VALUES, error_of, fetched, open_model, put, sharded, single


@pytest.mark.parametrize("dtype", ["F32", "F16", "BF16"])
def test_single_file(hub: LoopbackHub, tmp_path: Path, dtype: str) -> None:
    commit = put(hub, single(dtype)).resolve("main")
    source = open_model(tmp_path)
    assert source.describe() == f"{REPO}@{commit[:12]}/model.safetensors: {NAME} (4 x 5, {dtype})"
    assert np.array_equal(source.matrix().rows(slice(None)), widened(VALUES, dtype))
    assert source.tokenizer_json() == word_tokenizer(["a", "b", "c", "d"])
    (array,) = source.matrix().parts() or ()
    assert array.flags.aligned
    # Only the tensor is there, and it is what a local file of it would be.
    assert [path.stat().st_size for path in fetched(tmp_path)] == [128 + array.nbytes]
    (tmp_path / "local").mkdir()
    for name, content in single(dtype).items():
        (tmp_path / "local" / name).write_bytes(content)
    assert source.fingerprint() == LocalSource(tmp_path / "local", NAME, 5).fingerprint()


def test_large_files_come_from_the_other_host_without_the_token(hub: LoopbackHub, tmp_path: Path) -> None:
    hub.tokens.add("secret")
    put(hub, single(), private=True, readers={"secret"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_TOKEN", "secret")
        open_model(tmp_path).matrix()
    assert hub.asked("cdn")
    assert not any("authorization" in request.headers for request in hub.requests if request.host == "cdn")
    assert all("authorization" in request.headers for request in hub.requests if request.host == "hub")
    assert {request.status for request in hub.asked("cdn")} == {206}
    kept = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"secret" not in kept


@pytest.mark.parametrize("pattern", [None, "model-00002-of-*.safetensors", "model-*"])
def test_shards(hub: LoopbackHub, tmp_path: Path, pattern: str | None) -> None:
    put(hub, sharded())
    source = open_model(tmp_path, shard_pattern=pattern)
    assert np.array_equal(source.matrix().rows(slice(None)), VALUES)
    # The other shard was never looked at.
    assert not [request for request in hub.requests if SHARDS[0] in request.path]


def test_shards_without_an_index(hub: LoopbackHub, tmp_path: Path) -> None:
    files = sharded()
    del files["model.safetensors.index.json"]
    put(hub, files)
    expected = f"expected model.safetensors or model.safetensors.index.json, found neither, but {', '.join(SHARDS)}"
    assert f"{expected}: choose among them with shard_pattern" in error_of(tmp_path)
    assert np.array_equal(open_model(tmp_path, shard_pattern="*").matrix().rows(slice(None)), VALUES)


def test_shard_pattern_that_does_not_help(hub: LoopbackHub, tmp_path: Path) -> None:
    put(hub, sharded())
    message = error_of(tmp_path, shard_pattern="other-*")
    assert message.endswith(f"shard_pattern: expected one that matches any of {', '.join(SHARDS)}, found 'other-*'")
    message = error_of(tmp_path, shard_pattern="*00001*")
    assert message.endswith(f"/{SHARDS[0]}: embedding_layer_name: expected one of x, found {NAME!r}")


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"pytorch_model.bin": b"", "m.gguf": b"", "README.md": b""}, "found neither, but m.gguf, pytorch_model.bin"),
        ({"README.md": b""}, "found neither, and no other file of weights"),
        ({"onnx/model.safetensors": b""}, "found neither, but onnx/model.safetensors"),
    ],
)
def test_no_safetensors(hub: LoopbackHub, tmp_path: Path, files: dict[str, bytes], expected: str) -> None:
    put(hub, files)
    assert expected in error_of(tmp_path)


def test_no_tokenizer(hub: LoopbackHub, tmp_path: Path) -> None:
    files = single()
    del files["tokenizer.json"]
    put(hub, files)
    with pytest.raises(EmbeddingError, match=r"^org/tiny@[0-9a-f]{12}: expected tokenizer\.json, the tokenizer that"):
        open_model(tmp_path).tokenizer_json()


def test_renamed_tensor_and_config(hub: LoopbackHub, tmp_path: Path) -> None:
    put(hub, {**single(name="language_model.model.embed_tokens.weight"), "config.json": b'{"vocab_size": 7}'})
    assert "config.json: vocab_size: expected 4 (the embedding tensor), found 7" in error_of(tmp_path)
    put(hub, single(name="language_model.model.embed_tokens.weight"))
    assert "language_model.model.embed_tokens.weight (4 x 5, F32)" in open_model(tmp_path / "b").describe()
    assert "hidden_dim: expected 6 (config), found 5" in error_of(tmp_path, NAME, 6)


@pytest.mark.parametrize("content", [b"", b"\xff" * 100, (10**12).to_bytes(8, "little"), b"\2\0\0\0\0\0\0\0{}four"])
def test_damaged_header(hub: LoopbackHub, tmp_path: Path, content: bytes) -> None:
    put(hub, {**single(), "model.safetensors": content})
    error_of(tmp_path)


def test_revisions(hub: LoopbackHub, tmp_path: Path) -> None:
    repository = put(hub, single("F32"))
    old = repository.resolve("main")
    repository.references["v1/final"] = old
    new = repository.commit(single("F16"))
    for revision, commit in ((None, new), ("main", new), ("v1/final", old), (old, old)):
        source = open_model(tmp_path, revision=revision)
        assert source.provenance() == {
            "source": source.describe(),
            "sha256": source.fingerprint(),
            "repository": REPO,
            "revision": revision or "main",
            "commit": commit,
            "file": "model.safetensors",
            "tensor": NAME,
        }
        assert source.describe().endswith("F32)" if commit == old else "F16)")
    message = error_of(tmp_path, revision="v2")
    assert message == f"{REPO}: revision: expected a branch, a tag or a commit, found 'v2'"


def test_a_known_commit_is_not_asked_for_again(hub: LoopbackHub, tmp_path: Path) -> None:
    commit = put(hub, single()).resolve("main")
    first = open_model(tmp_path, revision=commit)
    first.tokenizer_json()
    first.matrix()
    asked = len(hub.requests)
    again = open_model(tmp_path, revision=commit)
    assert np.array_equal(again.matrix().rows(slice(None)), VALUES)
    assert again.tokenizer_json() == first.tokenizer_json()
    assert len(hub.requests) == asked


def test_a_later_commit_with_the_same_file_fetches_nothing_large(hub: LoopbackHub, tmp_path: Path) -> None:
    repository = put(hub, single())
    open_model(tmp_path).matrix()
    repository.commit({**single(), "README.md": b"changed"})
    before = len(hub.asked("cdn"))
    source = open_model(tmp_path)
    source.matrix()
    assert source.provenance()["commit"] == repository.resolve("main")
    # Its header, by two requests.
    assert len(hub.asked("cdn")) == before + 2
    assert len(fetched(tmp_path)) == 1


def test_gated(hub: LoopbackHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.tokens |= {"stranger", "reader"}
    put(hub, single(), gated=True, readers={"reader"})
    accept = f"accept the terms on {hub.endpoint}/{REPO}, "
    assert error_of(tmp_path) == (
        f"{REPO}: model.safetensors: access has to be granted first: {accept}"
        "and log in with 'hf auth login', or set HF_TOKEN"
    )
    monkeypatch.setenv("HF_TOKEN", "stranger")
    assert f"{accept}with the account whose token is in use" in error_of(tmp_path)
    monkeypatch.setenv("HF_TOKEN", "wrong")
    assert f"{hub.endpoint} refuses the token: " in error_of(tmp_path)
    # What `hf auth login` leaves.
    monkeypatch.delenv("HF_TOKEN")
    Path(huggingface_hub.constants.HF_TOKEN_PATH).parent.mkdir(parents=True, exist_ok=True)
    Path(huggingface_hub.constants.HF_TOKEN_PATH).write_text("reader\n")
    assert np.array_equal(open_model(tmp_path).matrix().rows(slice(None)), VALUES)


def test_private_or_missing(hub: LoopbackHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.tokens.add("stranger")
    expected = f"{REPO}: expected an existing path or a model on {hub.endpoint}, found neither, or no access to it: "
    assert error_of(tmp_path).startswith(f"{expected}and log in")
    put(hub, single(), private=True)
    assert error_of(tmp_path).startswith(f"{expected}and log in")
    monkeypatch.setenv("HF_TOKEN", "stranger")
    assert error_of(tmp_path).startswith(f"{expected}with the account")


@pytest.mark.parametrize("repo", ["a/b/c", "a b", "-x", "a..b", ""])
def test_what_can_be_no_id(hub: LoopbackHub, tmp_path: Path, repo: str) -> None:
    with pytest.raises(EmbeddingError, match="source: expected an existing path or the id of a model on a hub, found"):
        HubSource(repo, NAME, 5, tmp_path)
    assert hub.requests == []


def test_something_else_than_a_hub(hub: LoopbackHub, tmp_path: Path) -> None:
    put(hub, single())
    hub.faults.append(Fault(Answer(200), path="/api/models/", times=9))
    assert f"expected a model hub at {hub.endpoint} (HF_ENDPOINT), found something else: " in error_of(tmp_path)
    hub.faults.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Repository, "info", lambda *_: {"id": REPO, "sha": "../../outside", "siblings": []})
        expected = f"expected a commit and a list of files from {hub.endpoint}, found '../../outside'"
        assert expected in error_of(tmp_path)
    hub.faults[:] = [Fault(Answer(418), path="/resolve/", times=9)]
    assert f"{hub.endpoint} answers 418: " in error_of(tmp_path)


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429, 408])
def test_questions_are_asked_again(hub: LoopbackHub, tmp_path: Path, status: int) -> None:
    put(hub, single())
    wait = (("Retry-After", "0"),)
    hub.faults += [Fault(Answer(status, wait), host="hub", path=path, times=2) for path in ("/api/", "/resolve/")]
    assert np.array_equal(open_model(tmp_path).matrix().rows(slice(None)), VALUES)
    assert all(fault.times == 0 for fault in hub.faults)


def test_a_hub_out_of_order(hub: LoopbackHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(hub, single())
    open_model(tmp_path).matrix()
    hub.faults.append(Fault(Answer(503), path="/api/", times=99))
    assert np.array_equal(open_model(tmp_path).matrix().rows(slice(None)), VALUES)
    assert "going on with commit" in capsys.readouterr().err
    assert "cannot be reached" in error_of(tmp_path / "other")


def test_cached_embeddings_are_checked(hub: LoopbackHub, tmp_path: Path) -> None:
    put(hub, single())
    right = open_model(tmp_path).fingerprint()
    (path,) = fetched(tmp_path)
    assert json.loads(path.with_suffix(".json").read_text())["sha256"] == right
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(
        EmbeddingError, match=rf"sha256: expected {right}, as when it was fetched, found [0-9a-f]+: del"
    ):
        open_model(tmp_path).fingerprint()
    for damaged in (bytes(content[:-1]), b"", b"\0" * len(content)):
        path.write_bytes(damaged)
        with pytest.warns(RuntimeWarning, match=r"\.npy: unusable, fetching it again: expected 208 bytes of"):
            assert open_model(tmp_path).fingerprint() == right
    # A process that was killed just before it wrote the record.
    path.with_suffix(".json").unlink()
    assert open_model(tmp_path).fingerprint() == right
    assert json.loads(path.with_suffix(".json").read_text())["sha256"] == right


def test_damaged_notes_are_made_again(hub: LoopbackHub, tmp_path: Path) -> None:
    put(hub, single())
    open_model(tmp_path).matrix()
    for path in (tmp_path / "cache").rglob("*.json"):
        path.write_text("{")
    assert np.array_equal(open_model(tmp_path).matrix().rows(slice(None)), VALUES)


def test_disk_space(hub: LoopbackHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(hub, single())
    source = open_model(tmp_path)
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 10**6}))
    with pytest.raises(EmbeddingError, match=r"not enough disk space for org/tiny@.* model\.embed_tokens\.weight: exp"):
        source.matrix()
    assert fetched(tmp_path) == []
