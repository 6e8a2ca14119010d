"""`scripts/package_model.py`: what detecting needs is copied, whole or not at all."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from wldetect import WLDetect, _core
from wldetect.export.metadata import rewrite_metadata
from wldetect.export.table_file import read_tensors

SCRIPT = Path(__file__).parents[2] / "scripts" / "package_model.py"
TABLE, NGRAMS = "lookup_table_fp8_e3m4.safetensors", "ngram_table_fp8_e3m4.safetensors"


def package(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


@pytest.fixture
def model(bpe_model_dir: Path) -> Path:
    """A model directory with a compiled tokenizer and more than detecting needs."""
    WLDetect.load(bpe_model_dir)
    (bpe_model_dir / "provenance.json").write_text("{}", encoding="utf-8")
    return bpe_model_dir


def test_a_model_is_copied_and_replaced(model: Path, tmp_path: Path) -> None:
    output = tmp_path / "package" / "model"
    done = package(model, "--output", output)
    assert done.returncode == 0, done.stderr
    assert sorted(contents(output)) == [TABLE, _core.COMPILED_TOKENIZER]
    for name, content in contents(output).items():
        assert content == (model / name).read_bytes()
        assert f"{output / name}: {len(content) / 1e6:.2f} MB, " in done.stdout
    assert WLDetect.load(output).predict(["ja", "no"]) == WLDetect.load(model).predict(["ja", "no"])
    (output / "of an earlier model").touch()
    assert package(model, "--output", output).returncode == 0
    assert sorted(contents(output)) == [TABLE, _core.COMPILED_TOKENIZER]
    assert [path.name for path in output.parent.iterdir()] == ["model"]


def test_where_files_lay_is_left_out(model: Path, tmp_path: Path) -> None:
    found = {"source": "/home/anna/cache/a.gguf: tensor (4 x 2)", "data": ["/srv/x.parquet", "data/y.parquet", "1/2"]}
    kept = {"url": "https://example.org/a/b", "ratio": "a/b/c"}
    rewrite_metadata(model / TABLE, {"provenance": json.dumps({**found, **kept})})
    assert package(model, "--output", tmp_path / "model").returncode == 0
    _, metadata = read_tensors(tmp_path / "model" / TABLE)
    shorter = {"source": "a.gguf: tensor (4 x 2)", "data": ["x.parquet", "data/y.parquet", "1/2"]}
    assert json.loads(metadata["provenance"]) == {**shorter, **kept}


def test_sources_and_scores_go_with_the_model(model: Path, tmp_path: Path) -> None:
    sources = [
        {"name": "data/corpora", "files": ["tatoeba_laser.parquet", "sona.parquet"]},
        {"name": "data/lists/frequencies.parquet", "files": []},
        {"name": None, "files": []},
    ]
    record = {"config": {"training": {"dataset": {"sources": sources}}}}
    rewrite_metadata(model / TABLE, {"provenance": json.dumps(record)})
    results = {"overall": {"accuracy": 0.5, "n": 4}, "provenance": {"data": "/srv/dev.parquet"}}
    (model / "flores_dev_results.json").write_text(json.dumps(results), encoding="utf-8")
    done = package(model, "--output", tmp_path / "model")
    assert done.returncode == 0, done.stderr
    _, metadata = read_tensors(tmp_path / "model" / TABLE)
    owed = json.loads(metadata["sources"])
    assert [one["name"] for one in owed] == ["sona", "tatoeba_laser", *["frequencies"] * 3]
    assert owed[1] == {
        "name": "tatoeba_laser",
        "origin": "facebookresearch/LASER, Tatoeba",
        "licence": "CC BY 2.0 FR",
    }
    assert json.loads(metadata["scores"]) == {"evaluation": "dev.parquet", "accuracy": 0.5, "n": 4}
    sources[0]["files"] = ["of_nobody.parquet"]
    rewrite_metadata(model / TABLE, {"provenance": json.dumps(record)})
    done = package(model, "--output", tmp_path / "other")
    assert done.returncode != 0
    assert "sources.md: expected the licence of every source, found none of of_nobody" in done.stderr
    assert not (tmp_path / "other").exists()


def test_a_model_that_does_not_load_by_itself_replaces_nothing(
    model: Path, make_model_dir: Callable[..., Path], tmp_path: Path
) -> None:
    output = tmp_path / "package" / "model"
    assert package(model, "--output", output).returncode == 0
    before = contents(output)
    # A tokenizer of whole words has no compiled form.
    for other in (make_model_dir(["a", "b"], {"ja": [1.0, 0.0], "no": [0.0, 1.0]}, name="words"), tmp_path / "none"):
        done = package(other, "--output", output)
        assert done.returncode != 0 and "FileNotFoundError" in done.stderr
        assert contents(output) == before
        assert [path.name for path in output.parent.iterdir()] == ["model"]


def test_rows_of_ngrams_come_along(make_model_dir: Callable[..., Path], model: Path, tmp_path: Path) -> None:
    definition = (model / "tokenizer.json").read_bytes()
    rows = np.zeros((32, 3), dtype=np.float32)
    words = {f"w{i}": [0.0, 0.0, 0.0] for i in range(264)}
    both = make_model_dir(["a", "b", "c"], words, name="both", definition=definition, ngrams=rows)
    WLDetect.load(both)
    done = package(both, "--output", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert sorted(contents(tmp_path / "out")) == [TABLE, NGRAMS, _core.COMPILED_TOKENIZER]
    assert WLDetect.load(tmp_path / "out").features == ["tokens", "ngrams"]
