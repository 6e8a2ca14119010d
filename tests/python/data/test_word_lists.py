"""Word lists beside sentences: frequencies, sampling weights, and sources that cannot be meant."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from wldetect.errors import DataError

from .project import LABELS, Project, WriteRows, content, rows_of


def words(project: Project, write_rows: WriteRows, *frequencies: float) -> Path:
    """A list of words of one language."""
    path = project.root / "words.parquet"
    texts = [f"word w{number}" for number in range(len(frequencies))]
    write_rows(path, {"text": texts, "language": [LABELS[0]] * len(texts), "count": list(frequencies)})
    return path


def test_a_floor_makes_rare_words_as_likely_as_others(project: Project, write_rows: WriteRows) -> None:
    path = words(project, write_rows, *[90.0] * 5, *[0.0] * 25)
    project.set("dataset.name", str(path))
    project.set("dataset.max_samples_per_language", 10)
    plain = content(project.prepare())
    listed = project.changed(dataset__frequency_column="count")
    # Those that occur come first, and the others follow at random.
    frequent = {tuple(project.tokenizer.encode(f"word w{number}")) for number in range(5)}
    assert frequent <= {tuple(ids) for _, ids in content(listed.prepare())}
    assert not frequent <= {tuple(ids) for _, ids in plain}
    # With the largest frequency as floor, all are alike.
    assert content(listed.changed(dataset__frequency_floor=90.0).prepare()) == plain
    assert content(listed.changed(dataset__frequency_power=0.0).prepare()) == plain


def test_frequent_words_are_repeated(project: Project, write_rows: WriteRows) -> None:
    # Of 100 in all, so that 10 rows are used 10, 3, 2 times more and five once more; those of 0 only once.
    path = words(project, write_rows, 50.0, 15.0, 10.0, *[5.0] * 5, 0.0, 0.0)
    project.set("dataset.name", str(path))
    listed = project.changed(dataset__frequency_column="count", dataset__frequency_repeats=2.0)
    times = Counter(tuple(ids) for _, ids in content(listed.prepare()))
    expected = [1 + 10, 1 + 3, 1 + 2, *[1 + 1] * 5, 1, 1]
    assert [times[tuple(project.tokenizer.encode(f"word w{number}"))] for number in range(10)] == expected
    # What is left out is not repeated, and does not count.
    capped = listed.changed(dataset__max_samples_per_language=1, dataset__frequency_power=10.0)
    assert content(capped.prepare()) == [(LABELS[0], project.tokenizer.encode("word w0").tolist())] * 3


def test_repeats_are_rounded_at_random(project: Project, write_rows: WriteRows) -> None:
    path = words(project, write_rows, *[1.0] * 50)
    project.set("dataset.name", str(path))
    listed = project.changed(dataset__frequency_column="count", dataset__frequency_repeats=0.5)
    times = Counter(tuple(ids) for _, ids in content(listed.prepare()))
    assert set(times.values()) == {1, 2}
    # Five standard deviations.
    assert sum(times.values()) == pytest.approx(75, abs=5 * 12.5**0.5)
    assert times != Counter(tuple(ids) for _, ids in content(listed.changed(dataset__seed=1).prepare()))


def test_labels_are_merged(project: Project, write_rows: WriteRows) -> None:
    path = project.root / "sentences.parquet"
    texts = {"text": ["w1 w2", "w3 w4", "w5 w6", "w7 w8"], "language": [LABELS[0], "xxx_Latn", "yyy_Latn", LABELS[1]]}
    write_rows(path, texts)
    project.set("dataset.name", str(path))
    plain = project.prepare()
    assert plain.report.unknown == {"xxx_Latn": 1, "yyy_Latn": 1}
    merged = project.changed(dataset__merge_labels={LABELS[1]: ["xxx_Latn"]}).prepare()
    assert merged.report.unknown == {"yyy_Latn": 1}
    assert [merged.report.kept[label] for label in LABELS[:2]] == [1, 2]
    ids = [(LABELS[0], "w1 w2"), (LABELS[1], "w3 w4"), (LABELS[1], "w7 w8")]
    assert sorted(content(merged)) == sorted((label, project.tokenizer.encode(text).tolist()) for label, text in ids)


@pytest.mark.parametrize("column", [None, "count"])
def test_a_sampling_weight_prefers_a_source(project: Project, write_rows: WriteRows, column: str | None) -> None:
    path = words(project, write_rows, *[3.0] * 20)
    write_rows(project.root / "sentences" / "a.parquet", rows_of(20, 0, 0))
    del project.settings["dataset"]["name"]

    def taken(weight: float) -> int:
        """Words among the ten texts that are taken."""
        entry = {"name": str(path), "frequency_column": column, "sampling_weight": weight}
        project.set("dataset.sources", [{"name": str(project.root / "sentences")}, entry])
        project.set("dataset.max_samples_per_language", 10)
        texts = {tuple(project.tokenizer.encode(f"word w{number}")) for number in range(20)}
        return sum(tuple(ids) in texts for _, ids in content(project.prepare()))

    assert taken(1e9) == 10
    assert taken(1e-9) == 0
    assert 0 < taken(1.0) < 10


def test_a_list_without_a_frequency_above_zero_is_refused(project: Project, write_rows: WriteRows) -> None:
    path = words(project, write_rows, 0.0, 0.0, 0.0)
    listed = project.changed(dataset__name=str(path), dataset__frequency_column="count", dataset__frequency_floor=1.0)
    with pytest.raises(DataError) as error:
        listed.prepare()
    assert str(error.value) == f"{path}: count: expected a frequency above 0 in some row, found 0 in all 3"
    assert project.built() == []


@pytest.mark.parametrize("bad", [-1.0, float("nan"), float("inf")])
def test_a_frequency_that_is_none_is_refused(project: Project, write_rows: WriteRows, bad: float) -> None:
    path = words(project, write_rows, 1.0, bad, 2.0)
    with pytest.raises(DataError, match=r"words\.parquet.*count.*expected.*found"):
        project.changed(dataset__name=str(path), dataset__frequency_column="count").prepare()


def test_one_source_of_several_without_a_configured_label_is_refused(project: Project, write_rows: WriteRows) -> None:
    write_rows(project.root / "sentences" / "a.parquet", rows_of(4, 2, 1))
    other = project.root / "other.parquet"
    write_rows(other, {"text": ["x", "y"], "language": ["xxx_Latn", "yyy_Latn"]})
    del project.settings["dataset"]["name"]
    project.set("dataset.sources", [{"name": str(project.root / "sentences")}, {"name": str(other)}])
    with pytest.raises(DataError) as error:
        project.prepare()
    assert str(error.value) == (
        f"{other}: language: expected labels of the {len(LABELS)} configured languages, found none in 2 rows; unknown "
        "labels so far: 'xxx_Latn', 'yyy_Latn'"
    )
    assert project.built() == []
