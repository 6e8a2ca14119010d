"""`scripts/outside_languages.py`: which texts are taken."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

SCRIPT = Path(__file__).parents[3] / "scripts" / "outside_languages.py"
MODEL = Path(__file__).parents[3] / "configs" / "models" / "starter.yaml"


def test_texts_of_other_languages(tmp_path: Path) -> None:
    (tmp_path / "corpora").mkdir()
    rows = [("deu_Latn", 30), ("xyz_Latn", 20), ("abc_Cyrl", 7)]
    for name, part in (("a", 0), ("b", 1)):
        labels = [label for label, count in rows for _ in range(count)][part::2]
        texts = [f"{name} {number}" for number in range(len(labels))]
        columns = {"text": texts, "language": labels, "source": [name] * len(labels)}
        pq.write_table(pa.table(columns), tmp_path / "corpora" / f"{name}.parquet")
    output = tmp_path / "out" / "outside.parquet"
    arguments = [str(tmp_path / "corpora"), "--model-config", str(MODEL), "--output", str(output), "--most", "10"]
    run = subprocess.run([sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, check=True)
    assert run.stdout == f"{output}: 17 texts of 2 languages\n"
    found = pq.read_table(output).to_pydict()
    assert list(found) == ["text", "language"]
    assert found["language"] == ["abc_Cyrl"] * 7 + ["xyz_Latn"] * 10
    assert len(set(found["text"])) == 17
    # Of both files, in their order.
    assert {text[0] for text in found["text"][7:]} == {"a", "b"}
    assert found["text"][:7] == sorted(found["text"][:7], key=lambda text: (text[0], int(text[2:])))
