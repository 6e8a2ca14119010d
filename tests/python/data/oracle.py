"""Choosing rows as one would write it down: all rows in memory, one after the other."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence

from wldetect.data.characters import SPACELESS

_MASK = 2**64 - 1
# Label (negative: of another language), source, importance.
Row = tuple[int, int, float]


def random_number(stream: str, index: int) -> float:
    """SplitMix64 in integers."""
    state = int.from_bytes(hashlib.blake2b(stream.encode(), digest_size=8).digest(), "little")
    state = (state + (index + 1) * 0x9E3779B97F4A7C15) & _MASK
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
    state ^= state >> 31
    return ((state >> 12) + 0.5) / 2**52


def ranking(rows: Sequence[Row], label: int, name: str, seed: int) -> list[int]:
    """The rows of a label in the order in which they are drawn."""
    drawn: list[tuple[bool, float, int]] = []
    seen: dict[int, int] = {}
    for row, (code, source, importance) in enumerate(rows):
        if code == label:
            number = seen[source] = seen.get(source, -1) + 1
            waiting = -math.log(random_number(json.dumps([seed, name, source]), number))
            drawn.append((importance == 0, waiting / (importance or 1), row))
    return [row for *_, row in sorted(drawn)]


def chosen_rows(
    rows: Sequence[Row],
    labels: Sequence[str],
    *,
    seed: int,
    minimum: int = 0,
    maximum: int | None = None,
    source_maxima: Sequence[int | None],
) -> dict[int, list[int]]:
    """The rows of each label that are left, in the order in which they are drawn."""
    chosen = {}
    for label, name in enumerate(labels):
        order = ranking(rows, label, name, seed)
        left = []
        taken = [0] * len(source_maxima)
        for row in order:
            source = rows[row][1]
            taken[source] += 1
            cap = source_maxima[source]
            if cap is None or taken[source] <= cap:
                left.append(row)
        chosen[label] = left[:maximum] if len(order) >= max(minimum, 1) else []
    return chosen


def exact_shares(counts: Sequence[int], alpha: float, max_repeats: int) -> list[float]:
    """Texts of each label before rounding: a multiple of count ** alpha, no more than the limit, found by bisection."""
    low, high = 0.0, float(sum(counts) + 1) * max(max(counts), 1)
    for _ in range(200):
        middle = (low + high) / 2
        shares = [min(count * max_repeats, middle * count**alpha) if count else 0.0 for count in counts]
        low, high = (middle, high) if sum(shares) < sum(counts) else (low, middle)
    return shares


def n_words(text: str) -> int:
    """Words of a text; four letters each where more than half of it is of scripts without spaces."""
    if len(SPACELESS.findall(text)) * 2 > len(text):
        return math.ceil(len(text) / 4)
    return len(text.split())


def cropped_lengths(n_words: int, crop: float, crop_max_words: int) -> dict[int, float]:
    """How likely each number of words is after a text of ``n_words`` may have been cropped."""
    chances = {n_words: 1 - crop}
    for length in range(1, crop_max_words + 1):
        left = min(length, n_words)
        chances[left] = chances.get(left, 0.0) + crop / crop_max_words
    return chances
