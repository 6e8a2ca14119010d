"""`scripts/not_language_samples.py`: material of every kind, none of it as training makes it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq

from wldetect.data.not_language import generated_texts

SCRIPT = Path(__file__).parents[3] / "scripts" / "not_language_samples.py"


def write(directory: Path, *options: str) -> dict[str, list[str]]:
    command = [sys.executable, str(SCRIPT), "--output", str(directory), "--each", "4", *options]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    path = directory / "not_language.parquet"
    table: dict[str, list[str]] = pq.read_table(path).to_pydict()
    assert run.stdout == f"{path}: {len(table['text']):,} texts of {len(set(table['kind']))} kinds\n"
    return table


def test_material_of_every_kind(tmp_path: Path) -> None:
    table = write(tmp_path / "a")
    assert set(table["language"]) == {"zxx"}
    assert len(set(table["kind"])) >= 30
    assert all(table["kind"].count(kind) == 4 for kind in set(table["kind"]))
    assert all(0 < len(text) <= 500 and text == text.strip() for text in table["text"])
    assert write(tmp_path / "b") == table
    other = write(tmp_path / "c", "--seed", "2")
    assert sum(text in table["text"] for text in other["text"]) < 10
    made_up = set(generated_texts(42, 5000))
    assert sum(text in made_up for text in table["text"] if len(text) > 3) == 0
