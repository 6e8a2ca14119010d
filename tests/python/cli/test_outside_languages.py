"""`scripts/outside_languages.py`: which texts are taken."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

SCRIPT = Path(__file__).parents[3] / "scripts" / "outside_languages.py"
MODEL = Path(__file__).parents[3] / "configs" / "models" / "starter.yaml"


def is_first(label: str) -> bool:
    return hashlib.sha256(f"half {label}".encode()).digest()[0] % 2 == 0


def run(tmp_path: Path, merged: str, rows: list[tuple[str, int]], *more: str) -> tuple[list[str], dict[str, list]]:
    """What the script says of texts in two files, and the rows of each file that it writes, as (text, language)."""
    (tmp_path / "corpora").mkdir()
    config = tmp_path / "train.yaml"
    config.write_text(
        f"model_config_path: {MODEL}\ndataset: {{name: x, merge_labels: {merged}}}\noutput: {{artifacts_dir: y}}\n"
    )
    for name, part in (("a", 0), ("b", 1)):
        labels = [label for label, count in rows for _ in range(count)][part::2]
        texts = [f"{name} {number}" for number in range(len(labels))]
        columns = {"text": texts, "language": labels, "source": [name] * len(labels)}
        pq.write_table(pa.table(columns), tmp_path / "corpora" / f"{name}.parquet")
    output = tmp_path / "out"
    arguments = [str(tmp_path / "corpora"), "--config", str(config), "--output", str(output), *more]
    done = subprocess.run([sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, check=True)
    found = {}
    for part in ("held_out", "calibrate", "score"):
        table = pq.read_table(output / f"{part}.parquet").to_pydict()
        assert list(table) == ["text", "language"]
        found[part] = list(zip(*table.values(), strict=True))
    return done.stdout.replace(str(output), "").splitlines(), found


def test_texts_of_other_languages(tmp_path: Path) -> None:
    rows = [("deu_Latn", 30), ("gsw_Latn", 5), ("zzz_Latn", 5), ("xyz_Latn", 20), ("abc_Cyrl", 7)]
    lines, found = run(tmp_path, "{deu_Latn: [gsw_Latn]}", rows, "--most", "10", "--leave-out", "zzz_Latn")
    assert found["held_out"] == []
    many, few = (next(found[half] for half in ("calibrate", "score") if len(found[half]) == n) for n in (10, 7))
    assert ({label for _, label in many}, {label for _, label in few}) == ({"xyz_Latn"}, {"abc_Cyrl"})
    assert (many is found["calibrate"]) == is_first("xyz_Latn")
    assert (few is found["calibrate"]) == is_first("abc_Cyrl")
    assert len({*many, *few}) == 17
    # Of both files, in their order.
    assert {text[0] for text, _ in many} == {"a", "b"}
    assert few == sorted(few, key=lambda row: (row[0][0], int(row[0][2:])))
    counts = [f"/{half}.parquet: {len(found[half])} texts of 1 languages" for half in ("calibrate", "score")]
    assert lines == ["/held_out.parquet: 0 texts of 0 languages", *counts]


def test_a_quarter_of_the_merged_labels_is_held_out(tmp_path: Path) -> None:
    codes = [f"q{first}{second}_Latn" for first in "abcdefgh" for second in "abcdefgh"]
    quarter = {code for code in codes if int(hashlib.sha256(code.encode()).hexdigest(), 16) % 4 == 0}
    assert 5 < len(quarter) < 30
    chosen, other = sorted(quarter), sorted({*codes} - quarter)
    # One label has enough others; of one, nothing would be left; one has texts of its own; and of one there are none.
    merged = {"deu_Latn": [*chosen[:2], *other[:3]], "fra_Latn": chosen[2:3], "ita_Latn": chosen[3:4]}
    merged["spa_Latn"] = [chosen[4], other[3]]
    rows = [(code, 4) for code in (*chosen[:4], *other[:3], "deu_Latn", "ita_Latn")]
    lines, found = run(tmp_path, str(merged).replace("'", ""), rows, "--most", "3")
    held_out = {chosen[0], chosen[1], chosen[3]}
    assert {label for _, label in found["held_out"]} == held_out
    assert len(found["held_out"]) == 12
    others = [*found["calibrate"], *found["score"]]
    assert len(others) == 9
    assert set(others) < set(found["held_out"])
    assert lines[0] == "/held_out.parquet: 12 texts of 3 languages"


def test_scores(tmp_path: Path, make_model_dir: Callable[..., Path]) -> None:
    words = {"ja": [4.0, 0.0, 0.0], "no": [0.0, 4.0, 0.0], "si": [0.0, 0.0, 1.0]}
    labels = ["deu_Latn", "eng_Latn", "fra_Latn"]
    model = make_model_dir(labels, words, more={"hidden_languages": '["eng_Latn"]'})
    (tmp_path / "model.yaml").write_text(
        "model: {name: m, type: gemma3, hidden_dim: 8}\nlanguages: {deu_Latn: 0, eng_Latn: 1, fra_Latn: 2}\n"
        "hidden_languages: [eng_Latn]\n"
    )
    held_out = {"text": ["no", "no", "ja", "si"], "language": ["eng_Latn"] * 3 + ["deu_Latn"]}
    pq.write_table(pa.table(held_out), tmp_path / "held_out.parquet")
    other = next(code for code in ("xya_Latn", "xyb_Latn", "xyc_Latn", "xyd_Latn") if not is_first(code))
    (tmp_path / "corpora").mkdir()
    columns = {"text": ["no", "ja", "si", "perhaps"], "language": [other] * 4}
    pq.write_table(pa.table(columns), tmp_path / "corpora" / "a.parquet")
    (tmp_path / "train.yaml").write_text(
        "model_config_path: model.yaml\ndataset: {name: x}\noutput: {artifacts_dir: y}\n"
    )
    arguments = [str(tmp_path / "corpora"), "--config", str(tmp_path / "train.yaml"), "--output", str(tmp_path / "out")]
    arguments += ["--score", str(model), "--held-out", str(tmp_path / "held_out.parquet")]
    done = subprocess.run([sys.executable, str(SCRIPT), *arguments], capture_output=True, text=True, check=True)
    # A hidden label, and a text without any row; at 0.5, 1 of 1 in 1 + 1/e + 1/e as well.
    assert done.stdout.splitlines()[3:] == [
        "und: 50.0% of the texts, 50.0% on average over languages",
        "     25.0% of the texts are none of its languages, 25.0% hidden ones",
        "threshold 0.5: 50.0% und",
        "threshold 0.7: 75.0% und",
        "3 held-out texts of 1 hidden labels: 66.7% und, 66.7% on average over labels",
    ]
