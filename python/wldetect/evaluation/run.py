"""Scoring a model directory on labelled texts, through the detector that users run."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from wldetect import WLDetect, __version__
from wldetect.errors import DataError
from wldetect.evaluation.flores import LabelledTexts
from wldetect.evaluation.metrics import (
    NO_ANSWER,
    ClassScores,
    ConfusedPair,
    Scores,
    class_scores,
    confused_pairs,
    confusion_matrix,
    mean_confidences,
    overall_scores,
)
from wldetect.evaluation.reliability import Reliability, reliability

__all__ = [
    "EvaluationResult",
    "detect_all",
    "evaluate",
    "most_probable",
    "nothing_to_score",
    "open_detector",
    "unknown_languages",
]

# Large enough that starting the threads costs nothing, small enough that the progress bar moves.
_CHUNK = 8192
_MOST_NAMED = 5


@dataclass(frozen=True, eq=False)
class EvaluationResult:
    """Everything an evaluation found out, and what it was an evaluation of.

    Attributes:
        scores: over all scored texts.
        unknown: texts whose language was said to be unknown, ``und``; they are among the unanswered ones.
        reliability: of the probabilities of most probable labels, those of unknown languages among them.
        classes: scores of each language of the model, in the order of ``languages``.
        pairs: pairs of languages that were confused, the most frequent first.
        languages: language codes of the model, by index.
        confusion: int64 [L, L + 1]: true language, predicted language; the last column is "no answer".
        labels_not_in_model: labels of texts that were not scored, with the number of their texts.
        labels_without_texts: languages of the model that no text has.
        model: name of the model directory.
        table: dtype of the table: ``e3m4``, ``e4m3fn`` or ``float32``.
        features: the rows that were used: ``all`` that the model has, ``tokens`` or ``ngrams``.
        pooling: how the model pools tokens.
        data: name of the data.
        split: the part of the data, if it has parts.
        date: when the evaluation began, UTC, in ISO 8601.
        version: of this package.
        threads: threads that were asked for; None: one a core.
        seconds: wall clock spent in the detector.
        n_bytes: UTF-8 bytes of the scored texts.
    """

    scores: Scores
    unknown: int
    reliability: Reliability
    classes: list[ClassScores]
    pairs: list[ConfusedPair]
    languages: list[str]
    confusion: NDArray[np.int64]
    labels_not_in_model: dict[str, int]
    labels_without_texts: list[str]
    model: str
    table: str
    features: str
    pooling: str
    data: str
    split: str | None
    date: str
    version: str
    threads: int | None
    seconds: float
    n_bytes: int

    @property
    def texts_per_second(self) -> float:
        """Scored texts a second."""
        return self.scores.n / self.seconds if self.seconds > 0 else 0.0

    @property
    def bytes_per_second(self) -> float:
        """UTF-8 bytes of scored texts a second."""
        return self.n_bytes / self.seconds if self.seconds > 0 else 0.0


def evaluate(
    model_path: str | os.PathLike[str],
    texts: LabelledTexts,
    table: str = "e3m4",
    threads: int | None = None,
    progress: bool = True,
    features: str | None = None,
) -> EvaluationResult:
    """Score the model directory ``model_path`` on labelled texts.

    Texts whose label is not a language of the model are not scored, but counted.

    Args:
        model_path: the model directory.
        texts: what to score it on.
        table: dtype of the table to use: ``e3m4``, ``e4m3fn`` or ``float32``.
        threads: threads to use; None: one a core.
        progress: whether to show a progress bar; it is never shown where standard error is not a terminal.
        features: which rows to use, ``all`` that the model has, ``tokens`` or ``ngrams``; None: all.

    Raises:
        DataError: no text has a language of the model.
        FileNotFoundError: the model directory lacks a file.
        ArtifactError: a file of it is malformed.
        ValueError: ``table`` is none of the three, or ``threads`` is 0.
    """
    date = datetime.now(timezone.utc).isoformat(timespec="seconds")
    detector = open_detector(model_path, table, features)
    languages = detector.languages
    index = {language: i for i, language in enumerate(languages)}
    unknown = Counter(label for label in texts.labels if label not in index)
    scored = [text for text, label in zip(texts.texts, texts.labels, strict=True) if label in index]
    if not scored:
        raise DataError(f"{texts.name}: {nothing_to_score(unknown, languages)}")
    true = np.array([index[label] for label in texts.labels if label in index], dtype=np.int64)

    predicted, probabilities, seconds = detect_all(detector, scored, threads, progress)
    best = most_probable(scored, predicted, probabilities, (model_path, table, features), threads)
    confusion = confusion_matrix(true, predicted, len(languages))
    classes = class_scores(confusion, languages)
    return EvaluationResult(
        scores=overall_scores(confusion, mean_confidences(true, predicted, probabilities)),
        unknown=int(np.count_nonzero(unknown_languages(predicted, probabilities))),
        reliability=reliability(probabilities[best != NO_ANSWER], (best == true)[best != NO_ANSWER]),
        classes=classes,
        pairs=confused_pairs(confusion, languages),
        languages=languages,
        confusion=confusion,
        labels_not_in_model=dict(sorted(unknown.items())),
        labels_without_texts=sorted(one.label for one in classes if one.support == 0),
        # The path may be ".", which has no name.
        model=Path(model_path).resolve().name,
        table=table,
        features="all" if features is None else features,
        pooling=detector.pooling,
        data=texts.name,
        split=texts.split,
        date=date,
        version=__version__,
        threads=threads,
        seconds=seconds,
        # A lone surrogate, which UTF-8 does not have, is three bytes as the replacement character is.
        n_bytes=sum(len(text.encode("utf-8", "surrogatepass")) for text in scored),
    )


def open_detector(
    model_path: str | os.PathLike[str], table: str, features: str | None = None, *, answer_all: bool = False
) -> WLDetect:
    """Load a model with the table ``table``, and with ``features`` (``all``, ``tokens`` or ``ngrams``) where given.

    With ``answer_all``, no language is unknown: it has no threshold and hides nothing.

    Raises:
        OSError, ArtifactError: the model cannot be loaded.
        ValueError: there is no such table or choice of features.
    """
    given: dict[str, Any] = {} if features is None else {"features": features}
    if answer_all:
        given |= {"threshold": 0.0, "hidden": "report"}
    # The detector checks the names, and lists the valid ones.
    return WLDetect.load(model_path, table=cast(Literal["e3m4", "e4m3fn", "float32"], table), **given)


def detect_all(
    detector: WLDetect, texts: Sequence[str], threads: int | None, progress: bool, name: str = "evaluate"
) -> tuple[NDArray[np.int64], NDArray[np.float64], float]:
    """Detect the language of each text, under a progress bar called ``name``.

    Returns:
        int64 [n], the labels, `NO_ANSWER` for none; float64 [n], the probabilities of the most probable ones, 0 where
        nothing is known of a text; seconds spent in the detector.
    """
    from tqdm import tqdm

    labels = np.empty(len(texts), dtype=np.int64)
    probabilities = np.empty(len(texts), dtype=np.float64)
    seconds = 0.0
    # `disable=None` hides the bar where standard error is not a terminal.
    with tqdm(total=len(texts), desc=name, unit=" texts", disable=None if progress else True) as bar:
        for start in range(0, len(texts), _CHUNK):
            chunk = slice(start, start + _CHUNK)
            began = time.perf_counter()
            found = detector.predict_arrays(texts[chunk], threads=threads)
            seconds += time.perf_counter() - began
            labels[chunk], probabilities[chunk] = found
            bar.update(len(found[0]))
    return np.where(labels < 0, NO_ANSWER, labels), probabilities, seconds


def unknown_languages(predicted: NDArray[np.int64], probabilities: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which texts of `detect_all` were answered ``und``, bool [n]: something is known of them, but not enough."""
    unknown: NDArray[np.bool_] = (predicted == NO_ANSWER) & (probabilities > 0)
    return unknown


def most_probable(
    texts: Sequence[str],
    predicted: NDArray[np.int64],
    probabilities: NDArray[np.float64],
    model: tuple[str | os.PathLike[str], str, str | None],
    threads: int | None,
) -> NDArray[np.int64]:
    """The most probable label of each text, also where the answer was ``und``: there, the model is asked once more.

    Args:
        texts: the texts.
        predicted: what `detect_all` found, int64 [n].
        probabilities: the same.
        model: path, table and features of the detector that was asked.
        threads: threads to use; None: one a core.

    Returns:
        int64 [n], `NO_ANSWER` where nothing is known of a text.
    """
    places = np.flatnonzero(unknown_languages(predicted, probabilities)).tolist()
    if not places:
        return predicted
    path, table, features = model
    best = predicted.copy()
    found, _ = open_detector(path, table, features, answer_all=True).predict_arrays(
        [texts[place] for place in places], threads=threads
    )
    best[places] = found
    return best


def nothing_to_score(unknown: Counter[str], languages: Sequence[str]) -> str:
    """What to say of texts none of which has a label among ``languages``; ``unknown`` counts the labels they have."""
    expected = f"expected texts of the model's {len(languages)} languages ({_some(languages)})"
    if not unknown:
        return f"{expected}, found no texts"
    return f"{expected}, found only labels that it does not know ({_some(sorted(unknown))})"


def _some(labels: Sequence[str]) -> str:
    return ", ".join(labels[:_MOST_NAMED]) + (", ..." if len(labels) > _MOST_NAMED else "")
