"""Random changes to texts: what each may do, how often, and that they repeat."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest

from wldetect.config import AugmentationConfig
from wldetect.data.augment import Augmentation, crop, perturbed, with_piece, without_punctuation
from wldetect.data.not_language.dice import Dice

TEXT = "The quick brown fox, which nobody saw, jumped over the lazy dog."
TEXTS = [f"{TEXT} {number}" for number in range(2000)]
ROWS = np.arange(2000)


def changed(epoch: int = 0, seed: int = 1, rows: np.ndarray = ROWS, **keys: float) -> list[str]:
    return Augmentation(AugmentationConfig.model_validate(keys), seed)([TEXTS[row] for row in rows], rows, epoch)


def test_nothing_is_changed_unless_asked_for() -> None:
    assert changed() == TEXTS
    assert not AugmentationConfig().active


@pytest.mark.parametrize("key", ["crop", "noise", "uppercase", "lowercase", "strip_punctuation", "insert"])
def test_a_share_of_the_texts_is_changed(key: str) -> None:
    assert AugmentationConfig.model_validate({key: 0.3}).active
    found = changed(**{key: 0.3}, noise_rate=0.5)
    share = np.mean([new != old for new, old in zip(found, TEXTS, strict=True)])
    # Five standard deviations of 2,000 draws.
    assert abs(share - 0.3) < 5 * (0.3 * 0.7 / 2000) ** 0.5
    assert all(new != old for new, old in zip(changed(**{key: 1.0}, noise_rate=0.5), TEXTS, strict=True))


def test_what_is_changed_depends_on_seed_epoch_and_text_alone() -> None:
    keys = {"crop": 0.5, "noise": 0.5, "uppercase": 0.2, "insert": 0.5}
    found = changed(**keys)
    assert changed(**keys) == found
    assert changed(epoch=1, **keys) != found
    assert changed(seed=2, **keys) != found
    rows = np.array([1999, 3, 700])
    assert changed(rows=rows, **keys) == [found[row] for row in rows]


def test_accents_are_taken_out() -> None:
    texts, rows = ["Příliš žluťoučký kůň", "Hôm thứ Hai", "plain", "हिन्दी"], np.arange(4)
    found = Augmentation(AugmentationConfig(strip_accents=1.0), 1)(texts, rows, 0)
    assert found == ["Prilis zlutoucky kun", "Hom thu Hai", "plain", "हिन्दी"]
    assert AugmentationConfig(strip_accents=0.1).active
    half = Augmentation(AugmentationConfig(strip_accents=0.5), 1)(texts[:1] * 2000, ROWS, 0)
    assert set(half) == {texts[0], found[0]}
    assert half.count(found[0]) == pytest.approx(1000, abs=5 * 500**0.5)


def test_kinds_of_change_are_drawn_independently() -> None:
    found = changed(uppercase=0.5, strip_punctuation=0.5)
    kinds = Counter((text.isupper(), "," in text) for text in found)
    assert len(kinds) == 4
    assert all(400 < count < 600 for count in kinds.values())


def test_crops_are_successive_words_of_every_length() -> None:
    words = TEXT.split()
    found = Counter()
    for seed in range(500):
        cropped = crop(TEXT, 1 + seed % 5, random.Random(seed)).split()
        assert len(cropped) == 1 + seed % 5
        starts = [at for at in range(len(words)) if words[at : at + len(cropped)] == cropped]
        assert starts
        found[starts[0]] += 1
    assert set(found) >= set(range(8))


def test_crops_of_short_texts_are_the_whole() -> None:
    rng = random.Random(0)
    assert crop("one two", 5, rng) == "one two"
    assert crop("", 2, rng) == ""
    assert crop(" \n", 2, rng) == ""


@pytest.mark.parametrize(
    "text", ["我把棚子的钥匙放在哪里了你知道吗", "กุญแจโรงเก็บของอยู่ที่ไหน", "物置の鍵をどこに置いたのですか"]
)
def test_crops_of_unspaced_scripts_are_letters(text: str) -> None:
    found = {crop(text, 2, random.Random(seed)) for seed in range(200)}
    assert {len(piece) for piece in found} == {8}
    assert found == {text[at : at + 8] for at in range(len(text) - 7)}


def test_noise_touches_the_share_of_letters_asked_for() -> None:
    text = "abcdefghijklmnopqrstuvwxyz " * 400
    found = perturbed(text, 0.1, random.Random(5))
    assert set(found) == set(text)
    # Dropped and added letters balance; about a tenth of 10,400 letters take part.
    assert abs(len(found) - len(text)) < 200
    runs = sum(word == "abcdefghijklmnopqrstuvwxyz" for word in found.split(" "))
    assert abs(runs / 400 - 0.9**26) < 0.06


@pytest.mark.parametrize("text", ["", "12 + 3!", "a", "aa"])
def test_noise_leaves_what_is_no_letter(text: str) -> None:
    for seed in range(50):
        found = perturbed(text, 1.0, random.Random(seed))
        assert [char for char in found if not char.isalpha()] == [char for char in text if not char.isalpha()]


def test_every_kind_of_noise_occurs() -> None:
    found = {perturbed("abc", 0.4, random.Random(seed)) for seed in range(3000)}
    assert {"ab", "bc", "bac", "acb", "aac", "abac"} <= found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("l'eau, bien-être!", "l'eau bien-être"),
        ("«Ja?» (nein)", "Ja nein"),
        ("...", ""),
        ("1,5 $ + x", "1 5 $ + x"),
        ("你好，世界。", "你好，世界"),
    ],
)
def test_punctuation_is_taken_out_but_not_within_words(text: str, expected: str) -> None:
    assert without_punctuation(text) == expected


def test_a_piece_stands_between_two_words_or_at_an_end() -> None:
    words, places = TEXT.split(), Counter()
    for seed in range(500):
        found = with_piece(TEXT, Dice(seed)).split()
        (place,) = {at for at in range(13) if found[:at] == words[:at] and found[at - 12 or 99 :] == words[at:]} or {-1}
        places[place] += 1
    assert set(places) == set(range(13))


@pytest.mark.parametrize("text", ["我把棚子的钥匙放在哪里了，你知道吗", "กุญแจโรงเก็บของ อยู่ที่ไหน"])
def test_a_piece_in_an_unspaced_script_tears_no_word(text: str) -> None:
    gaps = {0, len(text), 1 + max(text.find("，"), text.find(" "))}
    seen = set()
    for seed in range(200):
        found = with_piece(text, Dice(seed))
        added = len(found) - len(text)
        assert 1 <= added <= len(text)
        seen |= {gap for gap in gaps if found[:gap] + found[gap + added :] == text}
        assert any(found[:gap] + found[gap + added :] == text for gap in gaps)
    assert seen == gaps


def test_pieces_are_no_longer_than_the_text() -> None:
    for seed in range(300):
        assert len(with_piece("a b c", Dice(seed))) <= 2 * len("a b c") + 1


@pytest.mark.parametrize("text", ["", "a", "one two", "我把棚子的", "https://a.example"])
def test_no_piece_is_put_into_short_texts(text: str) -> None:
    assert all(with_piece(text, Dice(seed)) == text for seed in range(50))


def test_nothing_is_cut_or_changed_after_a_piece_is_in() -> None:
    both = changed(crop=1.0, crop_max_words=5, uppercase=1.0, insert=1.0)
    for text, alone in zip(both, changed(crop=1.0, crop_max_words=5, uppercase=1.0), strict=True):
        assert (text == alone) == (len(alone.split()) < 3)
        assert all(word in text.split() for word in alone.split())
