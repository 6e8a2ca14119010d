"""Learned token weights against how often the tokens were seen, and what a threshold of the counts would mask."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wldetect.analysis.counts import TokenCounts
from wldetect.analysis.model import ModelDirectory, read_token_weights
from wldetect.analysis.statistics import spearman
from wldetect.errors import ArtifactError

__all__ = [
    "CountBin",
    "Recommendation",
    "ThresholdEffect",
    "TokenWeights",
    "analyze_weights",
    "count_bins",
    "format_report",
    "report_json",
    "threshold_effects",
    "threshold_ladder",
    "threshold_recommendations",
]

# Shares of the training occurrences that may be lost, each the rule of one recommendation.
_SMALL_LOSSES = (0.0001, 0.001, 0.01)
_N_OUTLIERS = 20


@dataclass(frozen=True, eq=False)
class TokenWeights:
    """What is known of every token.

    Attributes:
        counts: int64 [V], occurrences in training.
        weights: float32 [V], learned weights; training starts them at 1.
        row_norms: float32 [V], Euclidean norms of the table's rows, in logits; 0 for tokens without one.
    """

    counts: NDArray[np.int64]
    weights: NDArray[np.float32]
    row_norms: NDArray[np.float32]


@dataclass(frozen=True)
class CountBin:
    """Weights of the tokens that were seen from ``first`` to ``last`` times.

    Attributes:
        first: the smallest count.
        last: the largest count.
        tokens: how many tokens there are.
        lower: first quartile of the weights' magnitudes.
        median: their median.
        upper: their third quartile.
    """

    first: int
    last: int
    tokens: int
    lower: float
    median: float
    upper: float


@dataclass(frozen=True)
class ThresholdEffect:
    """What masking tokens that were seen fewer than ``threshold`` times does.

    Attributes:
        threshold: the smallest count that is kept.
        masked: tokens masked.
        share_masked: of the vocabulary, 0..1.
        lost: their occurrences in training.
        share_lost: of all occurrences, 0..1.
    """

    threshold: int
    masked: int
    share_masked: float
    lost: int
    share_lost: float


@dataclass(frozen=True)
class Recommendation:
    """A threshold, and the rule that it follows from.

    Attributes:
        effect: the threshold and what it masks.
        rule: why this one.
    """

    effect: ThresholdEffect
    rule: str


def analyze_weights(model: ModelDirectory, counts: TokenCounts) -> TokenWeights:
    """Put counts, weights and row norms side by side.

    Raises:
        OSError: the learned weights cannot be read.
        ArtifactError: they are malformed, or the counts are of another number of tokens.
    """
    weights = read_token_weights(model)
    if len(counts.counts) != len(weights):
        raise ArtifactError(f"token counts: expected {len(weights)}, one a token, found {len(counts.counts)}")
    norms = np.concatenate([np.linalg.norm(rows, axis=1) for rows in model.table.logits()])
    return TokenWeights(counts.counts, weights, model.table.by_token(norms.astype(np.float32)))


def count_bins(tokens: TokenWeights) -> list[CountBin]:
    """Quartiles of the weights' magnitudes for tokens never seen, seen 1 or 2 times, 3 to 9, 10 to 29, 30 to 99, ...

    Bins without tokens are left out.
    """
    edges = [0, 1]
    while edges[-1] <= tokens.counts.max(initial=0):
        edges.append(edges[-1] * 3 if str(edges[-1])[0] == "1" else edges[-1] // 3 * 10)
    magnitudes = np.abs(tokens.weights)
    bins = []
    for first, end in pairwise(edges):
        inside = magnitudes[(tokens.counts >= first) & (tokens.counts < end)]
        if len(inside):
            lower, median, upper = np.quantile(inside, [0.25, 0.5, 0.75]).tolist()
            bins.append(CountBin(first, end - 1, len(inside), lower, median, upper))
    return bins


def threshold_ladder(largest: int) -> list[int]:
    """1, 2, 5, 10, 20, 50, ... up to ``largest``; 1 is always there."""
    ladder = [step * 10**power for power in range(len(str(max(largest, 1)))) for step in (1, 2, 5)]
    return [threshold for threshold in ladder if threshold <= max(largest, 1)]


def threshold_effects(counts: NDArray[np.int64], thresholds: Sequence[int]) -> list[ThresholdEffect]:
    """What each of ``thresholds`` masks of tokens with these ``counts`` [V]."""
    ascending = np.sort(counts)
    cumulative = np.concatenate([[0], np.cumsum(ascending)])
    total = int(cumulative[-1])
    effects = []
    for threshold in thresholds:
        masked = int(np.searchsorted(ascending, threshold, side="left"))
        lost = int(cumulative[masked])
        effects.append(
            ThresholdEffect(threshold, masked, masked / max(len(counts), 1), lost, lost / total if total else 0.0)
        )
    return effects


def threshold_recommendations(counts: NDArray[np.int64]) -> list[Recommendation]:
    """Thresholds that follow from stated rules, ascending; what they do to accuracy must be measured.

    A rule that gives no larger threshold than the one before it is left out.
    """
    effects = threshold_effects(counts, threshold_ladder(int(counts.max(initial=0))))
    unseen = Recommendation(effects[0], "masks what training never saw, whose weights are still the initial ones")
    chosen = [unseen]
    for share in _SMALL_LOSSES:
        largest = [effect for effect in effects if effect.share_lost <= share][-1]
        if largest.threshold > chosen[-1].effect.threshold:
            rule = f"the largest of 1, 2, 5, 10, ... that loses at most {share:.2%} of the training occurrences"
            chosen.append(Recommendation(largest, rule))
    return chosen


def _outliers(tokens: TokenWeights, threshold: int) -> list[int]:
    """Ids of the rare tokens (seen, but fewer than ``threshold`` times) of the largest weights, largest first."""
    rare = np.flatnonzero((tokens.counts > 0) & (tokens.counts < threshold))
    order = np.lexsort((rare, -np.abs(tokens.weights[rare])))
    return [int(token) for token in rare[order[:_N_OUTLIERS]]]


def report_json(tokens: TokenWeights, counts: TokenCounts, threshold: int) -> dict[str, Any]:
    """Everything that `format_report` says, as plain data for JSON.

    Args:
        tokens: from `analyze_weights`.
        counts: what they were counted in.
        threshold: the one in question.
    """
    seen = tokens.counts > 0
    ladder = threshold_ladder(int(tokens.counts.max(initial=0)))
    return {
        "tokens": len(tokens.counts),
        "tokens_seen": int(np.count_nonzero(seen)),
        "occurrences": counts.tokens,
        "texts": counts.texts,
        "corpus_sha256": counts.corpus,
        "spearman_count_weight": spearman(tokens.counts[seen], np.abs(tokens.weights[seen])),
        "spearman_count_row_norm": spearman(tokens.counts[seen], tokens.row_norms[seen]),
        "threshold": asdict(threshold_effects(tokens.counts, [threshold])[0]),
        "thresholds": [asdict(effect) for effect in threshold_effects(tokens.counts, ladder)],
        "recommendations": [
            {"rule": one.rule, **asdict(one.effect)} for one in threshold_recommendations(tokens.counts)
        ],
        "weights_by_count": [asdict(one) for one in count_bins(tokens)],
    }


def format_report(tokens: TokenWeights, counts: TokenCounts, threshold: int, strings: Mapping[int, str]) -> str:
    """The analysis as text, without a line end: counts, thresholds, recommendations, weights by count, outliers.

    Args:
        tokens: from `analyze_weights`.
        counts: what they were counted in.
        threshold: the one in question; outliers are among the tokens that it masks.
        strings: tokens by id.
    """
    report = report_json(tokens, counts, threshold)
    n, seen = report["tokens"], report["tokens_seen"]
    lines = [
        f"{n:,} tokens, {seen:,} of them ({seen / max(n, 1):.1%}) seen in training: {counts.tokens:,} occurrences in "
        f"{counts.texts:,} texts",
        "rank correlation of a seen token's count with its weight's magnitude: "
        f"{_number(report['spearman_count_weight'])}, with its row's norm: "
        f"{_number(report['spearman_count_row_norm'])}",
        "",
        "What a threshold masks: tokens seen fewer times than it",
        f"{'threshold':>10} {'masked':>10} {'of tokens':>10} {'occurrences lost':>17} {'of all':>10}",
        *(
            f"{effect['threshold']:>10,} {effect['masked']:>10,} {effect['share_masked']:>10.1%} "
            f"{effect['lost']:>17,} {effect['share_lost']:>10.4%}"
            for effect in report["thresholds"]
        ),
        "",
        "Recommended thresholds, each by its own rule. They say what training loses, not what accuracy does:",
        "`wldetect analyze filter --eval-data` measures that.",
    ]
    for one in threshold_recommendations(tokens.counts):
        effect = one.effect
        lines.append(
            f"{effect.threshold:>10,}  {one.rule}: masks {effect.share_masked:.1%} of the tokens, loses "
            f"{effect.share_lost:.4%} of the occurrences"
        )
    lines += ["", "Magnitude of the weights (1 at the start of training) by how often a token was seen"]
    lines.append(f"{'seen':>21} {'tokens':>10} {'quartile':>9} {'median':>9} {'quartile':>9}")
    for bin_ in count_bins(tokens):
        label = f"{bin_.first:,}" if bin_.first == bin_.last else f"{bin_.first:,} to {bin_.last:,}"
        lines.append(f"{label:>21} {bin_.tokens:>10,} {bin_.lower:>9.3f} {bin_.median:>9.3f} {bin_.upper:>9.3f}")
    outliers = _outliers(tokens, threshold)
    if outliers:
        lines += ["", f"Tokens seen, but fewer than {threshold:,} times, with the largest weights"]
        lines.append(f"{'id':>10} {'seen':>6} {'weight':>8}  token")
        for token in outliers:
            shown = json.dumps(strings.get(token), ensure_ascii=False)
            lines.append(f"{token:>10} {int(tokens.counts[token]):>6,} {float(tokens.weights[token]):>8.3f}  {shown}")
    return "\n".join(lines)


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:+.3f}"
