"""Quantization and the model directory: what is written is what was trained, whole or not at all."""

from __future__ import annotations

import errno
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from safetensors.numpy import load_file

from wldetect import ArtifactError, WLDetect, WLDetectError, _core
from wldetect.config import ModelConfig, NgramsConfig, Pooling, load_model_config
from wldetect.embeddings.base import ArrayMatrix
from wldetect.export import table_file, writer
from wldetect.export.quantize import TableDType, choose_scale, quantize
from wldetect.export.table_file import read_table_file
from wldetect.export.writer import ModelFiles, SeenTokens, write_model
from wldetect.training.lookup import WholeLookup
from wldetect.training.model import LanguageModel
from wldetect.training.ngram_table import NgramTable

N_TOKENS, HIDDEN = 40, 6
LABELS = ("aaa_Latn", "bbb_Cyrl", "ccc_Grek")
TOKENIZER = json.dumps(
    {
        "version": "1.0",
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": None,
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": {f"w{i}": i for i in range(N_TOKENS)}, "unk_token": "w0"},
    }
)


def make_files(seed: int = 0, mask: bool = False, pooling: Pooling = Pooling.average) -> ModelFiles:
    rng = np.random.default_rng(seed)
    matrix = ArrayMatrix(rng.normal(size=(N_TOKENS, HIDDEN)).astype(np.float32))
    token_mask = torch.from_numpy(np.arange(N_TOKENS) % 7 == 3) if mask else None
    embeddings = matrix.contiguous()
    assert embeddings is not None
    model = LanguageModel(WholeLookup(torch.from_numpy(embeddings.copy())), 3, pooling, token_mask=token_mask)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.from_numpy(rng.normal(size=tuple(parameter.shape)).astype(np.float32)))
    config = ModelConfig.model_validate(
        {
            "model": {"name": "tiny", "type": "test", "hidden_dim": HIDDEN},
            "languages": {label: index for index, label in enumerate(LABELS)},
            "inference": {"pooling": pooling.value, "max_sequence_length": 16},
        }
    )
    return ModelFiles(model, matrix, config, TOKENIZER, {"seed": seed, "note": "größe"})


def table_of(files: ModelFiles) -> np.ndarray:
    embeddings = files.matrix.rows(slice(None)).astype(np.float64)
    weight = files.model.token_weights.detach().numpy().astype(np.float64)
    projection = files.model.projection
    return (embeddings * weight) @ projection.weight.detach().numpy().T + projection.bias.detach().numpy()


ALL = [TableDType.FLOAT32, TableDType.E4M3FN, TableDType.E3M4]


@given(st.floats(1e-30, 1e30))
def test_the_largest_value_uses_nine_tenths_of_the_range(largest: float) -> None:
    for dtype, name in ((TableDType.E3M4, "e3m4"), (TableDType.E4M3FN, "e4m3fn")):
        scale = choose_scale(largest, dtype)
        codes = quantize([np.array([[largest, -largest]], dtype=np.float32)], scale, dtype)
        stored = _core.fp8_decode(codes.astype(np.uint8), name)[0]  # type: ignore[arg-type]
        assert 0.85 * dtype.max_finite < stored[0] < 0.95 * dtype.max_finite
        assert stored[1] == -stored[0]
        assert abs(float(stored[0]) * scale / largest - 1) < 1 / 16


STEPS = [2.0**power for power in range(-6, 0)]


@given(
    arrays.arrays(np.float32, 40, elements=st.floats(-20, 20, width=32)),
    st.sampled_from(STEPS),
    st.sampled_from([0.5, 1.0, 0.3]),
)
def test_steps_leave_the_nearest_multiples(logits: np.ndarray, step: float, scale: float) -> None:
    codes = np.arange(256, dtype=np.uint8)
    values = _core.fp8_decode(codes, "e3m4").astype(np.float64)
    values = values[np.isfinite(values)]
    allowed = values[values % step == 0]
    stored = _core.fp8_decode(quantize([logits], scale, TableDType.E3M4, step).astype(np.uint8), "e3m4")
    assert np.isin(stored, allowed).all()
    wanted = (logits / np.float32(scale)).astype(np.float64)
    distances = np.abs(wanted[:, None] - allowed[None, :])
    np.testing.assert_array_equal(np.abs(wanted - stored), distances.min(axis=1))


def test_only_e3m4_has_steps() -> None:
    logits = np.linspace(-9, 9, 999, dtype=np.float32)
    for dtype in (TableDType.E4M3FN, TableDType.FLOAT32):
        np.testing.assert_array_equal(quantize([logits], 0.5, dtype, 1.0), quantize([logits], 0.5, dtype))
    fine = quantize([logits], 0.5, TableDType.E3M4)
    np.testing.assert_array_equal(quantize([logits], 0.5, TableDType.E3M4, STEPS[0]), fine)
    kinds = [len(np.unique(quantize([logits], 0.5, TableDType.E3M4, step))) for step in STEPS]
    assert kinds == sorted(kinds, reverse=True) and kinds[-1] < kinds[0]


def test_a_model_of_coarse_values(tmp_path: Path) -> None:
    files = make_files()
    files.model.ngrams = NgramTable(NgramsConfig(rows=64, dimensions=4), 3, 0)
    with torch.no_grad():
        files.model.ngrams.rows.normal_(generator=torch.Generator().manual_seed(1))
    write_model(replace(files, step=0.25), tmp_path, ALL)
    for name, table in (("lookup_table_fp8_e3m4", "lookup_table"), ("ngram_table_fp8_e3m4", "ngram_table")):
        values = _core.fp8_decode(load_file(tmp_path / f"{name}.safetensors")[table], "e3m4")
        assert (values % 0.25 == 0).all() and len(np.unique(values)) > 10
    write_model(replace(files, step=0.25, ngram_step=0.5), tmp_path, ALL)
    coarser = _core.fp8_decode(load_file(tmp_path / "ngram_table_fp8_e3m4.safetensors")["ngram_table"], "e3m4")
    assert (coarser % 0.5 == 0).all() and len(np.unique(coarser)) > 5
    finer = _core.fp8_decode(load_file(tmp_path / "lookup_table_fp8_e3m4.safetensors")["lookup_table"], "e3m4")
    assert (finer % 0.25 == 0).all() and not (finer % 0.5 == 0).all()
    plain = load_file(tmp_path / "lookup_table_fp8_e4m3fn.safetensors")["lookup_table"]
    assert not (_core.fp8_decode(plain, "e4m3fn") % 0.25 == 0).all()


def test_scales_without_anything_to_scale() -> None:
    assert choose_scale(0.0, TableDType.E3M4) == 1.0
    assert choose_scale(1e9, TableDType.FLOAT32) == 1.0


@pytest.mark.parametrize("mask", [False, True])
@pytest.mark.parametrize("pooling", list(Pooling))
def test_a_directory_holds_what_was_trained(tmp_path: Path, mask: bool, pooling: Pooling) -> None:
    files = make_files(mask=mask, pooling=pooling)
    written = write_model(files, tmp_path, ALL)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in written)
    assert written[-1].name == "lookup_table_fp8_e3m4.safetensors"
    expected = table_of(files)
    steps = {TableDType.FLOAT32: 1e-5, TableDType.E4M3FN: 1 / 16, TableDType.E3M4: 1 / 32}
    for dtype, step in steps.items():
        tensors = load_file(tmp_path / dtype.file_name)
        assert tensors["dtype"].tolist() == [dtype.file_id]
        assert tensors["shape"].tolist() == [N_TOKENS, 3]
        assert ("zero_weight_mask" in tensors) == mask
        stored = tensors["lookup_table"]
        values = stored if dtype is TableDType.FLOAT32 else _core.fp8_decode(stored, dtype.value)  # type: ignore[arg-type]
        logits = values * tensors["scale"][0]
        # Half a step of the mantissa, or half the smallest subnormal.
        np.testing.assert_allclose(logits, expected, rtol=step, atol=float(tensors["scale"][0]) * 2**-7 + 1e-5)

    projection = load_file(tmp_path / "projection.safetensors")
    assert {name: tensor.shape for name, tensor in projection.items()} == {
        "weight": (3, HIDDEN),
        "bias": (3,),
        "token_weights": (N_TOKENS, 1),
    }
    np.testing.assert_array_equal(projection["weight"], files.model.projection.weight.detach().numpy())
    assert load_model_config(tmp_path / "model_config.yaml") == files.config
    with safetensors.safe_open(tmp_path / "lookup_table_fp8_e3m4.safetensors", "np") as file:
        metadata = file.metadata()
    assert json.loads(metadata["provenance"]) == files.provenance
    assert metadata["tokenizer_sha256"] == hashlib.sha256(TOKENIZER.encode()).hexdigest()


@pytest.mark.parametrize("mask", [False, True])
def test_rows_of_tokens_seen_often_enough(tmp_path: Path, mask: bool) -> None:
    files = make_files(mask=mask)
    counts = np.arange(N_TOKENS, dtype=np.int64) * 3 % 17
    write_model(files, tmp_path / "all", ALL)
    write_model(replace(files, seen=SeenTokens(counts, 5)), tmp_path / "some", ALL)
    expected = counts >= 5
    if mask:
        expected &= np.arange(N_TOKENS) % 7 != 3
    largest = np.abs(table_of(files)[expected]).max()
    for dtype in TableDType:
        whole, some = (read_table_file(tmp_path / name / dtype.file_name, dtype) for name in ("all", "some"))
        np.testing.assert_array_equal(some.kept_tokens, expected)
        assert (some.n_tokens, some.min_count, some.mask) == (N_TOKENS, 5, None)
        assert len(some.stored) == np.count_nonzero(expected)
        # The scale is that of the rows there are.
        assert some.scale == pytest.approx(choose_scale(float(largest), dtype), rel=1e-6)
        if dtype is TableDType.FLOAT32:
            np.testing.assert_array_equal(some.stored, whole.stored[expected])
    detector = WLDetect.load(tmp_path / "some", table="float32")
    original = WLDetect.load(tmp_path / "all", table="float32")
    for token, has_row in enumerate(expected):
        assert (detector.predict(f"w{token}") is not None) == has_row
    kept, rare = np.flatnonzero(expected), np.flatnonzero(~expected)
    text, more = " ".join(f"w{t}" for t in kept[:5]), " ".join(f"w{t}" for t in rare[:5])
    np.testing.assert_array_equal(detector.probabilities(f"{more} {text}"), original.probabilities(text))


def test_a_count_that_no_token_reaches_is_refused(tmp_path: Path) -> None:
    seen = SeenTokens(np.full(N_TOKENS, 4, dtype=np.int64), 5)
    reason = "output.min_token_count: expected tokens that training saw 5 times or more, found none"
    with pytest.raises(WLDetectError, match=reason):
        write_model(replace(make_files(), seen=seen), tmp_path / "model", ALL)
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("dtype", list(TableDType))
def test_the_detector_answers_like_the_model(tmp_path: Path, dtype: TableDType) -> None:
    files = make_files(mask=True)
    write_model(files, tmp_path, ALL)
    detector = WLDetect.load(tmp_path, table=dtype.value)  # type: ignore[arg-type]
    assert tuple(detector.languages) == LABELS
    table = table_of(files)
    for ids in ([1], [1, 2, 4], [5, 3, 10, 10], list(range(16))):
        kept = [token for token in ids if token % 7 != 3]
        logits = table[kept].mean(axis=0)
        expected = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
        found = detector.probabilities(" ".join(f"w{token}" for token in ids))
        np.testing.assert_allclose(found, expected, atol=1e-5 if dtype is TableDType.FLOAT32 else 0.1)
    assert detector.predict("w3 w10") is None


def test_a_table_with_infinity_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    files = make_files()
    with torch.no_grad():
        files.model.token_weights[11] = float("inf")
    with pytest.raises(WLDetectError, match=r"lookup table: expected finite logits, found (inf|-inf|nan) for token 11"):
        write_model(files, tmp_path / "model", ALL)
    assert not (tmp_path / "model").exists()


def test_an_interrupted_write_leaves_nothing_that_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_model(make_files(seed=1), tmp_path, ALL)
    WLDetect.load(tmp_path)
    original = writer.write_tensors
    for survivors in range(4):
        calls = iter(range(10))

        def interrupted(path: Path, *rest: object, calls=calls, survivors=survivors) -> Path:  # type: ignore[no-untyped-def]
            if next(calls) == survivors:
                raise KeyboardInterrupt
            return original(path, *rest)  # type: ignore[arg-type]

        for module in (writer, table_file):
            monkeypatch.setattr(module, "write_tensors", interrupted)
        with pytest.raises(KeyboardInterrupt):
            write_model(make_files(seed=2), tmp_path, ALL)
        monkeypatch.undo()
        with pytest.raises((FileNotFoundError, ArtifactError)):
            WLDetect.load(tmp_path)
        assert not [path for path in tmp_path.iterdir() if path.name.endswith(".tmp")]
    write_model(make_files(seed=2), tmp_path, ALL)
    WLDetect.load(tmp_path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no file that is always full")
def test_a_full_disk_is_an_oserror_that_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def full(_: Path) -> Iterator[Path]:
        yield Path("/dev/full")

    monkeypatch.setattr("wldetect.export.table_file.atomic_path", full)
    with pytest.raises(OSError, match=r"cannot be written: No space left.*projection.safetensors") as caught:
        write_model(make_files(), tmp_path, ALL)
    assert caught.value.errno == errno.ENOSPC


def test_hidden_languages_stand_in_the_tables(tmp_path: Path) -> None:
    files = make_files()
    hidden = files.config.model_copy(update={"hidden_languages": ["ccc_Grek", "aaa_Latn"]})
    for config, expected in ((files.config, None), (hidden, ["ccc_Grek", "aaa_Latn"])):
        write_model(replace(files, config=config), tmp_path, ALL)
        for dtype in ALL:
            with safetensors.safe_open(tmp_path / dtype.file_name, framework="numpy") as file:
                found = file.metadata().get("hidden_languages")
            assert (None if found is None else json.loads(found)) == expected


def test_tables_that_a_new_model_lacks_are_removed(tmp_path: Path) -> None:
    write_model(make_files(seed=1), tmp_path, ALL)
    write_model(make_files(seed=2), tmp_path, [TableDType.E3M4])
    assert {path.name for path in tmp_path.glob("lookup_table*")} == {"lookup_table_fp8_e3m4.safetensors"}
