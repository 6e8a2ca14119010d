"""Texts that are not language: the same everywhere, of every kind, and hardly ever a word."""

from __future__ import annotations

import hashlib
import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wldetect.data.not_language import KINDS, generated_texts, inserted_piece, kind_and_text
from wldetect.data.not_language.dice import Dice
from wldetect.data.not_language.numbers import roman


def test_the_texts_are_the_same_on_every_machine() -> None:
    """Whoever changes them on purpose raises VERSION and writes the new digest here."""
    digest = hashlib.sha256("\0".join(generated_texts(42, 3000)).encode())
    assert digest.hexdigest() == "0762ae94f00b8d15765ada0efab662a58994314d43fd1f04812896650f11b26e"


def test_a_text_follows_from_its_seed_and_number() -> None:
    texts = list(generated_texts(3, 50))
    assert [kind_and_text(3, number)[1] for number in reversed(range(50))] == texts[::-1]
    assert list(generated_texts(3, 20)) == texts[:20]
    assert len(set(texts) & set(generated_texts(4, 50))) < 5


def test_the_random_numbers_python_promises_to_keep() -> None:
    assert Dice(7).number(0, 10**6) == int(random.Random(7).random() * (10**6 + 1))


def test_every_kind_is_drawn_as_often_as_it_says() -> None:
    total = 20_000
    found = Counter(kind_and_text(1, number)[0] for number in range(total))
    weights = {name: weight for name, (weight, _, _) in KINDS.items()}
    alone = total - found.pop("mixed")
    assert set(found) == set(weights)
    for name, weight in weights.items():
        expected = alone * weight / sum(weights.values())
        # Five standard deviations.
        assert abs(found[name] - expected) < 5 * expected**0.5, name


def test_lengths_are_from_one_character_to_five_hundred() -> None:
    texts = list(generated_texts(2, 5000))
    lengths = np.array([len(text) for text in texts])
    assert lengths.min() == 1
    assert lengths.max() == 500
    assert 20 < np.median(lengths) < 80
    assert all(text == text.strip() for text in texts)
    assert len(set(texts)) > 4800


@pytest.mark.parametrize("name", KINDS)
def test_pieces_have_characters_that_can_be_seen(name: str) -> None:
    for seed in range(300):
        piece = KINDS[name][1](Dice(seed))
        assert piece.strip(), seed
        # Neither half a character nor one that is not text.
        piece.encode("utf-8")
        assert "\0" not in piece


@pytest.mark.parametrize("name", ["url", "mail", "domain", "handle", "hash", "chemistry", "article"])
def test_what_might_be_a_word_has_a_digit_or_a_sign(name: str) -> None:
    for seed in range(500):
        assert not KINDS[name][1](Dice(seed)).isalpha()


@pytest.mark.parametrize("name", ["random_letters", "mixed_letters", "keyboard", "repeated_letter", "roman", "genome"])
def test_letters_without_a_sign_are_never_few(name: str) -> None:
    shortest = {"repeated_letter": 4, "random_letters": 7, "mixed_letters": 6, "genome": 8}.get(name, 5)
    pieces = [KINDS[name][1](Dice(seed)) for seed in range(2000)]
    assert min(len(piece) for piece in pieces) >= shortest


def test_roman_numbers() -> None:
    values = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}
    for seed in range(200):
        text = roman(Dice(seed))
        found = [values[letter] for letter in text]
        value = sum(-one if one < after else one for one, after in zip(found, [*found[1:], 0], strict=True))
        assert 13 <= value <= 3999


def test_inserted_pieces_are_short_and_of_one_line() -> None:
    for seed in range(2000):
        piece = inserted_piece(Dice(seed), 4 + seed % 60)
        assert 1 <= len(piece) <= 4 + seed % 60
        assert "\n" not in piece


@settings(deadline=None)
@given(seed=st.integers(0, 2**53), first=st.integers(1, 50), more=st.integers(0, 10**6))
def test_numbers_stay_in_their_limits(seed: int, first: int, more: int) -> None:
    dice = Dice(seed)
    for _ in range(20):
        assert first <= dice.number(first, first + more) <= first + more
        assert first <= dice.power(first, first + more) <= first + more
    assert {dice.number(2, 4) for _ in range(200)} == {2, 3, 4}
    assert dice.weighted("ab", [0.0, 1.0]) == "b"
