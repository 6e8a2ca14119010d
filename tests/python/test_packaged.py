"""The model inside the package: loaded without a path, from a compiled tokenizer, with the standard library alone."""

from __future__ import annotations

import json
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from wldetect import ArtifactError, WLDetect, _core
from wldetect.cli import main

COMPILED = _core.COMPILED_TOKENIZER


@pytest.fixture
def packaged(bpe_model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package as if it lay elsewhere, with a model inside that has no ``tokenizer.json``."""
    package = tmp_path / "site" / "wldetect"
    shutil.copytree(bpe_model_dir, package / "model")
    WLDetect.load(package / "model")
    (package / "model" / "tokenizer.json").unlink()
    monkeypatch.setattr(_core, "__file__", str(package / "_core.abi3.so"))
    return package / "model"


def test_the_model_inside_the_package_is_the_default(packaged: Path, bpe_model_dir: Path) -> None:
    assert _core.packaged_model() == packaged
    detector = WLDetect.load()
    assert detector.path == packaged
    assert detector.predict(["ja", "no no"]) == WLDetect.load(bpe_model_dir).predict(["ja", "no no"])
    assert WLDetect.load(None, features="tokens").path == packaged
    assert sorted(path.name for path in packaged.iterdir()) == ["lookup_table_fp8_e3m4.safetensors", COMPILED]


def test_it_is_found_again_wherever_the_package_is(
    packaged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pickled = pickle.dumps(WLDetect.load())
    assert str(packaged).encode() not in pickled
    moved = packaged.parent.rename(tmp_path / "elsewhere")
    monkeypatch.setattr(_core, "__file__", str(moved / "_core.abi3.so"))
    assert pickle.loads(pickled).path == moved / "model"
    # One that was given by its path stays there.
    by_path = pickle.dumps(WLDetect.load(moved / "model"))
    monkeypatch.setattr(_core, "__file__", str(tmp_path / "nowhere" / "_core.abi3.so"))
    assert pickle.loads(by_path).path == moved / "model"
    with pytest.raises(ArtifactError, match="expected the model inside the package, found none"):
        pickle.loads(pickled)


def test_a_package_without_a_model_says_how_to_get_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_core, "__file__", str(tmp_path / "_core.abi3.so"))
    text = (
        f"{tmp_path / 'model'}: expected the model inside the package, found none; give the path of another one, "
        "which `wldetect train` makes"
    )
    for load in (WLDetect.load, _core.packaged_model):
        with pytest.raises(ArtifactError) as caught:
            load()
        assert str(caught.value) == text


def test_the_command_line_takes_it(
    packaged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    before = {path.name: path.read_bytes() for path in packaged.iterdir()}
    assert main(["detect", "--text", "ja", "--text", "no"]) == 0
    assert [line.split("\t")[0] for line in capfd.readouterr().out.splitlines()] == ["a", "b"]
    assert main(["eval"]) == 2
    line = "command line: --data: expected what to score the model inside the package on, found none"
    assert capfd.readouterr().err == f"wldetect: error: {line}\n"
    (tmp_path / "texts.jsonl").write_text('{"text": "ja", "language": "a"}\n{"text": "no", "language": "a"}\n')
    assert main(["eval", "--data", "texts.jsonl"]) == 0
    results = json.loads((tmp_path / "flores_dev_results.json").read_text(encoding="utf-8"))
    assert results["overall"]["accuracy"] == 0.5
    assert {path.name: path.read_bytes() for path in packaged.iterdir()} == before
    monkeypatch.setattr(_core, "__file__", str(tmp_path / "_core.abi3.so"))
    for arguments in (["detect", "--text", "ja"], ["eval", "--data", "texts.jsonl"]):
        assert main(arguments) == 2
        assert "expected the model inside the package, found none" in capfd.readouterr().err


def test_a_compiled_tokenizer_of_no_use_is_named(packaged: Path) -> None:
    path = packaged / COMPILED
    whole = path.read_bytes()
    again = r"; found no tokenizer.json to make it from again"
    for content, reason in (
        (whole[:-1], "length: expected 0x"),
        (whole[:500] + b"?" + whole[501:], "checksum: expected 0x"),
        (b"x" * len(whole), "magic: expected 0x"),
        (whole[:8] + b"\xff" + whole[9:], "version: expected 0x"),
    ):
        path.write_bytes(content)
        with pytest.raises(ArtifactError, match=again) as caught:
            WLDetect.load()
        assert str(caught.value).startswith(f"{path}: {reason}")
        assert path.read_bytes() == content
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"tokenizer\.json"):
        WLDetect.load()


def test_a_compiled_tokenizer_of_another_model_is_refused(packaged: Path, make_model_dir: Callable[..., Path]) -> None:
    other = make_model_dir(["a", "b"], {"ja": [1.0, 0.0], "no": [0.0, 1.0]}, name="other")
    shutil.copyfile(other / "lookup_table_fp8_e3m4.safetensors", packaged / "lookup_table_fp8_e3m4.safetensors")
    with pytest.raises(ArtifactError, match=r"made from another tokenizer\.json; found no"):
        WLDetect.load()


DETECT_AND_LIST = """
import sys
names = set(sys.modules)
from wldetect.cli import main
status = main(sys.argv[1:])
sys.stdout.flush()
print(*{name.partition(".")[0] for name in set(sys.modules) - names}, file=sys.stderr)
sys.exit(status)
"""


@pytest.mark.parametrize("more", [[], ["--format", "jsonl"]])
def test_detecting_imports_the_standard_library_alone(packaged: Path, more: list[str]) -> None:
    command = [sys.executable, "-c", DETECT_AND_LIST, "detect", "--model-path", str(packaged), "--text", "ja", *more]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "a" in done.stdout
    found = set(done.stderr.split()) - {"wldetect"}
    assert found <= set(sys.stdlib_module_names), found - set(sys.stdlib_module_names)
    # They take longer to import than everything else here, and are for other commands.
    assert not found & {"dataclasses", "email", "inspect", "socket", "subprocess", "typing", "zipfile"}


def test_importing_the_package_imports_nothing_else() -> None:
    program = "import sys; names = set(sys.modules); import wldetect; print(*(set(sys.modules) - names))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == {"__future__", "wldetect", "wldetect._core", "wldetect.errors"}
