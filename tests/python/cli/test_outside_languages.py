"""`scripts/outside_languages.py`: which texts are taken."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

SCRIPT = Path(__file__).parents[3] / "scripts" / "outside_languages.py"
MODEL = Path(__file__).parents[3] / "configs" / "models" / "starter.yaml"


def is_first(label: str) -> bool:
    return hashlib.sha256(f"half {label}".encode()).digest()[0] % 2 == 0


def test_texts_of_other_languages(tmp_path: Path) -> None:
    (tmp_path / "corpora").mkdir()
    config = tmp_path / "train.yaml"
    config.write_text(
        f"model_config_path: {MODEL}\ndataset: {{name: x, merge_labels: {{deu_Latn: [gsw_Latn]}}}}\n"
        "output: {artifacts_dir: y}\n"
    )
    rows = [("deu_Latn", 30), ("gsw_Latn", 5), ("zzz_Latn", 5), ("xyz_Latn", 20), ("abc_Cyrl", 7)]
    for name, part in (("a", 0), ("b", 1)):
        labels = [label for label, count in rows for _ in range(count)][part::2]
        texts = [f"{name} {number}" for number in range(len(labels))]
        columns = {"text": texts, "language": labels, "source": [name] * len(labels)}
        pq.write_table(pa.table(columns), tmp_path / "corpora" / f"{name}.parquet")
    output = tmp_path / "out"
    arguments = [str(tmp_path / "corpora"), "--config", str(config), "--output", str(output), "--most", "10"]
    arguments += ["--leave-out", "zzz_Latn"]
    run = subprocess.run([sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, check=True)
    halves = {"calibrate": 0, "score": 0}
    for label, count in (("xyz_Latn", 10), ("abc_Cyrl", 7)):
        halves["calibrate" if is_first(label) else "score"] += count
    assert sorted(halves.values()) == [7, 10]
    lines = [f"{output / half}.parquet: {count} texts of 1 languages" for half, count in halves.items()]
    assert run.stdout.splitlines() == lines
    found = {half: pq.read_table(output / f"{half}.parquet").to_pydict() for half in halves}
    assert all(list(one) == ["text", "language"] for one in found.values())
    many, few = (next(one for one in found.values() if len(one["text"]) == count) for count in (10, 7))
    assert (set(many["language"]), set(few["language"])) == ({"xyz_Latn"}, {"abc_Cyrl"})
    assert len({*many["text"], *few["text"]}) == 17
    # Of both files, in their order.
    assert {text[0] for text in many["text"]} == {"a", "b"}
    assert few["text"] == sorted(few["text"], key=lambda text: (text[0], int(text[2:])))
