"""Bad input through the command line: exit status 2, one line that says where and what, and nothing written."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from .project import LANGUAGES, WIDTH, Fails, Project, rewrite_tensors

TABLE = "lookup_table_fp8_e3m4.safetensors"


@pytest.fixture
def refuses(tiny_project: Project, fails: Fails) -> Callable[..., str]:
    """A function that checks that training fails and leaves no model directory; returns the line."""

    def train_and_check(*options: str, parts: Sequence[object] = ()) -> str:
        message = fails(tiny_project.train(*options), *parts)
        assert not tiny_project.output.exists()
        return message

    return train_and_check


Refuses = Callable[..., str]


# The configuration.


def test_missing_configuration(tiny_project: Project, refuses: Refuses) -> None:
    tiny_project.model_config.unlink()
    expected = f"expected an existing file, found no '{tiny_project.model_config}' or 'model.yaml'"
    assert refuses() == f"{tiny_project.config}: model_config_path: {expected}"
    tiny_project.config.unlink()
    assert refuses() == f"{tiny_project.config}: No such file or directory"


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("training.learning_rat", 0.1, "training.learning_rat: unknown key; expected one of batch_size, "),
        ("trainin", {}, "trainin: unknown key; "),
        ("training.batch_size", "many", "training.batch_size: expected int > 0, found 'many' (str)"),
        ("training.num_epochs", 0, "training.num_epochs: expected int > 0, found 0"),
        ("dataset.name", 3, "dataset.name: expected "),
        ("dataset.sources", [{"name": "corpus"}], "dataset.name: not allowed beside 'sources'"),
    ],
)
def test_training_configuration(key: str, value: object, reason: str, tiny_project: Project, refuses: Refuses) -> None:
    tiny_project.edit(tiny_project.config, key, value)
    assert refuses().startswith(f"{tiny_project.config}: {reason}")


def test_nearest_key_is_suggested(tiny_project: Project, refuses: Refuses) -> None:
    tiny_project.edit(tiny_project.config, "training.learning_rat", 0.1)
    assert refuses().endswith("did you mean 'learning_rate'?")


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [
        ("languages", {"a": 0, "b": 2}, "languages.b: expected indices 0 to 1 for 2 languages"),
        ("model.hidden_dims", 8, "model.hidden_dims: unknown key; "),
        ("languages", {}, "languages: expected a mapping of one or more codes to indices"),
    ],
)
def test_model_configuration(key: str, value: object, reason: str, tiny_project: Project, refuses: Refuses) -> None:
    tiny_project.edit(tiny_project.model_config, key, value)
    assert refuses().startswith(f"{tiny_project.model_config}: {reason}")


@pytest.mark.parametrize("content", [b"a: [", b"\xff", b"- 1\n", b""])
def test_configuration_that_is_no_mapping(content: bytes, tiny_project: Project, refuses: Refuses) -> None:
    tiny_project.config.write_bytes(content)
    assert refuses().startswith(f"{tiny_project.config}: ")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("training", "command line: expected KEY=VALUE with a dotted key, found 'training'"),
        ("=3", "command line: expected KEY=VALUE with a dotted key, found '=3'"),
        ("training..x=3", "command line: expected KEY=VALUE with a dotted key, found 'training..x=3'"),
        ("training.num_epochs=[1", "command line: training.num_epochs: line 1: not valid YAML"),
        ("training.num_epoch=3", "{}: training.num_epoch (from the command line): unknown key; "),
        (
            "training.num_epochs=three",
            "{}: training.num_epochs (from the command line): expected int > 0, found 'three'",
        ),
        ("training.num_epochs.x=1", "{}: training.num_epochs.x (from the command line): expected a mapping at "),
        ("dataset.seed=-1", "{}: dataset.seed (from the command line): expected int >= 0, found -1"),
    ],
)
def test_overrides(text: str, reason: str, tiny_project: Project, refuses: Refuses) -> None:
    assert refuses("--set", text).startswith(reason.format(tiny_project.config))


def test_device(tiny_project: Project, refuses: Refuses, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "training.device (from the command line): expected one of auto, cpu" in refuses("--device", "tpu")
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    message = refuses("--device", "cuda")
    assert message.startswith("training.device: expected one of auto, cpu")
    assert message.endswith("found 'cuda', which is not here")


# The embeddings and their tokenizer.


def test_missing_embeddings(tiny_project: Project, refuses: Refuses) -> None:
    (tiny_project.embeddings / "tokenizer.json").unlink()
    assert "expected tokenizer.json" in refuses(parts=[tiny_project.embeddings])
    (tiny_project.embeddings / "model.safetensors").unlink()
    assert "expected model.safetensors or model.safetensors.index.json" in refuses(parts=[tiny_project.embeddings])
    shutil.rmtree(tiny_project.embeddings)
    tiny_project.edit(tiny_project.model_config, "model.source", "./embeddings")
    message = refuses(parts=[tiny_project.model_config, tiny_project.embeddings])
    assert "source: expected an existing path" in message


@pytest.mark.parametrize("kept", [0, 4, 50, -1])
def test_truncated_embeddings(kept: int, tiny_project: Project, refuses: Refuses) -> None:
    path = tiny_project.embeddings / "model.safetensors"
    path.write_bytes(path.read_bytes()[:kept])
    assert "safetensors file: " in refuses(parts=[path])


def test_hidden_dim(tiny_project: Project, refuses: Refuses) -> None:
    tiny_project.edit(tiny_project.model_config, "model.hidden_dim", WIDTH + 1)
    message = refuses(parts=[tiny_project.model_config, tiny_project.embeddings / "model.safetensors"])
    assert f"hidden_dim: expected {WIDTH + 1} (config), found {WIDTH} (tensor model.embed_tokens.weight" in message


def test_embedding_layer_name(tiny_project: Project, refuses: Refuses) -> None:
    path = tiny_project.embeddings / "model.safetensors"
    save_file({"model.embedder.weight": load_file(path)["model.embed_tokens.weight"]}, path)
    message = refuses(parts=[path])
    assert "embedding_layer_name: expected one of model.embedder.weight, found 'model.embed_tokens'" in message


def test_sizes_of_the_language_model(tiny_project: Project, refuses: Refuses) -> None:
    path = tiny_project.embeddings / "config.json"
    path.write_text(json.dumps({"hidden_size": 64}), encoding="utf-8")
    assert f"hidden_size: expected {WIDTH} (the embedding tensor), found 64" in refuses(parts=[path])


def test_tokenizer_that_is_no_json(tiny_project: Project, refuses: Refuses) -> None:
    path = tiny_project.embeddings / "tokenizer.json"
    path.write_bytes(path.read_bytes()[:-20])
    assert refuses().startswith(f"{path}: expected JSON in UTF-8: ")


def test_json_that_is_no_tokenizer(tiny_project: Project, refuses: Refuses) -> None:
    path = tiny_project.embeddings / "tokenizer.json"
    path.write_text("{}", encoding="utf-8")
    message = refuses(parts=[tiny_project.embeddings])
    assert "tokenizer" in message


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_embeddings_that_are_not_finite(value: float, tiny_project: Project, refuses: Refuses) -> None:
    def spoil(tensors: dict[str, NDArray[Any]], _: dict[str, str]) -> None:
        (matrix,) = tensors.values()
        matrix[5, 3] = value

    path = tiny_project.embeddings / "model.safetensors"
    rewrite_tensors(path, spoil)
    message = refuses(parts=[path])
    assert message.endswith("expected finite values, found infinity or NaN in row 5, column 3")


def test_output_that_is_a_file(tiny_project: Project, fails: Fails) -> None:
    tiny_project.output.parent.mkdir(parents=True)
    tiny_project.output.write_text("mine", encoding="utf-8")
    message = fails(tiny_project.train())
    assert message == f"{tiny_project.output}: expected a directory to write the model to, found a file"
    assert tiny_project.output.read_text(encoding="utf-8") == "mine"


# The corpus and the evaluation data.


def write_parquet(path: Path, columns: dict[str, Any]) -> Path:
    pq.write_table(pa.table(columns), path)
    return path


def test_missing_data(tiny_project: Project, refuses: Refuses) -> None:
    path = tiny_project.root / "none.parquet"
    assert refuses("--data", str(path)) == f"{path}: no such file or directory"
    # That is found out before anything is trained, too.
    assert refuses("--eval-data", str(path)) == f"{path}: no such file or directory"
    message = refuses("--set", "evaluation.split=test")
    assert message == f"{tiny_project.corpus}: expected a split 'test', found dev, train"


def test_empty_corpus(tiny_project: Project, refuses: Refuses) -> None:
    folder = tiny_project.corpus / "train"
    for path in folder.iterdir():
        path.write_text("\n \n", encoding="utf-8")
    message = f"{tiny_project.config}: dataset: expected texts of the 3 configured languages, found none to train on: "
    assert refuses().startswith(message)
    shutil.rmtree(folder)
    folder.mkdir()
    assert refuses().startswith(f"{folder}: expected files of type .parquet")
    path = write_parquet(tiny_project.root / "d.parquet", {"text": pa.array([], pa.string()), "language": pa.nulls(0)})
    assert refuses("--data", str(path)).startswith(message)


def test_corpus_of_other_languages_only(tiny_project: Project, refuses: Refuses) -> None:
    path = write_parquet(tiny_project.root / "d.parquet", {"text": ["a", "b"], "language": ["xxx_Latn", "yyy_Latn"]})
    assert refuses("--data", str(path)).endswith("2 rows of other labels ('xxx_Latn', 'yyy_Latn')")
    message = refuses("--set", "dataset.min_samples_per_language=41")
    assert "120 rows of theirs (min_samples_per_language 41)" in message


@pytest.mark.parametrize("option", ["--data", "--eval-data"])
def test_missing_column(option: str, tiny_project: Project, refuses: Refuses) -> None:
    for suffix in ("parquet", "csv", "jsonl"):
        path = tiny_project.root / f"d.{suffix}"
        if suffix == "parquet":
            write_parquet(path, {"text": ["a"], "lang": ["b"]})
        elif suffix == "csv":
            path.write_text("text,lang\na,b\n", encoding="utf-8")
        else:
            path.write_text('{"text": "a", "lang": "b"}\n', encoding="utf-8")
        message = refuses(option, str(path))
        assert message.startswith(f"{path}: expected a column 'language'")
        assert message.endswith(", found text, lang")


@pytest.mark.parametrize("option", ["--data", "--eval-data"])
@pytest.mark.parametrize(
    ("name", "content"),
    [
        (f"{LANGUAGES[0]}.txt", b"balo\nm\xff\n"),
        ("d.csv", b"text,language\nm\xff,x\n"),
        ("d.jsonl", b'{"text": "a", "language": "x"}\n{"text": "\xff"}\n'),
    ],
)
def test_text_that_is_not_utf8(option: str, name: str, content: bytes, tiny_project: Project, refuses: Refuses) -> None:
    path = tiny_project.root / name
    path.write_bytes(content)
    assert refuses(option, str(path)).startswith(f"{path}: line 2: expected UTF-8, found byte 0xff at offset ")


@pytest.mark.parametrize("option", ["--data", "--eval-data"])
def test_truncated_parquet(option: str, tiny_project: Project, refuses: Refuses) -> None:
    path = write_parquet(tiny_project.root / "d.parquet", {"text": ["a"], "language": ["b"]})
    path.write_bytes(path.read_bytes()[:-9])
    assert refuses(option, str(path)).startswith(f"{path}: not a whole parquet file: ")


# The model directory.

Change = Callable[[dict[str, NDArray[Any]], dict[str, str]], None]


def set_tensor(name: str, value: Any) -> Change:
    def change(tensors: dict[str, NDArray[Any]], _: dict[str, str]) -> None:
        tensors[name] = np.asarray(value, dtype=tensors[name].dtype)

    return change


def set_code(code: int) -> Change:
    def change(tensors: dict[str, NDArray[Any]], _: dict[str, str]) -> None:
        tensors["lookup_table"][7, 1] = code

    return change


def drop_tensor(name: str) -> Change:
    def change(tensors: dict[str, NDArray[Any]], _: dict[str, str]) -> None:
        del tensors[name]

    return change


def set_metadata(key: str, value: str | None) -> Change:
    def change(_: dict[str, NDArray[Any]], metadata: dict[str, str]) -> None:
        del metadata[key]
        if value is not None:
            metadata[key] = value

    return change


@pytest.fixture
def unusable(trained_model: Path, fails: Fails, tmp_path: Path) -> Callable[[Path | str], str]:
    """A function that checks that neither detecting nor evaluating works, and that nothing is written."""
    texts = tmp_path / f"{LANGUAGES[0]}.txt"
    texts.write_text("balo\n", encoding="utf-8")

    def check(path: Path | str) -> str:
        before = sorted(trained_model.iterdir()) if trained_model.exists() else []
        arguments = ["--model-path", str(trained_model)]
        message = fails(["detect", *arguments, "--text", "balo"], path)
        assert fails(["eval", *arguments, "--data", str(texts)], path) == message
        assert (sorted(trained_model.iterdir()) if trained_model.exists() else []) == before
        return message

    return check


Unusable = Callable[["Path | str"], str]


@pytest.mark.parametrize("name", [TABLE, "tokenizer.json", ""])
def test_missing_file(name: str, trained_model: Path, unusable: Unusable) -> None:
    if name:
        (trained_model / name).unlink()
    else:
        shutil.rmtree(trained_model)
    assert unusable(trained_model / name).endswith(": No such file or directory")


@pytest.mark.parametrize("kept", [0, 7, 100, -1])
def test_truncated_table(kept: int, trained_model: Path, unusable: Unusable) -> None:
    path = trained_model / TABLE
    path.write_bytes(path.read_bytes()[:kept])
    assert unusable(path).startswith(f"{path}: not a whole safetensors file: ")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (set_tensor("dtype", [7]), "dtype: expected one of 26 (e3m4), "),
        (set_tensor("dtype", [0]), "dtype: expected "),
        (set_tensor("shape", [49, 3]), "shape: expected 50 x 3 (lookup_table), found [49, 3]"),
        (set_tensor("shape", [2**62, 4]), "shape: expected 50 x 3 (lookup_table), found "),
        (set_tensor("shape", [-50, 3]), "shape: expected 50 x 3 (lookup_table), found "),
        (set_tensor("scale", [np.nan]), "scale"),
        (set_tensor("scale", [np.inf]), "scale"),
        (set_tensor("scale", [0]), "scale"),
        (set_code(0x70), "lookup_table: value at row 7, column 1 is not finite"),
        (set_code(0xF1), "lookup_table: value at row 7, column 1 is not finite"),
        (drop_tensor("lookup_table"), "lookup_table: tensor missing"),
        (drop_tensor("scale"), "scale: tensor missing"),
        (set_metadata("languages", None), 'metadata key "languages" is missing'),
        (set_metadata("languages", '["a"]'), "languages: expected 3, one a column, found 1"),
        (set_metadata("pooling", "mean"), 'pooling: expected "average", "logsumexp" or "max", found "mean"'),
    ],
)
def test_table(change: Change, reason: str, trained_model: Path, unusable: Unusable) -> None:
    rewrite_tensors(trained_model / TABLE, change)
    assert reason in unusable(trained_model / TABLE).removeprefix(str(trained_model / TABLE))


def test_tokenizer_of_another_table(trained_model: Path, unusable: Unusable) -> None:
    path = trained_model / "tokenizer.json"
    path.write_bytes(path.read_bytes() + b"\n")
    assert unusable(path).startswith(f"{path}: expected the tokenizer of the table, sha256 ")


def test_tables_are_not_mixed_up(trained_model: Path, unusable: Unusable) -> None:
    (trained_model / "lookup_table_fp8_e4m3fn.safetensors").replace(trained_model / TABLE)
    assert "dtype: expected " in unusable(trained_model / TABLE)


@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_float32_table(value: float, trained_model: Path, fails: Fails) -> None:
    def change(tensors: dict[str, NDArray[Any]], _: dict[str, str]) -> None:
        tensors["lookup_table"][3, 2] = value

    path = trained_model / "lookup_table_float32.safetensors"
    rewrite_tensors(path, change)
    arguments = ["detect", "--model-path", str(trained_model), "--table", "float32", "--text", "balo"]
    assert fails(arguments) == f"{path}: lookup_table: value at row 3, column 2 is not finite"
