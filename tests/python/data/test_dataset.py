"""The tokenized data set from end to end: what is in it, and what is counted of what is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from wldetect.data import dataset as module
from wldetect.data import readers
from wldetect.errors import DataError

from .project import LABELS, N_WORDS, CountingTokenizer, Project, WriteRows, content, definition, expected, rows_of


def test_every_row(project: Project, write_rows: WriteRows) -> None:
    rows = rows_of(4, 7, 2)
    write_rows(project.root / "corpus" / "a.parquet", rows)
    data = project.prepare()
    assert content(data) == expected(project, zip(rows["language"], rows["text"], strict=True))
    assert len(data) == 13
    assert [data.ids.dtype, data.offsets.dtype, data.labels.dtype] == [np.dtype(name) for name in ("i4", "i8", "i4")]
    np.testing.assert_array_equal(data.weights, np.ones(13, np.float32))
    report = data.report
    assert report.labels == LABELS
    assert report.found == report.kept == {"deu_Latn": 4, "eng_Latn": 7, "fra_Latn": 2}
    assert (report.dropped, report.unknown, report.empty) == ([], {}, 0)
    assert report.tokens == len(data.ids) == 3 * 13
    assert report.sources == [(str(project.root / "corpus"), 13)]


def test_texts_are_tokenized_in_chunks(
    project: Project, write_rows: WriteRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = rows_of(9, 5, 6)
    write_rows(project.root / "corpus" / "a.parquet", rows)
    monkeypatch.setattr(module, "_CHUNK", 3)
    # The copy of the source is in pieces, too.
    monkeypatch.setattr(readers, "_ROWS", 4)
    data = project.changed(training__num_workers=2).prepare()
    assert content(data) == expected(project, zip(rows["language"], rows["text"], strict=True))
    assert project.tokenizer.calls == [(3, 512, 2)] * 6 + [(2, 512, 2)]


def test_number_of_threads(project: Project, write_rows: WriteRows) -> None:
    write_rows(project.root / "corpus" / "a.parquet", rows_of(1, 1, 1))
    project.prepare()
    # The configuration's 0 is the core's None: one for each processor core.
    assert project.tokenizer.calls == [(3, 512, None)]


def test_labels_that_are_not_configured(project: Project, write_rows: WriteRows) -> None:
    labels = ["nld_Latn", "deu_Latn", None, "nld_Latn", "DEU_LATN", "fra_Latn", ""]
    write_rows(project.root / "corpus" / "a.jsonl", {"text": [f"w{i}" for i in range(7)], "language": labels})
    data = project.prepare()
    assert data.report.unknown == {"nld_Latn": 2, "(missing)": 1, "DEU_LATN": 1, "": 1}
    assert data.report.found == {"deu_Latn": 1, "eng_Latn": 0, "fra_Latn": 1}
    assert content(data) == expected(project, [("deu_Latn", "w1"), ("fra_Latn", "w5")])


def test_dropped_labels_leave_no_gap(project: Project, write_rows: WriteRows) -> None:
    write_rows(project.root / "corpus" / "a.parquet", rows_of(6, 3, 5))
    data = project.changed(dataset__min_samples_per_language=4).prepare()
    assert data.report.labels == ["deu_Latn", "fra_Latn"]
    assert data.report.dropped == ["eng_Latn"]
    assert data.report.found["eng_Latn"] == 3
    assert data.report.kept == {"deu_Latn": 6, "eng_Latn": 0, "fra_Latn": 5}
    assert np.bincount(data.labels).tolist() == [6, 5]
    rows = rows_of(6, 3, 5)
    pairs = [(label, text) for label, text in zip(rows["language"], rows["text"], strict=True) if label != "eng_Latn"]
    assert content(data) == expected(project, pairs)


def test_empty_texts_are_left_out(project: Project, write_rows: WriteRows) -> None:
    texts = ["", "w1", None, "w2 w3", "   ", "\n", "w4"]
    labels = ["deu_Latn", "deu_Latn", "eng_Latn", "eng_Latn", "fra_Latn", "fra_Latn", "deu_Latn"]
    write_rows(project.root / "corpus" / "a.jsonl", {"text": texts, "language": labels})
    data = project.prepare()
    assert content(data) == expected(project, [("deu_Latn", "w1"), ("eng_Latn", "w2 w3"), ("deu_Latn", "w4")])
    assert (np.diff(data.offsets) > 0).all()
    assert data.report.empty == 4
    # A label with nothing but such texts is not one that can be learnt.
    assert data.report.labels == ["deu_Latn", "eng_Latn"]
    assert data.report.dropped == ["fra_Latn"]
    assert data.report.kept == {"deu_Latn": 2, "eng_Latn": 1, "fra_Latn": 0}
    assert data.report.found == {"deu_Latn": 3, "eng_Latn": 2, "fra_Latn": 2}


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ({"text": [], "language": []}, "0 rows of theirs (min_samples_per_language 2), 0 rows of other labels (none)"),
        (
            {"text": ["w1", "w2", "w3"], "language": ["nld_Latn", "ita_Latn", "nld_Latn"]},
            "0 rows of theirs (min_samples_per_language 2), 3 rows of other labels ('ita_Latn', 'nld_Latn')",
        ),
        (
            {"text": ["w1", "w2"], "language": ["deu_Latn", "eng_Latn"]},
            "2 rows of theirs (min_samples_per_language 2), 0 rows of other labels (none)",
        ),
        (
            {"text": ["", "  "], "language": ["deu_Latn", "deu_Latn"]},
            "2 rows of theirs (min_samples_per_language 2), 0 rows of other labels (none)",
        ),
    ],
)
def test_nothing_to_train_on(rows: dict[str, list[str]], reason: str, project: Project, write_rows: WriteRows) -> None:
    write_rows(project.root / "corpus" / "a.csv", rows)
    # The second time, it is the cache that says so.
    for _ in range(2):
        with pytest.raises(DataError) as caught:
            project.changed(dataset__min_samples_per_language=2).prepare()
        expected_text = "dataset: expected texts of the 3 configured languages, found none to train on"
        assert str(caught.value) == f"{project.root / 'train.yaml'}: {expected_text}: {reason}"


def test_cap(project: Project, write_rows: WriteRows) -> None:
    rows = rows_of(40, 7, 30)
    write_rows(project.root / "corpus" / "a.parquet", rows)
    data = project.changed(dataset__max_samples_per_language=10).prepare()
    assert data.report.kept == {"deu_Latn": 10, "eng_Latn": 7, "fra_Latn": 10}
    # Every text can be told from the others, so that what is kept can be mapped back to its row.
    row_of = {
        (label, *project.tokenizer.encode(text).tolist()): row
        for row, (label, text) in enumerate(zip(rows["language"], rows["text"], strict=True))
    }
    kept = [row_of[(label, *ids)] for label, ids in content(data)]
    assert kept == sorted(set(kept))
    again = project.changed(dataset__max_samples_per_language=10, dataset__seed=43).prepare()
    assert content(again) != content(data)
    assert again.report.kept == data.report.kept


def test_long_texts_are_cut(project: Project, write_rows: WriteRows) -> None:
    texts = [" ".join(f"w{i}" for i in range(count)) for count in (3, 4, 5, 50)]
    write_rows(project.root / "corpus" / "a.parquet", {"text": texts, "language": ["deu_Latn"] * 4})
    data = project.changed(inference__max_sequence_length=4).prepare()
    assert content(data) == [("deu_Latn", project.tokenizer.encode(text, 4).tolist()) for text in texts]
    assert np.diff(data.offsets).tolist() == [3, 4, 4, 4]


def test_numeric_text_column(project: Project, write_rows: WriteRows) -> None:
    write_rows(project.root / "corpus" / "a.parquet", {"text": [1, 2], "language": LABELS[:2]})
    with pytest.raises(DataError, match=r"a\.parquet: column 'text': expected text, found int64"):
        project.prepare()
    # In CSV there is nothing but text.
    write_rows(project.root / "corpus" / "a.csv", {"text": ["007", "1e5"], "language": LABELS[:2]})
    (project.root / "corpus" / "a.parquet").unlink()
    project.tokenizer = CountingTokenizer(definition("007", "1e5"))
    assert content(project.prepare()) == [("deu_Latn", [N_WORDS + 1]), ("eng_Latn", [N_WORDS + 2])]


def several_sources(project: Project, write_rows: WriteRows) -> None:
    words: dict[str, list[Any]] = {"text": [], "language": [], "count": [], "importance": []}
    for number in range(30):
        words["text"].append(f"word w{number}")
        words["language"].append(LABELS[number % 2])
        # Of each label 15 words, of which 10 never occurred.
        words["count"].append(100 if number < 10 else 0)
        words["importance"].append(number + 1)
    write_rows(project.root / "sentences" / "a.parquet", rows_of(4, 2, 0))
    write_rows(project.root / "words" / "train.jsonl", words)
    (project.root / "plain").mkdir()
    (project.root / "plain" / "fra_Latn.txt").write_text("w7\nw8\n\nw9", encoding="utf-8")
    del project.settings["dataset"]["name"]
    project.set(
        "dataset.sources",
        [
            {"name": str(project.root / "sentences"), "weight": 2.0},
            {
                "name": str(project.root / "words"),
                "weight_column": "importance",
                "frequency_column": "count",
                "max_samples_per_language": 5,
            },
            {"name": str(project.root / "plain"), "weight": 0.5},
        ],
    )


def test_several_sources(project: Project, write_rows: WriteRows) -> None:
    several_sources(project, write_rows)
    data = project.prepare()
    assert data.report.found == {"deu_Latn": 19, "eng_Latn": 17, "fra_Latn": 3}
    assert data.report.kept == {"deu_Latn": 9, "eng_Latn": 7, "fra_Latn": 3}
    # Sources in order, and of the words just those that occur, for there are as many as the source's cap.
    sentences = rows_of(4, 2, 0)
    rows = list(zip(sentences["language"], sentences["text"], strict=True))
    rows += [(LABELS[number % 2], f"word w{number}") for number in range(10)]
    rows += [("fra_Latn", text) for text in ("w7", "w8", "w9")]
    assert content(data) == expected(project, rows)
    raw = np.array([2.0] * 6 + [number + 1.0 for number in range(10)] + [0.5] * 3)
    np.testing.assert_allclose(data.weights, raw / raw.mean(), rtol=1e-6)
    assert data.weights.mean() == pytest.approx(1, rel=1e-6)
    names = [str(project.root / name) for name in ("sentences", "words", "plain")]
    assert data.report.sources == list(zip(names, [6, 30, 3], strict=True))


def test_caps_of_all_sources_together(project: Project, write_rows: WriteRows) -> None:
    several_sources(project, write_rows)
    data = project.changed(dataset__max_samples_per_language=3).prepare()
    assert data.report.kept == dict.fromkeys(LABELS, 3)
    tighter = project.changed()
    tighter.settings["dataset"]["sources"][1]["max_samples_per_language"] = 1
    assert tighter.prepare().report.kept == {"deu_Latn": 5, "eng_Latn": 3, "fra_Latn": 3}


def test_balanced_weights(project: Project, write_rows: WriteRows) -> None:
    write_rows(project.root / "corpus" / "a.parquet", rows_of(16, 4, 1))
    data = project.changed(dataset__balance_languages=True, dataset__balance_power=0.5).prepare()
    assert data.weights.dtype == np.float32
    assert data.weights.mean() == pytest.approx(1, rel=1e-6)
    first = [float(data.weights[data.labels == label][0]) for label in range(3)]
    assert first[1] / first[0] == pytest.approx(2, rel=1e-5)
    assert first[2] / first[0] == pytest.approx(4, rel=1e-5)


def test_balance_counts_what_is_kept(project: Project, write_rows: WriteRows) -> None:
    write_rows(project.root / "corpus" / "a.parquet", rows_of(16, 4, 4))
    settings = {"dataset__balance_languages": True, "dataset__max_samples_per_language": 4}
    np.testing.assert_allclose(project.changed(**settings).prepare().weights, 1, rtol=1e-6)


def test_weights_of_zero(project: Project, write_rows: WriteRows) -> None:
    columns = {**rows_of(2, 2, 2), "weight": [0, 1, 0, 1, 0, 1]}
    write_rows(project.root / "corpus" / "a.parquet", columns)
    weighted = project.changed(dataset__weight_column="weight")
    np.testing.assert_array_equal(weighted.prepare().weights, [0, 2, 0, 2, 0, 2])
    write_rows(project.root / "corpus" / "a.parquet", {**columns, "weight": [0] * 6})
    with pytest.raises(DataError, match=r"train\.yaml: dataset: expected a weight above 0, found none"):
        weighted.prepare()


def test_relative_names_lie_beside_the_configuration(
    project: Project, write_rows: WriteRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_rows(project.root / "corpus" / "a.jsonl", rows_of(1, 1, 1))
    monkeypatch.chdir("/")
    assert len(project.changed(dataset__name="corpus").prepare()) == 3
    assert len(project.changed(dataset__name="corpus/*.jsonl").prepare()) == 3
    with pytest.raises(FileNotFoundError):
        project.changed(dataset__name="corpus/b.jsonl").prepare()
