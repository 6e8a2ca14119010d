"""Scoring one or several models on the sets of a suite, all on the same texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wldetect import WLDetect, __version__
from wldetect.data.characters import count_words
from wldetect.errors import ConfigError, DataError
from wldetect.evaluation.flores import LabelledTexts
from wldetect.evaluation.metrics import (
    NO_ANSWER,
    ClassScores,
    Scores,
    class_scores,
    confusion_matrix,
    mean_confidences,
    overall_scores,
)
from wldetect.evaluation.reliability import Reliability, reliability
from wldetect.evaluation.run import detect_all, most_probable, nothing_to_score, open_detector, unknown_languages
from wldetect.evaluation.script_groups import ScriptGroup, script_groups

__all__ = ["GroupFacts", "GroupScores", "ModelScores", "SetFacts", "SetScores", "SuiteResult", "score_suite"]


@dataclass(frozen=True)
class GroupFacts:
    """The scored texts of one set in one group of scripts, or in all.

    Attributes:
        languages: languages that have texts.
        texts: their number.
        mean_words: mean number of words of a text, as `wldetect.data.characters.count_words` counts them, at least 1.
    """

    languages: int
    texts: int
    mean_words: float


@dataclass(frozen=True)
class SetFacts:
    """What the texts of one set are, whatever the model.

    Attributes:
        data: where they come from.
        all: the scored texts.
        groups: the same by group of scripts, of those that have texts.
        left_out: texts that were not scored, because a model lacks their language.
    """

    data: str
    all: GroupFacts
    groups: dict[ScriptGroup, GroupFacts]
    left_out: int


@dataclass(frozen=True)
class GroupScores:
    """Scores of one group of scripts, 0..1.

    Attributes:
        accuracy: share of its texts that were answered right.
        macro_f1: mean F1 of its languages; texts of other groups count among their false positives.
    """

    accuracy: float
    macro_f1: float


@dataclass(frozen=True)
class SetScores:
    """What one model scores on one set.

    Attributes:
        scores: over all scored texts.
        unknown: texts whose language was said to be unknown, ``und``; they are among the unanswered ones.
        reliability: of the probabilities of most probable labels, those of unknown languages among them.
        mean_probability: of the answers; None where there is none.
        groups: scores of each group of scripts that has texts.
        classes: scores of each language that has texts, by code.
        seconds: wall clock spent in the detector.
    """

    scores: Scores
    unknown: int
    reliability: Reliability
    mean_probability: float | None
    groups: dict[ScriptGroup, GroupScores]
    classes: list[ClassScores]
    seconds: float


@dataclass(frozen=True)
class ModelScores:
    """What one model scores on every set.

    Attributes:
        name: of the model directory, with as many of those above it as tell the models apart.
        pooling: how the model pools tokens.
        languages: languages that it may answer.
        sets: its scores by name of the set.
    """

    name: str
    pooling: str
    languages: int
    sets: dict[str, SetScores]


@dataclass(frozen=True)
class SuiteResult:
    """Scores of one or several models on the sets of a suite.

    Attributes:
        sets: what each set holds, by name, in the order they were given.
        models: the models' scores, in the order they were given.
        groups: group of scripts of each scored language, by code.
        left_out: labels of texts that were not scored, with the names of the models that lack them.
        table: dtype of the tables: ``e3m4``, ``e4m3fn`` or ``float32``.
        features: the rows that were used: ``all`` that a model has, ``tokens`` or ``ngrams``.
        date: when scoring began, UTC, in ISO 8601.
        version: of this package.
        threads: threads that were asked for; None: one a core.
    """

    sets: dict[str, SetFacts]
    models: list[ModelScores]
    groups: dict[str, ScriptGroup]
    left_out: dict[str, list[str]]
    table: str
    features: str
    date: str
    version: str
    threads: int | None


@dataclass(frozen=True, eq=False)
class _Scored:
    """The texts of one set whose language every model knows."""

    name: str
    texts: list[str]
    labels: list[str]


def score_suite(
    model_paths: Sequence[Path],
    sets: Mapping[str, LabelledTexts],
    table: str = "e3m4",
    features: str | None = None,
    threads: int | None = None,
    progress: bool = True,
) -> SuiteResult:
    """Score every model on every set.

    Only texts are scored whose language all models know, so that their numbers can be compared; each model may still
    answer any of its own languages.

    Args:
        model_paths: the model directories, at least one.
        sets: what to score them on, at least one.
        table: dtype of the tables to use: ``e3m4``, ``e4m3fn`` or ``float32``.
        features: which rows to use, ``all`` that a model has, ``tokens`` or ``ngrams``; None: all.
        threads: threads to use; None: one a core.
        progress: whether to show progress bars; they are never shown where standard error is not a terminal.

    Raises:
        ConfigError: two of the model directories are the same, or no language is known to all models.
        DataError: a set has no text of a language that all models know.
        FileNotFoundError: a model directory lacks a file.
        ArtifactError: a file of it is malformed.
    """
    date = datetime.now(timezone.utc).isoformat(timespec="seconds")
    names = _distinct_names(model_paths)
    detectors = [open_detector(path, table, features) for path in model_paths]
    languages = [detector.languages for detector in detectors]
    common = [language for language in languages[0] if all(language in others for others in languages[1:])]
    if not common:
        raise ConfigError(f"models: expected one or more languages that all of {', '.join(names)} know, found none")
    scored, facts = [], {}
    groups = script_groups(common, languages)
    for name, texts in sets.items():
        scored.append(_known(name, texts, common))
        facts[name] = _facts(texts, scored[-1], groups)
    present = sorted({label for one in scored for label in one.labels})
    unknown = sorted({label for texts in sets.values() for label in texts.labels} - set(present))
    return SuiteResult(
        sets=facts,
        models=[
            _score_model(name, detector, (path, table, features), scored, groups, threads, progress)
            for name, path, detector in zip(names, model_paths, detectors, strict=True)
        ],
        groups={label: groups[label] for label in present},
        left_out={
            label: [name for name, own in zip(names, languages, strict=True) if label not in own] for label in unknown
        },
        table=table,
        features="all" if features is None else features,
        date=date,
        version=__version__,
        threads=threads,
    )


def _distinct_names(paths: Sequence[Path]) -> list[str]:
    # A path may be ".", which has no name.
    parts = [path.resolve().parts for path in paths]
    for path, count in Counter(parts).items():
        if count > 1:
            raise ConfigError(f"models: expected different directories, found {Path(*path)} {count} times")
    shown = 1
    while len({part[-shown:] for part in parts}) < len(parts):
        shown += 1
    return ["/".join(part[-shown:]) for part in parts]


def _known(name: str, texts: LabelledTexts, languages: Sequence[str]) -> _Scored:
    index = set(languages)
    pairs = [pair for pair in zip(texts.texts, texts.labels, strict=True) if pair[1] in index]
    if not pairs:
        raise DataError(f"{texts.name}: {nothing_to_score(Counter(texts.labels), languages)}")
    return _Scored(name, [text for text, _ in pairs], [label for _, label in pairs])


def _facts(texts: LabelledTexts, scored: _Scored, groups: Mapping[str, ScriptGroup]) -> SetFacts:
    # A text of nothing but spaces stands on the axis of lengths, too.
    words = np.maximum(count_words(scored.texts), 1)
    group_of = np.array([groups[label].name for label in scored.labels])

    def some(chosen: NDArray[np.bool_]) -> GroupFacts:
        labels = {scored.labels[place] for place in np.flatnonzero(chosen)}
        return GroupFacts(len(labels), int(np.count_nonzero(chosen)), float(words[chosen].mean()))

    return SetFacts(
        data=texts.name,
        all=some(np.ones(len(words), dtype=np.bool_)),
        groups={group: some(group_of == group.name) for group in ScriptGroup if (group_of == group.name).any()},
        left_out=len(texts) - len(scored.texts),
    )


def _score_model(
    name: str,
    detector: WLDetect,
    model: tuple[Path, str, str | None],
    sets: Sequence[_Scored],
    groups: Mapping[str, ScriptGroup],
    threads: int | None,
    progress: bool,
) -> ModelScores:
    index = {language: number for number, language in enumerate(detector.languages)}
    scores = {}
    for one in sets:
        true = np.array([index[label] for label in one.labels], dtype=np.int64)
        predicted, probabilities, seconds = detect_all(detector, one.texts, threads, progress, f"{name}: {one.name}")
        best = most_probable(one.texts, predicted, probabilities, model, threads)
        scores[one.name] = _score_set(true, predicted, probabilities, best, seconds, detector.languages, groups)
    return ModelScores(name, detector.pooling, len(index), scores)


def _score_set(
    true: NDArray[np.int64],
    predicted: NDArray[np.int64],
    probabilities: NDArray[np.float64],
    best: NDArray[np.int64],
    seconds: float,
    languages: Sequence[str],
    groups: Mapping[str, ScriptGroup],
) -> SetScores:
    confusion = confusion_matrix(true, predicted, len(languages))
    classes = sorted((one for one in class_scores(confusion, languages) if one.support), key=lambda one: one.label)
    answered, rated = predicted != NO_ANSWER, best != NO_ANSWER
    members = {group: [one for one in classes if groups[one.label] is group] for group in ScriptGroup}
    return SetScores(
        scores=overall_scores(confusion, mean_confidences(true, predicted, probabilities)),
        unknown=int(np.count_nonzero(unknown_languages(predicted, probabilities))),
        reliability=reliability(probabilities[rated], (best == true)[rated]),
        mean_probability=float(probabilities[answered].mean()) if answered.any() else None,
        groups={
            group: GroupScores(
                accuracy=sum(one.true_positives for one in own) / sum(one.support for one in own),
                macro_f1=sum(one.f1 for one in own) / len(own),
            )
            for group, own in members.items()
            if own
        },
        classes=classes,
        seconds=seconds,
    )
