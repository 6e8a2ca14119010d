"""``WLDetect`` with rows of character n-grams beside those of tokens."""

from __future__ import annotations

import hashlib
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from wldetect import ArtifactError, WLDetect, _core
from wldetect.config import Splitting

LABELS = ["eng_Latn", "spa_Latn", "deu_Latn"]
WORDS = {"one": [2.0, 0.0, 0.0], "uno": [0.0, 2.0, 0.0], "eins": [0.0, 0.0, 2.0]}
TEXTS = ["one", "uno uno eins", "dos", "UNO!", "Größe one", "", " ", "ab " * 50]
NGRAMS: dict[str, int] = {"n_min": 2, "n_max": 3, "max_words": 8, "max_letters": 64, "rows": 32}

Table = Literal["e3m4", "e4m3fn", "float32"]
MakeModel = Callable[..., Path]


def random_rows(*shape: int) -> NDArray[np.float32]:
    """Numbers that E3M4 holds exactly."""
    return (np.random.default_rng(7).integers(-16, 17, shape) / 8).astype(np.float32)


@pytest.fixture
def model_dir(make_model_dir: MakeModel) -> Path:
    return make_model_dir(LABELS, WORDS, ngrams=random_rows(32, 5), projection=random_rows(5, 3))


def logits(text: str, rows: NDArray[np.float32], projection: NDArray[np.float32]) -> NDArray[np.float64] | None:
    """Token logits and n-gram logits from their definition."""
    tokens = [WORDS[word] for word in text.split() if word in WORDS]
    numbers = _core.Ngrams(**NGRAMS, whole_words=True, splitting="spaces").rows(text)  # type: ignore[arg-type]
    if not tokens and not len(numbers):
        return None
    found: NDArray[np.float64] = np.zeros(3)
    if tokens:
        found = found + np.mean(tokens, axis=0)
    if len(numbers):
        found = found + rows[numbers].mean(axis=0, dtype=np.float64) @ projection
    return found


def test_every_splitting_of_configurations_is_known() -> None:
    found = {}
    for splitting in Splitting:
        ngrams = _core.Ngrams(**NGRAMS, whole_words=True, splitting=splitting.value)  # type: ignore[arg-type]
        found[splitting.value] = [len(ngrams.rows(text)) for text in ("ab", "東京", "ab東京")]
    # A word of n letters has n + 1 n-grams of two and n of three, and a row of its own.
    whole = [6, 6, 10]
    boundaries = [6, 4 + 4, 6 + 4 + 4]
    assert found == {"spaces": whole, "letters": whole, "boundaries": boundaries, "ideographs": [6, 3, 6 + 3]}


@pytest.mark.parametrize("projected", [True, False])
@pytest.mark.parametrize("table", ["e3m4", "e4m3fn", "float32"])
def test_logits_of_both_families_are_added(make_model_dir: MakeModel, table: Table, projected: bool) -> None:
    rows = random_rows(32, 5 if projected else 3)
    projection = random_rows(5, 3) if projected else None
    directory = make_model_dir(LABELS, WORDS, dtype=table, ngrams=rows, projection=projection)
    detector = WLDetect.load(directory, table=table)
    assert detector.features == ["tokens", "ngrams"]
    for text, found in zip(TEXTS, detector.predict(TEXTS), strict=True):
        expected = logits(text, rows, np.eye(3, dtype=np.float32) if projection is None else projection)
        probabilities = detector.probabilities(text)
        if expected is None:
            assert probabilities is None and found is None
            continue
        assert probabilities is not None
        np.testing.assert_allclose(probabilities, np.exp(expected) / np.exp(expected).sum(), rtol=2e-6)
        assert found == (LABELS[int(probabilities.argmax())], probabilities.max())


def test_tokens_alone_are_a_model_without_ngrams(model_dir: Path, make_model_dir: MakeModel) -> None:
    plain = WLDetect.load(make_model_dir(LABELS, WORDS, name="plain"))
    (model_dir / "ngram_table_fp8_e3m4.safetensors").unlink()
    tokens = WLDetect.load(model_dir, features="tokens")
    assert plain.features == tokens.features == ["tokens"]
    assert tokens.predict(TEXTS) == plain.predict(TEXTS)
    with pytest.raises(FileNotFoundError) as caught:
        WLDetect.load(model_dir)
    assert caught.value.filename == str(model_dir / "ngram_table_fp8_e3m4.safetensors")


def test_ngrams_alone(model_dir: Path, make_model_dir: MakeModel) -> None:
    rows, projection = random_rows(32, 5), random_rows(5, 3)
    detector = WLDetect.load(model_dir, features="ngrams")
    assert detector.features == ["ngrams"]
    assert detector.predict(["", " "]) == [None, None]
    for text in ("one", "dos", "uno uno eins"):
        numbers = _core.Ngrams(**NGRAMS, whole_words=True, splitting="spaces").rows(text)  # type: ignore[arg-type]
        expected = rows[numbers].mean(axis=0, dtype=np.float64) @ projection
        found = detector.probabilities(text)
        assert found is not None
        np.testing.assert_allclose(found, np.exp(expected) / np.exp(expected).sum(), rtol=2e-6)
    plain = make_model_dir(LABELS, WORDS, name="plain")
    with pytest.raises(ArtifactError, match="features: expected a model with rows of n-grams, found one without"):
        WLDetect.load(plain, features="ngrams")


def test_features_are_named(model_dir: Path) -> None:
    with pytest.raises(ValueError) as caught:
        WLDetect.load(model_dir, features="both")  # type: ignore[arg-type]
    assert str(caught.value) == 'features: expected "all", "tokens" or "ngrams", found "both"'
    assert 'features="tokens"' in repr(WLDetect.load(model_dir, features="tokens"))


def test_a_spoilt_file_is_an_artifact_error(model_dir: Path) -> None:
    path = model_dir / "ngram_table_fp8_e3m4.safetensors"
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"of the tests", b"of strangers"))
    with pytest.raises(ArtifactError) as caught:
        WLDetect.load(model_dir)
    assert str(caught.value).startswith(f'{path}: ngram_table_id: expected "of the tests" (lookup table), found ')
    path.write_bytes(whole[:-1])
    with pytest.raises(ArtifactError, match="not a whole safetensors file"):
        WLDetect.load(model_dir)


def test_pickles_keep_the_features(model_dir: Path) -> None:
    names = ["lookup_table_fp8_e3m4.safetensors", "ngram_table_fp8_e3m4.safetensors"]
    lookup, ngrams = ((model_dir / name).read_bytes() for name in names)
    both, tokens = WLDetect.load(model_dir), WLDetect.load(model_dir, features="tokens")
    alone = WLDetect.load(model_dir, features="ngrams")
    assert both.fingerprint == hashlib.sha256(lookup + ngrams).hexdigest()
    assert tokens.fingerprint == hashlib.sha256(lookup).hexdigest()
    for detector in (both, tokens, alone):
        restored = pickle.loads(pickle.dumps(detector))
        assert (repr(restored), restored.features) == (repr(detector), detector.features)
        assert restored.predict(TEXTS) == detector.predict(TEXTS)
    assert both.predict("dos") != tokens.predict("dos")


def test_threads_and_kernel_levels_change_no_bit(model_dir: Path) -> None:
    detector = WLDetect.load(model_dir)
    generator = np.random.default_rng(3)
    words = ["one", "uno", "eins", "dos", "Größe", "x" * 100]
    texts = [" ".join(generator.choice(words, n % 12)) for n in range(3000)]
    alone = detector.probabilities(texts, threads=1)
    for threads in (2, 3):
        np.testing.assert_array_equal(detector.probabilities(texts, threads=threads), alone)
    program = (
        "import sys; from wldetect import WLDetect; "
        "print(WLDetect.load(sys.argv[1]).probabilities(sys.argv[2:]).tobytes().hex())"
    )
    found = [
        subprocess.run(
            [sys.executable, "-c", program, str(model_dir), *texts[:40]],
            env={**os.environ, **forced},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for forced in ({}, {"WLDETECT_KERNEL": "scalar"})
    ]
    assert found[0] == found[1] == alone[:40].tobytes().hex()
