"""Lengths of texts: words counted at once and one by one, what crops leave, and the weights that follow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wldetect import _core
from wldetect.config import AugmentationConfig
from wldetect.data import characters
from wldetect.data.augment import Augmentation
from wldetect.data.bands import WordHistogram, bands_of, length_factors
from wldetect.data.batches import BatchLoader
from wldetect.data.characters import Kind, character_kinds, count_words

from . import oracle
from .project import Project, WriteRows, definition, weights

some_texts = st.lists(
    st.text(st.sampled_from("ab \t\n\u3000\x1c\u00a0é我ก\U00020000.1") | st.characters(), max_size=12), max_size=12
)


@settings(deadline=None)
@given(texts=some_texts)
def test_words_equal_the_oracle(texts: list[str]) -> None:
    assert count_words(texts).tolist() == [oracle.n_words(text) for text in texts]


def test_words_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["a b", "", "我我我我我", " ", "c" * 50, "d e f"] * 5
    monkeypatch.setattr(characters, "_CHARACTERS", 7)
    assert count_words(texts).tolist() == [2, 0, 2, 0, 1, 3] * 5
    assert count_words([]).tolist() == []


def test_kinds_of_every_character() -> None:
    table, every = character_kinds(), list(map(chr, range(0x110000)))
    np.testing.assert_array_equal(table & np.uint8(Kind.LETTER) > 0, [char.isalpha() for char in every])
    np.testing.assert_array_equal(table & np.uint8(Kind.SPACE) > 0, [char.isspace() for char in every])
    assert [int(table[ord(char)]) for char in "a.¿1 我ー"] == [1, 2, 2, 0, 4, 9, 9]


def test_bands_end_with_their_numbers() -> None:
    assert bands_of(np.arange(8), [1, 5]).tolist() == [0, 0, 1, 1, 1, 1, 2, 2]
    assert bands_of(np.arange(3), []).tolist() == [0, 0, 0]


@settings(deadline=None)
@given(
    counts=st.lists(st.integers(0, 20), min_size=1, max_size=12),
    largest=st.integers(1, 6),
    crop=st.sampled_from([0.0, 0.3, 1.0]),
    crop_max_words=st.integers(1, 9),
)
def test_crops_equal_the_oracle(counts: list[int], largest: int, crop: float, crop_max_words: int) -> None:
    """Texts of 0, 1, 2, ... words, as many of each as ``counts`` says."""
    words = WordHistogram.empty(2, largest)
    lengths = [length for length, count in enumerate(counts) for _ in range(count)]
    texts = [" ".join("w" * length) for length in lengths]
    ones = np.ones(len(texts), np.int64)
    words.add(texts, ones, 2 * ones, np.full(len(texts), 0.5, np.float32))
    found = words.cropped(AugmentationConfig(crop=crop, crop_max_words=crop_max_words))
    expected = np.zeros(largest + 2)
    for length in lengths:
        for cropped, share in oracle.cropped_lengths(length, crop, crop_max_words).items():
            expected[min(cropped, largest + 1)] += 2 * share
    np.testing.assert_allclose(found.texts, [np.zeros(largest + 2), expected], atol=1e-9)
    np.testing.assert_allclose(found.weights, found.texts / 2, atol=1e-9)
    spared = words.cropped(AugmentationConfig(crop=crop, crop_max_words=crop_max_words), unchanged=1)
    np.testing.assert_array_equal(spared.texts, words.texts)
    np.testing.assert_array_equal(spared.weights, words.weights)


@settings(deadline=None)
@given(
    counts=st.lists(st.lists(st.sampled_from([0, 1, 7, 50]), min_size=6, max_size=6), min_size=1, max_size=4),
    power=st.floats(0, 1),
    band_weights=st.just([]) | st.lists(st.floats(0.1, 5), min_size=3, max_size=3),
    label_weight=st.floats(0.01, 5),
)
def test_factors_equal_their_definition(
    counts: list[list[int]], power: float, band_weights: list[float], label_weight: float
) -> None:
    texts = np.array(counts, np.float64)
    # Every label has texts.
    texts[:, 3] += 1
    mean = 0.25
    own = np.ones((len(texts), 3))
    own[0, 2] = label_weight
    factors = length_factors(WordHistogram(texts, texts * mean), [1, 3], power, band_weights, own)
    bands = np.stack([texts[:, :2].sum(1), texts[:, 2:4].sum(1), texts[:, 4:].sum(1)], axis=1)
    expected = np.zeros_like(bands)
    for label, band in np.ndindex(*bands.shape):
        count = bands[label, band] or bands[label].sum()
        expected[label, band] = (count / bands.sum()) ** -power * (band_weights[band] if band_weights else 1)
    expected[0, 2] *= label_weight
    np.testing.assert_allclose(factors / factors[0, 1], expected / expected[0, 1], rtol=1e-9)
    assert (bands * mean * factors).sum() / bands.sum() == pytest.approx(1)


def corpus(project: Project, write_rows: WriteRows) -> None:
    """German: 300 words and 900 sentences of 8; English: 900 and 100; all different."""
    numbers = iter(range(10**6))
    rows = [("deu_Latn", 1)] * 300 + [("deu_Latn", 8)] * 900 + [("eng_Latn", 1)] * 900 + [("eng_Latn", 8)] * 100
    texts = [" ".join(f"x{next(numbers)}" for _ in range(length)) for _, length in rows]
    write_rows(project.root / "corpus.parquet", {"text": texts, "language": [label for label, _ in rows]})
    project.set("dataset.name", str(project.root / "corpus.parquet"))


def test_weights_of_bands(project: Project, write_rows: WriteRows) -> None:
    corpus(project, write_rows)
    project = project.changed(dataset__balance_languages=True, dataset__balance_power=1.0)
    banded = project.changed(dataset__length_bands=[2], dataset__band_weights=[1, 3])
    with pytest.raises(ValueError, match="expected texts to be kept for length_bands"):
        banded.prepare()
    data = banded.prepare(keep_texts=True)
    # Each of the four has the same total weight, long ones three times that.
    (batch,) = BatchLoader(data, 5000, 1, tokenizer=_core.Tokenizer(definition())).epoch(0)
    totals = np.zeros((2, 2))
    np.add.at(totals, (batch.labels.numpy(), (batch.lengths.numpy() > 2).astype(int)), batch.weights.numpy())
    np.testing.assert_allclose(totals, [[275, 825], [275, 825]], rtol=1e-5)
    # Without bands, what it was before there were any, already in the shards.
    plain = project.prepare(keep_texts=True)
    assert plain.factors.shape == (2, 1)
    assert {label: pytest.approx(weight) for (label, _), weight in weights(plain).items()} == {
        "deu_Latn": 2200 / 2 / 1200,
        "eng_Latn": 2200 / 2 / 1000,
    }


def test_weights_of_labels(project: Project, write_rows: WriteRows) -> None:
    corpus(project, write_rows)
    project = project.changed(dataset__balance_languages=True, dataset__balance_power=1.0)
    rarer = [{"weights": [0.1, 0.5], "labels": ["eng_Latn"]}]
    data = project.changed(dataset__length_bands=[2], dataset__label_weights=rarer).prepare(keep_texts=True)
    (batch,) = BatchLoader(data, 5000, 1, tokenizer=_core.Tokenizer(definition())).epoch(0)
    totals = np.zeros((2, 2))
    np.add.at(totals, (batch.labels.numpy(), (batch.lengths.numpy() > 2).astype(int)), batch.weights.numpy())
    np.testing.assert_allclose(totals, 2200 / 2.6 * np.array([[1, 1], [0.1, 0.5]]), rtol=1e-5)
    plain = project.changed(dataset__label_weights=[{"weights": [0.25], "labels": ["deu_Latn"]}])
    found = {label: weight for (label, _), weight in weights(plain.prepare(keep_texts=True)).items()}
    assert found["eng_Latn"] * 1000 == pytest.approx(4 * found["deu_Latn"] * 1200)
    assert found["eng_Latn"] * 1000 + found["deu_Latn"] * 1200 == pytest.approx(2200)


def test_bands_share_what_is_prepared(project: Project, write_rows: WriteRows) -> None:
    corpus(project, write_rows)
    project.set("dataset.balance_languages", True)

    def path(**settings: Any) -> Any:
        return project.changed(**settings).prepare(keep_texts=True).path

    known = path(dataset__length_bands=[2, 5])
    assert path(dataset__length_bands=[5], dataset__band_weights=[1, 2], training__augmentation={"crop": 0.5}) == known
    assert path(dataset__length_bands=[2, 6]) != known
    assert path() != known


def test_mean_weight_after_crops_and_of_weighted_sources(project: Project, write_rows: WriteRows) -> None:
    corpus(project, write_rows)
    words = {"text": [f"y{number}" for number in range(2000)], "language": ["deu_Latn"] * 2000}
    write_rows(project.root / "words.parquet", words)
    sources = [{"name": str(project.root / "corpus.parquet")}, {"name": "words.parquet", "weight": 0.25}]
    project.settings["dataset"] = {"sources": sources, "balance_languages": True, "length_bands": [1, 5]}
    project.set("training.augmentation", {"crop": 0.5})
    data = project.prepare(keep_texts=True)
    change = Augmentation(AugmentationConfig(crop=0.5), 1)
    loader = BatchLoader(data, 5000, 1, tokenizer=_core.Tokenizer(definition()), change=change)
    means = [float(batch.weights.mean()) for epoch in range(10) for batch in loader.epoch(epoch)]
    assert np.mean(means) == pytest.approx(1, abs=0.02)
    # The unit of what the weights of the sources are multiplied by: a quarter of a German word's.
    (batch,) = loader.epoch(0)
    assert len(batch) == 4200
    one_word = batch.weights[(batch.labels == 0) & (batch.lengths == 1)].unique()
    assert one_word.min() * 4 == pytest.approx(float(one_word.max()))
