#!/usr/bin/env python3
"""Measure what preparing and reading a data set of any size takes: texts a second of each stage, and memory.

Writes synthetic sentences of many languages, whose counts are as unequal as those of real corpora, to parquet files in
a temporary directory; reads, cleans, chooses and tokenizes them; and iterates over one epoch. The sentences are random
words, of which each language has its own. Each stage runs in a process of its own, so that peaks of memory are its own.

example: python scripts/measure_data.py --texts 20000000 --tokenizer artifacts/gemma3-270m/tokenizer.json
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from wldetect import _core
from wldetect.config import ModelConfig, ResolvedConfig, TrainingConfig
from wldetect.data.batches import BatchLoader
from wldetect.data.columns import Columns
from wldetect.data.dataset import TokenizedDataset, prepare_dataset
from wldetect.data.sources import read_source

# Words of a language, and the texts of a table that is written at a time.
N_WORDS = 3000
TABLE = 100_000
SCHEMA = pa.schema({"text": pa.string(), "language": pa.string()})
# Where the letters of a language's words come from.
ALPHABETS = {"Latn": (0x61, 26), "Cyrl": (0x430, 32), "Deva": (0x915, 34), "Thai": (0xE01, 46), "Hani": (0x4E00, 2000)}


def label_of(number: int) -> str:
    """A code for each language; scripts take turns."""
    letters = "".join(chr(ord("a") + number // 26**place % 26) for place in (2, 1, 0))
    return f"{letters}_{list(ALPHABETS)[number % len(ALPHABETS)]}"


def write_texts(directory: Path, n_texts: int, n_labels: int, n_files: int, seed: int) -> int:
    """Write ``n_texts`` of ``n_labels`` to ``n_files`` parquet files; returns their size in bytes."""
    rng = np.random.default_rng(seed)
    words: list[str] = []
    for number in range(n_labels):
        first, count = ALPHABETS[label_of(number)[4:]]
        letters = [chr(first + offset) for offset in rng.permutation(count)[:30]]
        lengths = rng.integers(1, 4 if count > 100 else 9, N_WORDS)
        words += [" " + "".join(letters[at] for at in rng.integers(0, len(letters), length)) for length in lengths]
    vocabulary = pa.array(words)
    # The most frequent language has about n_labels times the texts of the rarest.
    shares = 1 / np.arange(1, n_labels + 1)
    # One in 101 is a repetition.
    counts = np.floor(n_texts * 100 / 101 * shares / shares.sum()).astype(np.int64)
    for file in range(n_files):
        mine = counts * (file + 1) // n_files - counts * file // n_files
        codes = rng.permutation(np.repeat(np.arange(n_labels), mine))
        with pq.ParquetWriter(directory / f"train-{file:05}.parquet", SCHEMA) as writer:
            for start in range(0, len(codes), TABLE):
                part = codes[start : start + TABLE]
                writer.write_table(table_of(part, vocabulary, n_labels, rng))
    return sum(path.stat().st_size for path in directory.iterdir())


def table_of(codes: np.ndarray, vocabulary: pa.Array, n_labels: int, rng: np.random.Generator) -> pa.Table:
    """Sentences of 4 to 30 words; of each hundred, one is there a second time."""
    lengths = rng.integers(4, 31, len(codes))
    # Frequent words are frequent.
    places = (N_WORDS * rng.random(int(lengths.sum())) ** 3).astype(np.int64) + np.repeat(codes, lengths) * N_WORDS
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())
    texts = pc.binary_join(pa.ListArray.from_arrays(offsets, vocabulary.take(pa.array(places))), "")
    again = np.arange(0, len(codes), 100)
    rows = np.concatenate([np.arange(len(codes)), again])
    labels = pa.array([label_of(number) for number in range(n_labels)])
    language = pa.DictionaryArray.from_arrays(pa.array(codes[rows]), labels).cast(pa.string())
    return pa.table({"text": texts.take(pa.array(rows)), "language": language}, schema=SCHEMA)


def small_tokenizer() -> str:
    """A tokenizer of bytes and letters, where no other is given: more tokens a text than a real one makes."""
    letters = [chr(first + offset) for first, count in ALPHABETS.values() for offset in range(count)]
    pieces = [*(f"<0x{byte:02X}>" for byte in range(256)), "\u2581", *dict.fromkeys(letters)]
    model = {
        "type": "BPE",
        "byte_fallback": True,
        "fuse_unk": True,
        "ignore_merges": False,
        "vocab": {piece: row for row, piece in enumerate(pieces)},
        "merges": [],
    }
    normalizer = {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}
    return json.dumps({"version": "1.0", "added_tokens": [], "normalizer": normalizer, "model": model})


def configuration(options: argparse.Namespace, corpus: Path) -> ResolvedConfig:
    """Caps, shares and cleaning that leave most of the texts in."""
    dataset = {
        "name": str(corpus),
        "max_samples_per_language": options.cap,
        "sampling_alpha": options.alpha,
        "cleaning": {
            "nfc": True,
            "deduplicate": True,
            "min_script_share": 0.5,
            "min_letters": 3,
        }
        if options.cleaning
        else {},
        "balance_languages": True,
    }
    training = {"model_config_path": "none", "output": {"artifacts_dir": "none"}, "dataset": dataset}
    model = {"name": "none", "type": "none", "hidden_dim": 1}
    languages = {label_of(number): number for number in range(options.labels)}
    return ResolvedConfig(
        ModelConfig.model_validate({"model": model, "languages": languages}),
        TrainingConfig.model_validate(training),
        corpus,
        corpus,
    )


def prepare(options: argparse.Namespace, root: Path) -> TokenizedDataset:
    text = options.tokenizer.read_text(encoding="utf-8") if options.tokenizer else small_tokenizer()
    return prepare_dataset(
        configuration(options, root / "corpus"), _core.Tokenizer(text), root / "cache", progress=True
    )


def size_of(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


def stage_write(options: argparse.Namespace, root: Path) -> dict[str, Any]:
    (root / "corpus").mkdir()
    n_bytes = write_texts(root / "corpus", options.texts, options.labels, options.files, options.seed)
    return {"texts": options.texts, "bytes": n_bytes}


def stage_copy(options: argparse.Namespace, root: Path) -> dict[str, Any]:
    read_source(str(root / "corpus"), "train", Columns(("text", "language")), root / "cache", progress=True)
    return {"texts": options.texts, "bytes": size_of(root / "cache" / "sources")}


def stage_prepare(options: argparse.Namespace, root: Path) -> dict[str, Any]:
    dataset = prepare(options, root)
    report = dataset.report
    shards = f"{len(dataset):,} texts in {len(dataset.sizes)} shards, {report.tokens:,} tokens"
    print(f"  {shards}, {report.repeated:,} repeated; left out: {report.cleaned}", flush=True)
    return {
        "texts": sum(count for _, count in report.sources),
        "bytes": size_of(root / "cache" / "tokens"),
        "kept": len(dataset),
    }


def stage_epoch(options: argparse.Namespace, root: Path) -> dict[str, Any]:
    dataset = prepare(options, root)
    loader = BatchLoader(dataset, options.batch_size, 1)
    begun = time.perf_counter()
    seen = sum(len(batch) for batch in loader.epoch(0))
    assert seen == len(dataset)
    # Without finding the data set, for which all of the corpus is hashed.
    return {"texts": seen, "bytes": 0, "seconds": time.perf_counter() - begun}


def in_process(stage: Callable[..., dict[str, Any]], options: argparse.Namespace, root: Path) -> dict[str, Any]:
    """Run ``stage`` in a process of its own, and add what it took."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_measured, args=(sender, stage, options, root))
    process.start()
    sender.close()
    try:
        result: dict[str, Any] = receiver.recv()
    except EOFError:
        raise SystemExit(f"{stage.__name__} failed") from None
    finally:
        process.join()
    return result


def _measured(sender: Any, stage: Callable[..., dict[str, Any]], options: argparse.Namespace, root: Path) -> None:
    begun = time.perf_counter()
    result = {"seconds": 0.0, **stage(options, root)}
    result["seconds"] = result["seconds"] or time.perf_counter() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Kilobytes on Linux, bytes on macOS.
    result["peak_gb"] = peak / (1e9 if sys.platform == "darwin" else 1e6)
    sender.send(result)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=20_000_000, help="sentences to write (default: %(default)s)")
    parser.add_argument("--labels", type=int, default=200, help="languages (default: %(default)s)")
    parser.add_argument("--files", type=int, default=8, help="parquet files (default: %(default)s)")
    parser.add_argument("--cap", type=int, default=1_000_000, help="most texts of a language (default: %(default)s)")
    parser.add_argument("--alpha", type=float, default=0.7, help="power of the shares (default: %(default)s)")
    parser.add_argument("--no-cleaning", dest="cleaning", action="store_false", help="leave out the cleaning")
    parser.add_argument("--tokenizer", type=Path, help="a tokenizer.json (default: one of letters and bytes)")
    parser.add_argument("--batch-size", type=int, default=1024, help="texts of a batch (default: %(default)s)")
    parser.add_argument("--directory", type=Path, help="where to put the temporary directory")
    parser.add_argument("--json", type=Path, help="also write the numbers here")
    parser.add_argument("--seed", type=int, default=1, help="of the sentences (default: %(default)s)")
    options = parser.parse_args()

    stages = {
        "writing parquet": stage_write,
        "reading, Arrow copy": stage_copy,
        "cleaning, choosing, tokenizing, shards": stage_prepare,
        "one epoch of batches": stage_epoch,
    }
    results = {}
    with tempfile.TemporaryDirectory(dir=options.directory) as temporary:
        for name, stage in stages.items():
            print(f"{name} ...", flush=True)
            results[name] = in_process(stage, options, Path(temporary))
    print(f"\n{'stage':<40} {'seconds':>9} {'texts/s':>12} {'MB on disk':>11} {'peak GB':>8}")
    for name, result in results.items():
        speed = result["texts"] / result["seconds"]
        disk = f"{result['bytes'] / 1e6:,.0f}" if result["bytes"] else ""
        print(f"{name:<40} {result['seconds']:>9.1f} {speed:>12,.0f} {disk:>11} {result['peak_gb']:>8.2f}")
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
