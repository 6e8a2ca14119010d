#!/usr/bin/env python3
"""Measure a training run from nothing to evaluated tables, and print the numbers beside what was aimed at.

Everything derived (embeddings, token ids) is built anew in a temporary cache, so that the time includes it; then the
cached steps are timed again. Speed is what this machine gives at this moment: compare numbers of one run only.

example: python scripts/measure_training.py --data data/corpora --flores data/flores/dev.parquet
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

# As the command does, before torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

from wldetect import _core
from wldetect.config import load_training_config
from wldetect.data.dataset import prepare_dataset
from wldetect.embeddings import open_sources
from wldetect.evaluation import evaluate, load_flores
from wldetect.training.run import run_training

T = TypeVar("T")
ROOT = Path(__file__).resolve().parent.parent


def timed(work: Callable[[], T]) -> tuple[T, float]:
    begun = time.perf_counter()
    result = work()
    return result, time.perf_counter() - begun


def peak_memory_gb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Kilobytes on Linux, bytes on macOS.
    return peak / (1e9 if sys.platform == "darwin" else 1e6)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=ROOT / "configs" / "training" / "gemma3-270m.yaml")
    parser.add_argument("--data", type=Path, required=True, help="the training corpus")
    parser.add_argument("--flores", type=Path, required=True, help="FLORES dev, a parquet file")
    parser.add_argument("--output", type=Path, help="keep the model here (default: a temporary directory)")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as temporary:
        cache = Path(temporary) / "cache"
        output = options.output or Path(temporary) / "model"
        overrides = {
            "dataset.name": str(options.data.resolve()),
            "output.artifacts_dir": str(output),
            "output.float32_table": True,
        }
        config = load_training_config(options.config, overrides)
        begun = time.perf_counter()
        run = run_training(config, cache_dir=cache)
        texts = load_flores(str(options.flores), "dev")
        result = evaluate(output, texts, table="e3m4", progress=True)
        end_to_end = time.perf_counter() - begun
        memory = peak_memory_gb()

        accuracy = {"e3m4": result.scores.accuracy}
        for table in ("e4m3fn", "float32"):
            accuracy[table] = evaluate(output, texts, table=table, progress=True).scores.accuracy
        source, source_seconds = timed(lambda: open_sources(config.model, config.model_path, cache))
        matrix, matrix_seconds = timed(source.matrix)
        tokenizer = _core.Tokenizer(source.tokenizer_json())
        _, dataset_seconds = timed(lambda: prepare_dataset(config, tokenizer, cache, progress=False))

    lost = accuracy["float32"] - accuracy["e3m4"]
    rows = [
        ("end to end: tokenizing, training, export, evaluation", f"{end_to_end:.0f} s", "< 900 s"),
        *((f"  of which {name}", f"{seconds:.1f} s", "") for name, seconds in run.seconds.items()),
        ("peak resident memory", f"{memory:.2f} GB", "< 12 GB"),
        ("training speed, tokenized", f"{run.result.texts_per_second:,.0f} texts/s", "> 40,000"),
        ("FLORES dev accuracy, E3M4", f"{accuracy['e3m4']:.2%}", "> 96.80%"),
        ("FLORES dev macro-F1, E3M4", f"{result.scores.macro_f1:.2%}", ""),
        ("FLORES dev accuracy, E4M3FN", f"{accuracy['e4m3fn']:.2%}", ""),
        ("FLORES dev accuracy, float32", f"{accuracy['float32']:.2%}", ""),
        ("lost by quantizing to E3M4", f"{100 * lost:+.3f} points", "< 0.05"),
        (f"embeddings {matrix.shape[0]} x {matrix.shape[1]} from the cache", f"{source_seconds + matrix_seconds:.2f} s",
         "< 3 s"),
        ("data set from the cache", f"{dataset_seconds:.2f} s", ""),
    ]  # fmt: skip
    print()
    for name, measured, aim in rows:
        print(f"{name:<54} {measured:>16}  {aim}")
    if options.json:
        options.json.write_text(json.dumps({name.strip(): measured for name, measured, _ in rows}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
