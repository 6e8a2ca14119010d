"""Ways to store a table: scales, errors against a naive oracle, use of the codes, and scores through the detector."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib.image
import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from wldetect import DataError
from wldetect.analysis.answers import Answers, answer, compare
from wldetect.analysis.figures import DPI, save_png
from wldetect.analysis.quantization import QuantizationResult, measure_quantization
from wldetect.analysis.quantization_plot import draw_quantization
from wldetect.analysis.quantization_report import format_markdown, verdict, write_quantization_reports
from wldetect.analysis.variants import (
    DEFAULT_VARIANT,
    Granularity,
    Variant,
    all_variants,
    choose_scales,
    code_use,
    table_errors,
)
from wldetect.evaluation import LabelledTexts
from wldetect.export.quantize import TableDType, choose_scale
from wldetect.export.table_file import read_table_file, write_table_file

from .conftest import LANGUAGES, WORDS

TENSOR, LANGUAGE = Granularity.TENSOR, Granularity.LANGUAGE
ML_DTYPES: dict[str, Any] = {"e3m4": ml_dtypes.float8_e3m4, "e4m3fn": ml_dtypes.float8_e4m3fn}
TABLES = arrays.arrays(
    np.float32,
    arrays.array_shapes(min_dims=2, max_dims=2, max_side=6),
    elements=st.floats(-100, 100, width=32, allow_subnormal=False),
)


def naive(logits: NDArray[np.float32], variant: Variant) -> NDArray[np.float64]:
    """The stored values of a table, by `ml_dtypes`, saturating."""
    scales = choose_scales(logits, variant)
    largest = variant.dtype.max_finite
    stored = np.clip(logits / scales, -largest, largest).astype(ML_DTYPES[variant.format])
    return stored.astype(np.float64) * scales.astype(np.float64)


@settings(max_examples=60, deadline=None)
@given(TABLES, st.sampled_from(all_variants()))
def test_errors_are_those_of_the_naive_way(logits: NDArray[np.float32], variant: Variant) -> None:
    errors, histogram = table_errors(logits, choose_scales(logits, variant), variant.format)
    exact = logits.astype(np.float64)
    error = np.abs(naive(logits, variant) - exact)
    assert errors.mean_absolute == pytest.approx(error.mean())
    assert errors.maximum == pytest.approx(error.max())
    assert errors.rms == pytest.approx(math.sqrt((error**2).mean()))
    nonzero = exact != 0
    assert errors.relative == pytest.approx((error[nonzero] / np.abs(exact[nonzero])).mean() if nonzero.any() else 0)
    assert histogram.sum() == logits.size


def test_scales_land_where_they_should() -> None:
    logits = np.array([[1.0, -8.0], [-4.0, 2.0]], dtype=np.float32)
    assert choose_scales(logits, DEFAULT_VARIANT).tolist() == [choose_scale(8.0, TableDType.E3M4)]
    both = choose_scales(logits, Variant("e4m3fn", LANGUAGE, 0.5))
    np.testing.assert_allclose(both, [4 / 224, 8 / 224], rtol=1e-6)
    # Half way between the second and the third of four magnitudes.
    np.testing.assert_allclose(choose_scales(logits, Variant("e3m4", TENSOR, 1.0, 0.5)), [3 / 15.5], rtol=1e-6)
    zero_column = np.array([[0.0, 31.0]], dtype=np.float32)
    np.testing.assert_allclose(choose_scales(zero_column, Variant("e3m4", LANGUAGE, 1.0)), [1.0, 2.0])


def test_use_of_the_codes() -> None:
    logits = np.array([[15.5, -15.5, 0.0, 0.125], [1.0, 1.0, 1.0, 40.0]], dtype=np.float32)
    _, histogram = table_errors(logits, np.ones(1, dtype=np.float32), "e3m4")
    use = code_use(histogram, "e3m4")
    # 15.5 (twice: 40 saturates), -15.5, 0, 1/8 (subnormal), 1: five of the 224 finite codes.
    assert use.codes == 5 / 224
    assert (use.saturated, use.subnormal, use.zero) == (3 / 8, 1 / 8, 1 / 8)
    _, histogram = table_errors(logits, np.ones(1, dtype=np.float32), "e4m3fn")
    use = code_use(histogram, "e4m3fn")
    # 1/8 is normal here, 15.5 becomes 16, 40 is there.
    assert use.codes == 6 / 254
    assert (use.saturated, use.subnormal, use.zero) == (0, 0, 1 / 8)


def test_variants_are_different_and_hold_the_default() -> None:
    variants = all_variants()
    assert len(set(variants)) == len(variants) == 36
    assert DEFAULT_VARIANT in variants
    assert {variant.range_name for variant in variants} >= {"90 %", "clip at 99.9 %"}


TEXTS = LabelledTexts(
    ["der", "the", "kai", "die", "ab die", "der the", "nothing"],
    ["deu_Latn", "eng_Latn", "ell_Grek", "deu_Latn", "deu_Latn", "deu_Latn", "eng_Latn"],
    "small",
)
SOME = [
    DEFAULT_VARIANT,
    Variant("e4m3fn", TENSOR, 0.9),
    Variant("e3m4", LANGUAGE, 0.9),
    Variant("e3m4", TENSOR, 1.0, 0.5),
]


@pytest.fixture
def result(model: Path) -> QuantizationResult:
    return measure_quantization(model, TEXTS, SOME, progress=False)


def test_variants_are_scored_by_the_detector(model: Path, result: QuantizationResult) -> None:
    exact = answer(model, TEXTS, TableDType.FLOAT32, progress=False)
    assert result.float_accuracy == exact.scores.accuracy == pytest.approx(5 / 7)
    assert (result.n_texts, result.shape, result.model) == (7, (5, 3), "model")
    logits = np.array(list(WORDS.values()), dtype=np.float32)
    rows = dict(zip(WORDS, range(5), strict=True))
    for one in result.variants:
        stored = naive(logits, one.variant)
        right = 0
        for text, label in zip(TEXTS.texts, TEXTS.labels, strict=True):
            ids = [rows[word] for word in text.split() if word in rows]
            right += bool(ids) and LANGUAGES[int(stored[ids].mean(axis=0).argmax())] == label
        assert one.accuracy == pytest.approx(right / 7)
        assert one.against_float.gained - one.against_float.lost == right - 5
        assert one.unanswered == 1
        assert one.n_bytes == 15 + 4 * (3 if one.variant.granularity is LANGUAGE else 1)
    assert result.variants[0].against_default.gained == result.variants[0].against_default.lost == 0
    assert int(result.magnitudes.sum()) == np.count_nonzero(logits)


def test_masked_rows_count_for_nothing(make_model_dir: Callable[..., Path]) -> None:
    words = {**WORDS, "loud": [0.0, 0.0, 1e6]}
    model = make_model_dir(LANGUAGES, words, dtype="float32", name="masked", mask=["loud"])
    plain = make_model_dir(LANGUAGES, WORDS, dtype="float32", name="plain")
    masked, without = (measure_quantization(path, TEXTS, SOME, progress=False) for path in (model, plain))
    for one, other in zip(masked.variants, without.variants, strict=True):
        assert (one.errors, one.use, one.accuracy) == (other.errors, other.use, other.accuracy)


def test_rows_that_are_not_there_count_for_nothing(make_model_dir: Callable[..., Path]) -> None:
    words = {"loud": [0.0, 0.0, 1e6], **WORDS}
    model = make_model_dir(LANGUAGES, words, dtype="float32", name="compact")
    path = model / TableDType.FLOAT32.file_name
    write_table_file(path, read_table_file(path, TableDType.FLOAT32).with_rows_of(np.arange(6) > 0))
    plain = make_model_dir(LANGUAGES, WORDS, dtype="float32", name="plain")
    compact, without = (measure_quantization(path, TEXTS, SOME, progress=False) for path in (model, plain))
    assert compact.shape == without.shape == (5, 3)
    assert compact.variants == without.variants


def test_what_cannot_be_measured(make_model_dir: Callable[..., Path]) -> None:
    model = make_model_dir(LANGUAGES, WORDS)
    with pytest.raises(FileNotFoundError, match="lookup_table_float32"):
        measure_quantization(model, TEXTS, SOME)
    model = make_model_dir(LANGUAGES, WORDS, dtype="float32")
    with pytest.raises(DataError, match="other: expected texts of the model's 3 languages, found none"):
        measure_quantization(model, LabelledTexts(["x"], ["zul_Latn"], "other"), SOME, progress=False)


def test_comparisons_are_of_the_same_texts() -> None:
    true = np.array([0, 1, 1, 0])
    left = Answers(["a", "b"], true, np.array([0, 1, 0, -1]))
    right = Answers(["a", "b"], true, np.array([1, 1, 1, 1]))
    found = compare(left, right)
    assert (found.gained, found.lost, found.deviations) == (1, 1, 0.0)
    with pytest.raises(ValueError, match="the same texts"):
        compare(left, Answers(["a", "b"], true[[1, 0, 2, 3]], right.predicted))


def test_reports(result: QuantizationResult, tmp_path: Path) -> None:
    text = format_markdown(result)
    rows = [line for line in text.splitlines() if line.startswith("| E")]
    assert len(rows) == 4
    assert all(row.count("|") == 18 for row in rows)
    assert rows[0].startswith("| E3M4 | per tensor | 90 % (default) |")
    assert "accuracy 71.429 %" in text
    assert "Better than the default (E3M4 per tensor 90 %): none." in verdict(result)
    write_quantization_reports(result, tmp_path / "q.md", tmp_path / "q.json")
    assert (tmp_path / "q.md").read_text(encoding="utf-8") == text + "\n"
    content = json.loads((tmp_path / "q.json").read_text(encoding="utf-8"))
    assert [one["variant"]["granularity"] for one in content["variants"]] == [
        "per tensor",
        "per tensor",
        "per language",
        "per tensor",
    ]
    assert content["variants"][0]["errors"]["rms"] == result.variants[0].errors.rms


def test_panels_hold_the_data(result: QuantizationResult, tmp_path: Path) -> None:
    figure = draw_quantization(result)
    magnitudes, errors, accuracy, sizes = figure.axes
    millions = magnitudes.patches[0].get_data().values.sum()  # type: ignore[attr-defined]
    assert millions * 1e6 == pytest.approx(result.magnitudes.sum())
    names = [tick.get_text() for tick in errors.get_xticklabels()]
    assert names == ["90 %", "clip at 50 %"]
    expected = {
        "E3M4 per tensor": [0, 3],
        "E3M4 per language": [2],
        "E4M3FN per tensor": [1],
        "E4M3FN per language": [],
    }
    for axes, value in (
        (errors, lambda one: one.errors.rms),
        (accuracy, lambda one: 100 * (one.accuracy - result.float_accuracy)),
    ):
        lines = {container.get_label(): container.lines[0] for container in axes.containers}  # type: ignore[union-attr]
        assert {name: list(line.get_ydata()) for name, line in lines.items()} == {
            name: [value(result.variants[i]) for i in chosen] for name, chosen in expected.items()
        }
        assert [round(float(x)) for x in lines["E3M4 per tensor"].get_xdata()] == [0, 1]
    # The one that clips is left out.
    assert len(sizes.lines) == 3
    save_png(figure, tmp_path / "q.png")
    width, height = figure.get_size_inches()
    assert matplotlib.image.imread(tmp_path / "q.png").shape[:2] == (round(height * DPI), round(width * DPI))
