"""Texts that are held out: what hides a text and what does not, files of hashes, and sources."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wldetect.data.held_out import _plain, read_held_out, text_hash, text_hashes, write_hashes
from wldetect.errors import DataError

from .project import WriteRows


def test_hash_is_a_part_of_sha_256() -> None:
    assert text_hash("Guten Morgen!") == hashlib.sha256(b"guten morgen").hexdigest()[:16]


@pytest.mark.parametrize(
    ("text", "edited"),
    [
        ("Guten Morgen", "  guten\tMORGEN\n"),
        ("Guten Morgen, Welt.", "Guten Morgen - Welt"),
        ("Straße", "STRASSE"),
        ("Caf\u00e9", "Cafe\u0301"),
        ("\uff21\uff22\uff23 \ufb01n", "abc fin"),
        ("mi\u200cravam", "mi ravam"),
        ("«Oui», dit-il…", "oui dit il"),
        ("क्या हाल है?", "क्या हाल है।"),
        ("1 + 1 = 2", "1 1 2"),
        ("\u0130stanbul", "i\u0307stanbul"),
    ],
)
def test_trivial_edits_hide_nothing(text: str, edited: str) -> None:
    assert text_hash(text) == text_hash(edited)


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("Guten Morgen", "GutenMorgen"),
        ("Guten Morgen", "Guten Morgens"),
        ("किताब", "कताब"),
        ("Cafe", "Café"),
        ("1.5", "15"),
        ("", "a"),
    ],
)
def test_other_texts_are_others(text: str, other: str) -> None:
    assert text_hash(text) != text_hash(other)


@settings(deadline=None)
@given(st.text(max_size=30))
def test_what_is_plain_stays(text: str) -> None:
    assert text_hash(_plain(text)) == text_hash(text)


@settings(deadline=None)
@given(st.lists(st.text(st.sampled_from("aÉ .,\n-\u200bﬁ中\u0301") | st.characters(), max_size=8), max_size=8))
def test_many_hashes_are_those_of_each(texts: list[str]) -> None:
    assert text_hashes(texts).tolist() == [int(text_hash(text), 16) for text in texts]


def test_texts_of_a_source(tmp_path: Path, write_rows: WriteRows) -> None:
    path = write_rows(tmp_path / "dev.parquet", {"id": [1, 2, 3, 4], "text": ["Eins.", "zwei", None, "EINS"]})
    held = read_held_out(str(path), tmp_path / "cache")
    assert held.hashes.values.tolist() == sorted(int(text_hash(text), 16) for text in ("eins", "zwei"))
    assert held.hashes.holds(text_hashes(["Zwei!", "drei", "", "eins"])).tolist() == [True, False, False, True]
    (tmp_path / "eng_Latn.txt").write_text("one\n\ntwo\n", encoding="utf-8")
    assert len(read_held_out(str(tmp_path / "eng_Latn.txt"), tmp_path / "cache").hashes.values) == 2


def test_file_of_hashes(tmp_path: Path, write_rows: WriteRows) -> None:
    source = write_rows(tmp_path / "dev.jsonl", {"text": ["Eins.", "zwei", "...", "drei", "Zwei"]})
    path = tmp_path / "dev.hashes"
    assert write_hashes(str(source), path, tmp_path / "cache") == 3
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("# ")
    assert lines[1:] == sorted(text_hash(text) for text in ("eins", "zwei", "drei"))
    held = read_held_out(str(path), tmp_path / "cache")
    np.testing.assert_array_equal(held.hashes.values, read_held_out(str(source), tmp_path / "cache").hashes.values)
    before = held.fingerprint
    path.write_text("\n# more\n" + "\n".join(lines[:0:-1]).upper() + "\n", encoding="utf-8")
    again = read_held_out(str(path), tmp_path / "cache")
    np.testing.assert_array_equal(again.hashes.values, held.hashes.values)
    assert again.fingerprint != before


def test_empty_file_of_hashes(tmp_path: Path) -> None:
    path = tmp_path / "a.hashes"
    path.write_text("# nothing\n", encoding="utf-8")
    held = read_held_out(str(path), tmp_path)
    assert held.hashes.holds(text_hashes(["", "a"])).tolist() == [False, False]


def test_faults(tmp_path: Path, write_rows: WriteRows) -> None:
    path = tmp_path / "a.hashes"
    for line, shown in [("0123", "'0123'"), ("g" * 16, repr("g" * 16)), ("0" * 64, repr("0" * 37 + "..."))]:
        path.write_text(f"# comment\n{'0' * 16}\n{line}\n", encoding="utf-8")
        with pytest.raises(DataError) as caught:
            read_held_out(str(path), tmp_path)
        assert str(caught.value) == f"{path}: line 3: expected 16 hexadecimal digits, found {shown}"
    with pytest.raises(FileNotFoundError):
        read_held_out(str(tmp_path / "b.hashes"), tmp_path)
    with pytest.raises(FileNotFoundError):
        read_held_out(str(tmp_path / "b.parquet"), tmp_path)
    source = write_rows(tmp_path / "c.csv", {"sentence": ["a"]})
    with pytest.raises(DataError, match="expected a column 'text', found sentence"):
        read_held_out(str(source), tmp_path)
    with pytest.raises(DataError, match="expected a column 'text'"):
        write_hashes(str(source), tmp_path / "d.hashes", tmp_path)
    assert not (tmp_path / "d.hashes").exists()
