"""What a model answers to labelled texts, text by text, so that two tables can be compared on the same texts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wldetect import WLDetect
from wldetect.analysis.statistics import sign_test_deviations
from wldetect.errors import DataError
from wldetect.evaluation import LabelledTexts, Scores, confusion_matrix, overall_scores
from wldetect.evaluation.run import detect_all
from wldetect.export.quantize import TableDType

__all__ = ["Answers", "Comparison", "answer", "compare"]


@dataclass(frozen=True, eq=False)
class Answers:
    """The answers of one table to the texts whose language it knows.

    Attributes:
        languages: language codes, by index.
        true: int64 [n], the languages of the texts.
        predicted: int64 [n], what they were taken for; `NO_ANSWER` for none.
    """

    languages: list[str]
    true: NDArray[np.int64]
    predicted: NDArray[np.int64]

    @property
    def scores(self) -> Scores:
        """Accuracy, macro scores, unanswered texts."""
        return overall_scores(confusion_matrix(self.true, self.predicted, len(self.languages)))


@dataclass(frozen=True)
class Comparison:
    """How the answers of one table differ from those of another.

    Attributes:
        gained: texts that only the one is right about.
        lost: texts that only the other is right about.
        deviations: ``gained - lost`` in standard deviations of chance, by the sign test.
    """

    gained: int
    lost: int
    deviations: float


def compare(answers: Answers, reference: Answers) -> Comparison:
    """Compare two tables' answers to the same texts.

    Raises:
        ValueError: they are not of the same texts and languages.
    """
    if answers.languages != reference.languages or not np.array_equal(answers.true, reference.true):
        raise ValueError("expected answers to the same texts by models of the same languages")
    right, right_before = (one.predicted == one.true for one in (answers, reference))
    gained, lost = (int(np.count_nonzero(only)) for only in (right & ~right_before, right_before & ~right))
    return Comparison(gained, lost, sign_test_deviations(gained, lost))


def answer(
    model_path: Path,
    texts: LabelledTexts,
    dtype: TableDType,
    threads: int | None = None,
    progress: bool = True,
    name: str = "evaluate",
) -> Answers:
    """Ask the detector for the language of every text whose label the model knows.

    Args:
        model_path: the model directory.
        texts: labelled texts.
        dtype: which table to use.
        threads: threads to use; None: one a core.
        progress: show a progress bar, if somebody is looking.
        name: what the bar says.

    Raises:
        DataError: no text has a language of the model.
        OSError, ArtifactError: the model cannot be loaded.
    """
    detector = WLDetect.load(model_path, table=dtype.value)
    index = {language: i for i, language in enumerate(detector.languages)}
    known = [(text, index[label]) for text, label in zip(texts.texts, texts.labels, strict=True) if label in index]
    if not known:
        raise DataError(f"{texts.name}: expected texts of the model's {len(index)} languages, found none")
    predicted, _, _ = detect_all(detector, [text for text, _ in known], threads, progress, name)
    return Answers(detector.languages, np.array([label for _, label in known], dtype=np.int64), predicted)
