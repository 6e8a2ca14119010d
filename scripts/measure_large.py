#!/usr/bin/env python3
"""Measure training on embeddings as large as Gemma 3's 27B and 4B side by side: speed, where time goes, memory.

The embeddings are random bfloat16 numbers in two safetensors files (4.2 GB, in a temporary directory, deleted in the
end), memory-mapped as real ones are. Texts are token ids drawn as words are, with a probability that falls with the
rank; or, with --data, sentences of a corpus in Gemma 3's tokens. Labels are random, so that nothing is learned.
Resident memory counts the pages of the embeddings that were read, which the system may take back at any time.

example: python scripts/measure_large.py --steps 200 --pooling average
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# As `wldetect train` does, before torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import cross_entropy
from tqdm import tqdm

from wldetect import _core
from wldetect.config import Optimizer, Pooling, Precision, TrainingOptions
from wldetect.data.batches import Batch
from wldetect.embeddings.concat import ConcatMatrix
from wldetect.embeddings.local import LocalSource
from wldetect.files import atomic_path, require_free_space
from wldetect.training.lookup import MappedLookup, make_lookup
from wldetect.training.model import LanguageModel
from wldetect.training.schedule import make_optimizer

ROWS = 262_208
WIDTHS = (5_376, 2_560)
TENSOR = "model.embed_tokens.weight"


def write_embeddings(directory: Path, rows: int, width: int, seed: int) -> None:
    """A model directory with random bfloat16 embeddings."""
    header = {TENSOR: {"dtype": "BF16", "shape": [rows, width], "data_offsets": [0, 2 * rows * width]}}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    generator = np.random.default_rng(seed)
    with (
        atomic_path(directory / "model.safetensors") as temporary,
        temporary.open("wb") as file,
        tqdm(
            total=2 * rows * width, unit="B", unit_scale=True, desc=directory.name, disable=not sys.stderr.isatty()
        ) as bar,
    ):
        file.write(len(text).to_bytes(8, "little") + text)
        for first in range(0, rows, 4096):
            values = generator.standard_normal((min(4096, rows - first), width), dtype=np.float32)
            values *= 0.02
            file.write((values.view(np.uint32) >> 16).astype(np.uint16).data)
            bar.update(2 * values.size)


def random_batches(steps: int, batch_size: int, languages: int, tokens: int) -> Iterator[Batch]:
    """Texts of ``tokens`` tokens on average; the probability of a token falls as one over its rank."""
    generator = np.random.default_rng(1)
    ids_by_rank = generator.permutation(ROWS).astype(np.int32)
    for _ in range(steps):
        lengths = generator.poisson(tokens - 1, batch_size).astype(np.int32) + 1
        ranks = (ROWS ** generator.random(int(lengths.sum()))).astype(np.int64) - 1
        yield make_batch(ids_by_rank[ranks], lengths, generator.integers(0, languages, batch_size))


def make_batch(ids: NDArray[np.int32], lengths: NDArray[np.int32], labels: NDArray[np.int64]) -> Batch:
    return Batch(
        ids=torch.from_numpy(ids),
        offsets=torch.from_numpy(np.cumsum(lengths, dtype=np.int32) - lengths),
        lengths=torch.from_numpy(lengths),
        labels=torch.from_numpy(labels),
        weights=torch.ones(len(labels)),
        total=len(labels),
    )


def corpus_batches(
    directory: Path, tokenizer_json: Path, steps: int, batch_size: int, languages: int
) -> Iterator[Batch]:
    """Batches of sentences drawn from the parquet files in ``directory``, column ``text``."""
    import pyarrow.parquet as pq

    generator = np.random.default_rng(1)
    files = sorted(directory.glob("*.parquet"))
    counts = np.array([pq.ParquetFile(file).metadata.num_rows for file in files])
    wanted = generator.multinomial(steps * batch_size, counts / counts.sum())
    tokenizer = _core.Tokenizer(tokenizer_json.read_text(encoding="utf-8"))
    texts: list[NDArray[np.int32]] = []
    for file, count, n in zip(files, counts, wanted, strict=True):
        column = pq.read_table(file, columns=["text"])["text"].take(generator.integers(0, count, n))
        ids, offsets = tokenizer.encode_batch(column.to_pylist(), 512)
        encoded = np.split(ids.astype(np.int32), offsets[1:-1])
        texts += [text for text in encoded if len(text)]
    order = generator.permutation(len(texts))
    for first in range(0, len(texts) - batch_size + 1, batch_size):
        chosen = [texts[index] for index in order[first : first + batch_size]]
        lengths = np.array([len(text) for text in chosen], dtype=np.int32)
        yield make_batch(np.concatenate(chosen), lengths, generator.integers(0, languages, batch_size))


class Stages:
    """Seconds by stage; a stage within another one is taken off it."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._inner = [0.0]

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        begun = time.perf_counter()
        self._inner.append(0.0)
        yield
        spent = time.perf_counter() - begun
        self.seconds[name] = self.seconds.get(name, 0.0) + spent - self._inner.pop()
        self._inner[-1] += spent


class TimedBag:
    """An embedding bag that says how long it takes."""

    def __init__(self, bag: _core.EmbeddingBag, stages: Stages) -> None:
        self._bag, self._stages = bag, stages

    def forward(self, *arguments: Any, **options: Any) -> Any:
        with self._stages("rows of the batch"):
            return self._bag.forward(*arguments, **options)

    def backward(self, *arguments: Any, **options: Any) -> Any:
        with self._stages("gradient of the token weights"):
            return self._bag.backward(*arguments, **options)


def memory_gb() -> tuple[float, float]:
    """The most resident memory there was, and how much of what is resident now is not pages of files, in GB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Kilobytes on Linux, bytes on macOS.
    peak_gb = peak / (1e9 if sys.platform == "darwin" else 1e6)
    status = Path("/proc/self/status")
    own = float("nan")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        own = float(lines["RssAnon"].split()[0]) / 1e6
    return peak_gb, own


def measure(model: LanguageModel, batches: Iterator[Batch], stages: Stages, warm_up: int) -> tuple[int, float, float]:
    """Texts trained on, seconds, and seconds of CPU time, after the first ``warm_up`` steps."""
    optimizer = make_optimizer(model.parameters(), TrainingOptions(optimizer=Optimizer.adamw, learning_rate=0.01))
    model.train()
    texts, step = 0, 0
    begun, begun_cpu = time.perf_counter(), time.process_time()
    while True:
        with stages("making batches"):
            batch = next(batches, None)
        if batch is None:
            return texts, time.perf_counter() - begun, time.process_time() - begun_cpu
        with stages("forward, the rest"):
            loss = (cross_entropy(model(batch), batch.labels, reduction="none") * batch.weights).mean()
        with stages("backward, the rest"):
            optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
        with stages("optimizer"):
            optimizer.step()
        texts += len(batch)
        step += 1
        if step == warm_up:
            texts, begun, begun_cpu = 0, time.perf_counter(), time.process_time()
            stages.seconds.clear()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pooling", type=Pooling, nargs="+", default=[Pooling.average, Pooling.logsumexp])
    parser.add_argument("--precision", type=Precision, default=Precision.float32, metavar="PRECISION")
    parser.add_argument("--steps", type=int, default=200, help="steps that are timed")
    parser.add_argument("--warm-up", type=int, default=20, help="steps before, in which most pages are read first")
    parser.add_argument("--batch-size", type=int, default=1024)
    parser.add_argument("--languages", type=int, default=200)
    parser.add_argument("--tokens", type=int, default=38, help="tokens of a text on average, without --data")
    parser.add_argument("--data", type=Path, help="a directory of parquet files to draw sentences from")
    parser.add_argument("--tokenizer", type=Path, help="with --data: Gemma 3's tokenizer.json")
    parser.add_argument("--directory", type=Path, help="where to put the embeddings for the time (default: temporary)")
    options = parser.parse_args()
    if (options.data is None) != (options.tokenizer is None):
        parser.error("--data and --tokenizer go together")

    with tempfile.TemporaryDirectory(dir=options.directory) as temporary:
        require_free_space(Path(temporary), 2 * ROWS * sum(WIDTHS), "random embeddings")
        parts = []
        for index, width in enumerate(WIDTHS):
            directory = Path(temporary) / f"model{index}"
            write_embeddings(directory, ROWS, width, seed=index)
            parts.append(LocalSource(directory, TENSOR, width).matrix())
        matrix = ConcatMatrix(parts)
        rows, columns = matrix.shape
        print(f"embeddings {rows:,} x {columns:,} bfloat16 in {len(parts)} parts, {torch.get_num_threads()} threads")
        for pooling in options.pooling:
            report(matrix, pooling, options)
    return 0


def report(matrix: ConcatMatrix, pooling: Pooling, options: argparse.Namespace) -> None:
    """Train with ``pooling`` and print what was measured."""
    torch.manual_seed(0)
    lookup = make_lookup(matrix, torch.device("cpu"))
    stages = Stages()
    assert isinstance(lookup, MappedLookup)
    lookup._bag = TimedBag(lookup._bag, stages)  # type: ignore[assignment]
    model = LanguageModel(lookup, options.languages, pooling, precision=options.precision)
    steps = options.warm_up + options.steps
    if options.data is None:
        batches = random_batches(steps, options.batch_size, options.languages, options.tokens)
    else:
        batches = corpus_batches(options.data, options.tokenizer, steps, options.batch_size, options.languages)
    texts, seconds, cpu = measure(model, batches, stages, options.warm_up)
    peak, own = memory_gb()
    print(f"{pooling.value}, {options.precision.value}, steps of {options.batch_size} texts")
    print(f"  {texts:,} texts in {seconds:.1f} s: {texts / seconds:,.0f} texts/s; {cpu:.1f} s of CPU time")
    for name, spent in sorted(stages.seconds.items(), key=lambda item: -item[1]):
        print(f"  {name:<32} {spent / seconds:6.1%}")
    print(f"  peak resident memory {peak:.2f} GB; not pages of files, in the end: {own:.2f} GB")


if __name__ == "__main__":
    raise SystemExit(main())
