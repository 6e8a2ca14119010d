"""Sources that are made up: what is read of them, and what the rest of the pipeline does to texts of no language."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from wldetect import _core
from wldetect.config import NOT_LANGUAGE, AugmentationConfig, CleaningConfig, Generator
from wldetect.data import generated
from wldetect.data.augment import Augmentation
from wldetect.data.batches import BatchLoader
from wldetect.data.cleaning import Cleaner
from wldetect.data.columns import Columns
from wldetect.data.generated import read_generated
from wldetect.data.not_language import generated_texts
from wldetect.errors import DataError

from .project import LABELS, Project, WriteRows, definition, rows_of

COLUMNS = Columns(("text", "language"))


@pytest.fixture
def mixed(project: Project, write_rows: WriteRows) -> Project:
    """Rows of three languages, and 40 texts that are made up."""
    write_rows(project.root / "corpus" / "a.parquet", rows_of(6, 6, 6))
    project.labels = [*LABELS, NOT_LANGUAGE]
    made_up = {"generated": "not_language", "samples": 40}
    project.settings["dataset"] = {"sources": [{"name": str(project.root / "corpus")}, made_up]}
    return project


def test_rows_are_the_texts_of_the_generator(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generated, "_ROWS", 7)
    source = read_generated(Generator.not_language, 30, 5, COLUMNS, tmp_path)
    rows = [row for batch in source.batches() for row in batch.to_pylist()]
    assert rows == [{"text": text, "language": "zxx"} for text in generated_texts(5, 30)]
    assert source.name == "generated not_language"


def test_the_fingerprint_is_of_all_that_the_texts_follow_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(samples: int, seed: int) -> str:
        return read_generated(Generator.not_language, samples, seed, COLUMNS, tmp_path).fingerprint

    first = read(3, 1)
    assert read(3, 1) == first
    others = {read(4, 1), read(3, 2)}
    monkeypatch.setattr(generated, "VERSION", 10**6)
    assert len({first, *others, read(3, 1)}) == 4


def test_they_are_read_again_where_they_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = read_generated(Generator.not_language, 3, 1, COLUMNS, tmp_path)
    monkeypatch.setattr(generated, "generated_texts", lambda seed, count: iter(["made", "again", "!"]))
    assert read_generated(Generator.not_language, 3, 1, COLUMNS, tmp_path) == first


def test_a_data_set_with_them(mixed: Project) -> None:
    data = mixed.prepare(keep_texts=True)
    assert data.report.kept == {"deu_Latn": 6, "eng_Latn": 6, "fra_Latn": 6, "zxx": 40}
    assert [name for name, _ in data.report.sources] == [str(mixed.root / "corpus"), "generated not_language"]
    shard = data.load(0)
    texts = [
        shard.values[start:end].tobytes().decode()
        for start, end, label in zip(shard.offsets[:-1], shard.offsets[1:], shard.labels, strict=True)
        if data.report.labels[label] == NOT_LANGUAGE
    ]
    assert sorted(texts) == sorted(generated_texts(42, 40))
    assert mixed.changed(dataset__seed=7).prepare(keep_texts=True).path != data.path
    more = mixed.changed(dataset__max_samples_per_language=5).prepare()
    assert more.report.kept[NOT_LANGUAGE] == 5


def test_a_label_that_is_not_configured(mixed: Project) -> None:
    mixed.labels = LABELS
    with pytest.raises(DataError, match="generated not_language: language: expected labels of the 3 configured"):
        mixed.prepare()


def test_cleaning_leaves_what_has_no_letters() -> None:
    texts = ["123", "!?", "😀", "x = 1", "123"]
    cleaner = Cleaner(CleaningConfig(min_letters=3, min_script_share=1.0, nfc=True), ["deu_Latn", NOT_LANGUAGE])
    assert cleaner.keep(texts, np.ones(5, np.int64)).all()
    assert not cleaner.keep(texts, np.zeros(5, np.int64)).any()
    once = Cleaner(CleaningConfig(deduplicate=True), [NOT_LANGUAGE])
    assert once.keep(texts, np.zeros(5, np.int64)).tolist() == [True, True, True, True, False]


@pytest.mark.parametrize(("word", "lessened"), [("w1", {"eng_Latn": 1}), ("w5", {})])
def test_words_of_code_are_of_no_language(
    project: Project, write_rows: WriteRows, word: str, lessened: dict[str, int]
) -> None:
    """A word of an English list counts less where French sentences have it, and not where code has."""
    project.labels = [*LABELS, NOT_LANGUAGE]
    rows = [("w9", "eng_Latn")] * 50 + [("w1 w2", "fra_Latn")] * 9 + [("w5 w5 w5", NOT_LANGUAGE)] * 9
    sentences = {"text": [text for text, _ in rows], "language": [label for _, label in rows]}
    write_rows(project.root / "sentences.parquet", sentences)
    write_rows(project.root / "words.parquet", {"text": [word], "language": ["eng_Latn"]})
    names = [str(project.root / name) for name in ("sentences.parquet", "words.parquet")]
    project.settings["dataset"] = {"sources": [{"name": names[0]}, {"name": names[1], "foreign_power": 1.0}]}
    assert project.prepare().report.foreign == lessened


def test_random_changes_leave_them_alone(mixed: Project) -> None:
    keys = {"crop": 1.0, "crop_max_words": 1, "uppercase": 1.0, "insert": 1.0}
    mixed.settings["dataset"] |= {"balance_languages": True, "length_bands": [1, 5]}
    mixed.settings["training"] = {"augmentation": keys}
    data = mixed.prepare(keep_texts=True)
    augmentation = Augmentation(AugmentationConfig.model_validate(keys), 1)
    before: list[str] = []

    def change(texts: list[str], rows: np.ndarray, epoch: int) -> list[str]:
        before.extend(texts)
        return augmentation(texts, rows, epoch)

    tokenizer = _core.Tokenizer(definition())
    (batch,) = BatchLoader(data, 100, 1, tokenizer=tokenizer, change=change).epoch(0)
    (plain,) = BatchLoader(data, 100, 1, tokenizer=tokenizer).epoch(0)
    assert data.report.labels[data.unchanged or 0] == NOT_LANGUAGE
    theirs = (batch.labels == data.unchanged).numpy()
    assert sorted(before) == sorted(rows_of(6, 6, 6)["text"])
    np.testing.assert_array_equal(batch.lengths[theirs], plain.lengths[theirs])
    assert (batch.lengths[~theirs] == 1).all()
    # Their lengths are expected as they are, those of the others as crops leave them.
    assert batch.weights.numpy().mean() == pytest.approx(1, rel=1e-5)
