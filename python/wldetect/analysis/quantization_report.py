"""What quantizing costs, as a Markdown table and as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from wldetect.analysis.quantization import Measured, QuantizationResult
from wldetect.analysis.variants import DEFAULT_VARIANT, Variant
from wldetect.files import atomic_path

__all__ = ["MEASURABLE", "format_markdown", "verdict", "write_quantization_reports"]

MEASURABLE = 3.0
"""Standard deviations from which a difference counts as measured: more than two, because many variants are compared."""

_HEAD = (
    "| format | scale | range | MAE | max | relative | RMS | codes used | saturated | subnormal | zero | MB | zlib MB "
    "| accuracy | macro-F1 | texts gained, lost | against the default |\n"
    "|---|---|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|"
)


def format_markdown(result: QuantizationResult) -> str:
    """A heading line, the table of variants, and the verdict; Markdown without a line end."""
    rows, columns = result.shape
    lines = [
        f"Table of {result.model}: {rows:,} x {columns}, {4 * rows * columns / 1e6:.1f} MB as float32. Scored on "
        f"{result.n_texts:,} texts: float32 has accuracy {100 * result.float_accuracy:.3f} %, macro-F1 "
        f"{100 * result.float_macro_f1:.3f} %. Errors are in logits.",
        "",
        _HEAD,
        *map(_row, result.variants),
        "",
        verdict(result),
    ]
    return "\n".join(lines)


def _row(one: Measured) -> str:
    errors, use = one.errors, one.use
    default = one.variant == DEFAULT_VARIANT
    cells = [
        one.variant.format.upper(),
        one.variant.granularity.value,
        f"{one.variant.range_name} (default)" if default else one.variant.range_name,
        f"{errors.mean_absolute:.4f}",
        f"{errors.maximum:.3f}",
        f"{errors.relative:.2%}",
        f"{errors.rms:.4f}",
        f"{use.codes:.1%}",
        f"{use.saturated:.4%}",
        f"{use.subnormal:.2%}",
        f"{use.zero:.2%}",
        f"{one.n_bytes / 1e6:.2f}",
        f"{one.compressed / 1e6:.2f}",
        f"{100 * one.accuracy:.3f} %",
        f"{100 * one.macro_f1:.3f} %",
        f"+{one.against_float.gained}, -{one.against_float.lost}",
        "" if default else f"{one.against_default.deviations:+.1f} sd",
    ]
    return f"| {' | '.join(cells)} |"


def verdict(result: QuantizationResult) -> str:
    """Which variants are measurably better than the default one, and which compress better without being worse."""
    others = [one for one in result.variants if one.variant != DEFAULT_VARIANT]
    default = next((one for one in result.variants if one.variant == DEFAULT_VARIANT), None)
    better = [one for one in others if one.against_default.deviations >= MEASURABLE]
    worse = [one for one in others if one.against_default.deviations <= -MEASURABLE]
    text = (
        f"A difference of {MEASURABLE:g} standard deviations of the sign test against the default counts as measured. "
        f"Better than the default ({_name(DEFAULT_VARIANT)}): {_names(better)}. Worse: {_names(worse)}."
    )
    if default is None:
        return text
    smaller = [one for one in others if one.n_bytes < default.n_bytes]
    compress = [one for one in others if one.compressed < default.compressed and one not in worse]
    compress.sort(key=lambda one: one.compressed)
    return f"{text} Fewer bytes: {_names(smaller)}. Fewer compressed bytes, and not worse: {_names(compress)}."


def _name(variant: Variant) -> str:
    return f"{variant.format.upper()} {variant.granularity.value} {variant.range_name}"


def _names(measured: list[Measured]) -> str:
    return ", ".join(_name(one.variant) for one in measured) or "none"


def write_quantization_reports(result: QuantizationResult, markdown: Path, as_json: Path) -> None:
    """Write both reports, each under a temporary name that is renamed when the file is whole.

    Raises:
        OSError: a file cannot be written.
    """
    with atomic_path(markdown) as temporary:
        temporary.write_text(format_markdown(result) + "\n", encoding="utf-8")
    content = {
        "model": result.model,
        "shape": result.shape,
        "data": result.data,
        "texts": result.n_texts,
        "float32": {"accuracy": result.float_accuracy, "macro_f1": result.float_macro_f1},
        "variants": [
            {**asdict(one), "variant": {**asdict(one.variant), "granularity": one.variant.granularity.value}}
            for one in result.variants
        ],
    }
    with atomic_path(as_json) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
