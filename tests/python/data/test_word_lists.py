"""Word lists beside sentences: frequencies, sampling weights, and sources that cannot be meant."""

from __future__ import annotations

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
