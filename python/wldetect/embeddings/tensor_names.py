"""Which tensor of a checkpoint is the input embedding, whatever it is called there."""

from __future__ import annotations

from collections.abc import Iterable

from wldetect.errors import EmbeddingError

__all__ = ["find_embedding", "is_input_module", "listed"]

# What models call the modules of their input embeddings. Each stands for itself and for everything that ends in a dot
# and it, so that prefixes (`model.`, `language_model.model.`, `bert.embeddings.`) need no entries of their own.
_INPUT_MODULES = (
    "embed_tokens",
    "wte",
    "embed_in",
    "word_embeddings",
    "word_embedding",
    "tok_embeddings",
    "token_embedding",
    "backbone.embedding",
    "backbone.embeddings",
    "shared",
)
# The output projection, which is the input embedding too where a checkpoint stores tied weights once.
_OUTPUT_MODULES = ("lm_head",)
# Words in a part of a name that say that it embeds something else than tokens of text.
_OTHER_INPUTS = ("vision", "visual", "image", "audio", "speech", "patch", "position", "token_type", "codec")
_SHOWN = 8


def find_embedding(name: str, names: Iterable[str], where: str) -> str:
    """The tensor of ``names`` that the configured ``name`` means.

    It is, in this order: the tensor of that name, with or without ``.weight``; the only tensor with a name that models
    give their input embedding; where there is none of those, the only output projection that can be tied to it.
    Embeddings of images, sound, positions and token types are taken only where they are named in full.

    Raises:
        EmbeddingError: there is no such tensor, or more than one; lists them, and begins with ``where``, the file.
    """
    present = dict.fromkeys(names)
    stem = name.removesuffix(".weight")
    for candidate in (name, f"{stem}.weight", stem):
        if candidate in present:
            return candidate
    for modules in (_INPUT_MODULES, _OUTPUT_MODULES):
        candidates = [tensor for tensor in present if _is_of(tensor, modules)]
        if len(candidates) == 1:
            return candidates[0]
        if candidates:
            raise EmbeddingError(
                f"{where}: embedding_layer_name: expected one of {listed(candidates)}, each of which may be meant, "
                f"found {name!r}"
            )
    likely = [n for n in sorted(present) if "emb" in n or "wte" in n] or sorted(present)
    expected = f"one of {listed(likely)}" if likely else "a tensor, but there is no tensor at all"
    raise EmbeddingError(f"{where}: embedding_layer_name: expected {expected}, found {name!r}")


def is_input_module(name: str) -> bool:
    """Whether ``name``, with or without ``.weight``, is one that models give their input embedding."""
    return _is_of(name, _INPUT_MODULES)


def listed(names: Iterable[str], shown: int = _SHOWN) -> str:
    """The first names, for a message; ``nothing`` where there are none."""
    found = list(names)
    return ", ".join(found[:shown]) + (", ..." if len(found) > shown else "") if found else "nothing"


def _is_of(tensor: str, modules: tuple[str, ...]) -> bool:
    stem = tensor.removesuffix(".weight")
    if any(word in part for part in stem.split(".") for word in _OTHER_INPUTS):
        return False
    return any(stem == module or stem.endswith(f".{module}") for module in modules)
