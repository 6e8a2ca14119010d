"""A configured corpus whose token ids are prepared with a tokenizer that counts its calls."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer as Definition
from tokenizers import models, pre_tokenizers

from wldetect import _core
from wldetect.config import ModelConfig, ResolvedConfig, TrainingConfig
from wldetect.data.dataset import TokenizedDataset, prepare_dataset

LABELS = ["deu_Latn", "eng_Latn", "fra_Latn"]
N_WORDS = 60
WriteRows = Callable[[Path, dict[str, Any]], Path]


def definition(*more: str) -> str:
    """A tokenizer of whole words w0, w1, ..., with a token for each other word."""
    words = ["[UNK]", *(f"w{number}" for number in range(N_WORDS)), *more]
    tokenizer = Definition(models.WordLevel({word: row for row, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return str(tokenizer.to_str())


class CountingTokenizer:
    """The core's tokenizer, which counts its calls and can be interrupted at one of them."""

    def __init__(self, json_text: str, interrupt_at: int | None = None) -> None:
        self._tokenizer = _core.Tokenizer(json_text)
        self._interrupt_at = interrupt_at
        self.calls: list[tuple[int, int | None, int | None]] = []

    @property
    def sha256(self) -> str:
        return self._tokenizer.sha256

    @property
    def vocab_size(self) -> int:
        return self._tokenizer.vocab_size

    def encode(self, text: str, max_length: int | None = None) -> NDArray[np.uint32]:
        return self._tokenizer.encode(text, max_length)

    def encode_batch(
        self, texts: Iterable[str], max_length: int | None = None, threads: int | None = None
    ) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
        texts = list(texts)
        self.calls.append((len(texts), max_length, threads))
        if len(self.calls) == self._interrupt_at:
            raise KeyboardInterrupt
        return self._tokenizer.encode_batch(texts, max_length, threads)


class Project:
    """A corpus, a configuration that can be changed key by key, and a cache."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.tokenizer = CountingTokenizer(definition())
        self.labels = LABELS
        self.settings: dict[str, Any] = {
            "model_config_path": "model.yaml",
            "dataset": {"name": str(root / "corpus")},
            "output": {"artifacts_dir": "out"},
        }

    def set(self, key: str, value: Any) -> None:
        section, _, name = key.rpartition(".")
        self.settings.setdefault(section, {})[name] = value

    def changed(self, **settings: Any) -> Project:
        other = copy.copy(self)
        other.settings = copy.deepcopy(self.settings)
        for key, value in settings.items():
            other.set(key.replace("__", "."), value)
        return other

    def prepare(self, **options: Any) -> TokenizedDataset:
        source = {"name": "tiny", "type": "gemma3", "hidden_dim": 8}
        languages = {label: index for index, label in enumerate(self.labels)}
        training = TrainingConfig.model_validate(self.settings)
        inference = training.inference.model_dump(exclude_none=True) if training.inference else {}
        model = ModelConfig.model_validate({"model": source, "languages": languages, "inference": inference})
        config = ResolvedConfig(model, training, self.root / "model.yaml", self.root / "train.yaml")
        return prepare_dataset(
            config,
            self.tokenizer,  # type: ignore[arg-type]
            self.root / "cache",
            progress=False,
            **options,
        )

    def built(self) -> list[str]:
        """Names of the finished and of the unfinished directories of token ids."""
        tokens = self.root / "cache" / "tokens"
        return sorted(path.name for path in tokens.iterdir()) if tokens.exists() else []


def shards(data: TokenizedDataset) -> list[list[tuple[str, list[int], float]]]:
    """Label, ids (or bytes) and weight of every text, shard by shard."""
    loaded = [data.load(index) for index in range(len(data.sizes))]
    return [
        [
            (data.report.labels[label], shard.values[start:end].tolist(), weight)
            for label, start, end, weight in zip(
                shard.labels, shard.offsets[:-1], shard.offsets[1:], shard.weights.tolist(), strict=True
            )
        ]
        for shard in loaded
    ]


def content(data: TokenizedDataset) -> list[tuple[str, list[int]]]:
    """Label and ids of every text, sorted: their order is random."""
    return sorted((label, ids) for shard in shards(data) for label, ids, _ in shard)


def weights(data: TokenizedDataset) -> dict[tuple[str, tuple[int, ...]], float]:
    """The weight of every text, where no two are equal."""
    found = {(label, tuple(ids)): weight for shard in shards(data) for label, ids, weight in shard}
    assert len(found) == len(data)
    return found


def expected(project: Project, rows: Iterable[tuple[str, str]]) -> list[tuple[str, list[int]]]:
    return sorted((label, project.tokenizer.encode(text).tolist()) for label, text in rows)


def rows_of(*counts: int) -> dict[str, list[str]]:
    """Texts that differ from each other, as many for each of the labels, which take turns."""
    labels = [label for turn in range(max(counts)) for label, count in zip(LABELS, counts, strict=True) if turn < count]
    texts = [f"w{number % N_WORDS} w{number // N_WORDS} strange" for number in range(len(labels))]
    return {"text": texts, "language": labels}
