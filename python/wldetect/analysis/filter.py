"""A copy of a model whose rarely seen tokens are masked or have no row, and what that changes."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from wldetect import __version__
from wldetect._core import COMPILED_TOKENIZER
from wldetect.analysis.answers import Answers, compare
from wldetect.analysis.counts import TokenCounts, require_same_tokens
from wldetect.analysis.model import PROVENANCE_FILE, open_model, read_provenance
from wldetect.analysis.weights import threshold_effects
from wldetect.errors import WLDetectError
from wldetect.export.quantize import TableDType
from wldetect.export.table_file import write_table_file
from wldetect.files import atomic_path

__all__ = [
    "REPORT_FILE",
    "FilterResult",
    "compressed_size",
    "filter_model",
    "format_filter_report",
    "write_filter_report",
]

REPORT_FILE = "filter_report.json"

# What a model directory holds beside its tables and the record of its training. Results of evaluations are not copied:
# they are those of the unfiltered model.
_COPIED = ("tokenizer.json", COMPILED_TOKENIZER, "model_config.yaml", "projection.safetensors")
_BLOCK = 1 << 20


@dataclass(frozen=True)
class FilterResult:
    """What filtering did to the table.

    Attributes:
        threshold: tokens seen fewer times are masked, or have no row.
        tokens: tokens of the vocabulary.
        masked_before: of those, the ones that were masked, or had no row, already.
        masked: the ones that are so now.
        share_lost: of the counted occurrences, those of the tokens under the threshold, 0..1.
        bytes_before: size of the table's file.
        bytes: that of the new one.
        compressed_before: size of the table's file after compression (zlib, level 6).
        compressed: that of the new one.
    """

    threshold: int
    tokens: int
    masked_before: int
    masked: int
    share_lost: float
    bytes_before: int
    bytes: int
    compressed_before: int
    compressed: int


def filter_model(
    model_path: Path,
    counts: TokenCounts,
    counts_path: Path,
    threshold: int,
    output: Path,
    dtype: TableDType = TableDType.E3M4,
    compact: bool = False,
) -> FilterResult:
    """Write a copy of a model directory with one table, in which rare tokens are masked or have no row.

    Tokens seen fewer than ``threshold`` times, and those that were masked before, are left out of pooling by the
    detector. A mask leaves rows of zeros, which compress; a table that has rows of some tokens only gets no mask, but
    loses rows. The model itself is not changed. The copy is written under a temporary name and renamed when it is
    whole.

    Args:
        model_path: the model directory.
        counts: how often tokens were seen in training.
        counts_path: what messages call the counts.
        threshold: at least 1.
        output: the new model directory, which must not exist yet.
        dtype: which table to copy.
        compact: drop rows rather than mask them, whatever the table is.

    Raises:
        OSError: a file cannot be read or written.
        ArtifactError: the model is malformed, or the counts are of another tokenizer.
        WLDetectError: ``output`` exists, or every token would be masked.
    """
    if output.exists():
        raise WLDetectError(f"{output}: expected a directory that does not exist yet, found one that does")
    model = open_model(model_path, dtype)
    require_same_tokens(counts, counts_path, model)
    rare = counts.counts < threshold
    kept = ~rare & model.kept_tokens
    if not kept.any():
        raise WLDetectError(
            f"{counts_path}: expected tokens seen {threshold} times or more, found none: all would be masked"
        )
    masked = int(np.count_nonzero(~kept))
    record = {
        "min_count_threshold": threshold,
        "masked": masked,
        "table": dtype.value,
        "token_counts": {
            "corpus_sha256": counts.corpus,
            "texts": counts.texts,
            "tokens": counts.tokens,
        },
        "wldetect_version": __version__,
    }
    provenance = read_provenance(model) | {"filter": record}
    if compact or model.table.row_of_token is not None:
        filtered = model.table.with_rows_of(kept)
    else:
        stored = model.table.stored.copy()
        stored[~kept] = 0
        filtered = replace(model.table, stored=stored, mask=(~kept).astype(np.uint8))
    table = replace(
        filtered,
        min_count=threshold,
        metadata={**model.table.metadata, "provenance": json.dumps(provenance, ensure_ascii=False)},
    )
    before = model_path / dtype.file_name
    with _new_directory(output) as temporary:
        for name in _COPIED:
            if (model_path / name).exists():
                shutil.copyfile(model_path / name, temporary / name)
        (temporary / PROVENANCE_FILE).write_text(
            json.dumps(provenance, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        write_table_file(temporary / dtype.file_name, table)
    after = output / dtype.file_name
    return FilterResult(
        threshold=threshold,
        tokens=model.n_tokens,
        masked_before=int(np.count_nonzero(~model.kept_tokens)),
        masked=masked,
        share_lost=threshold_effects(counts.counts, [threshold])[0].share_lost,
        bytes_before=before.stat().st_size,
        bytes=after.stat().st_size,
        compressed_before=compressed_size(before),
        compressed=compressed_size(after),
    )


def compressed_size(path: Path) -> int:
    """Bytes of a file after compression with zlib, level 6."""
    compressor = zlib.compressobj(6)
    size = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            size += len(compressor.compress(block))
    return size + len(compressor.flush())


@contextmanager
def _new_directory(final: Path) -> Iterator[Path]:
    """A directory under a temporary name that becomes ``final`` when the block ends well, and is removed otherwise."""
    final.parent.mkdir(parents=True, exist_ok=True)
    temporary = final.with_name(f".{final.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    temporary.mkdir()
    try:
        yield temporary
        temporary.rename(final)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def format_filter_report(result: FilterResult, before: Answers | None = None, after: Answers | None = None) -> str:
    """Sizes, and scores where there are some, before and after side by side; text without a line end."""
    newly = result.masked - result.masked_before
    rows = [
        ("table file, MB", f"{result.bytes_before / 1e6:.2f}", f"{result.bytes / 1e6:.2f}"),
        ("compressed (zlib), MB", f"{result.compressed_before / 1e6:.2f}", f"{result.compressed / 1e6:.2f}"),
        ("tokens in use", f"{result.tokens - result.masked_before:,}", f"{result.tokens - result.masked:,}"),
    ]
    if before is not None and after is not None:
        old, new = before.scores, after.scores
        rows += [
            ("accuracy, %", f"{100 * old.accuracy:.3f}", f"{100 * new.accuracy:.3f}"),
            ("macro-F1, %", f"{100 * old.macro_f1:.3f}", f"{100 * new.macro_f1:.3f}"),
            ("texts without an answer", f"{old.unanswered:,}", f"{new.unanswered:,}"),
        ]
    lines = [
        f"threshold {result.threshold:,}: {newly:,} of {result.tokens:,} tokens newly left out "
        f"({newly / max(result.tokens, 1):.1%}), {result.share_lost:.4%} of the counted occurrences lost",
        f"{'':<24} {'before':>12} {'after':>12}",
        *(f"{name:<24} {left:>12} {right:>12}" for name, left, right in rows),
    ]
    if before is not None and after is not None:
        change = compare(after, before)
        lines.append(
            f"of {len(after.true):,} texts, {change.gained:,} are right only after and {change.lost:,} only before "
            f"({change.deviations:+.1f} standard deviations of chance)"
        )
    return "\n".join(lines)


def write_filter_report(
    result: FilterResult, path: Path, before: Answers | None = None, after: Answers | None = None
) -> None:
    """Write the same as JSON: ``table``, and with answers ``before``, ``after`` and ``change``.

    Raises:
        OSError: the file cannot be written.
    """
    content: dict[str, Any] = {"table": asdict(result)}
    if before is not None and after is not None:
        content |= {
            "before": asdict(before.scores),
            "after": asdict(after.scores),
            "change": asdict(compare(after, before)),
        }
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
