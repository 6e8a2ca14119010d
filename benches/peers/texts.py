"""Labelled texts of a parquet file, and which of them are used."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

__all__ = ["choose", "even_order", "read_texts"]

# Detected before the clock starts; not among the timed texts.
WARM = 1000
SEED = 1


def read_texts(path: Path) -> tuple[list[str], list[str]]:
    """Texts and labels of a parquet file. Rows without a text or a label are left out.

    Raises:
        SystemExit: a column is missing.
    """
    import pyarrow.parquet as pq

    names = pq.read_schema(path).names
    code = ["language"] if "language" in names else ["iso_639_3", "iso_15924"]
    for name in ("text", *code):
        if name not in names:
            raise SystemExit(f"{path}: expected a column {name!r}, found {', '.join(names)}")
    table = pq.read_table(path, columns=["text", *code])
    texts, *parts = (table.column(name).to_pylist() for name in ("text", *code))
    rows = [(text, "_".join(label)) for text, *label in zip(texts, *parts, strict=True) if text and all(label)]
    return [text for text, _ in rows], [label for _, label in rows]


def choose(
    texts: Sequence[str], labels: Sequence[str], wanted: Sequence[str], limit: int | None
) -> tuple[list[str], list[str], list[str]]:
    """Texts to warm up with, texts to time and their labels: those with a label of ``wanted``, in random order.

    Raises:
        SystemExit: too few are left.
    """
    known = set(wanted)
    rows = [(text, label) for text, label in zip(texts, labels, strict=True) if label in known]
    random.Random(SEED).shuffle(rows)
    warm = min(WARM, len(rows) // 2)
    if warm < 2:
        raise SystemExit(f"only {len(rows)} texts have one of the {len(known)} labels")
    timed = rows[warm:][:limit]
    return [text for text, _ in rows[:warm]], [text for text, _ in timed], [label for _, label in timed]


def even_order(labels: Sequence[str]) -> list[int]:
    """The positions of all texts, in random order, so that every beginning has as many of each label as of any other.

    Labels that run out of texts are left behind. The same is true of what remains when labels are left out.
    """
    order = list(range(len(labels)))
    random.Random(SEED).shuffle(order)
    seen: Counter[str] = Counter()
    turn = {}
    for position in order:
        turn[position] = seen[labels[position]]
        seen[labels[position]] += 1
    return sorted(order, key=turn.__getitem__)
