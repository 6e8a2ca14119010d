"""From a model's configuration to its source."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loopback_hub import LoopbackHub
from wldetect.embeddings import resolve
from wldetect.embeddings.concat import ConcatSource
from wldetect.embeddings.gguf import GGUFSource
from wldetect.embeddings.local import LocalSource
from wldetect.embeddings.resolve import open_source, open_sources
from wldetect.errors import EmbeddingError, MissingExtraError

from .builders import matrix, spm_pieces, write_directory, write_gguf


@dataclass(frozen=True)
class Model:
    source: str | None
    hidden_dim: int = 4
    embedding_layer_name: str = "model.embed_tokens.weight"
    sha256: str | None = None
    name: str = "org/model"
    revision: str | None = None
    shard_pattern: str | None = None


@dataclass(frozen=True)
class Models:
    sources: tuple[Model, ...]


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """``configs/m.yaml`` in a folder that is not the current one, which is ``here`` beside it."""
    for name in ("configs", "here"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("WLDETECT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "configs" / "m.yaml"


def test_directory_and_gguf_file(config: Path, tmp_path: Path) -> None:
    write_directory(config.parent / "model", matrix(4, 4))
    write_gguf(config.parent / "m.GGUF", matrix(4, 4))
    assert isinstance(open_source(Model("model"), config), LocalSource)
    assert isinstance(open_source(Model("m.GGUF"), config), GGUFSource)
    assert isinstance(open_source(Model(str(config.parent / "model")), config), LocalSource)
    assert isinstance(open_source(Model("../configs/m.GGUF"), config), GGUFSource)


def test_beside_the_configuration_comes_before_the_current_directory(config: Path) -> None:
    write_directory(Path("model"), matrix(4, 4, seed=1))
    assert np.array_equal(open_source(Model("model"), config).matrix().rows(slice(None)), matrix(4, 4, seed=1))
    write_directory(config.parent / "model", matrix(4, 4, seed=2))
    assert np.array_equal(open_source(Model("model"), config).matrix().rows(slice(None)), matrix(4, 4, seed=2))


def test_home_directory_is_expanded(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    write_directory(tmp_path / "model", matrix(4, 4))
    assert isinstance(open_source(Model("~/model"), config), LocalSource)


@pytest.mark.parametrize("source", ["gone.gguf", "./gone", "../gone", "a/b/gone"])
def test_missing_path_names_both_places(config: Path, source: str) -> None:
    with pytest.raises(EmbeddingError) as caught:
        open_source(Model(source), config)
    assert str(caught.value) == (
        f"{config}: source: expected an existing path, found neither {config.parent / source} nor {Path(source)}"
    )


def test_missing_absolute_path(config: Path, tmp_path: Path) -> None:
    with pytest.raises(EmbeddingError, match=r"expected an existing path, found neither .*gone$"):
        open_source(Model(str(tmp_path / "gone")), config)


@pytest.mark.parametrize("source", ["google/gemma", "gemma", None])
def test_hub_ids(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str | None) -> None:
    """Whatever is no path and does not look like one; the name alone is never a path."""
    write_directory(config.parent / "org" / "model", matrix(4, 4))
    asked: list[tuple[Any, ...]] = []
    monkeypatch.setattr(resolve, "HubSource", lambda *arguments: asked.append(arguments))
    open_source(Model(source, revision="v1", shard_pattern="*2*"), config)
    assert asked == [(source or "org/model", "model.embed_tokens.weight", 4, tmp_path / "cache", "v1", "*2*")]
    with pytest.raises(
        EmbeddingError, match=f"sha256: expected for a GGUF file only, found with the hub id {source or ''}"
    ):
        open_source(Model(source, sha256="0" * 64), config)


def test_hub_errors_begin_with_the_configuration(config: Path, hub: LoopbackHub) -> None:
    with pytest.raises(EmbeddingError) as caught:
        open_source(Model("org/none"), config)
    assert str(caught.value).startswith(f"{config}: org/none: expected an existing path or a model on {hub.endpoint}, ")


@pytest.mark.parametrize("source", ["model", "m.gguf", "pypi:x"])
def test_revisions_of_what_has_none(config: Path, source: str) -> None:
    write_directory(config.parent / "model", matrix(4, 4))
    write_gguf(config.parent / "m.gguf", matrix(4, 4))
    with pytest.raises(EmbeddingError, match="revision: expected for a model on the hub only, found with .*" + source):
        open_source(Model(source, revision="main"), config)


def test_other_files_are_refused(config: Path) -> None:
    (config.parent / "m.bin").write_bytes(b"")
    with pytest.raises(EmbeddingError, match=r"source: expected a directory or a \.gguf file, found .*m\.bin"):
        open_source(Model("m.bin"), config)


def test_checksum(config: Path) -> None:
    path = write_gguf(config.parent / "m.gguf", matrix(4, 4))
    write_directory(config.parent / "model", matrix(4, 4))
    right = hashlib.sha256(path.read_bytes()).hexdigest()
    assert isinstance(open_source(Model("m.gguf", sha256=right), config), GGUFSource)
    with pytest.raises(EmbeddingError, match=rf"m\.gguf: sha256: expected {'0' * 64}, found {right}"):
        open_source(Model("m.gguf", sha256="0" * 64), config)
    with pytest.raises(EmbeddingError, match="sha256: expected for a GGUF file only, found with the directory"):
        open_source(Model("model", sha256=right), config)


def test_errors_begin_with_the_configuration(config: Path) -> None:
    path = write_gguf(config.parent / "m.gguf", matrix(4, 4))
    with pytest.raises(EmbeddingError) as caught:
        open_source(Model("m.gguf", hidden_dim=512), config)
    assert str(caught.value) == (
        f"{config}: hidden_dim: expected 512 (config), found 4 (tensor token_embd.weight, 4 x 4 in {path})"
    )


def test_pypi_package(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_gguf(tmp_path / "joined.gguf", matrix(4, 4))
    asked: list[tuple[str, str | None, Path]] = []

    def joined(package: str, sha256: str | None, cache_dir: Path) -> Path:
        asked.append((package, sha256, cache_dir))
        return path

    with monkeypatch.context() as patched:
        patched.setattr(resolve, "assemble", joined)
        assert isinstance(open_source(Model("pypi:some-gguf", sha256="ab"), config), GGUFSource)
        open_source(Model("pypi:some-gguf"), config, tmp_path / "other")
    assert asked == [("some-gguf", "ab", tmp_path / "cache"), ("some-gguf", None, tmp_path / "other")]
    with pytest.raises(MissingExtraError, match="no_such_gguf is not installed"):
        open_source(Model("pypi:no-such-gguf"), config)


def test_one_model_is_itself_and_several_are_joined(config: Path, tmp_path: Path) -> None:
    pieces = spm_pieces(["ab"])
    values = [matrix(len(pieces), 4, seed=seed) for seed in (1, 2)]
    for name, part in zip(("one.gguf", "two.gguf"), values, strict=True):
        write_gguf(config.parent / name, part, pieces=pieces)
    one, two = Model("one.gguf"), Model("two.gguf")
    assert isinstance(open_sources(Models((one,)), config), GGUFSource)
    joined = open_sources(Models((one, two)), config)
    assert isinstance(joined, ConcatSource)
    assert np.array_equal(joined.matrix().rows(slice(None)), np.concatenate(values, axis=1))
    # The default cache directory holds what was derived, and nothing beside the models.
    assert {path.suffix for path in (tmp_path / "cache" / "embeddings").iterdir()} == {".tokenizer"}
    assert sorted(path.name for path in config.parent.iterdir()) == ["one.gguf", "two.gguf"]
