"""`wldetect eval`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from wldetect.cli.extras import require_extras
from wldetect.errors import ConfigError

if TYPE_CHECKING:
    from wldetect.evaluation import EvaluationResult, LabelledTexts

NAME = "eval"
HELP = "score a model on labelled texts"
DESCRIPTION = """Score a model on labelled texts, FLORES by default, through the detector on its quantized table.

Prints a table; writes flores_SPLIT_results.json and flores_SPLIT_confusion.png into the model directory.
Without --data, the texts are those that the model's training configuration names.

examples:
  wldetect eval --model-path artifacts/starter
  wldetect eval --model-path artifacts/gemma3-270m --data dev.parquet --split dev --table e4m3fn"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's options to ``parser``."""
    parser.add_argument("--model-path", type=Path, required=True, metavar="DIR", help="model directory")
    parser.add_argument(
        "--data",
        metavar="PATH",
        help="FLORES+ parquet file, directory, other table with a text and a language column, or hub id",
    )
    parser.add_argument("--split", metavar="NAME", help="the part of the data to use (default: dev)")
    parser.add_argument("--text-column", metavar="NAME", default="text", help="(default: %(default)s)")
    parser.add_argument(
        "--language-column", metavar="NAME", help="(default: iso_639_3 and iso_15924 joined, or language)"
    )
    parser.add_argument(
        "--table",
        choices=["e3m4", "e4m3fn", "float32"],
        default="e3m4",
        help="which of the model's tables to score (default: %(default)s)",
    )
    parser.add_argument("--output", type=Path, metavar="DIR", help="where to write (default: the model directory)")
    parser.add_argument("--threads", type=int, metavar="N", help="threads (default: one for each core)")


def run(options: argparse.Namespace) -> int:
    """Evaluate and report; returns the exit status."""
    require_extras("wldetect eval", ["training"])
    from wldetect.evaluation import load_flores

    data, split = options.data, options.split
    if data is None:
        data, trained_split = _data_of_training(options.model_path)
        split = split or trained_split
    split = split or "dev"
    texts = load_flores(data, split, options.text_column, options.language_column)
    evaluate_and_report(options.model_path, texts, split, options.table, options.output, options.threads)
    return 0


def _data_of_training(model_path: Path) -> tuple[str, str]:
    """What the model's own training was evaluated on, from its provenance."""
    import json

    path = model_path / "provenance.json"
    evaluation = json.loads(path.read_text(encoding="utf-8"))["config"]["training"]["evaluation"]
    if evaluation["data"] is None:
        raise ConfigError(f"{path}: the training configuration names no evaluation data; give it with --data")
    return evaluation["data"], evaluation["split"]


def evaluate_and_report(
    model_path: Path,
    texts: LabelledTexts,
    split: str,
    table: str,
    output: Path | None = None,
    threads: int | None = None,
) -> EvaluationResult:
    """Score the model in ``model_path`` on ``texts``; print the table, write the JSON file and the heat map."""
    from wldetect.evaluation import evaluate, format_table, write_heat_map, write_json

    output = model_path if output is None else output
    # Only the default table's scores are called the model's own.
    suffix = "" if table == "e3m4" else f"_{table}"
    result = evaluate(model_path, texts, table=table, threads=threads, progress=True)
    print(format_table(result))
    results = output / f"flores_{split}_results{suffix}.json"
    picture = output / f"flores_{split}_confusion{suffix}.png"
    write_json(result, results)
    write_heat_map(result, picture)
    print(f"wrote: {results} and {picture.name}")
    return result
