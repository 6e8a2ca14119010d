"""The FP8 codecs through Python: bit for bit against ``ml_dtypes``, and over every kind of numpy array."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from wldetect._core import fp8_decode, fp8_encode

Format = Literal["e3m4", "e4m3fn"]
FORMATS: tuple[Format, ...] = ("e3m4", "e4m3fn")
LARGEST = {"e3m4": 0x6F, "e4m3fn": 0x7E}
VECTORS = Path(__file__).parents[1] / "vectors"

each_format = pytest.mark.parametrize("format", FORMATS)


def reference_dtype(format: Format) -> Any:
    """The dtype of ``ml_dtypes`` for ``format``; skips the test where the package is not installed."""
    ml_dtypes = pytest.importorskip("ml_dtypes", reason="the reference package ml_dtypes is not installed")
    return {"e3m4": ml_dtypes.float8_e3m4, "e4m3fn": ml_dtypes.float8_e4m3fn}[format]


def reference_codes(values: NDArray[Any], format: Format) -> NDArray[np.uint8]:
    """The codes of ``ml_dtypes``, but the largest finite code of the sign where it overflows to infinity or NaN."""
    with np.errstate(all="ignore"):
        codes: NDArray[np.uint8] = values.astype(reference_dtype(format)).view(np.uint8)
    largest = np.uint8(LARGEST[format])
    return np.where((codes & 0x7F) > largest, (codes & 0x80) | largest, codes)


@each_format
def test_every_code_decodes_as_in_ml_dtypes(format: Format) -> None:
    codes = np.arange(256, dtype=np.uint8)
    expected = codes.view(reference_dtype(format)).astype(np.float32)
    found = fp8_decode(codes, format)
    nan = np.isnan(expected)
    np.testing.assert_array_equal(np.isnan(found), nan)
    np.testing.assert_array_equal(found.view(np.uint32)[~nan], expected.view(np.uint32)[~nan])
    np.testing.assert_array_equal(np.signbit(found), codes >= 0x80)
    assert nan.sum() == {"e3m4": 30, "e4m3fn": 2}[format]


@each_format
def test_every_finite_code_round_trips(format: Format) -> None:
    codes = np.arange(256, dtype=np.uint8)
    codes = codes[(codes & 0x7F) <= LARGEST[format]]
    np.testing.assert_array_equal(fp8_encode(fp8_decode(codes, format), format), codes)


@each_format
def test_every_float16_encodes_as_in_ml_dtypes(format: Format) -> None:
    values = np.arange(65536, dtype=np.uint16).view(np.float16)
    values = values[~np.isnan(values)]
    np.testing.assert_array_equal(fp8_encode(values.astype(np.float32), format), reference_codes(values, format))


@each_format
@pytest.mark.parametrize(
    ("smallest", "beyond"),
    [
        pytest.param(0, 1 << 31, id="any"),
        pytest.param(0, 1 << 23, id="subnormal"),
        # From 2^-12 to 2^10: all that falls between the codes of either format, and a little to each side.
        pytest.param(115 << 23, 137 << 23, id="in-range"),
    ],
)
def test_random_float32_encodes_as_in_ml_dtypes(format: Format, smallest: int, beyond: int) -> None:
    generator = np.random.default_rng(20260101)
    bits = generator.integers(smallest, beyond, 1_000_000, dtype=np.uint32)
    bits |= generator.integers(0, 2, bits.size, dtype=np.uint32) << np.uint32(31)
    values = bits.view(np.float32)
    values = values[~np.isnan(values)]
    assert values.size > 990_000
    np.testing.assert_array_equal(fp8_encode(values, format), reference_codes(values, format))


@each_format
def test_what_is_too_large_saturates(format: Format) -> None:
    largest = {"e3m4": 15.5, "e4m3fn": 448.0}[format]
    values = np.array([largest, largest * 1.1, 1e30, np.finfo(np.float32).max, np.inf], dtype=np.float32)
    assert fp8_encode(values, format).tolist() == [LARGEST[format]] * 5
    assert fp8_encode(-values, format).tolist() == [LARGEST[format] | 0x80] * 5
    assert fp8_decode(fp8_encode(-values, format), format).tolist() == [-largest] * 5


@each_format
def test_nan_is_refused_by_its_index(format: Format) -> None:
    values = np.zeros((3, 4), dtype=np.float32)
    values[1, 2] = values[2, 3] = np.nan
    with pytest.raises(ValueError, match=rf"^cannot encode NaN at flat index 6 as {format}$"):
        fp8_encode(values, format)
    # The index counts in C order whatever the layout.
    with pytest.raises(ValueError, match="flat index 6 "):
        fp8_encode(np.asfortranarray(values), format)
    with pytest.raises(ValueError, match="flat index 7 "):
        fp8_encode(values.T, format)
    with pytest.raises(ValueError, match="flat index 0 "):
        fp8_encode(np.array(-np.nan, dtype=np.float32), format)


def layouts() -> dict[str, NDArray[np.float32]]:
    """Arrays of the same few values in every layout that numpy has."""
    base = np.linspace(-20, 20, 120, dtype=np.float32).reshape(4, 5, 6)
    read_only = base.copy()
    read_only.flags.writeable = False
    return {
        "contiguous": base,
        "fortran": np.asfortranarray(base),
        "transposed": base.T,
        "axes swapped": base.swapaxes(0, 1),
        "strided": base[::2, ::3, ::2],
        "reversed": base[::-1, :, ::-1],
        "broadcast": np.broadcast_to(base[0, 0], (3, 6)),
        "read-only": read_only,
        "one value": base[2:3, 2:3, 2:3],
        "0-d": np.array(-3.25, dtype=np.float32),
        "empty": base[:0],
        "empty inside": base[:, 2:2],
        "empty 1-d": np.array([], dtype=np.float32),
    }


@each_format
@pytest.mark.parametrize("name", list(layouts()))
def test_every_layout_keeps_shape_and_place(format: Format, name: str) -> None:
    values = layouts()[name]
    before = values.copy()
    codes = fp8_encode(values, format)
    assert codes.shape == values.shape and codes.dtype == np.uint8 and codes.flags.c_contiguous
    expected = [int(fp8_encode(np.array([value], dtype=np.float32), format)[0]) for value in values.ravel().tolist()]
    assert codes.ravel().tolist() == expected
    np.testing.assert_array_equal(values, before)

    # The same layouts of uint8, the way back.
    stored = np.empty_like(values, dtype=np.uint8)
    stored[...] = codes
    decoded = fp8_decode(stored, format)
    assert decoded.shape == values.shape and decoded.dtype == np.float32
    np.testing.assert_array_equal(decoded, fp8_decode(codes.ravel(), format).reshape(values.shape))


@each_format
def test_arrays_of_another_type_are_refused(format: Format) -> None:
    expected = "^values: expected a numpy array of float32, found "
    for dtype in (np.float64, np.float16, np.int32, np.uint8, np.dtype(">f4"), np.complex64, np.object_):
        with pytest.raises(TypeError, match=expected + f"2-dimensional {np.dtype(dtype)}$"):
            fp8_encode(np.zeros((2, 2), dtype=dtype), format)
    with pytest.raises(TypeError, match=expected + "list$"):
        fp8_encode([1.0, 2.0], format)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"^codes: expected a numpy array of uint8, found 1-dimensional int64$"):
        fp8_decode(np.zeros(3, dtype=np.int64), format)
    with pytest.raises(TypeError, match=r"^codes: expected a numpy array of uint8, found bytes$"):
        fp8_decode(b"abc", format)  # type: ignore[arg-type]


@each_format
def test_misaligned_arrays_are_refused(format: Format) -> None:
    records = np.zeros(3, dtype=[("tag", np.uint8), ("value", np.float32)])
    for misaligned in (np.zeros(13, dtype=np.uint8)[1:].view(np.float32), records["value"]):
        assert not misaligned.flags.aligned
        with pytest.raises(TypeError, match=r"^values: expected a numpy array of float32, found a misaligned one$"):
            fp8_encode(misaligned, format)


def test_unknown_formats_are_refused() -> None:
    for name in ("e5m2", "E3M4", "", "float8_e3m4", "e3m4\n"):
        for call in (
            lambda name: fp8_encode(np.zeros(1, dtype=np.float32), name),
            lambda name: fp8_decode(np.zeros(1, dtype=np.uint8), name),
        ):
            with pytest.raises(ValueError, match=r'^FP8 format: expected "e3m4" or "e4m3fn", found ".*"$'):
                call(name)


def test_golden_vectors_are_those_of_the_installed_ml_dtypes() -> None:
    reference_dtype("e3m4")
    script = VECTORS / "generate_fp8.py"
    spec = importlib.util.spec_from_file_location("generate_fp8", script)
    assert spec is not None and spec.loader is not None
    generator = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generator)
    stored = json.loads((VECTORS / "fp8.json").read_text(encoding="utf-8"))
    built = generator.build()
    # Not the version: a release that gives the same codes needs no new file.
    assert {key: stored[key] for key in ("generator", "sha256", "formats")} == {
        key: built[key] for key in ("generator", "sha256", "formats")
    }, f"run python {script.relative_to(VECTORS.parents[1])}"
    assert stored["ml_dtypes"]
