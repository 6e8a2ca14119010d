"""``WLDetect`` through Python: loading model directories, refusing them, and the answers of single texts."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

import wldetect
from wldetect import ArtifactError, WLDetect

LABELS = ["eng_Latn", "spa_Latn", "deu_Latn"]
WORDS = {"one": [2.0, 0.0, 0.0], "uno": [0.0, 2.0, 0.0], "eins": [0.0, 0.0, 2.0], "the": [0.0, 0.0, 0.0]}
# Softmax of logits 2, 0, 0 at the 2.
SURE = math.exp(2) / (math.exp(2) + 2)

Table = Literal["e3m4", "e4m3fn", "float32"]
TABLES: tuple[Table, ...] = ("e3m4", "e4m3fn", "float32")
MakeModel = Callable[..., Path]


@pytest.fixture
def model_dir(make_model_dir: MakeModel) -> Path:
    return make_model_dir(LABELS, WORDS)


@pytest.fixture
def detector(model_dir: Path) -> WLDetect:
    return WLDetect.load(model_dir)


def test_a_string_gives_a_code_and_its_probability(detector: WLDetect) -> None:
    found = detector.predict("uno uno")
    assert isinstance(found, tuple)
    code, probability = found
    assert (type(code), type(probability)) == (str, float)
    assert code == "spa_Latn"
    assert probability == pytest.approx(SURE, rel=1e-6)


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("pooling", ["average", "logsumexp", "max"])
def test_every_table_and_pooling(make_model_dir: MakeModel, table: Table, pooling: str) -> None:
    detector = WLDetect.load(make_model_dir(LABELS, WORDS, dtype=table, pooling=pooling, scale=0.5), table=table)
    assert detector.pooling == pooling
    rows = np.array([WORDS["uno"], WORDS["uno"], WORDS["eins"]])
    logits = {
        "average": rows.mean(axis=0),
        "max": rows.max(axis=0),
        "logsumexp": np.log(np.exp(rows).sum(axis=0)),
    }[pooling]
    expected = np.exp(logits) / np.exp(logits).sum()
    found = detector.probabilities("uno eins uno")
    assert found is not None and found.dtype == np.float32 and found.shape == (3,)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert detector.predict("uno eins uno") == ("spa_Latn", found[1])


def test_tables_of_one_directory_are_chosen_by_name(make_model_dir: MakeModel) -> None:
    for table in TABLES:
        directory = make_model_dir(LABELS, WORDS, dtype=table)
    for table in TABLES:
        detector = WLDetect.load(directory, table=table)
        assert f"table={table!r}".replace("'", '"') in repr(detector)
        assert detector.predict("eins") == pytest.approx(("deu_Latn", SURE))
    with pytest.raises(ValueError) as caught:
        WLDetect.load(directory, table="float64")  # type: ignore[arg-type]
    assert str(caught.value) == 'table: expected "e3m4", "e4m3fn" or "float32", found "float64"'


def test_paths_may_be_strings(model_dir: Path) -> None:
    assert WLDetect.load(str(model_dir)).predict("one") == WLDetect.load(model_dir).predict("one")
    with pytest.raises(TypeError):
        WLDetect.load(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        WLDetect()


def test_what_it_says_about_itself(make_model_dir: MakeModel) -> None:
    directory = make_model_dir(LABELS, WORDS, max_sequence_length=7)
    detector = WLDetect.load(directory)
    assert detector.languages == LABELS
    assert detector.max_sequence_length == 7
    assert detector.pooling == "average"
    assert detector.features == ["tokens"]
    assert repr(detector) == f'WLDetect("{directory}", table="e3m4", features="all", languages=3)'
    detector.languages.append("fra_Latn")
    assert detector.languages == LABELS
    assert wldetect.__version__


def test_probabilities_sum_to_one(make_model_dir: MakeModel) -> None:
    generator = np.random.default_rng(3)
    labels = [f"l{i}" for i in range(148)]
    words = {f"w{i}": generator.normal(0, 5, len(labels)).tolist() for i in range(40)}
    for pooling in ("average", "logsumexp", "max"):
        detector = WLDetect.load(make_model_dir(labels, words, pooling=pooling, name=pooling))
        for length in (1, 3, 30, 1000):
            text = " ".join(f"w{i}" for i in generator.integers(0, len(words), length))
            found = detector.probabilities(text)
            assert found is not None and found.shape == (148,)
            assert (found >= 0).all() and (found <= 1).all()
            assert found.sum(dtype=np.float64) == pytest.approx(1.0, abs=1e-5)
            assert detector.predict(text) == (labels[int(found.argmax())], found.max())


def test_masked_words_have_no_say(make_model_dir: MakeModel) -> None:
    detector = WLDetect.load(make_model_dir(LABELS, WORDS, mask=["the"]))
    assert detector.predict("the eins the the") == detector.predict("eins")
    assert detector.predict("the the") is None


def test_tokens_past_the_limit_are_left_out(make_model_dir: MakeModel) -> None:
    text = "one one uno uno uno uno"
    for limit, code in ((1, "eng_Latn"), (3, "eng_Latn"), (5, "spa_Latn"), (512, "spa_Latn")):
        detector = WLDetect.load(make_model_dir(LABELS, WORDS, max_sequence_length=limit, name=f"limit{limit}"))
        found = detector.predict(text)
        assert found is not None and found[0] == code
    assert detector.predict("uno " * 300_000) == detector.predict("uno")


def refused(directory: Path, kind: type[Exception], table: Table = "e3m4") -> str:
    """The text with which loading fails; one line."""
    with pytest.raises(kind) as caught:
        WLDetect.load(directory, table=table)
    assert caught.type is kind
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_missing_files_are_file_not_found_errors(model_dir: Path) -> None:
    missing: dict[Table, str] = {
        "e4m3fn": "lookup_table_fp8_e4m3fn.safetensors",
        "float32": "lookup_table_float32.safetensors",
    }
    for table, name in missing.items():
        with pytest.raises(FileNotFoundError) as caught:
            WLDetect.load(model_dir, table=table)
        assert caught.value.filename == str(model_dir / name)
        assert str(caught.value) == f"[Errno 2] No such file or directory: {str(model_dir / name)!r}"
    assert str(model_dir / "nowhere") in refused(model_dir / "nowhere", FileNotFoundError)
    (model_dir / "tokenizer.json").unlink()
    assert str(model_dir / "tokenizer.json") in refused(model_dir, FileNotFoundError)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may read any file")
def test_unreadable_files_are_permission_errors(model_dir: Path) -> None:
    (model_dir / "tokenizer.json").chmod(0)
    assert "tokenizer.json" in refused(model_dir, PermissionError)


def test_a_file_in_place_of_the_directory_is_a_not_a_directory_error(model_dir: Path) -> None:
    assert "tokenizer.json" in refused(model_dir / "tokenizer.json", NotADirectoryError)


def test_spoilt_files_are_artifact_errors(model_dir: Path) -> None:
    path = model_dir / "lookup_table_fp8_e3m4.safetensors"
    whole = path.read_bytes()
    for spoilt in (b"", whole[:-1], whole[: len(whole) // 2], whole + b"\0", b"\xff" * 100):
        path.write_bytes(spoilt)
        assert refused(model_dir, ArtifactError).startswith(f"{path}: not a whole safetensors file: ")
    path.write_bytes(whole.replace(b'"average"', b'"sum"    '))
    text = refused(model_dir, ArtifactError)
    assert text == f'{path}: pooling: expected "average", "logsumexp" or "max", found "sum"'
    other = model_dir / "lookup_table_fp8_e4m3fn.safetensors"
    other.write_bytes(whole)
    text = refused(model_dir, ArtifactError, table="e4m3fn")
    assert text == f"{other}: dtype: expected 0 (e4m3fn), found 26 (e3m4)"
    path.write_bytes(whole)
    assert WLDetect.load(model_dir).predict("uno") is not None


def test_values_that_are_not_finite_are_artifact_errors(make_model_dir: MakeModel) -> None:
    directory = make_model_dir(["a", "b"], {"x": [1.0, 0.0], "y": [0.0, 1.0]})
    path = directory / "lookup_table_fp8_e3m4.safetensors"
    whole = path.read_bytes()
    # 1, 0, 0, 1 in E3M4; nothing else in the file looks like it.
    stored = bytes([0x30, 0, 0, 0x30])
    assert whole.count(stored) == 1
    path.write_bytes(whole.replace(stored, bytes([0x30, 0, 0x70, 0x30])))
    assert refused(directory, ArtifactError) == f"{path}: lookup_table: value at row 1, column 0 is not finite"


def test_another_tokenizer_is_an_artifact_error(model_dir: Path) -> None:
    path = model_dir / "tokenizer.json"
    definition = path.read_text(encoding="utf-8")
    path.write_text(definition.replace('"uno"', '"dos"'), encoding="utf-8")
    assert refused(model_dir, ArtifactError).startswith(f"{path}: expected the tokenizer of the table, sha256 ")
    path.write_text("{}", encoding="utf-8")
    assert refused(model_dir, ArtifactError).startswith(f"{path}: tokenizer: ")
    assert issubclass(ArtifactError, ValueError)
