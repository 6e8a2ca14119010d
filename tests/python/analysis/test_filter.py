"""Filtered models: what is masked is left out of pooling by the detector, and everything else is as it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file

from wldetect import ArtifactError, WLDetect, WLDetectError
from wldetect.analysis.answers import answer
from wldetect.analysis.counts import TokenCounts
from wldetect.analysis.filter import compressed_size, filter_model, format_filter_report, write_filter_report
from wldetect.analysis.model import open_model
from wldetect.analysis.weights import analyze_weights
from wldetect.evaluation import LabelledTexts
from wldetect.export.quantize import TableDType

from .conftest import LANGUAGES, WORDS

WHERE = Path("token_counts.safetensors")


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


@pytest.mark.parametrize("dtype", list(TableDType))
def test_masked_tokens_are_left_out_of_pooling(
    dtype: TableDType, model: Path, counts: TokenCounts, tmp_path: Path
) -> None:
    before = contents(model)
    output = tmp_path / "filtered"
    filter_model(model, counts, WHERE, 10, output, dtype)
    assert contents(model) == before
    original, filtered = WLDetect.load(model, table=dtype.value), WLDetect.load(output, table=dtype.value)
    # "kai" was never seen and "die" 9 times; "ab", 10 times, stays.
    for text, same_as in (("kai die der", "der"), ("die ab the kai", "ab the"), ("der ab", "der ab")):
        np.testing.assert_array_equal(filtered.probabilities(text), original.probabilities(same_as))
    assert filtered.predict("kai die kai") is None
    assert original.predict("kai die kai") is not None


def test_what_the_copy_holds(model: Path, counts: TokenCounts, tmp_path: Path) -> None:
    output = tmp_path / "filtered"
    filter_model(model, counts, WHERE, 10, output)
    table, original = (load_file(directory / "lookup_table_fp8_e3m4.safetensors") for directory in (output, model))
    assert table["min_count_threshold"].dtype == np.int32
    assert table["min_count_threshold"].tolist() == [10]
    assert table["zero_weight_mask"].dtype == np.uint8
    assert table["zero_weight_mask"].tolist() == [0, 0, 1, 1, 0]
    assert not table["lookup_table"][[2, 3]].any()
    np.testing.assert_array_equal(table["lookup_table"][[0, 1, 4]], original["lookup_table"][[0, 1, 4]])
    for name in ("scale", "dtype", "shape"):
        np.testing.assert_array_equal(table[name], original[name])
    copied, new = contents(model), contents(output)
    assert set(new) == {
        "lookup_table_fp8_e3m4.safetensors",
        "model_config.yaml",
        "projection.safetensors",
        "provenance.json",
        "tokenizer.json",
    }
    for name in ("tokenizer.json", "model_config.yaml", "projection.safetensors"):
        assert new[name] == copied[name]
    provenance = json.loads(new["provenance.json"])
    assert provenance["seed"] == 1
    assert provenance["filter"] == {
        "min_count_threshold": 10,
        "masked": 2,
        "table": "e3m4",
        "token_counts": {"corpus_sha256": "c" * 64, "texts": 77, "tokens": 1519},
        "wldetect_version": provenance["filter"]["wldetect_version"],
    }
    with safe_open(output / "lookup_table_fp8_e3m4.safetensors", "numpy") as file:
        metadata = file.metadata()
    assert json.loads(metadata["provenance"]) == provenance
    assert json.loads(metadata["languages"]) == LANGUAGES


@pytest.mark.parametrize("dtype", list(TableDType))
def test_a_compact_copy_is_one_with_a_mask(dtype: TableDType, model: Path, counts: TokenCounts, tmp_path: Path) -> None:
    masked = filter_model(model, counts, WHERE, 10, tmp_path / "masked", dtype)
    result = filter_model(model, counts, WHERE, 10, tmp_path / "compact", dtype, compact=True)
    assert replace(result, bytes=masked.bytes, compressed=masked.compressed) == masked
    table = load_file(tmp_path / "compact" / dtype.file_name)
    assert "zero_weight_mask" not in table
    assert table["row_of_token"].tolist() == [0, 1, -1, -1, 2]
    assert (table["shape"].tolist(), table["min_count_threshold"].tolist()) == ([3, 3], [10])
    detectors = [WLDetect.load(tmp_path / name, table=dtype.value) for name in ("masked", "compact")]
    for text in ("kai die der", "die ab the kai", "der ab", *WORDS):
        old, new = (detector.probabilities(text) for detector in detectors)
        np.testing.assert_array_equal(new, old)


def test_a_compact_model_is_analysed_and_filtered_again(model: Path, counts: TokenCounts, tmp_path: Path) -> None:
    once, twice = tmp_path / "once", tmp_path / "twice"
    filter_model(model, counts, WHERE, 1, once, TableDType.FLOAT32, compact=True)
    opened = open_model(once, TableDType.FLOAT32)
    assert (opened.n_tokens, opened.kept_tokens.tolist()) == (5, [True, True, False, True, True])
    norms = analyze_weights(opened, counts).row_norms
    expected = [0.0 if word == "kai" else float(np.linalg.norm(row)) for word, row in WORDS.items()]
    np.testing.assert_allclose(norms, expected, rtol=1e-6)
    result = filter_model(once, counts, WHERE, 10, twice, TableDType.FLOAT32)
    assert (result.tokens, result.masked_before, result.masked) == (5, 1, 2)
    table = load_file(twice / "lookup_table_float32.safetensors")
    assert table["row_of_token"].tolist() == [0, 1, -1, -1, 2]
    np.testing.assert_array_equal(table["lookup_table"], [WORDS[word] for word in ("der", "the", "ab")])


def test_tokens_that_were_masked_stay_masked(
    make_model_dir: Callable[..., Path], counts: TokenCounts, tmp_path: Path
) -> None:
    model = make_model_dir(LANGUAGES, WORDS, name="masked", mask=["der"])
    result = filter_model(model, counts, WHERE, 1, tmp_path / "filtered")
    assert (result.tokens, result.masked_before, result.masked, result.share_lost) == (5, 1, 2, 0.0)
    filtered = WLDetect.load(tmp_path / "filtered")
    assert [filtered.predict(word) is None for word in WORDS] == [True, False, True, False, False]
    # Without a record of training, that of the filter alone.
    assert list(json.loads((tmp_path / "filtered" / "provenance.json").read_text(encoding="utf-8"))) == ["filter"]


def test_zeros_compress(make_model_dir: Callable[..., Path], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    words = {f"w{i}": rng.normal(size=8).tolist() for i in range(3000)}
    model = make_model_dir([f"l{i}" for i in range(8)], words)
    tokenizer = answer_tokenizer(model)
    counts = TokenCounts(np.arange(3000) % 2 * 9, 1, "c", tokenizer)
    result = filter_model(model, counts, WHERE, 9, tmp_path / "filtered")
    # Half of 22 kB of noise, less what the mask takes.
    assert 7_000 < result.compressed_before - result.compressed < 11_000
    assert result.bytes_before + 3000 < result.bytes < result.bytes_before + 4000
    assert result.compressed == compressed_size(tmp_path / "filtered" / "lookup_table_fp8_e3m4.safetensors")


def answer_tokenizer(model: Path) -> str:
    with safe_open(model / "lookup_table_fp8_e3m4.safetensors", "numpy") as file:
        found: str = file.metadata()["tokenizer_sha256"]
    return found


def test_refusals_leave_nothing(model: Path, counts: TokenCounts, tmp_path: Path) -> None:
    output = tmp_path / "filtered"
    with pytest.raises(ArtifactError, match="tokenizer_sha256: expected that of"):
        filter_model(model, replace(counts, tokenizer="t"), WHERE, 10, output)
    with pytest.raises(WLDetectError, match="expected tokens seen 1001 times or more, found none"):
        filter_model(model, counts, WHERE, 1001, output)
    assert not output.exists()
    output.mkdir()
    with pytest.raises(WLDetectError, match="filtered: expected a directory that does not exist yet, found one"):
        filter_model(model, counts, WHERE, 10, output)
    assert list(output.iterdir()) == []
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".tmp")] == []


def test_an_interruption_leaves_nothing(
    model: Path, counts: TokenCounts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("wldetect.analysis.filter.write_table_file", interrupted)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(KeyboardInterrupt):
        filter_model(model, counts, WHERE, 10, tmp_path / "filtered")
    assert sorted(tmp_path.iterdir()) == before


def test_the_report_has_both_models_side_by_side(model: Path, counts: TokenCounts, tmp_path: Path) -> None:
    output = tmp_path / "filtered"
    result = filter_model(model, counts, WHERE, 10, output)
    texts = LabelledTexts(
        ["der", "die der", "die the", "kai", "the"], ["deu_Latn", "eng_Latn", "eng_Latn", "ell_Grek", "deu_Latn"], "t"
    )
    before, after = (answer(path, texts, TableDType.E3M4, progress=False) for path in (model, output))
    # Logits of "die der" are 3, 0.25, 1.5: German either way. Greek has no answer any more.
    assert before.predicted.tolist() == [0, 0, 2, 1, 2]
    assert after.predicted.tolist() == [0, 0, 2, -1, 2]
    rows = [line.split() for line in format_filter_report(result, before, after).splitlines()]
    assert ["accuracy,", "%", "60.000", "40.000"] in rows
    assert ["texts", "without", "an", "answer", "0", "1"] in rows
    assert ["tokens", "in", "use", "5", "3"] in rows
    assert "0 are right only after and 1 only before" in format_filter_report(result, before, after)
    assert "accuracy" not in format_filter_report(result)
    write_filter_report(result, output / "report.json", before, after)
    report = json.loads((output / "report.json").read_text(encoding="utf-8"))
    assert (report["before"]["accuracy"], report["after"]["accuracy"]) == (0.6, 0.4)
    assert report["change"] == {"gained": 0, "lost": 1, "deviations": -1.0}
    assert report["table"]["masked"] == 2
