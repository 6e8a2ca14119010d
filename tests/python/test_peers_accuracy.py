"""Accuracy beside other detectors: who is asked what, and what is made of it. Nothing is installed or downloaded."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benches" / "peers"))

import accuracy
from accuracy_report import Setting, as_json, as_markdown
from adapters import Peer, UnavailableError, peer_named
from answers import Answered, common_languages, score_answers, score_both
from bench import Bench
from texts import even_order

MakeModel = Callable[..., Path]
SETTING = Setting("2026-01-02T03:04:05+00:00", "abc1234", None, "dev.parquet", None, "python accuracy.py")
# What the pretended detectors know; each answers with the first word of a text, which is a code or "und".
KNOWN = {"wldetect": ["eng_Latn", "spa_Latn", "nob_Latn"], "pycld2": ["en", "fr", "no"], "lingua": ["eng", "spa"]}


def row(table: str, name: str) -> list[str]:
    """The cells of the first row for ``name``."""
    line = next(line for line in table.splitlines() if line.startswith(f"| {name} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def answered(name: str, languages: Sequence[str], given: Sequence[int], answers: Sequence[str | None]) -> Answered:
    return Answered(peer_named(name), about={"languages": languages}, given=[*given], answers=[*answers])


@pytest.fixture
def write_data(tmp_path: Path) -> Callable[..., Path]:
    def write(rows: Sequence[tuple[str, str]]) -> Path:
        path = tmp_path / "dev.parquet"
        pq.write_table(pa.table({"text": [text for text, _ in rows], "language": [label for _, label in rows]}), path)
        return path

    return write


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[list[str], int]]:
    """Detectors are pretended; texts and number of threads of each, as far as it was asked."""
    asked: dict[str, tuple[list[str], int]] = {}

    def work(_bench: Bench, peer: Peer, kind: str, threads: int, *, warm: Path, texts: Path | None = None) -> Any:
        assert len(json.loads(warm.read_text())) == 2
        if peer.name not in KNOWN:
            raise UnavailableError("no such file")
        if kind == "describe":
            return {"languages": KNOWN[peer.name], "versions": dict.fromkeys(peer.own or (peer.name,), "1.0")}
        assert kind == "answer" and texts is not None
        some = json.loads(texts.read_text())["texts"]
        asked[peer.name] = (some, threads)
        codes = [text.split()[0] for text in some]
        return {"codes": [None if code == "none" else code for code in codes]}

    monkeypatch.setattr(Bench, "install", lambda _bench, _peer: None)
    monkeypatch.setattr(Bench, "work", work)
    return asked


def test_each_is_scored_over_its_own_languages_and_this_package_on_the_same_texts(
    write_data: Callable[..., Path], given: dict[str, tuple[list[str], int]], tmp_path: Path,
    capsys: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    # Right, wrong, unknown and no answer; French, which this package lacks; nobody knows Czech.
    rows = [("eng a", "eng_Latn"), ("spa b", "eng_Latn"), ("no c", "nob_Latn"), ("und d", "nob_Latn"),
            ("none e", "spa_Latn"), ("spa f", "spa_Latn"), ("fra g", "fra_Latn"), ("eng h", "ces_Latn")]  # fmt: skip
    records = tmp_path / "records"
    command = ["--data", str(write_data(rows)), "--peers", "lingua", "pycld2", "eldc", "--records", str(records)]
    assert accuracy.main([*command, "--threads", "1"]) == 0
    printed = capsys.readouterr().out
    (markdown,) = records.glob("*.md")
    assert markdown.read_text(encoding="utf-8") == printed and markdown.stem.endswith("-accuracy-dev")
    assert str(tmp_path) not in printed + markdown.with_suffix(".json").read_text(encoding="utf-8")
    assert {name: len(texts) for name, (texts, _) in given.items()} == {"wldetect": 8, "pycld2": 5, "lingua": 4}
    own, common = printed.split("## All over the languages that every one knows")
    # F1: eng 2/3, spa 1/2, nob 2/3.
    assert row(own, "wldetect") == ["wldetect", "3", "3", "6", "50.00", "61.11", "-", "-", ""]
    # Without Spanish texts "spa" takes precision from nobody: eng 2/3, nob 2/3, fra 1; the stand-in knows French.
    assert row(own, "pycld2") == ["pycld2", "3", "3", "5", "60.00", "77.78", "60.00", "77.78", ""]
    # eng 2/3, spa 1/2.
    assert row(own, "lingua") == ["lingua", "2", "2", "4", "50.00", "58.33", "50.00", "58.33", ""]
    assert row(own, "eldc")[-1] == "no such file"
    assert "so that it is wrong on all their texts: pycld2: fra." in own
    assert "Languages with texts: 1 (eng)." in common
    assert row(common, "pycld2") == ["pycld2", "2", "50.00", "66.67", "50.00", "66.67", ""]
    numbers = json.loads(markdown.with_suffix(".json").read_text(encoding="utf-8"))
    assert numbers["common_languages"] == ["eng"] and numbers["peers"]["eldc"]["own"] is None
    assert numbers["peers"]["lingua"]["own"] == {
        "texts": 4,
        "accuracy": 0.5,
        "macro_f1": pytest.approx(7 / 12),
        "wldetect": {"accuracy": 0.5, "macro_f1": pytest.approx(7 / 12)},
    }
    assert numbers["peers"]["pycld2"]["common"]["texts"] == 2


def test_slow_detectors_get_as_many_texts_of_each_label(
    write_data: Callable[..., Path], given: dict[str, tuple[list[str], int]], capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [(f"{code} {number}", f"{code}_Latn") for code in ("eng", "spa", "nob") for number in range(50)]
    command = [
        "--data",
        str(write_data(rows)),
        "--no-record",
        "--limit",
        "90",
        "--limit-slow",
        "20",
        "--threads",
        "all",
    ]
    assert accuracy.main([*command, "--peers", "pycld2", "lingua"]) == 0
    texts = {name: texts for name, (texts, _) in given.items()}
    assert Counter(text.split()[0] for text in texts["wldetect"]) == {"eng": 30, "spa": 30, "nob": 30}
    assert Counter(text.split()[0] for text in texts["lingua"]) == {"eng": 10, "spa": 10}
    assert set(texts["lingua"]) < set(texts["wldetect"]) and len(texts["pycld2"]) == 60
    assert given["lingua"][1] == accuracy.cpu_count() and given["pycld2"][1] == 1
    own, common = capsys.readouterr().out.split("## All over the languages that every one knows")
    assert row(own, "lingua")[3] == "20" and row(own, "lingua")[-1] == "slow: 20 of 60 texts"
    assert row(common, "lingua")[1] == "10" and row(common, "pycld2")[1] == "30"


def test_an_interruption_prints_what_is_finished(
    write_data: Callable[..., Path], given: dict[str, tuple[list[str], int]], monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    work = Bench.work

    def interrupted(bench: Bench, peer: Peer, kind: str, *others: Any, **more: Any) -> Any:
        if (peer.name, kind) == ("lingua", "answer"):
            raise KeyboardInterrupt
        return work(bench, peer, kind, *others, **more)

    monkeypatch.setattr(Bench, "work", interrupted)
    command = [
        "--data",
        str(write_data([("eng a", "eng_Latn"), ("no b", "nob_Latn")])),
        "--records",
        str(tmp_path / "r"),
    ]
    assert accuracy.main([*command, "--peers", "pycld2", "lingua"]) == 130
    own, common = capsys.readouterr().out.split("## All over the languages that every one knows")
    assert row(own, "pycld2")[4:8] == ["100.00"] * 4 and row(own, "lingua")[-1] == "not run"
    # What has not been run takes no language from the others.
    assert "Languages with texts: 2 (eng, nor)." in common
    assert not (tmp_path / "r").exists()


def test_this_package_answers_in_a_process_of_its_own(
    make_model_dir: MakeModel, write_data: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    words = {"one": [2.0, 0.0, 0.0], "uno": [0.0, 2.0, 0.0], "salve": [0.0, 0.0, 2.0]}
    hidden = {"hidden_languages": '["lat_Latn"]'}
    model = make_model_dir(["eng_Latn", "spa_Latn", "lat_Latn"], words, more=hidden)
    # Latin is hidden: its word is unknown, and its texts are none of a language that is known. The last has no answer.
    rows = [("one", "eng_Latn"), ("salve", "eng_Latn"), ("uno", "spa_Latn"), ("salve", "lat_Latn"), ("?", "spa_Latn")]
    command = ["--data", str(write_data(rows)), "--model-path", str(model), "--no-record", "--threads", "1"]
    assert accuracy.main([*command, "--peers", "wldetect"]) == 0
    printed = capsys.readouterr().out
    assert row(printed, "wldetect") == ["wldetect", "2", "2", "4", "50.00", "66.67", "-", "-", ""]
    assert "with the model `model`" in printed


def test_this_package_must_run(
    write_data: Callable[..., Path], given: dict[str, tuple[list[str], int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(KNOWN, "wldetect")
    with pytest.raises(SystemExit, match="wldetect does not run: no such file"):
        accuracy.main(["--data", str(write_data([("eng a", "eng_Latn"), ("eng b", "eng_Latn")])), "--no-record"])
    assert not given


def test_texts_of_some_languages_only(
    write_data: Callable[..., Path], given: dict[str, tuple[list[str], int]], tmp_path: Path
) -> None:
    config = tmp_path / "some.yaml"
    models = Path(__file__).parents[2] / "configs" / "models"
    command = ["--data", str(write_data([("a", "eng_Latn"), ("b", "tlh_Latn"), ("c", "spa_Latn")])), "--languages"]
    texts, labels = accuracy.read(accuracy.parse([*command, str(models / "gemma3-270m.yaml")]))
    assert sorted(zip(texts, labels, strict=True)) == [("a", "eng_Latn"), ("c", "spa_Latn")]
    config.write_text("languages: 7\n", encoding="utf-8")
    with pytest.raises(SystemExit, match=r"some\.yaml"):
        accuracy.read(accuracy.parse([*command, str(config)]))
    assert accuracy.main([*command, str(models / "gemma3-270m.yaml"), "--records", str(tmp_path / "records")]) == 0
    (markdown,) = (tmp_path / "records").glob("*.md")
    # Beside the record of all languages, not in its place.
    assert markdown.stem.endswith("-accuracy-dev-gemma3-270m")
    assert "2 labels, only those of `gemma3-270m.yaml`, " in markdown.read_text(encoding="utf-8")
    write_data([("b", "tlh_Latn")])
    with pytest.raises(SystemExit, match=r"dev\.parquet: expected texts with a label to use, found none"):
        accuracy.read(accuracy.parse([*command, str(models / "gemma3-270m.yaml")]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--languages", "none.yaml"], "--languages: there is no file none.yaml"),
        (["--limit-slow", "0"], "expected at least 1, found 0"),
        (["--peers", "wldetect-arrays"], "invalid choice: 'wldetect-arrays'"),
        (["--threads", "4096"], "4096 asked for"),
    ],
)
def test_arguments_are_checked(write_data: Callable[..., Path], capsys: pytest.CaptureFixture[str],
                               arguments: list[str], message: str) -> None:  # fmt: skip
    with pytest.raises(SystemExit):
        accuracy.parse(["--data", str(write_data([("a", "eng_Latn")])), *arguments])
    assert message in capsys.readouterr().err


def f1(language: str, truth: Sequence[str], answers: Sequence[str | None]) -> float:
    """By definition, one language, text by text."""
    pairs = list(zip(truth, answers, strict=True))
    right = sum(true == answer == language for true, answer in pairs)
    wrongly = sum(answer == language != true for true, answer in pairs)
    missed = sum(true == language != answer for true, answer in pairs)
    return 2 * right / (2 * right + wrongly + missed)


def test_macro_f1_is_over_the_languages_of_the_texts() -> None:
    truth = ["eng", "eng", "eng", "spa", "spa", "nor"]
    answers = ["eng", "spa", None, "spa", "fra", "eng"]
    scores = score_answers(truth, answers)
    assert (scores.n, scores.accuracy) == (6, pytest.approx(2 / 6))
    assert scores.macro_f1 == pytest.approx(sum(f1(one, truth, answers) for one in ("eng", "spa", "nor")) / 3)
    assert scores.macro_f1 == pytest.approx((2 / 5 + 2 / 4 + 0) / 3)


def test_this_package_is_scored_on_the_texts_that_the_other_was_given() -> None:
    truth = ["eng", "spa", "eng", "nor"]
    this = answered("wldetect", ["eng_Latn", "nob_Latn"], [0, 1, 2, 3], ["eng", "eng", "nor", "nor"])
    slow = answered("lingua", ["eng", "spa"], [2, 1], ["eng", "spa"])
    not_run = answered("eldc", [], [], [])
    assert common_languages([this, slow, not_run], truth) == {"eng"}
    both = score_both(slow, this, truth, slow.knows())
    assert both is not None and [(one.n, one.n_correct) for one in both] == [(2, 2), (2, 0)]
    both = score_both(slow, this, truth, {"eng"})
    assert both is not None and [(one.n, one.n_correct) for one in both] == [(1, 1), (1, 0)]
    assert score_both(not_run, this, truth, {"eng"}) is None
    assert score_both(slow, this, truth, {"nor"}) is None


def test_nothing_in_common_is_said() -> None:
    this = answered("wldetect", ["eng_Latn"], [0, 1], ["eng", "spa"])
    other = answered("lingua", ["spa"], [1], ["spa"])
    text = as_markdown(SETTING, [this, other], ["eng_Latn", "spa_Latn"])
    assert "Languages with texts: 0." in text
    assert row(text.split("## All over")[1], "lingua")[-1] == "no text is left"
    assert as_json(SETTING, [this, other], ["eng_Latn", "spa_Latn"])["peers"]["lingua"]["common"] is None


def test_labels_that_are_one_language_are_named() -> None:
    labels = ["cmn_Hans", "cmn_Hant", "arz_Arab", "eng_Latn", "eng_Latn", "arb_Arab"]
    text = as_markdown(SETTING, [answered("wldetect", ["eng_Latn"], [3], ["eng"])], labels)
    assert "are one language here: ara (arb_Arab, arz_Arab); zho (cmn_Hans, cmn_Hant).\n" in text
    assert "6 texts of `dev.parquet`, 5 labels, 3 languages as they are compared." in text
    assert "with the model inside the package" in text


def test_every_beginning_of_the_order_is_even() -> None:
    labels = ["a"] * 30 + ["b"] * 7 + ["c"] * 30
    order = even_order(labels)
    assert sorted(order) == list(range(67)) and order == even_order(labels) and order[:3] != [0, 30, 37]
    for length in range(67):
        count = Counter(labels[position] for position in order[:length])
        assert abs(count["a"] - count["c"]) <= 1 and count["b"] in (7, count["a"], count["a"] - 1, count["a"] + 1)
    left = [position for position in order if labels[position] != "c"][:8]
    assert Counter(labels[position] for position in left) == {"a": 4, "b": 4}
