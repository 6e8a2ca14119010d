"""A detector pickles as its path and fingerprint; copies are the detector itself."""

from __future__ import annotations

import copy
import hashlib
import multiprocessing
import operator
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

from wldetect import ArtifactError, WLDetect

LABELS = ["eng_Latn", "spa_Latn", "deu_Latn"]
WORDS = {"one": [2.0, 0.0, 0.0], "uno": [0.0, 2.0, 0.0], "eins": [0.0, 0.0, 2.0]}
E3M4 = "lookup_table_fp8_e3m4.safetensors"
MakeModel = Callable[..., Path]


@pytest.fixture
def model_dir(make_model_dir: MakeModel) -> Path:
    return make_model_dir(LABELS, WORDS)


def test_the_fingerprint_is_that_of_the_table_file(make_model_dir: MakeModel) -> None:
    files: dict[Literal["e3m4", "float32"], str] = {"e3m4": E3M4, "float32": "lookup_table_float32.safetensors"}
    for table, name in files.items():
        directory = make_model_dir(LABELS, WORDS, dtype=table)
        detector = WLDetect.load(directory, table=table)
        assert detector.fingerprint == hashlib.sha256((directory / name).read_bytes()).hexdigest()
        with pytest.raises(AttributeError):
            detector.fingerprint = "0"  # type: ignore[misc]


def test_paths_are_absolute(model_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert WLDetect.load(model_dir).path == model_dir
    assert WLDetect.load(str(model_dir)).path == model_dir
    monkeypatch.chdir(model_dir)
    detector = WLDetect.load(".")
    assert isinstance(detector.path, Path)
    assert detector.path.is_absolute() and detector.path.samefile(model_dir)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_hold_the_path_and_load_the_model(make_model_dir: MakeModel, protocol: int) -> None:
    directory = make_model_dir(LABELS, WORDS, dtype="e4m3fn", name="größer")
    detector = WLDetect.load(directory, table="e4m3fn")
    pickled = pickle.dumps(detector, protocol)
    assert len(pickled) < 300 + len(str(directory))
    restored = pickle.loads(pickled)
    assert type(restored) is WLDetect and restored is not detector
    assert repr(restored) == repr(detector)
    assert (restored.path, restored.fingerprint) == (detector.path, detector.fingerprint)
    assert restored.predict(["uno", ""]) == detector.predict(["uno", ""])


def test_pickles_of_relative_paths_load_elsewhere(
    model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(model_dir.parent)
    pickled = pickle.dumps(WLDetect.load(model_dir.name))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert pickle.loads(pickled).predict("uno") is not None


def test_another_model_is_refused(model_dir: Path, make_model_dir: MakeModel) -> None:
    detector = WLDetect.load(model_dir)
    pickled = pickle.dumps(detector)
    other = make_model_dir(LABELS, {**WORDS, "dos": [0.0, 2.0, 0.0]}, name="other")
    expected, found = detector.fingerprint, WLDetect.load(other).fingerprint
    # The one that is open goes on with what it has.
    shutil.rmtree(model_dir)
    other.rename(model_dir)
    with pytest.raises(ArtifactError) as caught:
        pickle.loads(pickled)
    reason = f"expected the pickled model, fingerprint {expected}, found fingerprint {found}"
    assert str(caught.value) == f"{model_dir / E3M4}: {reason}"
    assert detector.predict("uno") is not None
    shutil.rmtree(model_dir)
    with pytest.raises(FileNotFoundError):
        pickle.loads(pickled)


def test_copies_are_the_detector_itself(model_dir: Path) -> None:
    detector = WLDetect.load(model_dir)
    assert copy.copy(detector) is detector
    assert copy.deepcopy(detector) is detector
    assert copy.deepcopy([detector, {"of": detector}]) == [detector, {"of": detector}]


def test_pools_of_new_processes_get_the_detector(model_dir: Path) -> None:
    detector = WLDetect.load(model_dir)
    texts = ["uno", "", "eins \ud800", "one"]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        found = pool.map_async(operator.methodcaller("predict", texts), [detector] * 3).get(timeout=120)
    assert found == [detector.predict(texts)] * 3
