"""``predict_arrays`` and ``probabilities`` of many texts: the answers of ``predict``, as numpy arrays."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wldetect import WLDetect

LABELS = ["eng_Latn", "spa_Latn", "deu_Latn"]
WORDS = {"one": [2.0, 0.0, 0.0], "uno": [0.0, 2.0, 0.0], "eins": [0.0, 0.0, 2.0], "the": [0.0, 0.0, 0.0]}
MakeModel = Callable[..., Path]


@pytest.fixture
def detector(make_model_dir: MakeModel) -> WLDetect:
    return WLDetect.load(make_model_dir(LABELS, WORDS))


some_text = st.lists(st.sampled_from([*WORDS, "dos", "\n", "\ud800", "\0"]), max_size=6).map(" ".join)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.one_of(st.none(), some_text), max_size=30), st.sampled_from([None, 1, 2, 5]))
def test_arrays_are_the_answers_of_single_texts(
    detector: WLDetect, texts: list[str | None], threads: int | None
) -> None:
    expected = [None if text is None else detector.predict(text) for text in texts]
    labels, probabilities = detector.predict_arrays(texts, threads=threads)
    assert (labels.dtype, labels.shape) == (np.int32, (len(texts),))
    assert (probabilities.dtype, probabilities.shape) == (np.float32, (len(texts),))
    found = zip(labels.tolist(), probabilities.tolist(), strict=True)
    assert [None if label < 0 else (detector.languages[label], value) for label, value in found] == expected
    assert set(labels[labels < 0].tolist()) <= {-1}
    assert not probabilities[labels < 0].any()
    assert detector.predict(texts, threads=threads) == expected

    rows = detector.probabilities(texts, threads=threads)
    assert (rows.dtype, rows.shape) == (np.float32, (len(texts), len(LABELS)))
    for row, text in zip(rows, texts, strict=True):
        single = None if text is None else detector.probabilities(text)
        np.testing.assert_array_equal(row, np.zeros(len(LABELS)) if single is None else single)


def test_arrays_are_the_callers(detector: WLDetect) -> None:
    for array in (*detector.predict_arrays(["uno", ""]), detector.probabilities(["uno", ""])):
        assert array.flags.c_contiguous and array.flags.aligned and array.flags.writeable
        array[:] = 0
    assert detector.predict_arrays(["uno", ""])[0].tolist() == [1, -1]


def test_threads_out_of_range_are_refused(detector: WLDetect) -> None:
    for method in (detector.predict_arrays, detector.probabilities):
        with pytest.raises(ValueError, match=r"^threads: expected at least 1, found 0$"):
            method(["uno"], threads=0)


def test_without_numpy_only_arrays_are_missing(detector: WLDetect) -> None:
    program = f"""if True:
        import sys
        sys.modules["numpy"] = None
        from wldetect import WLDetect
        detector = WLDetect.load({str(detector.path)!r})
        assert detector.predict(["uno", ""]) == [detector.predict("uno"), None]
        assert detector.tokenize("eins") == [2]
        for method in (detector.predict_arrays, detector.probabilities):
            try:
                method(["uno"])
            except ModuleNotFoundError as error:
                assert error.name == "numpy"
            else:
                raise AssertionError(method)
    """
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
