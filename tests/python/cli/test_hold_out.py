"""`scripts/hold_out.py`: which texts are held out, and what is scored."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from wldetect.config import dump_model_config, load_model_config
from wldetect.data.not_language import generated_texts

SCRIPT = Path(__file__).parents[3] / "scripts" / "hold_out.py"
MODEL = Path(__file__).parents[3] / "configs" / "models" / "starter.yaml"


def test_whole_sources_or_a_tenth(tmp_path: Path) -> None:
    (tmp_path / "corpora").mkdir()
    model = load_model_config(MODEL)
    languages = {"deu_Latn": 0, "fra_Latn": 1}
    path = tmp_path / "model.yaml"
    path.write_text(dump_model_config(model.model_copy(update={"languages": languages})), encoding="utf-8")
    # Of German one source is small enough, and large enough, to be held out; French has one alone.
    rows = [("deu_Latn", source) for source, count in (("a", 500), ("b", 160), ("c", 149)) for _ in range(count)]
    rows += [("fra_Latn", "d")] * 61 + [("frp_Latn", "d")] * 40 + [("und_Latn", "e")] * 5
    texts = [f'"eins{number}  zwei drei, vier fünf {source} {number}."' for number, (_, source) in enumerate(rows)]
    table = {"text": texts, "language": [label for label, _ in rows], "source": [source for _, source in rows]}
    pq.write_table(pa.table(table), tmp_path / "corpora" / "a.parquet")
    output = tmp_path / "out"
    # A file that the configuration does not name is not read.
    pq.write_table(pa.table(table), tmp_path / "corpora" / "b.parquet")
    first = {"name": "corpora", "files": ["a.parquet"]}
    dataset = {"sources": [first], "merge_labels": {"fra_Latn": ["frp_Latn"]}}
    config = {"model_config_path": "model.yaml", "output": {"artifacts_dir": "out"}, "dataset": dataset}
    (tmp_path / "train.yaml").write_text(json.dumps(config), encoding="utf-8")
    arguments = ["--config", str(tmp_path / "train.yaml"), "--output", str(output), "--most", "100"]
    run = subprocess.run([sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, check=True)
    assert f"{output / 'held_out.parquet'}: 171 texts of 2 languages" in run.stdout
    held = pq.read_table(output / "held_out.parquet").to_pydict()
    one_spaced = [" ".join(text.split()) for text in texts]
    assert held["text"] == one_spaced[500:660] + one_spaced[809:910:10]
    assert held["language"] == ["deu_Latn"] * 160 + ["fra_Latn"] * 11
    scored = pq.read_table(output / "sets" / "sentences.parquet").to_pydict()
    assert len(set(scored["text"])) == 111
    assert set(scored["text"]) <= set(held["text"])
    assert "zxx" not in held["language"]
    words = pq.read_table(output / "sets" / "words2.parquet").to_pydict()
    # Each sentence twice, but for cuts without a letter; punctuation stands inside cuts alone.
    assert 200 <= len(words["text"]) <= 222
    assert "drei, vier" in words["text"]
    # Made up, of another seed than training has.
    dataset["sources"].append({"generated": "not_language", "samples": 10})
    path.write_text(
        dump_model_config(model.model_copy(update={"languages": {**languages, "zxx": 2}})), encoding="utf-8"
    )
    (tmp_path / "train.yaml").write_text(json.dumps(config), encoding="utf-8")
    subprocess.run([sys.executable, str(SCRIPT), *arguments, "--generated", "30"], capture_output=True, check=True)
    again = pq.read_table(output / "held_out.parquet").to_pydict()
    assert again["text"][:171] == held["text"]
    assert again["language"][171:] == ["zxx"] * 30
    assert again["text"][171:] == list(generated_texts(43, 30))
    assert pq.read_table(output / "sets" / "sentences.parquet").to_pydict() == scored
    assert all(len(text.split()) == 2 and text[0] != '"' for text in words["text"])
