"""Sources whose texts are made up: rows as of any other source, kept in the cache under what they follow from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from wldetect.config import Generator
from wldetect.data.columns import Columns
from wldetect.data.not_language import VERSION, generated_texts
from wldetect.data.sources import SourceRows, keep_rows

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["read_generated"]

_ROWS = 20_000


def read_generated(
    generator: Generator, samples: int, seed: int, columns: Columns, cache_dir: Path, *, progress: bool = False
) -> SourceRows:
    """The first ``samples`` texts of ``generator`` and ``seed``, in the two columns of text that ``columns`` names.

    Args:
        generator: what makes the texts.
        samples: how many, at least 1.
        seed: at least 0.
        columns: the names of the columns of texts and labels, in this order.
        cache_dir: where they are kept; the next time they are read there.
        progress: show a progress bar while they are made, if somebody is looking.

    Raises:
        OSError: they cannot be written.
    """
    match generator:
        case Generator.not_language:
            texts, version = generated_texts(seed, samples), VERSION
    identity = json.dumps(["generated", generator.value, version, samples, seed])
    fingerprint = hashlib.sha256(identity.encode()).hexdigest()
    tables = _tables(texts, generator.label, columns)
    return keep_rows(f"generated {generator}", fingerprint, columns, tables, cache_dir, progress=progress)


def _tables(texts: Iterator[str], label: str, columns: Columns) -> Iterator[pa.Table]:
    import pyarrow as pa

    text_column, language_column = columns.text
    while chunk := list(islice(texts, _ROWS)):
        yield pa.table({text_column: chunk, language_column: [label] * len(chunk)})
