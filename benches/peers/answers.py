"""What detectors answered, and how much of it is right: over the languages that each knows, and over those that all do.

Languages are what `codes.language_key` makes of codes.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
from bench import Detector
from codes import language_key

from wldetect.evaluation.metrics import NO_ANSWER, Scores, confusion_matrix, overall_scores

__all__ = ["Answered", "common_languages", "score_answers", "score_both"]


@dataclass
class Answered(Detector):
    """A detector and its answers.

    Attributes:
        given: positions of the texts that it was given.
        answers: the language it answered to each of them, or None; no answers at all: it has not been run.
    """

    given: list[int] = field(default_factory=list)
    answers: list[str | None] = field(default_factory=list)

    def knows(self) -> set[str]:
        """The languages that it can answer."""
        return {language_key(code) for code in self.about.get("languages", ())}

    def answers_in(self, truth: Sequence[str], languages: Collection[str]) -> dict[int, str | None]:
        """Its answers to texts of ``languages`` by position; ``truth`` has the languages of all texts."""
        if not self.answers:
            return {}
        return {
            position: answer
            for position, answer in zip(self.given, self.answers, strict=True)
            if truth[position] in languages
        }


def common_languages(detectors: Sequence[Answered], truth: Sequence[str]) -> set[str]:
    """The languages of texts that every detector knows; those that have not been run do not count."""
    return set(truth).intersection(*(one.knows() for one in detectors if one.answers))


def score_both(
    one: Answered, this: Answered, truth: Sequence[str], languages: Collection[str]
) -> tuple[Scores, Scores] | None:
    """Scores of ``one`` on its texts of ``languages``, and of ``this`` on the same; None where either has not answered.

    Args:
        one: a detector.
        this: the detector that answered whatever any other did.
        truth: the languages of all texts, in the order that positions are of.
        languages: which of them count.
    """
    theirs, ours = one.answers_in(truth, languages), this.answers_in(truth, languages)
    if not theirs or not ours:
        return None
    right = [truth[position] for position in theirs]
    return score_answers(right, list(theirs.values())), score_answers(right, [ours[position] for position in theirs])


def score_answers(truth: Sequence[str], answers: Sequence[str | None]) -> Scores:
    """Scores over the languages that occur in ``truth``, each of which counts the same in macro-F1.

    An answer that is none of them is wrong, and takes precision from none; nor does None.
    """
    number = {language: position for position, language in enumerate(sorted(set(truth)))}
    true = np.array([number[language] for language in truth], dtype=np.int64)
    predicted = np.array(
        [NO_ANSWER if answer is None else number.get(answer, NO_ANSWER) for answer in answers], dtype=np.int64
    )
    return overall_scores(confusion_matrix(true, predicted, len(number)))
