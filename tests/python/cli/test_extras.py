"""Packages of extras: which are missing, what to do about it, and installing them."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import pytest

from wldetect.cli import main
from wldetect.cli.extras import install_extras, missing_requirements, require_extras
from wldetect.errors import MissingExtraError

REQUIREMENTS = [
    "always>=1",
    "datasets>=3.0 ; extra == 'training'",
    'PyYAML>=6.0; extra == "training"',
    "torch>=2.4 ; extra == 'training'",
    "torch>=2.7 ; extra == 'cu128'",
    "some-model-gguf==1.0.0 ; extra == 'starter'",
    "pytest ; extra == 'dev'",
]


def install_only(monkeypatch: pytest.MonkeyPatch, modules: Collection[str]) -> None:
    """Make it look as if just these modules could be imported, and the package required what is written above."""
    monkeypatch.setattr(importlib.metadata, "requires", lambda _: REQUIREMENTS)
    there = {"pip", *modules}
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if name in there else None)


def test_missing_requirements(monkeypatch: pytest.MonkeyPatch) -> None:
    install_only(monkeypatch, ["datasets", "yaml"])
    assert missing_requirements(["training"]) == ["torch>=2.4"]
    # Each package once.
    assert missing_requirements(["training", "starter", "cu128"]) == ["torch>=2.4", "some-model-gguf==1.0.0"]
    assert missing_requirements(["dev"]) == ["pytest"]
    assert missing_requirements([]) == []
    install_only(monkeypatch, ["torch", "some_model_gguf"])
    assert missing_requirements(["training", "starter"]) == ["datasets>=3.0", "PyYAML>=6.0"]


def test_this_environment_has_what_its_tests_need() -> None:
    assert missing_requirements(["training"]) == []
    # Every requirement that is written down is understood.
    requirements = importlib.metadata.requires("wldetect") or []
    assert any("extra" in requirement and "torch" in requirement for requirement in requirements)


def test_sources_that_were_never_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def requires(name: str) -> list[str]:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "requires", requires)
    assert missing_requirements(["training"]) == []


def test_require_extras(monkeypatch: pytest.MonkeyPatch) -> None:
    install_only(monkeypatch, ["yaml"])
    with pytest.raises(MissingExtraError) as caught:
        require_extras("wldetect eval", ["training", "starter"])
    assert str(caught.value) == (
        "wldetect eval needs packages of the extra training and starter that are not installed here; install them "
        f"with: {sys.executable} -m pip install 'datasets>=3.0' 'torch>=2.4' some-model-gguf==1.0.0"
    )
    install_only(monkeypatch, ["yaml", "datasets", "torch"])
    require_extras("wldetect eval", ["training"])


@pytest.mark.parametrize("arguments", [["train", "--config", "my.yaml"], ["eval", "--model-path", "m", "--data", "d"]])
def test_commands_say_what_to_install(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    install_only(monkeypatch, ["yaml", "datasets"])
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err == (
        f"wldetect: error: wldetect {arguments[0]} needs packages of the extra training that are not installed here; "
        f"install them with: {sys.executable} -m pip install 'torch>=2.4'\n"
    )
    assert list(tmp_path.iterdir()) == []


class Pip:
    """Stands in for `subprocess.run`, and makes what was asked for importable."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, status: int) -> None:
        self.commands: list[Sequence[str]] = []
        self._status = status
        monkeypatch.setattr(subprocess, "run", self._run)

    def _run(self, command: Sequence[str], **options: Any) -> subprocess.CompletedProcess[bytes]:
        self.commands.append(command)
        return subprocess.CompletedProcess(command, self._status)


def test_install_extras(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    install_only(monkeypatch, ["yaml", "datasets"])
    pip = Pip(monkeypatch, 0)
    install_extras(["training", "starter"])
    assert pip.commands == [[sys.executable, "-m", "pip", "install", "torch>=2.4", "some-model-gguf==1.0.0"]]
    out, err = capfd.readouterr()
    assert out == ""
    # What is about to happen is said first.
    assert f"{sys.executable} -m pip install 'torch>=2.4' some-model-gguf==1.0.0" in err


def test_an_environment_without_pip_uses_uv(monkeypatch: pytest.MonkeyPatch) -> None:
    install_only(monkeypatch, ["yaml", "datasets"])
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if name in ("yaml", "datasets") else None)
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    pip = Pip(monkeypatch, 0)
    install_extras(["training"])
    assert pip.commands == [["/bin/uv", "pip", "install", "--python", sys.executable, "torch>=2.4"]]


def test_nothing_to_install(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    install_only(monkeypatch, ["yaml", "datasets", "torch"])
    pip = Pip(monkeypatch, 0)
    install_extras(["training"])
    assert pip.commands == []
    assert capfd.readouterr() == ("", "")


def test_pip_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    install_only(monkeypatch, ["yaml", "datasets"])
    Pip(monkeypatch, 1)
    with pytest.raises(MissingExtraError, match=r"^could not install torch>=2.4; the installer's messages are above$"):
        install_extras(["training"])


def test_training_without_a_configuration_installs(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    install_only(monkeypatch, [])
    pip = Pip(monkeypatch, 1)
    monkeypatch.chdir(tmp_path)
    assert main(["train"]) == 2
    needed = ["datasets>=3.0", "PyYAML>=6.0", "torch>=2.4", "some-model-gguf==1.0.0"]
    assert pip.commands == [[sys.executable, "-m", "pip", "install", *needed]]
    *_, last = capfd.readouterr().err.splitlines()
    assert last.startswith(f"wldetect: error: could not install {', '.join(needed)}")
    assert list(tmp_path.iterdir()) == []
