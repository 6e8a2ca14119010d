"""Token counts: what is counted, the file they are kept in, and the list for reading."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from wldetect import ArtifactError, DataError
from wldetect.analysis.counts import (
    TokenCounts,
    count_files,
    other_corpus,
    read_counts,
    require_same_tokens,
    write_counts,
    write_frequency_table,
)
from wldetect.analysis.model import open_model, read_provenance
from wldetect.data.token_counts import count_ids


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 40)), max_size=8), st.integers(0, 50))
def test_ids_are_counted_like_one_by_one(chunks: list[list[int]], n_tokens: int) -> None:
    counted = Counter(token for chunk in chunks for token in chunk)
    expected = [counted[token] for token in range(n_tokens)]
    found = count_ids((np.array(chunk, dtype=np.int32) for chunk in chunks), n_tokens)
    assert found.dtype == np.int64
    assert found.tolist() == expected


def test_files_are_counted_as_the_detector_sees_them(make_model_dir: Callable[..., Path], tmp_path: Path) -> None:
    model = make_model_dir(["a", "b"], {"ja": [1.0, 0.0], "no": [0.0, 1.0], "so": [0.0, 0.0]}, max_sequence_length=3)
    (tmp_path / "one.txt").write_text("ja ja no no no\n\nperhaps so\n", encoding="utf-8")
    pq.write_table(pa.table({"sentence": ["ja", None, "never"]}), tmp_path / "two.parquet")
    (tmp_path / "empty.txt").write_text("", encoding="utf-8")
    names = [str(tmp_path / "one.txt"), str(tmp_path / "empty.txt")]
    counts = count_files(names, model, progress=False)
    # Texts are cut after three tokens; the unknown word has no row, but is a token.
    assert (counts.counts.tolist(), counts.texts, counts.tokens) == ([2, 1, 1], 2, 4)
    assert counts.tokenizer == open_model(model).tokenizer_sha256
    both = count_files([*names, str(tmp_path / "two.parquet")], model, text_column="sentence", progress=False)
    assert (both.counts.tolist(), both.texts) == ([3, 1, 1], 4)
    assert both.corpus != counts.corpus
    with pytest.raises(FileNotFoundError, match=r"none\.txt"):
        count_files([str(tmp_path / "none.txt")], model)
    with pytest.raises(DataError, match=r"two.parquet: expected a column 'text', found sentence"):
        count_files([str(tmp_path / "two.parquet")], model)


def test_a_file_of_counts_reads_back(counts: TokenCounts, tmp_path: Path) -> None:
    path = tmp_path / "new" / "counts.safetensors"
    write_counts(counts, path)
    found = read_counts(path)
    np.testing.assert_array_equal(found.counts, counts.counts)
    assert (found.texts, found.corpus, found.tokenizer) == (77, "c" * 64, counts.tokenizer)
    assert found.tokens == 1519


METADATA = {"texts": "1", "tokens": "3", "corpus_sha256": "c", "tokenizer_sha256": "t"}


@pytest.mark.parametrize(
    ("tensors", "metadata", "reason"),
    [
        ({"other": np.zeros(2)}, METADATA, r"expected a tensor counts, int64 \[V\], found {'other': 'float64 \[2\]'}"),
        ({"counts": np.array([1, 2], dtype=np.int32)}, METADATA, "found {'counts': 'int32"),
        ({"counts": np.array([[1, 2]])}, METADATA, r"int64 \[1, 2\]"),
        ({"counts": np.array([1, 2])}, {**METADATA, "tokens": "4"}, "expected 4 tokens in all, found 3"),
        ({"counts": np.array([4, -1])}, METADATA, "expected 3 tokens in all, found 3"),
        (
            {"counts": np.array([1, 2])},
            {**METADATA, "texts": "many"},
            "expected the metadata of a file of token counts",
        ),
        ({"counts": np.array([1, 2])}, {"texts": "1"}, "found 'corpus_sha256'"),
    ],
)
def test_other_files_are_refused(
    tensors: dict[str, np.ndarray], metadata: dict[str, str], reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "counts.safetensors"
    save_file(tensors, path, metadata=metadata)
    with pytest.raises(ArtifactError, match=reason) as caught:
        read_counts(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_what_is_no_file_of_tensors_is_refused(counts: TokenCounts, tmp_path: Path) -> None:
    path = tmp_path / "counts.safetensors"
    with pytest.raises(FileNotFoundError):
        read_counts(path)
    write_counts(counts, path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ArtifactError, match="not a whole safetensors file"):
        read_counts(path)


def test_counts_of_another_tokenizer_are_refused(model: Path, counts: TokenCounts) -> None:
    found = open_model(model)
    where = Path("counts.safetensors")
    require_same_tokens(counts, where, found)
    with pytest.raises(ArtifactError, match=r"^counts.safetensors: tokenizer_sha256: expected that of .*, found t"):
        require_same_tokens(replace(counts, tokenizer="t"), where, found)
    with pytest.raises(ArtifactError, match=r"^counts.safetensors: counts: expected 5, .* found 4"):
        require_same_tokens(replace(counts, counts=counts.counts[:4]), where, found)


def test_counts_of_another_corpus_are_remarked_on(model: Path, counts: TokenCounts) -> None:
    assert other_corpus(counts, {"corpus": {"sha256": counts.corpus}}) is None
    remark = other_corpus(counts, {"corpus": {"sha256": "x"}})
    assert remark is not None and remark.endswith("the one that the model was trained on is another one (x)")
    for provenance in (read_provenance(open_model(model)), {}, {"corpus": 3}):
        remark = other_corpus(counts, provenance)
        assert remark is not None and remark.endswith("trained on is not known")


def test_the_list_has_both_ends(tmp_path: Path) -> None:
    counts = TokenCounts(np.array([5, 0, 7, 5, 2, 1]), 1, "c", "t")
    strings = {0: "a", 2: 'tab\t"', 3: "\u0416", 4: "d", 5: "e"}

    def listed(n: int) -> list[list[str]]:
        write_frequency_table(counts, strings, tmp_path / "list.tsv", n)
        lines = (tmp_path / "list.tsv").read_text(encoding="utf-8").splitlines()
        assert lines[0] == "rank\tid\ttoken\tcount\tshare"
        return [line.split("\t") for line in lines[1:]]

    # Equal counts in the order of ids; what never occurs is not listed, and nothing twice.
    assert [row[:2] for row in listed(2)] == [["1", "2"], ["2", "0"], ["4", "4"], ["5", "5"]]
    assert [row[1] for row in listed(3)] == ["2", "0", "3", "4", "5"]
    assert [row[1] for row in listed(99)] == ["2", "0", "3", "4", "5"]
    assert listed(1)[0] == ["1", "2", '"tab\\t\\""', "7", "3.500e-01"]
    assert listed(3)[2][2] == '"\u0416"'
