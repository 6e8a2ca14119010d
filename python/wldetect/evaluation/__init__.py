"""Evaluation: labelled texts, scores of a finished model on them, and reports of the scores."""

from __future__ import annotations

from wldetect.evaluation.flores import LabelledTexts, load_flores
from wldetect.evaluation.heat_map import write_heat_map
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
from wldetect.evaluation.reliability import Reliability
from wldetect.evaluation.report import (
    format_table,
    heat_map_file_name,
    reliability_file_name,
    results_file_name,
    write_json,
)
from wldetect.evaluation.run import EvaluationResult, evaluate
from wldetect.evaluation.suite import load_suite
from wldetect.evaluation.suite_scores import SuiteResult, score_suite

__all__ = [
    "NO_ANSWER",
    "ClassScores",
    "ConfusedPair",
    "EvaluationResult",
    "LabelledTexts",
    "Reliability",
    "Scores",
    "SuiteResult",
    "class_scores",
    "confused_pairs",
    "confusion_matrix",
    "evaluate",
    "format_table",
    "heat_map_file_name",
    "load_flores",
    "load_suite",
    "mean_confidences",
    "overall_scores",
    "reliability_file_name",
    "results_file_name",
    "score_suite",
    "write_heat_map",
    "write_json",
]
