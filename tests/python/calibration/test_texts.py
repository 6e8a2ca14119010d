"""Held-out texts, chosen and cropped."""

from __future__ import annotations

import numpy as np
import pytest

from wldetect.calibration.texts import LENGTHS, draw_sample, length_name
from wldetect.errors import DataError
from wldetect.evaluation import LabelledTexts

LANGUAGES = ["a", "b", "c"]


def texts(counts: dict[str, int]) -> LabelledTexts:
    pairs = [
        (" ".join(f"{label}{number}.{word}" for word in range(12)), label)
        for label, count in counts.items()
        for number in range(count)
    ]
    return LabelledTexts([text for text, _ in pairs], [label for _, label in pairs], "held.parquet")


def test_crops_are_words_of_the_text() -> None:
    held = texts({"a": 3, "c": 7, "other": 2})
    sample = draw_sample(held, LANGUAGES, 5, seed=1)
    assert set(sample.labels.tolist()) == {0, 2}
    whole = {text for text, length in zip(sample.texts, sample.lengths, strict=True) if length == 0}
    assert len(whole) == 3 + 5 and whole <= set(held.texts)
    for text, length, label in zip(sample.texts, sample.lengths.tolist(), sample.labels.tolist(), strict=True):
        assert length in (0, *LENGTHS)
        assert len(text.split()) == (length or 12)
        assert any(text in other and other.startswith(LANGUAGES[label]) for other in whole)
    assert len(sample.texts) == 8 * (1 + len(LENGTHS))


def test_what_is_drawn_follows_from_the_seed_and_a_labels_own_texts() -> None:
    first = draw_sample(texts({"a": 9, "b": 9}), LANGUAGES, 4, seed=1)
    again = draw_sample(texts({"b": 9, "a": 9}), LANGUAGES, 4, seed=1)
    other = draw_sample(texts({"a": 9, "b": 9}), LANGUAGES, 4, seed=2)
    assert first.texts == again.texts != other.texts


def test_every_label_counts_the_same_at_each_length() -> None:
    held = texts({"a": 3, "b": 50})
    # One that is a single word, and so is no crop of itself.
    held = LabelledTexts([*held.texts, "word"], [*held.labels, "c"], held.name)
    sample = draw_sample(held, LANGUAGES, 40, seed=1)
    for length in (0, *LENGTHS):
        own = sample.lengths == length
        shares = [sample.weights[own & (sample.labels == label)].sum() for label in range(3)]
        expected = [own.sum() / 2, own.sum() / 2, 0] if length else [own.sum() / 3] * 3
        np.testing.assert_allclose(shares, expected)
    assert sample.weights.mean() == pytest.approx(1)
    assert sample.texts.count("word") == 1


def test_texts_and_crops_without_letters_are_left_out() -> None:
    held = LabelledTexts(["12 : 30", "-", "7 7 7 7 ja"], ["a", "a", "b"], "held.parquet")
    sample = draw_sample(held, LANGUAGES, 5, seed=1)
    assert set(sample.labels.tolist()) == {1}
    assert (0, "7 7 7 7 ja") in zip(sample.lengths.tolist(), sample.texts, strict=True)
    assert all("ja" in text for text in sample.texts)


def test_no_text_of_the_model() -> None:
    with pytest.raises(DataError, match=r"^held.parquet: expected texts of the model's 3 labels, found none$"):
        draw_sample(texts({"other": 2}), LANGUAGES, 5, seed=1)


def test_names() -> None:
    assert [length_name(length) for length in (0, 1, 2)] == ["whole texts", "1 word", "2 words"]
