"""The tokenized data set from end to end: what is in it, and what is counted of what is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from wldetect.data import dataset as module
from wldetect.data import inputs, readers, sources
from wldetect.errors import DataError

from .project import (
    LABELS,
    N_WORDS,
    CountingTokenizer,
    Project,
    WriteRows,
    content,
    definition,
    expected,
    rows_of,
    shards,
    weights,
)


def test_every_row(project: Project, write_rows: WriteRows) -> None:
    rows = rows_of(4, 7, 2)
    write_rows(project.root / "corpus" / "a.parquet", rows)
    data = project.prepare()
    assert content(data) == expected(project, zip(rows["language"], rows["text"], strict=True))
    assert len(data) == 13
    (shard,) = [data.load(index) for index in range(len(data.sizes))]
    arrays = (shard.values, shard.offsets, shard.labels, shard.weights)
    assert [array.dtype for array in arrays] == [np.dtype(name) for name in ("i4", "i8", "i4", "f4")]
    np.testing.assert_array_equal(shard.weights, np.ones(13, np.float32))
    report = data.report
    assert report.labels == LABELS
    assert report.found == report.kept == {"deu_Latn": 4, "eng_Latn": 7, "fra_Latn": 2}
    assert (report.dropped, report.unknown, report.empty) == ([], {}, 0)
    assert report.tokens == len(shard.values) == 3 * 13
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
    # Batches of the copy are put together, but none is split.
    assert project.tokenizer.calls == [(4, 512, 2)] * 5
    project.tokenizer.calls.clear()
    monkeypatch.setattr(module, "_CHUNK", 7)
    again = project.changed(training__num_workers=2, dataset__seed=1).prepare()
    assert content(again) == content(data)
    assert project.tokenizer.calls == [(8, 512, 2), (8, 512, 2), (4, 512, 2)]


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
    assert np.bincount(data.load(0).labels).tolist() == [6, 5]
    rows = rows_of(6, 3, 5)
    pairs = [(label, text) for label, text in zip(rows["language"], rows["text"], strict=True) if label != "eng_Latn"]
    assert content(data) == expected(project, pairs)


def test_empty_texts_are_left_out(project: Project, write_rows: WriteRows) -> None:
    texts = ["", "w1", None, "w2 w3", "   ", "\n", "w4"]
    labels = ["deu_Latn", "deu_Latn", "eng_Latn", "eng_Latn", "fra_Latn", "fra_Latn", "deu_Latn"]
    write_rows(project.root / "corpus" / "a.jsonl", {"text": texts, "language": labels})
    data = project.prepare()
    assert content(data) == expected(project, [("deu_Latn", "w1"), ("eng_Latn", "w2 w3"), ("deu_Latn", "w4")])
    assert (np.diff(data.load(0).offsets) > 0).all()
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
    assert len(kept) == len(set(kept)) == 27
    again = project.changed(dataset__max_samples_per_language=10, dataset__seed=43).prepare()
    assert content(again) != content(data)
    assert again.report.kept == data.report.kept


def test_long_texts_are_cut(project: Project, write_rows: WriteRows) -> None:
    texts = [" ".join(f"w{i}" for i in range(count)) for count in (3, 4, 5, 50)]
    write_rows(project.root / "corpus" / "a.parquet", {"text": texts, "language": ["deu_Latn"] * 4})
    data = project.changed(inference__max_sequence_length=4).prepare()
    assert content(data) == sorted(("deu_Latn", project.tokenizer.encode(text, 4).tolist()) for text in texts)
    assert sorted(np.diff(data.load(0).offsets).tolist()) == [3, 4, 4, 4]


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
    found = weights(data)
    for (label, text), weight in zip(rows, raw / raw.mean(), strict=True):
        assert found[label, tuple(project.tokenizer.encode(text))] == pytest.approx(weight, rel=1e-6)
    assert np.mean(list(found.values())) == pytest.approx(1, rel=1e-6)
    names = [str(project.root / name) for name in ("sentences", "words", "plain")]
    assert data.report.sources == list(zip(names, [6, 30, 3], strict=True))


def test_files_of_a_source(project: Project, write_rows: WriteRows) -> None:
    several_sources(project, write_rows)
    write_rows(project.root / "sentences" / "b.parquet", rows_of(1, 5, 0))
    assert project.prepare().report.sources[0] == (str(project.root / "sentences"), 12)
    some = project.changed()
    some.settings["dataset"]["sources"][0]["files"] = ["b.parquet"]
    assert some.prepare().report.sources[0] == (str(project.root / "sentences"), 6)
    some.settings["dataset"]["sources"][0]["files"] = ["c.parquet"]
    with pytest.raises(DataError, match=r"sentences: expected the files given, found no c\.parquet"):
        some.prepare()


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
    shard = data.load(0)
    assert shard.weights.dtype == np.float32
    assert shard.weights.mean() == pytest.approx(1, rel=1e-6)
    first = [float(shard.weights[shard.labels == label][0]) for label in range(3)]
    assert first[1] / first[0] == pytest.approx(2, rel=1e-5)
    assert first[2] / first[0] == pytest.approx(4, rel=1e-5)


def test_balance_counts_what_is_kept(project: Project, write_rows: WriteRows) -> None:
    write_rows(project.root / "corpus" / "a.parquet", rows_of(16, 4, 4))
    settings = {"dataset__balance_languages": True, "dataset__max_samples_per_language": 4}
    np.testing.assert_allclose(project.changed(**settings).prepare().load(0).weights, 1, rtol=1e-6)


def test_weights_of_zero(project: Project, write_rows: WriteRows) -> None:
    columns = {**rows_of(2, 2, 2), "weight": [0, 1, 0, 1, 0, 1]}
    write_rows(project.root / "corpus" / "a.parquet", columns)
    weighted = project.changed(dataset__weight_column="weight")
    found = weights(weighted.prepare())
    for label, text, weight in zip(columns["language"], columns["text"], [0, 2, 0, 2, 0, 2], strict=True):
        assert found[str(label), tuple(project.tokenizer.encode(str(text)))] == weight
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


def test_shards(project: Project, write_rows: WriteRows) -> None:
    rows = rows_of(30, 20, 10)
    write_rows(project.root / "corpus" / "a.parquet", rows)
    data = project.changed(dataset__shard_texts=15, dataset__balance_languages=True).prepare()
    assert len(data.sizes) == 4
    assert data.sizes.tolist() == [len(shard) for shard in shards(data)]
    assert len(data) == 60
    assert content(data) == expected(project, zip(rows["language"], rows["text"], strict=True))
    whole = project.changed(dataset__balance_languages=True).prepare()
    assert weights(data) == weights(whole)
    # Of all shards together, not of each.
    assert np.mean(list(weights(data).values())) == pytest.approx(1, rel=1e-6)
    again = project.changed(dataset__shard_texts=15, dataset__seed=3).prepare()
    assert content(again) == content(data)
    assert shards(again) != shards(data)


def test_kept_texts(project: Project, write_rows: WriteRows) -> None:
    rows = {"text": ["w1 Grüße", "w2", "...", "", "w3\ne\u0301", None], "language": ["deu_Latn", "eng_Latn"] * 3}
    project.tokenizer = CountingTokenizer(definition("Grüße", "é"))
    rows["text"][2] = " \t"
    write_rows(project.root / "corpus" / "a.jsonl", rows)
    settings = project.changed(dataset__cleaning={"nfc": True})
    data, ids = settings.prepare(keep_texts=True), settings.prepare()
    texts = sorted((label, bytes(values).decode()) for shard in shards(data) for label, values, _ in shard)
    assert texts == [("deu_Latn", "w1 Grüße"), ("deu_Latn", "w3\n\u00e9"), ("eng_Latn", "w2")]
    # Both forms hold the same texts in the same order.
    assert (data.report, data.sizes.tolist()) == (ids.report, ids.sizes.tolist())
    assert [project.tokenizer.encode(bytes(values).decode()).tolist() for _, values, _ in shards(data)[0]] == [
        values for _, values, _ in shards(ids)[0]
    ]
    assert data.encoding is not None
    assert (data.encoding.max_length, ids.encoding) == (512, None)


def test_temperature(project: Project, write_rows: WriteRows) -> None:
    rows = rows_of(50, 6, 1)
    write_rows(project.root / "corpus" / "a.parquet", rows)
    equal = project.changed(dataset__sampling_alpha=0.0, dataset__max_repeats=3).prepare()
    # Three times each text of the small ones; what is left of the 57 is the large one's.
    assert equal.report.kept == {"deu_Latn": 36, "eng_Latn": 18, "fra_Latn": 3}
    assert equal.report.repeated == 12 + 2
    assert equal.report.found == {"deu_Latn": 50, "eng_Latn": 6, "fra_Latn": 1}
    assert len(equal) == 57
    found = content(equal)
    every = expected(project, zip(rows["language"], rows["text"], strict=True))
    counts = {label: {found.count((name, ids)) for name, ids in every if name == label} for label in LABELS}
    assert counts == {"deu_Latn": {0, 1}, "eng_Latn": {3}, "fra_Latn": {3}}
    assert "repeated: 14 texts, to give languages their shares" in equal.report.format_table(0).splitlines()
    as_it_is = project.changed(dataset__sampling_alpha=1.0).prepare()
    assert content(as_it_is) == every
    assert as_it_is.report.repeated == 0


def test_balance_counts_what_is_sampled(project: Project, write_rows: WriteRows) -> None:
    write_rows(project.root / "corpus" / "a.parquet", rows_of(16, 4, 4))
    settings = {"dataset__balance_languages": True, "dataset__balance_power": 1.0, "dataset__sampling_alpha": 0.0}
    data = project.changed(**settings).prepare()
    assert data.report.kept == dict.fromkeys(LABELS, 8)
    np.testing.assert_allclose(data.load(0).weights, 1, rtol=1e-6)


def test_minimum_counts_what_cleaning_leaves(project: Project, write_rows: WriteRows) -> None:
    rows = {"text": ["w1"] * 5 + ["w1", "w2", "w3"], "language": ["deu_Latn"] * 5 + ["eng_Latn"] * 3}
    write_rows(project.root / "corpus" / "a.parquet", rows)
    settings = {"dataset__cleaning": {"deduplicate": True}, "dataset__min_samples_per_language": 2}
    data = project.changed(**settings).prepare()
    assert data.report.kept == {"deu_Latn": 0, "eng_Latn": 3, "fra_Latn": 0}
    (project.root / "corpus" / "a.parquet").unlink()
    write_rows(project.root / "corpus" / "b.parquet", {name: values[:5] for name, values in rows.items()})
    with pytest.raises(
        DataError, match=r"5 rows of theirs \(min_samples_per_language 2\), 4 of them left out by clean"
    ):
        project.changed(**settings).prepare()


def test_choice_does_not_depend_on_pieces(
    project: Project, write_rows: WriteRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How many rows are read, looked through and tokenized at a time changes nothing."""
    rows = rows_of(40, 25, 9)
    columns = {**rows, "frequency": [float(number % 7) for number in range(len(rows["text"]))]}
    columns["text"] = [text if number % 5 else "w1" for number, text in enumerate(columns["text"])]
    found = []
    for number, size in enumerate((1000, 7, 1)):
        monkeypatch.setattr(readers, "_ROWS", size)
        monkeypatch.setattr(module, "_CHUNK", size)
        monkeypatch.setattr(inputs, "_CACHE_VERSION", number)
        monkeypatch.setattr(sources, "_CACHE_VERSION", number)
        write_rows(project.root / "corpus" / "a.parquet", columns)
        settings = {
            "dataset__cleaning": {"deduplicate": True},
            "dataset__frequency_column": "frequency",
            "dataset__max_samples_per_language": 15,
            "dataset__sampling_alpha": 0.5,
            "dataset__shard_texts": 12,
        }
        data = project.changed(**settings).prepare()
        found.append((shards(data), data.report))
    assert len(project.tokenizer.calls) > 3
    assert found[0] == found[1] == found[2]
