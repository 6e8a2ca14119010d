"""Calibrating a model directory on held-out texts, each way to use the model on its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from wldetect import WLDetect, __version__
from wldetect.calibration.prior import label_prior, with_prior
from wldetect.calibration.temperature import Likelihoods, fit_inverse_temperatures
from wldetect.calibration.texts import Sample, draw_sample, length_name, with_noise, with_others
from wldetect.calibration.thresholds import choose_thresholds
from wldetect.evaluation.flores import LabelledTexts
from wldetect.evaluation.reliability import Reliability, reliability
from wldetect.export.quantize import TableDType
from wldetect.export.table_file import read_tensors

__all__ = ["FROM_EVIDENCE", "CalibrationResult", "WayResult", "calibrate"]

Way = Literal["all", "tokens", "ngrams"]

# Must agree with the Rust core's artifact module.
_HIDDEN = "hidden_languages"
FROM_EVIDENCE = 8
"""Rows of shorter texts are too few to tell an unknown language by."""
# Texts at a time: their logits stay small.
_CHUNK = 4096


@dataclass(frozen=True)
class LengthResult:
    """What calibration does to the held-out texts of one length, every label counting the same.

    Attributes:
        before: reliability without a temperature.
        after: reliability with it.
        unknown: share of texts that are answered ``und``, though not because the answer is hidden.
        lost: share of right answers that are among them.
        others_hidden: of the texts of languages that the model does not have, the share whose most probable label is
            hidden; None without such texts.
        others_unknown: the share of them that is answered ``und``, for that or another reason.
    """

    before: Reliability
    after: Reliability
    unknown: float
    lost: float
    others_hidden: float | None
    others_unknown: float | None


@dataclass(frozen=True)
class LongTexts:
    """Thresholds of texts that are long enough to tell whether their language is one that the model does not have.

    Attributes:
        from_evidence: rows from which on a text is long.
        thresholds: by label.
    """

    from_evidence: int
    thresholds: dict[str, float]


@dataclass(frozen=True)
class WayResult:
    """The calibration of one way to use a model.

    Attributes:
        inverse_temperatures: for 1 row, 2 rows, ...
        thresholds: by label.
        common_threshold: that of all labels together.
        long_texts: thresholds of texts of many rows; None without texts of languages that the model does not have.
        answers: texts that each label was most probable for, whose number says how far its threshold is its own.
        lengths: what becomes of texts of each length, by its name.
        precision_before: by label, share of its answers that are right; None where there is none. Texts count as they
        do
            in `Sample`.
        precision_after: the same for answers that are not below the threshold.
    """

    inverse_temperatures: list[float]
    thresholds: dict[str, float]
    common_threshold: float
    long_texts: LongTexts | None
    answers: dict[str, int]
    lengths: dict[str, LengthResult]
    precision_before: dict[str, float | None]
    precision_after: dict[str, float | None]


@dataclass(frozen=True)
class CalibrationResult:
    """The calibration of a model, and what it was made from.

    Attributes:
        ways: by what rows are used: ``all``, ``tokens``, ``ngrams``; only ``all`` and ``tokens`` of a model without
        rows
            of n-grams.
        texts: texts and crops it was fitted on, but for those of languages that the model does not have.
        other_texts: these.
        texts_by_label: how many of them each label has, for all labels of the model.
        precision: share of right answers that is just good enough.
        samples_per_label: texts of a label that were taken at most.
        seed: of what was drawn.
        model: name of the model directory.
        data: name of the texts.
        other_data: name of the texts of languages that the model does not have; None: there were none.
        other_share: share of texts that is taken to be in such languages.
        table: dtype of the table it was fitted on.
        date: when it began, UTC, in ISO 8601.
        version: of this package.
    """

    ways: dict[Way, WayResult]
    texts: int
    other_texts: int
    texts_by_label: dict[str, int]
    precision: float
    samples_per_label: int
    seed: int
    model: str
    data: str
    other_data: str | None
    other_share: float
    table: str
    date: str
    version: str


def calibrate(
    model_path: Path,
    texts: LabelledTexts,
    dtype: TableDType = TableDType.E3M4,
    precision: float = 0.1,
    samples_per_label: int = 500,
    seed: int = 1,
    threads: int | None = None,
    progress: bool = True,
    others: LabelledTexts | None = None,
    other_share: float = 0.1,
) -> CalibrationResult:
    """Fit inverse temperatures, thresholds and, with ``others``, thresholds of long texts; nothing is written.

    Args:
        model_path: the model directory. What calibration it has does not matter.
        texts: texts that the model was not trained on, and is not to be scored on.
        dtype: the table to use.
        precision: share of right answers that is just good enough for answers of some probability to be given.
        samples_per_label: texts of a label that are taken at most, and cropped to several lengths.
        seed: of what is drawn.
        threads: threads to use; None: one a core.
        progress: whether to show a progress bar; it is never shown where standard error is not a terminal.
        others: texts of languages that the model does not have.
        other_share: share of texts that is taken to be in such languages, above 0 and below 1.

    Raises:
        DataError: no text has a label of the model, or all of the others have one.
        OSError, ArtifactError: the model cannot be loaded.
    """
    date = datetime.now(timezone.utc).isoformat(timespec="seconds")
    has_ngrams = "ngrams" in _open(model_path, dtype, "all").features
    different: tuple[Way, ...] = ("all", "tokens", "ngrams") if has_ngrams else ("all",)
    _, metadata = read_tensors(model_path / dtype.file_name)
    hidden_languages = json.loads(metadata.get(_HIDDEN, "[]"))
    sample, ways = None, {}
    for way in different:
        detector = _open(model_path, dtype, way)
        languages = detector.languages
        if sample is None:
            sample = draw_sample(texts, languages, samples_per_label, seed)
            if (prior := label_prior(metadata, languages)) is not None:
                sample = with_prior(sample, prior)
            if others is not None:
                drawn = with_noise(sample, seed)
                sample = with_others(drawn, others, languages, samples_per_label, seed, other_share)
        ways[way] = _calibrate_way(detector, hidden_languages, sample, precision, threads, progress, way)
    assert sample is not None
    if not has_ngrams:
        ways["tokens"] = ways["all"]
    known = sample.labels >= 0
    counts = np.bincount(sample.labels[known], minlength=len(languages)).tolist()
    return CalibrationResult(
        ways=ways,
        texts=int(known.sum()),
        other_texts=int((~known).sum()),
        texts_by_label=dict(zip(languages, counts, strict=True)),
        precision=precision,
        samples_per_label=samples_per_label,
        seed=seed,
        # The path may be ".", which has no name.
        model=model_path.resolve().name,
        data=texts.name,
        other_data=None if others is None else others.name,
        other_share=other_share,
        table=dtype.value,
        date=date,
        version=__version__,
    )


def _open(model_path: Path, dtype: TableDType, way: Way) -> WLDetect:
    return WLDetect.load(model_path, table=dtype.value, features=way)


def _calibrate_way(
    detector: WLDetect,
    hidden_languages: Sequence[str],
    sample: Sample,
    precision: float,
    threads: int | None,
    progress: bool,
    way: Way,
) -> WayResult:
    from tqdm import tqdm

    languages = detector.languages
    # `disable=None` hides the bar where standard error is not a terminal.
    hidden = None if progress else True
    with tqdm(total=2 * len(sample.texts), desc=f"calibrate {way}", unit=" texts", disable=hidden) as bar:
        found = Likelihoods()
        known = sample.labels >= 0
        # Temperatures are of clean texts, whose labels the model has.
        usual = known & (sample.lengths >= 0)
        for chunk, logits, evidence in _logits(detector, sample, threads, bar.update):
            own = usual[chunk]
            found.add(logits[own], evidence[own], sample.labels[chunk][own], sample.weights[chunk][own])
        inverse_temperatures = fit_inverse_temperatures(found)
        # From the logits once more, rather than kept: there may be gigabytes of them.
        curve = np.array([1.0, *inverse_temperatures])
        predicted = np.full(len(sample.texts), -1, dtype=np.int64)
        rows = np.zeros(len(sample.texts), dtype=np.int64)
        before, after = np.zeros(len(sample.texts)), np.zeros(len(sample.texts))
        for chunk, logits, evidence in _logits(detector, sample, threads, bar.update):
            best = logits.argmax(axis=1)
            predicted[chunk] = np.where(evidence > 0, best, -1)
            rows[chunk] = evidence
            behind = logits - logits.max(axis=1, keepdims=True)
            factors = curve[np.minimum(evidence, len(curve) - 1)][:, None]
            before[chunk] = 1 / np.exp(behind).sum(axis=1, dtype=np.float64)
            after[chunk] = 1 / np.exp(behind * factors).sum(axis=1)

    right = (predicted == sample.labels) & known
    answered = predicted >= 0
    use = answered & usual

    def choose(chosen: NDArray[np.bool_]) -> tuple[dict[str, float], float]:
        parts = (predicted[chosen], after[chosen], right[chosen], sample.weights[chosen])
        return choose_thresholds(languages, *parts, precision)

    thresholds, common = choose(use)
    limits = np.array([*thresholds.values(), 0.0])[predicted]
    long_texts = None
    if not known.all():
        is_long = rows >= FROM_EVIDENCE
        long_texts = LongTexts(FROM_EVIDENCE, choose(answered & is_long)[0])
        limits = np.where(is_long, np.array([*long_texts.thresholds.values(), 0.0])[predicted], limits)
    kept = answered & (after >= limits)
    is_hidden = np.array([*(language in hidden_languages for language in languages), False])[predicted]
    lengths = {}
    for length in np.unique(sample.lengths).tolist():
        own = answered & known & (sample.lengths == length)
        weights = sample.weights[own]
        other = answered & ~known & (sample.lengths == length)
        lengths[length_name(length)] = LengthResult(
            before=reliability(before[own], right[own], weights),
            after=reliability(after[own], right[own], weights),
            unknown=_share(~kept[own], weights),
            lost=_share(~kept[own][right[own]], weights[right[own]]),
            others_hidden=_share(is_hidden[other], sample.weights[other]) if other.any() else None,
            others_unknown=_share((is_hidden | ~kept)[other], sample.weights[other]) if other.any() else None,
        )
    return WayResult(
        inverse_temperatures=inverse_temperatures,
        thresholds=thresholds,
        common_threshold=common,
        long_texts=long_texts,
        answers=dict(zip(languages, np.bincount(predicted[use], minlength=len(languages)).tolist(), strict=True)),
        lengths=lengths,
        precision_before=_precisions(languages, predicted, right, sample.weights, use),
        precision_after=_precisions(languages, predicted, right, sample.weights, use & kept),
    )


def _logits(
    detector: WLDetect, sample: Sample, threads: int | None, advance: Callable[[int], object]
) -> Iterator[tuple[slice, NDArray[np.float32], NDArray[np.int64]]]:
    """Logits [n, L] and evidence [n] of all texts, some at a time."""
    for start in range(0, len(sample.texts), _CHUNK):
        chunk = slice(start, start + _CHUNK)
        logits, evidence = detector.logits(sample.texts[chunk], threads=threads)
        yield chunk, logits, evidence
        advance(len(evidence))


def _share(chosen: NDArray[np.bool_], weights: NDArray[np.float64]) -> float:
    total = float(weights.sum())
    return float(weights[chosen].sum()) / total if total else 0.0


def _precisions(
    languages: list[str],
    predicted: NDArray[np.int64],
    right: NDArray[np.bool_],
    weights: NDArray[np.float64],
    given: NDArray[np.bool_],
) -> dict[str, float | None]:
    counts, correct = (
        np.bincount(predicted[given], weights=(weights * part)[given], minlength=len(languages))
        for part in (np.ones(len(weights)), right)
    )
    return {
        language: float(correct[index] / counts[index]) if counts[index] else None
        for index, language in enumerate(languages)
    }
