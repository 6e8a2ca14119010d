"""Words of lists that other languages have: equal to a slow oracle, and what becomes of a data set's weights."""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wldetect.data import characters, foreign
from wldetect.data.characters import SPACELESS
from wldetect.data.foreign import ForeignWords
from wldetect.data.word_hashes import word_hashes

from .project import LABELS, Project, WriteRows, weights

# Few letters, so that words are often equal; capitals, both sigmas, marks, digits, spaces, punctuation, and scripts
# without spaces.
alphabet = "abBéÉ\u0301ßΣσς1 \t\u00a0.'«-$ไทย中"
texts = st.lists(st.text(alphabet, max_size=9), max_size=12)


def words_of(text: str) -> list[str]:
    """The words of a text, by Python's own means."""
    folded = unicodedata.normalize("NFC", text.casefold())
    if sum(bool(SPACELESS.match(char)) for char in folded) * 2 > len(folded):
        return []
    found = []
    for word in folded.split():
        while word and unicodedata.category(word[0])[0] == "P":
            word = word[1:]
        while word and unicodedata.category(word[-1])[0] == "P":
            word = word[:-1]
        if word:
            found.append(word)
    return found


def ratio_of(entry: str, label: int, sentences: list[tuple[str, int]]) -> float:
    """How frequent an entry is in its language, relative to another, from its words' counts."""
    words = [Counter[str]() for _ in LABELS]
    for text, language in sentences:
        words[language].update(words_of(text))
    if len(found := words_of(entry)) != 1 or not words[label]:
        return 1.0
    others = [w[found[0]] / w.total() for i, w in enumerate(words) if i != label and w[found[0]] >= 3]
    mine = (words[label][found[0]] + 1) / words[label].total()
    return min(1.0, mine / max(others)) if others else 1.0


@settings(deadline=None)
@given(texts=texts, per_run=st.integers(1, 40))
@example(["", "ab", "", "."], 1)
def test_hashes_equal_where_words_do(texts: list[str], per_run: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(characters, "_CHARACTERS", per_run)
        hashes, rows = word_hashes(texts)
    words = [(row, word) for row, text in enumerate(texts) for word in words_of(text)]
    assert rows.tolist() == [row for row, _ in words]
    assert len(set(zip(hashes.tolist(), (word for _, word in words), strict=True))) == len({word for _, word in words})
    assert len(set(hashes.tolist())) == len({word for _, word in words})


def test_words_of_many_lengths_have_hashes_of_their_own() -> None:
    words = [letter * count for letter in "abcd" for count in range(1, 300)]
    words += [f"{first}{second}" for first in "efghij" for second in "efghij"]
    hashes, _ = word_hashes([" ".join(words)])
    assert len(set(hashes.tolist())) == len(words)
    # Where a word stands changes nothing.
    assert word_hashes(words[::-1])[0].tolist() == hashes.tolist()[::-1]


@settings(deadline=None)
@given(
    sentences=st.lists(st.tuples(st.text("aabbcde  .", max_size=20), st.integers(0, 2)), max_size=30),
    entries=st.lists(st.tuples(st.text("abc .", max_size=3), st.integers(0, 2)), max_size=20),
    pending=st.integers(1, 50),
)
def test_ratios_equal_the_oracle(
    sentences: list[tuple[str, int]], entries: list[tuple[str, int]], pending: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(foreign, "_PENDING", pending)
        lists = ForeignWords(([text] for text, _ in entries), len(LABELS))
        for first in range(0, len(sentences), 4):
            part = sentences[first : first + 4]
            lists.count([text for text, _ in part], np.array([label for _, label in part], dtype=np.int32))
            # Asking between counts changes nothing.
            lists.ratios(["a"], np.array([0]))
        ratios = lists.ratios([text for text, _ in entries], np.array([label for _, label in entries], dtype=np.int32))
    expected = [ratio_of(text, label, sentences) for text, label in entries]
    np.testing.assert_allclose(ratios, expected, rtol=1e-12)


def test_little_evidence_says_little() -> None:
    lists = ForeignWords([["the", "of", "and so"]], 3)
    lists.count(["the the of of x x x x x x"] * 10, np.zeros(10, dtype=np.int64))
    # Of 2 words none is "the": were it as frequent as in the other language, 0.4 would be expected.
    lists.count(["ja nein"], np.array([1]))
    assert lists.ratios(["the", "and so"], np.array([1, 1])).tolist() == [1.0, 1.0]
    lists.count(["ja nein"] * 49, np.ones(49, dtype=np.int64))
    assert lists.ratios(["the", "of", "and so", "ja"], np.ones(4, dtype=np.int64)).tolist() == [
        1 / 20,
        1 / 20,
        1.0,
        1.0,
    ]
    # None at all says nothing.
    assert lists.ratios(["the"], np.array([2])).tolist() == [1.0]
    # In the language itself it is most frequent.
    assert lists.ratios(["the"], np.array([0])).tolist() == [1.0]


SENTENCES = [*((f"w1 w2 w{number}", 0) for number in range(10, 15)), *((f"w5 w6 w{n}", 1) for n in range(20, 25))]
# A word of each language under its own, and words of the first, and one of none, under the second.
WORDS = [("w1", 0), ("w5", 1), ("w1", 1), ("W2.", 1), ("w9", 1), ("w1 w2", 1)]


def write(path: Path, rows: list[tuple[str, int]], write_rows: WriteRows) -> str:
    write_rows(path, {"text": [text for text, _ in rows], "language": [LABELS[label] for _, label in rows]})
    return str(path)


@pytest.fixture
def listed(project: Project, write_rows: WriteRows) -> Project:
    """Sentences, and a list of words before them."""
    sources: list[dict[str, Any]] = [
        {"name": write(project.root / "words.parquet", WORDS, write_rows), "foreign_power": 1.0},
        {"name": write(project.root / "sentences.parquet", SENTENCES, write_rows)},
    ]
    del project.settings["dataset"]["name"]
    project.set("dataset.sources", sources)
    return project


def weights_of_words(project: Project) -> list[float]:
    """Of the rows of the list, where that of a sentence is 1."""
    found = weights(project.prepare())
    assert len(found) == len(SENTENCES) + len(WORDS)

    def weight(text: str, label: int) -> float:
        return found[LABELS[label], tuple(project.tokenizer.encode(text).tolist())]

    return [weight(*row) / weight(*SENTENCES[0]) for row in WORDS]


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 2.0])
def test_words_count_less_where_another_language_has_them(power: float, listed: Project) -> None:
    listed.settings["dataset"]["sources"][0]["foreign_power"] = power
    # Of 15 words in each language, 5 are w1 in the first; in the second, where there is none, it counts as one.
    assert weights_of_words(listed) == pytest.approx([1, 1, 0.2**power, 0.2**power, 1, 1])


def test_report_of_what_counts_less(listed: Project) -> None:
    data = listed.prepare()
    assert data.report.foreign == {LABELS[1]: 2}
    assert data.report.foreign_weight == pytest.approx({LABELS[1]: 0.4})
    assert data.path is not None
    stored = json.loads((data.path / "report.json").read_text(encoding="utf-8"))
    assert (stored["foreign"], stored["foreign_weight"]) == (data.report.foreign, data.report.foreign_weight)
    line = "counted less: 2 words that are more frequent in another language, by the weight of 2: most in eng_Latn 2"
    assert line in data.report.format_table(0).splitlines()
    # Found again, with the same numbers; another power is another data set.
    assert listed.prepare().report == data.report
    listed.settings["dataset"]["sources"][0]["foreign_power"] = 2.0
    assert listed.prepare().report.foreign_weight == pytest.approx({LABELS[1]: 0.08})
    listed.settings["dataset"]["sources"][0]["foreign_power"] = 0.0
    assert "counted less" not in listed.prepare().report.format_table(0)


def test_sentences_that_are_left_out_tell_nothing(listed: Project, write_rows: WriteRows) -> None:
    held = write(listed.root / "held.parquet", [row for row in SENTENCES if row[1] == 0][:3], write_rows)
    found = weights(listed.changed(dataset__held_out=[held]).prepare())
    # Two sentences of three words are too few for "w1" to count.
    assert len(set(found.values())) == 1


def test_the_order_of_sources_does_not_matter(listed: Project) -> None:
    first = weights_of_words(listed)
    listed.settings["dataset"]["sources"].reverse()
    assert weights_of_words(listed) == first


def test_weights_multiply_with_others(listed: Project) -> None:
    listed.settings["dataset"]["sources"][0]["weight"] = 3.0
    assert weights_of_words(listed) == pytest.approx([3, 3, 0.6, 0.6, 3, 3])
