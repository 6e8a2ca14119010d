"""What storing a table in 8-bit floats costs: errors, use of the codes, size and scores of several variants."""

from __future__ import annotations

import shutil
import tempfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from wldetect import _core
from wldetect._core import COMPILED_TOKENIZER
from wldetect.analysis.answers import Answers, Comparison, answer, compare
from wldetect.analysis.model import ModelDirectory, open_model
from wldetect.analysis.variants import (
    DEFAULT_VARIANT,
    CodeUse,
    Errors,
    Granularity,
    Variant,
    choose_scales,
    code_use,
    encoded_chunks,
    table_errors,
)
from wldetect.evaluation import LabelledTexts
from wldetect.export.quantize import TableDType
from wldetect.export.table_file import TableFile, write_table_file

__all__ = ["Measured", "QuantizationResult", "measure_quantization"]


@dataclass(frozen=True)
class Measured:
    """One variant, measured.

    Attributes:
        variant: what was measured.
        errors: against the float32 table.
        use: of the format's codes.
        n_bytes: bytes of codes and scales.
        compressed: the same after compression with zlib, level 6.
        accuracy: on the evaluation data, 0..1.
        macro_f1: on the evaluation data, 0..1.
        unanswered: texts without an answer.
        against_float: its answers compared with those of the float32 table.
        against_default: its answers compared with those of `DEFAULT_VARIANT`.
    """

    variant: Variant
    errors: Errors
    use: CodeUse
    n_bytes: int
    compressed: int
    accuracy: float
    macro_f1: float
    unanswered: int
    against_float: Comparison
    against_default: Comparison


@dataclass(frozen=True, eq=False)
class QuantizationResult:
    """All variants of one table, and what they were measured on.

    Attributes:
        model: name of the model directory.
        shape: rows and columns of the table.
        data: name of the evaluation data.
        n_texts: texts that were scored.
        float_accuracy: accuracy of the float32 table, 0..1.
        float_macro_f1: its macro-F1.
        variants: the variants, in the order they were asked for.
        magnitudes: float64 [B], counts of the table's magnitudes by power of two; see ``magnitude_edges``.
        magnitude_edges: float64 [B + 1], the edges of these bins, as binary logarithms of logits.
    """

    model: str
    shape: tuple[int, int]
    data: str
    n_texts: int
    float_accuracy: float
    float_macro_f1: float
    variants: list[Measured]
    magnitudes: NDArray[np.float64] = field(repr=False)
    magnitude_edges: NDArray[np.float64] = field(repr=False)


def measure_quantization(
    model_path: Path,
    texts: LabelledTexts,
    variants: Sequence[Variant],
    threads: int | None = None,
    progress: bool = True,
) -> QuantizationResult:
    """Store the float32 table of a model in every one of ``variants``, and measure each.

    What the detector can load (one scale) is scored as it would be shipped; one scale a language is scored as the
    float32 table that it stands for. Rows of masked tokens are left out of the errors.

    Args:
        model_path: a model directory with ``lookup_table_float32.safetensors`` (``output.float32_table: true``).
        texts: what to score on.
        variants: what to measure; `DEFAULT_VARIANT` is measured even if it is not among them.
        threads: threads that detect; None: one a core.
        progress: show progress bars, if somebody is looking.

    Raises:
        OSError: a file is missing or cannot be read or written.
        ArtifactError: the model directory is malformed.
        DataError: no text has a language of the model.
    """
    model = open_model(model_path, TableDType.FLOAT32)
    logits = np.concatenate(list(model.table.logits()))
    kept = logits[model.table.kept_rows]
    with tempfile.TemporaryDirectory(prefix="wldetect-") as name:
        scorer = _Scorer(model, Path(name), texts, threads, progress)
        exact = scorer.score(model.table)
        default, _ = scorer.score_variant(logits, choose_scales(kept, DEFAULT_VARIANT), DEFAULT_VARIANT)
        measured = []
        for variant in variants:
            scales = choose_scales(kept, variant)
            errors, histogram = table_errors(kept, scales, variant.format)
            answers, codes = scorer.score_variant(logits, scales, variant)
            scores = answers.scores
            stored = codes.tobytes() + scales.tobytes()
            measured.append(
                Measured(
                    variant=variant,
                    errors=errors,
                    use=code_use(histogram, variant.format),
                    n_bytes=len(stored),
                    compressed=len(zlib.compress(stored, 6)),
                    accuracy=scores.accuracy,
                    macro_f1=scores.macro_f1,
                    unanswered=scores.unanswered,
                    against_float=compare(answers, exact),
                    against_default=compare(answers, default),
                )
            )
    counts, edges = np.histogram(np.log2(np.abs(kept[kept != 0]), dtype=np.float32), bins=80)
    return QuantizationResult(
        model=model_path.resolve().name,
        shape=(logits.shape[0], logits.shape[1]),
        data=texts.name,
        n_texts=len(exact.true),
        float_accuracy=exact.scores.accuracy,
        float_macro_f1=exact.scores.macro_f1,
        variants=measured,
        magnitudes=counts.astype(np.float64),
        magnitude_edges=edges.astype(np.float64),
    )


class _Scorer:
    """Scores tables of one model, each in turn in a model directory of its own."""

    def __init__(
        self, model: ModelDirectory, directory: Path, texts: LabelledTexts, threads: int | None, progress: bool
    ) -> None:
        self._model = model
        self._directory = directory
        self._texts = texts
        self._threads = threads
        self._progress = progress
        (directory / "tokenizer.json").write_bytes(model.tokenizer_json.encode("utf-8"))
        if (model.path / COMPILED_TOKENIZER).exists():
            shutil.copyfile(model.path / COMPILED_TOKENIZER, directory / COMPILED_TOKENIZER)

    def score_variant(
        self, logits: NDArray[np.float32], scales: NDArray[np.float32], variant: Variant
    ) -> tuple[Answers, NDArray[np.uint8]]:
        """The answers of ``logits`` [rows, L] stored as ``variant``, and the codes, uint8 [rows, L]."""
        name = variant.format
        codes = np.concatenate([chunk for _, chunk in encoded_chunks(logits, scales, name)])
        match variant.granularity:
            case Granularity.TENSOR:
                table = self._table(codes, variant.dtype, float(scales[0]))
            case Granularity.LANGUAGE:
                table = self._table(_core.fp8_decode(codes, name) * scales, TableDType.FLOAT32, 1.0)
        return self.score(table, f"{name}, {variant.granularity.value}, {variant.range_name}"), codes

    def _table(self, stored: NDArray[np.generic], dtype: TableDType, scale: float) -> TableFile:
        return replace(self._model.table, dtype=dtype, stored=stored, scale=scale)

    def score(self, table: TableFile, name: str = "float32") -> Answers:
        """The answers of ``table``."""
        path = self._directory / table.dtype.file_name
        try:
            write_table_file(path, table)
            return answer(self._directory, self._texts, table.dtype, self._threads, self._progress, name)
        finally:
            path.unlink(missing_ok=True)
