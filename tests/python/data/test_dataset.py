"""The tokenized data set from end to end: what is in it, what is reported, and what the cache depends on."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tokenizers import Tokenizer as Definition
from tokenizers import models, pre_tokenizers

from wldetect import _core
from wldetect.config import ModelConfig, ResolvedConfig, TrainingConfig
from wldetect.data import dataset as module
from wldetect.data import readers
from wldetect.data.dataset import DatasetReport, TokenizedDataset, prepare_dataset
from wldetect.errors import DataError

LABELS = ["deu_Latn", "eng_Latn", "fra_Latn"]
N_WORDS = 60
WriteRows = Callable[[Path, dict[str, Any]], Path]


def definition(*more: str) -> str:
    """A tokenizer of whole words w0, w1, ..., with a token for each other word."""
    words = ["[UNK]", *(f"w{number}" for number in range(N_WORDS)), *more]
    tokenizer = Definition(models.WordLevel({word: row for row, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return str(tokenizer.to_str())


class CountingTokenizer:
    """The core's tokenizer, which counts its calls and can be interrupted at one of them."""

    def __init__(self, json_text: str, interrupt_at: int | None = None) -> None:
        self._tokenizer = _core.Tokenizer(json_text)
        self._interrupt_at = interrupt_at
        self.calls: list[tuple[int, int | None, int | None]] = []

    @property
    def sha256(self) -> str:
        return self._tokenizer.sha256

    def encode(self, text: str, max_length: int | None = None) -> NDArray[np.uint32]:
        return self._tokenizer.encode(text, max_length)

    def encode_batch(
        self, texts: Iterable[str], max_length: int | None = None, threads: int | None = None
    ) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        texts = list(texts)
        self.calls.append((len(texts), max_length, threads))
        if len(self.calls) == self._interrupt_at:
            raise KeyboardInterrupt
        return self._tokenizer.encode_batch(texts, max_length, threads)


class Project:
    """A corpus, a configuration that can be changed key by key, and a cache."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.tokenizer = CountingTokenizer(definition())
        self.labels = LABELS
        self.settings: dict[str, Any] = {
            "model_config_path": "model.yaml",
            "dataset": {"name": str(root / "corpus")},
            "output": {"artifacts_dir": "out"},
        }

    def set(self, key: str, value: Any) -> None:
        section, _, name = key.rpartition(".")
        self.settings.setdefault(section, {})[name] = value

    def changed(self, **settings: Any) -> Project:
        other = copy.copy(self)
        other.settings = copy.deepcopy(self.settings)
        for key, value in settings.items():
            other.set(key.replace("__", "."), value)
        return other

    def prepare(self) -> TokenizedDataset:
        source = {"name": "tiny", "type": "gemma3", "hidden_dim": 8}
        languages = {label: index for index, label in enumerate(self.labels)}
        training = TrainingConfig.model_validate(self.settings)
        inference = training.inference.model_dump(exclude_none=True) if training.inference else {}
        model = ModelConfig.model_validate({"model": source, "languages": languages, "inference": inference})
        config = ResolvedConfig(model, training, self.root / "model.yaml", self.root / "train.yaml")
        return prepare_dataset(config, self.tokenizer, self.root / "cache", progress=False)  # type: ignore[arg-type]

    def built(self) -> list[str]:
        """Names of the finished and of the unfinished directories of token ids."""
        tokens = self.root / "cache" / "tokens"
        return sorted(path.name for path in tokens.iterdir()) if tokens.exists() else []


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def content(data: TokenizedDataset) -> list[tuple[str, list[int]]]:
    """Label and ids of every text."""
    bounds = data.offsets.tolist()
    return [
        (data.report.labels[label], data.ids[start:end].tolist())
        for label, start, end in zip(data.labels, bounds[:-1], bounds[1:], strict=True)
    ]


def expected(project: Project, rows: Iterable[tuple[str, str]]) -> list[tuple[str, list[int]]]:
    return [(label, project.tokenizer.encode(text).tolist()) for label, text in rows]


def rows_of(*counts: int) -> dict[str, list[str]]:
    """Texts that differ from each other, as many for each of the labels, which take turns."""
    labels = [label for turn in range(max(counts)) for label, count in zip(LABELS, counts, strict=True) if turn < count]
    texts = [f"w{number % N_WORDS} w{number // N_WORDS} strange" for number in range(len(labels))]
    return {"text": texts, "language": labels}


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


def test_arrays_are_mapped_from_the_cache(project: Project, write_rows: WriteRows) -> None:
    write_rows(project.root / "corpus" / "a.parquet", rows_of(2, 2, 2))
    data = project.prepare()
    assert isinstance(data.ids, np.memmap)
    assert isinstance(data.offsets, np.memmap)
    assert data.path.parent == project.root / "cache" / "tokens"
    assert sorted(path.name for path in data.path.iterdir()) == [
        "ids.bin",
        "labels.npy",
        "offsets.npy",
        "report.json",
        "weights.npy",
    ]


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


def test_second_call_does_not_tokenize(project: Project, write_rows: WriteRows) -> None:
    write_rows(project.root / "corpus" / "a.parquet", rows_of(3, 3, 3))
    first = project.prepare()
    calls = len(project.tokenizer.calls)
    assert calls > 0
    written = {path.name: path.stat().st_mtime_ns for path in first.path.iterdir()}
    second = project.prepare()
    assert len(project.tokenizer.calls) == calls
    assert {path.name: path.stat().st_mtime_ns for path in second.path.iterdir()} == written
    assert content(second) == content(first)
    assert second.report == first.report
    np.testing.assert_array_equal(second.weights, first.weights)


def test_what_does_not_change_the_cache(project: Project, write_rows: WriteRows) -> None:
    rows = rows_of(3, 6, 3)
    write_rows(project.root / "corpus" / "a.parquet", rows)
    first = project.prepare()
    calls = len(project.tokenizer.calls)
    write_rows(project.root / "moved" / "a.parquet", rows)
    same = [
        project.changed(training__num_workers=3),
        project.changed(training__learning_rate=0.5),
        project.changed(training__seed=7),
        project.changed(training__batch_size=3),
        project.changed(inference__pooling="max"),
        project.changed(evaluation__data="elsewhere"),
        project.changed(dataset__balance_languages=True),
        project.changed(dataset__name=str(project.root / "moved")),
    ]
    for other in same:
        assert other.prepare().path == first.path
    assert len(project.tokenizer.calls) == calls
    # The name is today's all the same.
    assert same[-1].prepare().report.sources == [(str(project.root / "moved"), 12)]


def test_what_changes_the_cache(project: Project, write_rows: WriteRows) -> None:
    rows = rows_of(3, 6, 3)
    write_rows(project.root / "corpus" / "a.parquet", rows)
    write_rows(project.root / "second" / "a.parquet", {**rows, "text": [*rows["text"][:-1], "w9"]})
    write_rows(project.root / "third" / "b.parquet", rows)
    other_labels = project.changed()
    other_labels.labels = LABELS[::-1]
    other_tokenizer = project.changed()
    other_tokenizer.tokenizer = CountingTokenizer(definition("another"))
    different = [
        project,
        project.changed(dataset__max_samples_per_language=4),
        project.changed(dataset__max_samples_per_language=5),
        project.changed(dataset__min_samples_per_language=4),
        project.changed(dataset__seed=7),
        project.changed(inference__max_sequence_length=2),
        project.changed(dataset__weight=2.0),
        # Other content, or another file name, which labels texts in text files.
        project.changed(dataset__name=str(project.root / "second")),
        project.changed(dataset__name=str(project.root / "third")),
        other_labels,
        other_tokenizer,
    ]
    paths = [one.prepare().path for one in different]
    assert len(set(paths)) == len(different)
    assert len(project.tokenizer.calls) == len(different) - 1
    assert [one.prepare().path for one in different] == paths
    assert len(project.tokenizer.calls) == len(different) - 1


def test_columns_are_part_of_the_cache(project: Project, write_rows: WriteRows) -> None:
    columns = {"text": ["w1"], "other": ["w2"], "language": ["deu_Latn"], "code": ["eng_Latn"]}
    write_rows(project.root / "corpus" / "a.parquet", columns)
    assert content(project.prepare()) == expected(project, [("deu_Latn", "w1")])
    assert content(project.changed(dataset__text_column="other").prepare()) == expected(project, [("deu_Latn", "w2")])
    assert content(project.changed(dataset__language_column="code").prepare()) == expected(
        project, [("eng_Latn", "w1")]
    )


@pytest.mark.parametrize("call", [1, 3])
def test_interruption_leaves_nothing(
    call: int, project: Project, write_rows: WriteRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_CHUNK", 4)
    rows = rows_of(5, 5, 5)
    write_rows(project.root / "corpus" / "a.parquet", rows)
    interrupted = project.changed()
    interrupted.tokenizer = CountingTokenizer(definition(), interrupt_at=call)
    with pytest.raises(KeyboardInterrupt):
        interrupted.prepare()
    assert project.built() == []
    assert content(project.prepare()) == expected(project, zip(rows["language"], rows["text"], strict=True))
    assert len(project.built()) == 1


def test_damaged_directory_is_built_anew(project: Project, write_rows: WriteRows) -> None:
    rows = rows_of(2, 2, 2)
    write_rows(project.root / "corpus" / "a.parquet", rows)
    first = project.prepare()
    (first.path / "report.json").unlink()
    (first.path / "ids.bin").write_bytes(b"")
    assert content(project.prepare()) == expected(project, zip(rows["language"], rows["text"], strict=True))
    assert project.built() == [first.path.name]


def test_missing_column_builds_nothing(project: Project, write_rows: WriteRows) -> None:
    write_rows(project.root / "corpus" / "a.parquet", rows_of(2, 2, 2))
    with pytest.raises(DataError, match="expected a column 'sentence', found text, language"):
        project.changed(dataset__text_column="sentence").prepare()
    with pytest.raises(DataError, match="expected a column 'frequency', found text, language"):
        project.changed(dataset__frequency_column="frequency").prepare()
    assert project.built() == []
    assert project.tokenizer.calls == []


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


def test_format_table() -> None:
    report = DatasetReport(
        fingerprint="",
        sources=[],
        labels=["deu_Latn", "eng_Latn"],
        found={"deu_Latn": 12345, "eng_Latn": 20, "fra_Latn": 3, "zul_Latn": 0},
        kept={"deu_Latn": 1000, "eng_Latn": 19, "fra_Latn": 0, "zul_Latn": 0},
        dropped=["fra_Latn", "zul_Latn"],
        unknown={"nld_Latn": 1500, "": 2, "(missing)": 2},
        empty=1234,
        tokens=9,
    )
    assert report.format_table(5) == "\n".join(
        [
            "language         found      kept",
            "deu_Latn        12,345     1,000",
            "eng_Latn            20        19",
            "fra_Latn             3         0",
            "zul_Latn             0         0",
            "all             12,368     1,019",
            "left out: 1,504 rows of 3 labels that are not configured: 'nld_Latn' 1,500, '' 2, '(missing)' 2",
            "left out: 1,234 rows without a single token",
            "warning: dropped, fewer than 5 rows with a token: fra_Latn (3), zul_Latn (0)",
        ]
    )


def test_format_table_of_a_faultless_corpus() -> None:
    report = DatasetReport("", [], ["a"], {"a": 1}, {"a": 1}, [], {}, 0, 1)
    assert report.format_table(0).splitlines()[1:] == [f"a{'1':>21}{'1':>10}", f"all{'1':>19}{'1':>10}"]


def test_format_table_lists_the_most_frequent_unknown_labels() -> None:
    unknown = {f"x{number}": number + 1 for number in range(11)}
    report = DatasetReport("", [], ["a"], {"a": 1}, {"a": 1}, [], unknown, 0, 1)
    line = next(line for line in report.format_table(0).splitlines() if line.startswith("left out"))
    assert line.startswith("left out: 66 rows of 11 labels that are not configured: 'x10' 11, 'x9' 10, ")
    assert line.endswith("'x3' 4 and 3 more")


def test_report_is_kept_beside_the_ids(project: Project, write_rows: WriteRows) -> None:
    write_rows(project.root / "corpus" / "a.parquet", rows_of(2, 2, 2))
    data = project.prepare()
    stored = json.loads((data.path / "report.json").read_text(encoding="utf-8"))
    assert (stored["tokens"], stored["fingerprint"]) == (data.report.tokens, data.report.fingerprint)
