"""What the kept token ids depend on, what an interruption leaves of them, and the report that is kept with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wldetect.data import dataset as module
from wldetect.data import readers
from wldetect.data.dataset import DatasetReport
from wldetect.data.shards import ShardWriter
from wldetect.errors import DataError

from .project import LABELS, CountingTokenizer, Project, WriteRows, content, definition, expected, rows_of, shards


def names_in(directory: Path) -> list[str]:
    return sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file())


def test_files_of_the_cache(project: Project, write_rows: WriteRows) -> None:
    write_rows(project.root / "corpus" / "a.parquet", rows_of(2, 2, 2))
    data = project.prepare()
    assert data.path is not None
    assert data.path.parent == project.root / "cache" / "tokens"
    arrays = ["labels.npy", "offsets.npy", "weights.npy"]
    assert names_in(data.path) == sorted(
        ["report.json", "shards.json", "shard-00000/ids.bin", *(f"shard-00000/{name}" for name in arrays)]
    )
    texts = project.changed(dataset__cleaning={"nfc": True}, dataset__shard_texts=3).prepare(keep_texts=True)
    assert texts.path is not None
    of_shards = [f"shard-0000{number}/{name}" for number in (0, 1) for name in ["texts.bin", *arrays]]
    assert names_in(texts.path) == sorted(["cleaning_report.json", "report.json", "shards.json", *of_shards])


def test_second_call_does_not_tokenize(project: Project, write_rows: WriteRows) -> None:
    write_rows(project.root / "corpus" / "a.parquet", rows_of(3, 3, 3))
    first = project.prepare()
    calls = len(project.tokenizer.calls)
    assert calls > 0
    assert first.path is not None
    written = {path: path.stat().st_mtime_ns for path in first.path.rglob("*")}
    second = project.prepare()
    assert len(project.tokenizer.calls) == calls
    assert second.path == first.path
    assert {path: path.stat().st_mtime_ns for path in first.path.rglob("*")} == written
    assert shards(second) == shards(first)
    assert second.report == first.report


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
        project.changed(dataset__max_repeats=7),
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
    write_rows(project.root / "held" / "a.jsonl", {"text": ["w50"]})
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
        project.changed(dataset__sampling_alpha=0.5),
        project.changed(dataset__sampling_alpha=0.5, dataset__max_repeats=2),
        project.changed(dataset__shard_texts=4),
        project.changed(dataset__cleaning={"nfc": True}),
        project.changed(dataset__cleaning={"min_letters": 1}),
        project.changed(dataset__held_out=[str(project.root / "held" / "a.jsonl")]),
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
    monkeypatch.setattr(readers, "_ROWS", 4)
    rows = rows_of(5, 5, 5)
    write_rows(project.root / "corpus" / "a.parquet", rows)
    interrupted = project.changed()
    interrupted.tokenizer = CountingTokenizer(definition(), interrupt_at=call)
    with pytest.raises(KeyboardInterrupt):
        interrupted.prepare()
    assert project.built() == []
    assert content(project.prepare()) == expected(project, zip(rows["language"], rows["text"], strict=True))
    assert len(project.built()) == 1


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_fault_while_shuffling_leaves_nothing(
    error: BaseException, project: Project, write_rows: WriteRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_rows(project.root / "corpus" / "a.parquet", rows_of(5, 5, 5))
    save, saved = np.save, []

    def failing(path: Path, array: Any) -> None:
        saved.append(path)
        if len(saved) == 4:
            raise error
        save(path, array)

    with monkeypatch.context() as patch, pytest.raises(type(error)):
        patch.setattr(np, "save", failing)
        project.changed(dataset__shard_texts=5).prepare()
    assert len({path.parent for path in saved}) == 2
    assert project.built() == []
    assert len(project.changed(dataset__shard_texts=5).prepare()) == 15


def test_another_process_may_be_faster(
    project: Project, write_rows: WriteRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it has written stays, since it may be in use; ours is thrown away."""
    write_rows(project.root / "corpus" / "a.parquet", rows_of(2, 2, 2))
    first = project.prepare()
    assert first.path is not None
    written = {path: path.stat().st_ino for path in first.path.rglob("*")}
    report = first.path / "report.json"
    hidden = report.rename(project.root / "report.json")
    finish = ShardWriter.finish

    def late(*arguments: Any) -> dict[str, int]:
        hidden.rename(report)
        return finish(*arguments)

    monkeypatch.setattr(ShardWriter, "finish", late)
    assert shards(project.prepare()) == shards(first)
    assert {path: path.stat().st_ino for path in first.path.rglob("*")} == written
    assert project.built() == [first.path.name]


def test_damaged_directory_is_built_anew(project: Project, write_rows: WriteRows) -> None:
    rows = rows_of(2, 2, 2)
    write_rows(project.root / "corpus" / "a.parquet", rows)
    first = project.prepare()
    assert first.path is not None
    (first.path / "report.json").unlink()
    (first.path / "shard-00000" / "ids.bin").write_bytes(b"")
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
    assert data.path is not None
    stored = json.loads((data.path / "report.json").read_text(encoding="utf-8"))
    assert (stored["tokens"], stored["fingerprint"]) == (data.report.tokens, data.report.fingerprint)
