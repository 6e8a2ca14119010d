"""Sets of a suite, groups of scripts, and what models score on them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from wldetect.errors import ConfigError, DataError
from wldetect.evaluation import LabelledTexts, evaluate, run
from wldetect.evaluation.script_groups import ScriptGroup, script_groups
from wldetect.evaluation.suite import SetKind, load_suite, natural_order
from wldetect.evaluation.suite_scores import GroupFacts, GroupScores, score_suite

MakeModel = Callable[..., Path]
SENTENCES = LabelledTexts(["der"], ["deu_Latn"], "dev.parquet")


def write(path: Path, rows: list[tuple[str, str]], **columns: str) -> None:
    names = {"text": "text", "language": "language", **columns}
    table = {names["text"]: [text for text, _ in rows], names["language"]: [label for _, label in rows]}
    pq.write_table(pa.table(table), path)


def test_sets_in_natural_order(tmp_path: Path) -> None:
    for name in ("words10", "upper", "words2", "noise25", "words1x"):
        write(tmp_path / f"{name}.parquet", [(name, "deu_Latn")])
    (tmp_path / "README.txt").write_text("deu_Latn", encoding="utf-8")
    (tmp_path / ".hidden.parquet").write_bytes(b"")
    sets = load_suite(tmp_path, SENTENCES)
    assert list(sets) == ["noise25", "upper", "words1x", "words2", "words10", "sentences"]
    assert sets["words2"] == LabelledTexts(["words2"], ["deu_Latn"], str(tmp_path / "words2.parquet"), "dev")
    assert sets["sentences"] is SENTENCES
    assert sorted(["b", "", "a10", "a9b", "a9", "10", "9"], key=natural_order) == [
        "",
        "9",
        "10",
        "a9",
        "a9b",
        "a10",
        "b",
    ]


def test_kinds_of_sets() -> None:
    kinds = {
        "sentences": SetKind.SENTENCES,
        "words1": SetKind.WORDS,
        "words12": SetKind.WORDS,
        "noise25": SetKind.NOISE,
        "upper": SetKind.UPPER,
        "no_accents": SetKind.NO_ACCENTS,
        "no_punctuation": SetKind.NO_PUNCTUATION,
        "no_case": SetKind.NO_CASE,
        **dict.fromkeys(["words", "words1x", "Upper", "no_cases", "", "words1\n", "a\nb"], SetKind.OTHER),
    }
    assert {name: SetKind.of(name) for name in kinds} == kinds
    assert set(kinds.values()) == set(SetKind)
    assert [kind for kind in SetKind if kind.of_length] == [SetKind.SENTENCES, SetKind.WORDS]
    # Each says what it is, but for those of which nothing is known.
    assert [kind for kind in SetKind if not kind.description] == [SetKind.OTHER]
    assert len({kind.description for kind in SetKind}) == len(SetKind)


def test_other_columns(tmp_path: Path) -> None:
    write(tmp_path / "words1.parquet", [("der", "deu_Latn")], text="sentence", language="code")
    found = load_suite(tmp_path, None, "dev", "sentence", "code")["words1"]
    assert (found.texts, found.labels) == (["der"], ["deu_Latn"])
    with pytest.raises(DataError, match=r"words1\.parquet: expected a column 'text', found sentence, code$"):
        load_suite(tmp_path)


def test_no_sets(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        load_suite(tmp_path / "nowhere")
    with pytest.raises(
        DataError, match=re.escape(f"{tmp_path}: expected one or more files of type .parquet, found none")
    ):
        load_suite(tmp_path)
    path = tmp_path / "sentences.parquet"
    write(path, [("der", "deu_Latn")])
    with pytest.raises(NotADirectoryError, match=re.escape(str(path))):
        load_suite(path)
    assert list(load_suite(tmp_path)) == ["sentences"]
    with pytest.raises(DataError, match=re.escape(f"{path}: expected no set of this name beside dev.parquet")):
        load_suite(tmp_path, SENTENCES)


def test_groups_of_scripts() -> None:
    labels = ["deu_Latn", "rus_Cyrl", "urd_Aran", "kor_Hang", "jpn_Jpan", "hin_Deva", "tam_Taml", "amh_Ethi", "x"]
    first, second = [*labels, "mar_Deva"], [*labels, "tir_Ethi"]
    latin, cyrillic, arabic, indic, asian, one, other = ScriptGroup
    of_both = dict(zip(labels, [latin, cyrillic, arabic, asian, asian, indic, one, other, other], strict=True))
    assert script_groups(labels, [first, second]) == of_both
    # A script tells the language alone where no model has a second one in it.
    assert script_groups(labels, [first]) == of_both | {"amh_Ethi": one}
    assert script_groups(labels, [second]) == of_both | {"hin_Deva": one}


LABELS = ["deu_Latn", "eng_Latn", "rus_Cyrl"]
WORDS = {"der": [4.0, 0.0, 0.0], "the": [0.0, 4.0, 0.0], "кот": [0.0, 0.0, 4.0], "die": [3.0, 2.0, 0.0]}
ROWS = [
    ("der der", "deu_Latn"),
    ("the", "deu_Latn"),
    ("the die der", "eng_Latn"),
    ("die", "eng_Latn"),
    ("кот", "rus_Cyrl"),
    ("нет", "rus_Cyrl"),
    ("x", "fra_Latn"),
]
SETS = {
    "words1": LabelledTexts(*map(list, zip(*ROWS, strict=True)), "words1.parquet"),
    "upper": LabelledTexts(["the", "кот", "x"], ["eng_Latn", "rus_Cyrl", "zul_Latn"], "upper.parquet"),
}


def test_scores_of_one_model(make_model_dir: MakeModel) -> None:
    model = make_model_dir(LABELS, WORDS, name="tiny")
    result = score_suite([model], SETS, threads=1)
    assert [one.name for one in result.models] == ["tiny"]
    assert (result.table, result.features, result.threads) == ("e3m4", "all", 1)
    assert result.left_out == {"fra_Latn": ["tiny"], "zul_Latn": ["tiny"]}
    latin, cyrillic = ScriptGroup.LATIN, ScriptGroup.CYRILLIC
    assert result.groups == {"deu_Latn": latin, "eng_Latn": latin, "rus_Cyrl": cyrillic}
    facts = result.sets["words1"]
    assert (facts.data, facts.left_out) == ("words1.parquet", 1)
    assert facts.all == GroupFacts(3, 6, 9 / 6)
    assert facts.groups == {latin: GroupFacts(2, 4, 7 / 4), cyrillic: GroupFacts(1, 2, 1.0)}
    assert result.sets["upper"].groups[latin] == GroupFacts(1, 1, 1.0)

    # The scores of a whole set are those of an evaluation on it alone.
    for name, texts in SETS.items():
        alone = evaluate(model, texts, threads=1)
        assert result.models[0].sets[name].scores == alone.scores
        assert result.models[0].sets[name].classes == [one for one in alone.classes if one.support]
    scores = result.models[0].sets["words1"]
    # German: one of two right, and all English taken for it. Russian: one of two without an answer.
    assert scores.groups == {latin: GroupScores(1 / 4, (2 / 5 + 0) / 2), cyrillic: GroupScores(1 / 2, 2 / 3)}
    assert scores.scores.unanswered == 1
    right, wrong = scores.scores.mean_confidence_correct, scores.scores.mean_confidence_wrong
    assert right is not None and wrong is not None
    assert scores.mean_probability == pytest.approx((2 * right + 3 * wrong) / 5)


def test_models_are_scored_on_the_same_texts(make_model_dir: MakeModel, tmp_path: Path) -> None:
    first = make_model_dir([*LABELS, "fra_Latn"], {word: [*logits, 0.0] for word, logits in WORDS.items()}, name="a/m")
    second = make_model_dir(["rus_Cyrl", "deu_Latn"], {"кот": [4.0, 0.0], "der": [0.0, 4.0]}, name="b/m")
    result = score_suite([first, second], SETS, threads=1)
    assert [one.name for one in result.models] == ["a/m", "b/m"]
    assert result.left_out == {"eng_Latn": ["b/m"], "fra_Latn": ["b/m"], "zul_Latn": ["a/m", "b/m"]}
    assert [one.sets["words1"].scores.n for one in result.models] == [4, 4]
    assert [one.sets["words1"].scores.n_correct for one in result.models] == [2, 2]
    # The first may still answer English to a German text, and does; the second does not know the word.
    assert [one.sets["words1"].scores.unanswered for one in result.models] == [1, 2]
    assert [one.sets["words1"].scores.accuracy for one in result.models] == [0.5, 0.5]
    with pytest.raises(ConfigError, match=re.escape(f"models: expected different directories, found {first} 2 times")):
        score_suite([first, tmp_path / "b" / ".." / "a" / "m"], SETS)


def test_a_set_without_a_common_language(make_model_dir: MakeModel) -> None:
    model = make_model_dir(LABELS, WORDS)
    sets = SETS | {"words2": LabelledTexts(["x"], ["zul_Latn"], "words2.parquet")}
    with pytest.raises(DataError, match=r"^words2\.parquet: expected texts of .* 3 languages .*\(zul_Latn\)$"):
        score_suite([model], sets)
    other = make_model_dir(["zul_Latn"], {"x": [1.0]}, name="other")
    with pytest.raises(ConfigError, match=r"^models: .* languages that all of model, other know, found none$"):
        score_suite([model, other], SETS)


def test_features_are_passed_on_when_given(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[dict[str, Any]] = []

    class Recorder:
        @staticmethod
        def load(path: str, **options: Any) -> None:
            calls.append(options)

    monkeypatch.setattr(run, "WLDetect", Recorder)
    run.open_detector("model", "float32")
    run.open_detector("model", "e3m4", "tokens")
    assert calls == [{"table": "float32"}, {"table": "e3m4", "features": "tokens"}]
