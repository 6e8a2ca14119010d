"""Evaluating a small model directory through the detector."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

import wldetect
from wldetect.errors import ArtifactError, DataError
from wldetect.evaluation import ConfusedPair, LabelledTexts, evaluate

LANGUAGES = ["deu_Latn", "eng_Latn", "fra_Latn"]
WORDS = {
    "der": [4.0, 0.0, 0.0],
    "the": [0.0, 4.0, 0.0],
    "die": [3.0, 2.0, 0.0],
}
TEXTS = [
    ("deu_Latn", "der der"),
    ("eng_Latn", "the"),
    ("eng_Latn", "die"),
    ("nld_Latn", "der"),
    ("deu_Latn", "\u00fcberhaupt"),
    ("abk_Cyrl", "the"),
    ("nld_Latn", "the"),
]


@pytest.fixture
def texts() -> LabelledTexts:
    return LabelledTexts([text for _, text in TEXTS], [label for label, _ in TEXTS], "small", "dev")


def test_evaluate(make_model_dir: Callable[..., Path], texts: LabelledTexts) -> None:
    model = make_model_dir(LANGUAGES, WORDS, name="tiny")
    result = evaluate(model, texts, threads=1)
    assert result.confusion.tolist() == [[1, 0, 0, 1], [1, 1, 0, 0], [0, 0, 0, 0]]
    assert (result.scores.n, result.scores.n_correct, result.scores.unanswered) == (4, 2, 1)
    assert result.pairs == [ConfusedPair("eng_Latn", "deu_Latn", 1, 0.5)]
    assert [one.label for one in result.classes] == LANGUAGES == result.languages
    assert [one.support for one in result.classes] == [2, 2, 0]
    assert result.labels_not_in_model == {"abk_Cyrl": 1, "nld_Latn": 2}
    assert list(result.labels_not_in_model) == ["abk_Cyrl", "nld_Latn"]
    assert result.labels_without_texts == ["fra_Latn"]
    certain = math.exp(4) / (math.exp(4) + 2)
    assert result.scores.mean_confidence_correct == pytest.approx(certain, rel=1e-6)
    assert result.scores.mean_confidence_wrong == pytest.approx(math.exp(3) / (math.exp(3) + math.exp(2) + 1), rel=1e-6)


def test_provenance(make_model_dir: Callable[..., Path], texts: LabelledTexts) -> None:
    result = evaluate(make_model_dir(LANGUAGES, WORDS, name="tiny", pooling="max"), texts, threads=2)
    assert (result.model, result.table, result.pooling) == ("tiny", "e3m4", "max")
    assert (result.data, result.split, result.threads) == ("small", "dev", 2)
    assert result.version == wldetect.__version__
    age = datetime.now(timezone.utc) - datetime.fromisoformat(result.date)
    assert timedelta(0) <= age < timedelta(minutes=5)
    # Only what is scored is counted; the umlaut is two bytes.
    assert result.n_bytes == len("der der" + "the" + "die") + len("\u00fcberhaupt") + 1
    assert result.seconds > 0
    assert result.texts_per_second == pytest.approx(4 / result.seconds)
    assert result.bytes_per_second == pytest.approx(result.n_bytes / result.seconds)


def test_model_path_without_a_name(
    make_model_dir: Callable[..., Path], texts: LabelledTexts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(make_model_dir(LANGUAGES, WORDS, name="tiny"))
    assert evaluate(".", texts).model == "tiny"


@pytest.mark.parametrize("table", ["e3m4", "e4m3fn", "float32"])
def test_every_table(table: str, make_model_dir: Callable[..., Path], texts: LabelledTexts) -> None:
    # Swapped columns in the other tables: only the one asked for gives the right answers.
    for other in ("e3m4", "e4m3fn", "float32"):
        words = WORDS if other == table else {word: [0.0, *logits[:2]] for word, logits in WORDS.items()}
        model = make_model_dir(LANGUAGES, words, dtype=other, scale=0.25)
    result = evaluate(model, texts, table=table)
    assert result.table == table
    assert result.scores.n_correct == 2


def test_more_texts_than_a_chunk(make_model_dir: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wldetect.evaluation.run._CHUNK", 3)
    labels = [LANGUAGES[i % 2] for i in range(8)]
    texts = LabelledTexts(["der" if label == "deu_Latn" else "the" for label in labels], labels, "many")
    result = evaluate(make_model_dir(LANGUAGES, WORDS), texts)
    assert (result.scores.n, result.scores.accuracy) == (8, 1.0)
    assert result.split is None


def test_no_progress_bar_without_a_terminal(
    make_model_dir: Callable[..., Path], texts: LabelledTexts, capfd: pytest.CaptureFixture[str]
) -> None:
    model = make_model_dir(LANGUAGES, WORDS)
    for progress in (True, False):
        evaluate(model, texts, progress=progress)
    assert capfd.readouterr() == ("", "")


def test_nothing_to_score(make_model_dir: Callable[..., Path]) -> None:
    model = make_model_dir(LANGUAGES, WORDS)
    expected = "expected texts of the model's 3 languages (deu_Latn, eng_Latn, fra_Latn)"
    with pytest.raises(DataError) as caught:
        evaluate(model, LabelledTexts(["x", "y"], ["nld_Latn", "abk_Cyrl"], "small"))
    found = "found only labels that it does not know (abk_Cyrl, nld_Latn)"
    assert str(caught.value) == f"small: {expected}, {found}"
    with pytest.raises(DataError) as caught:
        evaluate(model, LabelledTexts([], [], "small"))
    assert str(caught.value) == f"small: {expected}, found no texts"


def test_bad_model(make_model_dir: Callable[..., Path], texts: LabelledTexts, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        evaluate(tmp_path / "none", texts)
    model = make_model_dir(LANGUAGES, WORDS)
    with pytest.raises(FileNotFoundError):
        evaluate(model, texts, table="e4m3fn")
    with pytest.raises(ValueError, match="float16"):
        evaluate(model, texts, table="float16")
    with pytest.raises(ValueError, match="threads"):
        evaluate(model, texts, threads=0)
    (model / "tokenizer.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ArtifactError, match=r"tokenizer\.json"):
        evaluate(model, texts)


def test_masked_words_add_nothing(make_model_dir: Callable[..., Path]) -> None:
    model = make_model_dir(LANGUAGES, WORDS, mask=["the"])
    result = evaluate(model, LabelledTexts(["the", "the der"], ["deu_Latn", "deu_Latn"], "small"))
    assert (result.scores.unanswered, result.scores.n_correct) == (1, 1)


def test_import_is_light() -> None:
    heavy = "{'torch', 'matplotlib', 'pyarrow', 'datasets', 'pydantic', 'tqdm', 'tokenizers', 'gguf'}"
    program = f"import sys, wldetect.evaluation; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_unknown_languages_are_counted_and_rated(make_model_dir: Callable[..., Path], texts: LabelledTexts) -> None:
    calibration = {"all": {"inverse_temperatures": [0.5, 1.0], "thresholds": {"deu_Latn": 0.7}}}
    more = {"calibration": json.dumps(calibration), "hidden_languages": '["eng_Latn"]'}
    result = evaluate(make_model_dir(LANGUAGES, WORDS, more=more), texts, threads=1)
    # "die" is taken for German, but hardly; "the" is right and hidden; one text has no known word.
    assert result.confusion.tolist() == [[1, 0, 0, 1], [0, 0, 0, 2], [0, 0, 0, 0]]
    assert (result.scores.unanswered, result.unknown) == (3, 2)
    die = math.exp(1.5) / (math.exp(1.5) + math.exp(1) + 1)
    the, der = (math.exp(logit) / (math.exp(logit) + 2) for logit in (2, 4))
    rated = result.reliability
    assert (rated.texts, rated.accuracy) == (3, pytest.approx(2 / 3))
    assert rated.mean_confidence == pytest.approx((die + the + der) / 3)
    assert rated.expected_calibration_error == pytest.approx((die + (1 - the) + (1 - der)) / 3)
