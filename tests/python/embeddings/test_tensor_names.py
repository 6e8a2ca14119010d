"""Which tensor is meant, whatever a checkpoint calls it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wldetect.embeddings.tensor_names import find_embedding, is_input_module, listed
from wldetect.errors import EmbeddingError

KNOWN = [
    "model.embed_tokens.weight",
    "embed_tokens.weight",
    "language_model.model.embed_tokens.weight",
    "model.language_model.embed_tokens.weight",
    "model.decoder.embed_tokens.weight",
    "transformer.wte.weight",
    "wte.weight",
    "gpt_neox.embed_in.weight",
    "embeddings.word_embeddings.weight",
    "bert.embeddings.word_embeddings.weight",
    "roberta.embeddings.word_embeddings.weight",
    "transformer.word_embeddings.weight",
    "word_embeddings.weight",
    "tok_embeddings.weight",
    "model.embeddings.tok_embeddings.weight",
    "backbone.embedding.weight",
    "backbone.embeddings.weight",
    "shared.weight",
]
# What stands beside them and embeds something else, or nothing.
OTHERS = [
    "lm_head.weight",
    "model.norm.weight",
    "model.layers.0.self_attn.q_proj.weight",
    "model.embed_tokens_per_layer.weight",
    "model.vision_tower.embeddings.word_embeddings.weight",
    "vision_model.embeddings.position_embedding.weight",
    "visual.patch_embed.wte.weight",
    "audio_tower.embed_tokens.weight",
    "image_encoder.tok_embeddings.weight",
    "bert.embeddings.position_embeddings.weight",
    "bert.embeddings.token_type_embeddings.weight",
    "transformer.wpe.weight",
    "my_wte.weight",
]


@pytest.mark.parametrize("name", KNOWN)
def test_known_names_are_found_among_others(name: str) -> None:
    assert find_embedding("model.embed_tokens", [*OTHERS, name], "file") == name
    assert is_input_module(name)
    assert is_input_module(name.removesuffix(".weight"))


@given(prefix=st.lists(st.from_regex(r"[a-z]{1,4}_?[0-9]", fullmatch=True), max_size=3), name=st.sampled_from(KNOWN))
def test_any_prefix(prefix: list[str], name: str) -> None:
    prefixed = ".".join([*prefix, name])
    assert find_embedding("elsewhere.weight", [*OTHERS, prefixed], "file") == prefixed


@pytest.mark.parametrize("name", OTHERS)
def test_others_are_never_candidates(name: str) -> None:
    assert not is_input_module(name)
    others = [other for other in OTHERS if other != "lm_head.weight"]
    with pytest.raises(EmbeddingError, match="embedding_layer_name: expected one of "):
        find_embedding("embed_tokens", others, "file")


@pytest.mark.parametrize("asked", ["audio_tower.embed_tokens", "audio_tower.embed_tokens.weight"])
def test_a_name_that_is_there_is_taken(asked: str) -> None:
    assert find_embedding(asked, [*OTHERS, *KNOWN], "file") == "audio_tower.embed_tokens.weight"


def test_the_output_is_taken_where_there_is_no_input() -> None:
    assert find_embedding("embed_tokens", OTHERS, "file") == "lm_head.weight"
    names = ["language_model.lm_head.weight", "x.weight", "lm_head.bias"]
    assert find_embedding("embed_tokens", names, "file") == "language_model.lm_head.weight"


def test_several_candidates_are_listed() -> None:
    names = ["encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight"]
    with pytest.raises(EmbeddingError) as caught:
        find_embedding("model.embed_tokens", names, "f")
    assert str(caught.value) == (
        "f: embedding_layer_name: expected one of encoder.embed_tokens.weight, decoder.embed_tokens.weight, each of "
        "which may be meant, found 'model.embed_tokens'"
    )
    with pytest.raises(EmbeddingError, match=r"expected one of a\.lm_head\.weight, b\.lm_head\.weight, each of which"):
        find_embedding("x", ["a.lm_head.weight", "b.lm_head.weight"], "f")


def test_no_candidate() -> None:
    with pytest.raises(EmbeddingError, match=r"expected one of a_emb, found 'x'$"):
        find_embedding("x", ["other", "a_emb"], "f")
    with pytest.raises(EmbeddingError, match=r"expected one of b, other, found 'x'$"):
        find_embedding("x", ["other", "b"], "f")
    with pytest.raises(EmbeddingError, match=r"expected a tensor, but there is no tensor at all, found 'x'$"):
        find_embedding("x", [], "f")


def test_long_lists_are_cut() -> None:
    assert listed("abcdefghij") == "a, b, c, d, e, f, g, h, ..."
    assert listed([]) == "nothing"
