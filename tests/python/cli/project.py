"""A project small enough to train in a second, and what runs of the command line on it leave."""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import yaml
from numpy.typing import NDArray

WIDTH = 8
# Made-up languages of their own words, with one word in common.
SYLLABLES = {"aaa_Latn": "ba lo mi ta", "bbb_Latn": "kru sne pfa dro", "ccc_Latn": "oui eau aie ieu"}
COMMON = "na"
LANGUAGES = list(SYLLABLES)


def _words(language: str) -> list[str]:
    syllables = SYLLABLES[language].split()
    return [first + second for first in syllables for second in syllables]


def sentences(language: str, count: int, seed: int) -> list[str]:
    """Reproducible sentences of ``language``."""
    rng = random.Random(f"{language} {seed}")
    return [" ".join(rng.choices([*_words(language), COMMON], k=rng.randint(3, 7))) for _ in range(count)]


@dataclass(frozen=True)
class Project:
    """Embeddings, a corpus and the two configuration files in one directory, and where the model goes."""

    root: Path

    @property
    def config(self) -> Path:
        """The training file."""
        return self.root / "train.yaml"

    @property
    def model_config(self) -> Path:
        """The model file."""
        return self.root / "model.yaml"

    @property
    def embeddings(self) -> Path:
        """The directory of the language model."""
        return self.root / "embeddings"

    @property
    def corpus(self) -> Path:
        """Text files for the splits train and dev."""
        return self.root / "corpus"

    @property
    def output(self) -> Path:
        """The model directory, which does not exist before training."""
        return self.root / "artifacts" / "tiny"

    def train(self, *options: str) -> list[str]:
        """The arguments that train this project."""
        return ["train", "--config", str(self.config), *options]

    def edit(self, path: Path, key: str, value: object) -> None:
        """Set one dotted key of a configuration file."""
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        *sections, last = key.split(".")
        section = content
        for name in sections:
            section = section.setdefault(name, {})
        section[last] = value
        path.write_text(yaml.safe_dump(content), encoding="utf-8")


def write_project(root: Path) -> Project:
    """Write the tiny project into ``root``."""
    from safetensors.numpy import save_file
    from tokenizers import Tokenizer, models, pre_tokenizers

    project = Project(root)
    words = ["[UNK]", COMMON, *(word for language in LANGUAGES for word in _words(language))]
    tokenizer = Tokenizer(models.WordLevel({word: row for row, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    project.embeddings.mkdir(parents=True)
    tokenizer.save(str(project.embeddings / "tokenizer.json"))
    # Noise, and a direction that the words of a language share.
    embeddings = np.random.default_rng(0).standard_normal((len(words), WIDTH)).astype(np.float32)
    for index, language in enumerate(LANGUAGES):
        embeddings[[words.index(word) for word in _words(language)], index] += 2
    save_file({"model.embed_tokens.weight": embeddings}, project.embeddings / "model.safetensors")
    sizes = {"hidden_size": WIDTH, "vocab_size": len(words)}
    (project.embeddings / "config.json").write_text(json.dumps(sizes), encoding="utf-8")

    for split, count, seed in (("train", 40, 1), ("dev", 10, 2)):
        folder = project.corpus / split
        folder.mkdir(parents=True)
        for language in LANGUAGES:
            text = "".join(f"{sentence}\n" for sentence in sentences(language, count, seed))
            (folder / f"{language}.txt").write_text(text, encoding="utf-8")

    model = {
        "model": {
            "name": "tiny",
            "type": "tiny",
            "hidden_dim": WIDTH,
            "embedding_layer_name": "model.embed_tokens",
            "source": "embeddings",
        },
        "languages": {language: index for index, language in enumerate(LANGUAGES)},
    }
    training = {
        "model_config_path": "model.yaml",
        "dataset": {"name": "corpus"},
        "training": {"batch_size": 8, "num_epochs": 4, "learning_rate": 0.05, "device": "cpu"},
        "evaluation": {"data": "corpus"},
        "output": {"artifacts_dir": str(project.output)},
    }
    project.model_config.write_text(yaml.safe_dump(model), encoding="utf-8")
    project.config.write_text(yaml.safe_dump(training), encoding="utf-8")
    return project


@dataclass(frozen=True)
class Outcome:
    """What a run of the command line left."""

    status: int
    out: str
    err: str


class Run(Protocol):
    """Runs the command line in this process."""

    def __call__(self, *arguments: str) -> Outcome: ...


class Fails(Protocol):
    """Runs a command that must fail over its input, and returns what its one line on stderr says."""

    def __call__(self, arguments: Sequence[str], *parts: object) -> str: ...


def command(*arguments: str) -> list[str]:
    """The command line as a process of its own."""
    return [sys.executable, "-m", "wldetect", *arguments]


def rewrite_tensors(path: Path, change: Callable[[dict[str, NDArray[Any]], dict[str, str]], None]) -> None:
    """Let ``change`` alter the tensors and the metadata of a safetensors file."""
    from safetensors import safe_open
    from safetensors.numpy import save_file

    with safe_open(path, framework="numpy") as file:
        tensors: dict[str, NDArray[Any]] = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        metadata: Mapping[str, str] = file.metadata() or {}
    changed = dict(metadata)
    change(tensors, changed)
    save_file(tensors, path, metadata=changed)
