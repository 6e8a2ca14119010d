"""What is written from a configuration reads back equal."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from wldetect.config import (
    FeaturesConfig,
    InferenceConfig,
    ModelConfig,
    ModelSourceConfig,
    NgramsConfig,
    Pooling,
    Splitting,
    dump_model_config,
    load_model_config,
)


def valid_text(extra: str) -> st.SearchStrategy[str]:
    """Text of any script, with strings that look like other YAML types or like YAML syntax among them."""
    tricky = [
        "no",
        "1e3",
        "0x1F",
        "~",
        "null",
        "true",
        "1:30",
        "2024-01-01",
        "- a",
        "a: b",
        "# c",
        "'",
        '"',
        "%",
        "010",
        "=",
    ]
    characters = st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"), include_characters=extra)
    texts = st.sampled_from(tricky) | st.text(characters, min_size=1, max_size=140)
    return texts.filter(lambda text: bool(text.strip()))


CODES = valid_text("").map(lambda text: "".join(char for char in text if char.isprintable() and not char.isspace()))
SOURCES = st.builds(
    ModelSourceConfig,
    name=valid_text(" "),
    type=st.just("gemma3"),
    hidden_dim=st.integers(1, 2**40),
    embedding_layer_name=valid_text(" "),
    source=st.none() | valid_text(" ").filter(lambda text: not text.startswith("pypi:")),
    revision=st.none() | valid_text(" "),
    sha256=st.none() | st.text("0123456789abcdefABCDEF", min_size=64, max_size=64),
)

NGRAMS = st.builds(
    NgramsConfig,
    n_min=st.integers(1, 4),
    n_max=st.integers(4, 16),
    whole_words=st.booleans(),
    max_words=st.integers(0, 99),
    max_letters=st.integers(1, 9999),
    rows=st.integers(1, 2**31),
    dimensions=st.none() | st.integers(1, 999),
    splitting=st.sampled_from(Splitting),
)


@st.composite
def model_configs(draw: st.DrawFn) -> ModelConfig:
    codes = draw(st.lists(CODES.filter(bool), min_size=1, max_size=8, unique=True))
    indices = draw(st.permutations(range(len(codes))))
    one = draw(st.booleans())
    fields: dict[str, Any] = (
        {"model": draw(SOURCES)} if one else {"models": draw(st.lists(SOURCES, min_size=1, max_size=3))}
    )
    inference = draw(
        st.builds(InferenceConfig, max_sequence_length=st.integers(1, 9999), pooling=st.sampled_from(Pooling))
    )
    features = draw(st.builds(FeaturesConfig, ngrams=st.none() | NGRAMS))
    languages = dict(zip(codes, indices, strict=True))
    hidden = draw(st.lists(st.sampled_from(codes), unique=True, max_size=len(codes) - 1))
    return ModelConfig(languages=languages, hidden_languages=hidden, features=features, inference=inference, **fields)


@given(model_configs())
@settings(max_examples=150, deadline=None)
def test_what_is_dumped_loads_back_equal(tmp_path_factory: pytest.TempPathFactory, config: ModelConfig) -> None:
    path = tmp_path_factory.getbasetemp() / "dumped.yaml"
    text = dump_model_config(config)
    path.write_text(text, encoding="utf-8")
    assert load_model_config(path) == config
    # Readers that follow YAML 1.1 see the same text and numbers.
    assert ModelConfig.model_validate(yaml.safe_load(text)) == config
