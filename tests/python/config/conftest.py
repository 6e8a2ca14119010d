"""What every test of the configuration shares: a current directory with a small valid model file in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

MODEL = """
model: {name: tiny, type: gemma3, hidden_dim: 8}
languages: {deu_Latn: 0, eng_Latn: 1, fra_Latn: 2}
"""


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Write a file of the current directory and return its relative path, so that messages can be compared whole."""
    monkeypatch.chdir(tmp_path)

    def write_file(name: str, text: str) -> Path:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    write_file("model.yaml", MODEL)
    return write_file
