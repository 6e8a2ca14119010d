"""Sentences of an evaluation set among the texts to train on: training stops, and says where."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from wldetect.data.held_out import are_sentences, read_held_out, text_hashes, write_sentence_hashes
from wldetect.errors import DataError

from .project import Project, WriteRows, rows_of

SCRIPT = Path(__file__).parents[3] / "scripts" / "hash_sentences.py"
SENTENCE = "Nobody knows, where the key is."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", False),
        ("one two three", False),
        ("one two three four", True),
        ("Donaudampfschifffahrt", True),
        ("a" * 19, False),
        ("我把棚子的钥匙放", False),
        ("我把棚子的钥匙放在哪里了你", True),
    ],
)
def test_what_is_long_enough_for_a_sentence(text: str, expected: bool) -> None:
    assert are_sentences([text, ""]).tolist() == [expected, False]


def test_training_stops_at_the_first_sentence(project: Project, write_rows: WriteRows) -> None:
    write_rows(project.root / "dev.jsonl", {"text": [SENTENCE, "w1", "w2 w3"]})
    write_sentence_hashes(str(project.root / "dev.jsonl"), project.root / "dev.hashes", project.root / "cache", 6)
    rows = rows_of(4, 4, 4)
    # Short lines of the evaluation set may be there.
    rows["text"][0] = "W2, w3"
    write_rows(project.root / "corpus" / "a.parquet", rows)
    write_rows(
        project.root / "corpus" / "b.parquet",
        {"text": ["w5 w6", "nobody KNOWS where the key is"], "language": ["xyz", "fra_Latn"]},
    )
    for name in ("dev.hashes", "dev.jsonl"):
        checked = project.changed(dataset__forbidden=[str(project.root / name)])
        with pytest.raises(DataError) as caught:
            checked.prepare()
        path, found = project.root / "corpus" / "b.parquet", "'nobody KNOWS where the key is'"
        where = f"{path}: row 2: label fra_Latn"
        assert str(caught.value) == f"{where}: expected no sentence of {project.root / name}, found {found}"
    assert project.built() == []


def test_what_is_not_trained_on_may_be_a_sentence(project: Project, write_rows: WriteRows) -> None:
    hashes = project.root / "dev.jsonl"
    write_rows(hashes, {"text": [SENTENCE]})
    rows = rows_of(2, 2, 2)
    more = {"text": [SENTENCE, *rows["text"]], "language": ["nob_Latn", *rows["language"]]}
    write_rows(project.root / "corpus" / "a.parquet", more)
    assert len(project.changed(dataset__forbidden=[str(hashes)]).prepare()) == 6
    more["language"][0] = "deu_Latn"
    write_rows(project.root / "corpus" / "a.parquet", more)
    both = project.changed(dataset__forbidden=[str(hashes)], dataset__held_out=[str(hashes)])
    assert len(both.prepare()) == 6
    with pytest.raises(DataError, match="row 1: label deu_Latn: expected no sentence"):
        project.changed(dataset__forbidden=[str(hashes)]).prepare()


def test_what_was_prepared_without_the_check_is_prepared_again(project: Project, write_rows: WriteRows) -> None:
    rows = rows_of(2, 2, 2)
    rows["text"][3] = SENTENCE
    write_rows(project.root / "corpus" / "a.parquet", rows)
    project.prepare()
    write_rows(project.root / "dev.jsonl", {"text": ["something else that is long enough"]})
    checked = project.changed(dataset__forbidden=[str(project.root / "dev.jsonl")])
    checked.prepare()
    assert len(project.built()) == 2
    write_rows(project.root / "dev.jsonl", {"text": [SENTENCE]})
    with pytest.raises(DataError, match="row 4: label deu_Latn"):
        checked.prepare()


def test_missing_file(project: Project, write_rows: WriteRows) -> None:
    write_rows(project.root / "corpus" / "a.parquet", rows_of(2, 2, 2))
    with pytest.raises(FileNotFoundError):
        project.changed(dataset__forbidden=["missing.hashes"]).prepare()


def test_script(tmp_path: Path, write_rows: WriteRows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WLDETECT_CACHE", str(tmp_path / "cache"))
    source = write_rows(tmp_path / "dev.jsonl", {"text": [SENTENCE, "no", SENTENCE.upper(), "one two three four five"]})
    output = tmp_path / "out" / "dev.hashes"
    command = [sys.executable, str(SCRIPT), str(source), "--output", str(output)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout == f"{output}: 2 sentences, 30 bytes\n"
    held = read_held_out(str(output), tmp_path).hashes
    assert held.bits == 48
    assert held.holds(text_hashes(["one two three, FOUR five", "no"])).tolist() == [True, False]
    assert np.all(held.values < 2**48)
    wrong = subprocess.run([*command[:-1], str(tmp_path / "dev.bin")], capture_output=True, text=True)
    assert wrong.returncode == 2
    assert "expected a name that ends in .hashes, found 'dev.bin'" in wrong.stderr
