"""`wldetect train` with a model, a corpus and evaluation data that are all on a hub."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

from loopback_hub import Kind, LoopbackHub, Repository

from .files import data_set_card, model_files, parquet

Outcome = Callable[..., tuple[int, str, str]]
WIDTH = 8
WORDS = {"aaa_Latn": ["balo", "mita", "lota"], "bbb_Latn": ["krusne", "pfadro", "snekru"]}
VOCABULARY = ["[UNK]", *(word for words in WORDS.values() for word in words)]


def rows(n_texts: int, seed: int) -> dict[str, list[str]]:
    chance = random.Random(seed)
    labels = [label for label in WORDS for _ in range(n_texts)]
    return {"text": [" ".join(chance.choices(WORDS[label], k=4)) for label in labels], "language": labels}


@pytest.fixture
def project(hub: LoopbackHub, tmp_path: Path) -> Path:
    """Two models of one tokenizer and unequal rows, a corpus and gated evaluation data; returns the training file."""
    for name, n_rows, tensor in (("small", 7, "model.embed_tokens.weight"), ("large", 9, "a.b.embed_tokens.weight")):
        values = np.random.default_rng(n_rows).standard_normal((n_rows, WIDTH)).astype(np.float32)
        for index, words in enumerate(WORDS.values()):
            values[[VOCABULARY.index(word) for word in words], index] += 2
        hub.add(Repository(f"org/{name}")).commit(model_files(VOCABULARY, values, tensor))
    corpus = hub.add(Repository("org/corpus", Kind.DATASET))
    corpus.commit({"README.md": b"# Data", "data/train.parquet": parquet(rows(40, 1))})
    hub.tokens.add("reader")
    dev = rows(10, 2)
    codes = {"iso_639_3": [label[:3] for label in dev["language"]], "iso_15924": ["Latn"] * 20, "text": dev["text"]}
    flores = hub.add(Repository("org/flores", Kind.DATASET, gated=True, readers={"reader"}))
    flores.commit({"README.md": data_set_card(dev="dev/*.parquet"), "dev/a.parquet": parquet(codes)})
    model = {
        "models": [
            {"name": f"org/{name}", "type": "tiny", "hidden_dim": WIDTH, "revision": "main"}
            for name in ("small", "large")
        ],
        "languages": {label: index for index, label in enumerate(WORDS)},
    }
    training = {
        "model_config_path": "model.yaml",
        "dataset": {"name": "org/corpus"},
        "training": {"batch_size": 8, "num_epochs": 4, "learning_rate": 0.05, "device": "cpu"},
        "evaluation": {"data": "org/flores"},
        "output": {"artifacts_dir": str(tmp_path / "artifacts")},
    }
    (tmp_path / "model.yaml").write_text(yaml.safe_dump(model))
    (tmp_path / "train.yaml").write_text(yaml.safe_dump(training))
    return tmp_path / "train.yaml"


@pytest.mark.slow
def test_train_from_the_hub(hub: LoopbackHub, project: Path, outcome: Outcome) -> None:
    command = ("-m", "wldetect", "train", "--config", str(project))
    status, out, err = outcome(*command, token="reader")
    assert (status, err) == (0, ""), out
    output = project.parent / "artifacts"
    embeddings = json.loads((output / "provenance.json").read_text())["embeddings"]
    commits = [hub.find(Kind.MODEL, f"org/{name}").resolve("main") for name in ("small", "large")]  # type: ignore[union-attr]
    assert [model["commit"] for model in embeddings["models"]] == commits
    assert [model["tensor"] for model in embeddings["models"]] == [
        "model.embed_tokens.weight",
        "a.b.embed_tokens.weight",
    ]
    scores = json.loads((output / "flores_dev_results.json").read_text())
    assert scores["overall"]["n"] == 20
    assert scores["overall"]["accuracy"] >= 0.95

    # A model that is not there is one line; so is a gated one.
    large = hub.find(Kind.MODEL, "org/large")
    assert large is not None
    large.gated = True
    fresh = {"HF_HUB_CACHE": str(project.parent / "empty"), "WLDETECT_CACHE": str(project.parent / "nothing")}
    status, out, err = outcome(*command, "--no-eval", env=fresh)
    assert status == 2
    assert err.count("\n") == 1
    assert f"accept the terms on {hub.endpoint}/org/large" in err
