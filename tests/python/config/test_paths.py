"""Where the files that a configuration names are looked for, and values overridden from the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from wldetect.config import (
    DEFAULT_TRAINING_CONFIG,
    Device,
    Pooling,
    candidate_paths,
    load_model_config,
    load_training_config,
    resolve_name,
    resolve_path,
)
from wldetect.errors import ConfigError

TRAINING = """
model_config_path: model.yaml
dataset: {name: corpus}
output: {artifacts_dir: artifacts/tiny}
"""

Write = Callable[[str, str], Path]


def test_a_missing_file_is_the_error_of_the_system(write: Write) -> None:
    for load in (load_model_config, load_training_config):
        with pytest.raises(FileNotFoundError, match=r"nowhere\.yaml"):
            load("nowhere.yaml")


def test_a_missing_model_file_lists_where_it_was_looked_for(write: Write) -> None:
    path = write("configs/x.yaml", TRAINING.replace("model.yaml", "m.yaml"))
    with pytest.raises(ConfigError) as error:
        load_training_config(path)
    expected = "expected an existing file, found no 'configs/m.yaml' or 'm.yaml'"
    assert str(error.value) == f"configs/x.yaml: model_config_path: {expected}"
    with pytest.raises(ConfigError) as error:
        load_training_config(path, {"model_config_path": "/n.yaml"})
    expected = "expected an existing file, found no '/n.yaml'"
    assert str(error.value) == f"configs/x.yaml: model_config_path (from the command line): {expected}"


def test_an_error_in_the_model_file_names_the_model_file(write: Write) -> None:
    write("model.yaml", "model: {name: m, type: t, hidden_dim: 8}\nlanguages: {a: 1}")
    with pytest.raises(ConfigError, match=r"^model\.yaml: languages\.a: "):
        load_training_config(write("train.yaml", TRAINING))


def test_weights_are_of_the_languages_of_the_model_file(write: Write) -> None:
    write("model.yaml", "model: {name: m, type: t, hidden_dim: 8}\nlanguages: {a: 0, b: 1}")
    path = write("train.yaml", TRAINING)
    weights = [{"weights": [0.5], "labels": ["b", "c"]}]
    with pytest.raises(ConfigError) as error:
        load_training_config(path, {"dataset.label_weights": weights})
    expected = "expected one of the 2 codes of model.yaml, found 'c' (str)"
    key = "dataset.label_weights[0].labels[1]"
    assert str(error.value) == f"train.yaml: {key} (from the command line): {expected}"


def test_others_become_languages_of_the_model_file(write: Write) -> None:
    write("model.yaml", "model: {name: m, type: t, hidden_dim: 8}\nlanguages: {a: 0, b: 1}")
    path = write("train.yaml", TRAINING)
    dataset = load_training_config(path, {"dataset.merge_labels": {"b": ["c"]}}).training.dataset
    assert dataset.merge_labels == {"b": ["c"]}
    with pytest.raises(ConfigError) as error:
        load_training_config(path, {"dataset.merge_labels": {"c": ["d"]}})
    where = "train.yaml: dataset.merge_labels.c (from the command line)"
    assert str(error.value) == f"{where}: expected the key to be one of the 2 codes of model.yaml, found 'c' (str)"
    with pytest.raises(ConfigError) as error:
        load_training_config(path, {"dataset.merge_labels": {"b": ["c", "a"]}})
    where = "train.yaml: dataset.merge_labels.b (from the command line)[1]"
    assert str(error.value) == f"{where}: expected codes that model.yaml does not have, found 'a' (str)"


def test_relative_paths_are_looked_up_beside_the_file_and_then_here(write: Write, tmp_path: Path) -> None:
    config = write("configs/x.yaml", "")
    assert candidate_paths("a/b", config) == (Path("configs/a/b"), Path("a/b"))
    assert candidate_paths("a/b", "x.yaml") == (Path("a/b"),)
    assert resolve_path("a/b", config) is None
    assert resolve_name("a/b", config) == "a/b"
    write("a/b", "")
    assert resolve_path("a/b", config) == Path("a/b")
    write("configs/a/b", "")
    assert resolve_path("a/b", config) == Path("configs/a/b")
    assert resolve_name("a/b", config) == "configs/a/b"
    assert resolve_path(str(tmp_path / "a"), config) == tmp_path / "a"


def test_home_is_expanded(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write("data/a.parquet", "")
    assert resolve_path("~/data", "x.yaml") == tmp_path / "data"
    assert resolve_name("~/data/*.parquet", "x.yaml") == f"{tmp_path}/data/*.parquet"
    config = load_training_config(write("train.yaml", TRAINING), {"output.artifacts_dir": "~/out"})
    assert config.artifacts_dir == tmp_path / "out"


def test_patterns_are_kept_and_anchored_where_they_match(write: Write) -> None:
    config = write("con[1]figs/x.yaml", "")
    assert resolve_name("data/*.parquet", config) == "data/*.parquet"
    write("data/here.parquet", "")
    assert resolve_name("data/*.parquet", config) == "data/*.parquet"
    write("con[1]figs/data/beside.parquet", "")
    # The brackets of the directory are not part of the pattern, and so must be escaped in the result.
    assert resolve_name("data/*.parquet", config) == "con[[]1]figs/data/*.parquet"


def test_package_paths_lie_in_the_installed_package(write: Write) -> None:
    inside = "package:wldetect/starter/configs/training/starter.yaml"
    assert resolve_path(inside, "x.yaml") == DEFAULT_TRAINING_CONFIG()
    assert resolve_name(inside, "x.yaml") == str(DEFAULT_TRAINING_CONFIG())
    assert resolve_path("package:wldetect/nothing/here", "x.yaml") is None
    for text in ("package:os/path.py", "package:wldetect", "package:wldetect/../x", "package:"):
        with pytest.raises(ConfigError) as error:
            resolve_path(text, "x.yaml")
        assert str(error.value) == f"x.yaml: expected a path like 'package:wldetect/...', found '{text}'"


def test_overrides_replace_and_add_values(write: Write) -> None:
    path = write("train.yaml", f"{TRAINING}training: {{seed: 1, batch_size: 8}}")
    config = load_training_config(
        path,
        {
            "training.batch_size": 16,
            "training.projection.dropout": 0.5,
            "training.device": "cpu",
            "dataset.name": Path("elsewhere"),
            "evaluation.data": "flores.parquet",
            "inference.pooling": "max",
            "output.artifacts_dir": "out",
        },
    )
    options = config.training.training
    assert (options.seed, options.batch_size, options.projection.dropout, options.device) == (1, 16, 0.5, Device.cpu)
    assert config.training.dataset.all_sources[0].name == "elsewhere"
    assert config.training.evaluation.data == "flores.parquet"
    assert config.inference.pooling is Pooling.max
    assert config.artifacts_dir == Path("out")


def test_overrides_do_not_leak_through_aliases(write: Write) -> None:
    path = write("train.yaml", f"{TRAINING}evaluation: &e {{}}\ntraining: *e")
    config = load_training_config(path, {"training.batch_size": 16})
    assert config.training.training.batch_size == 16
