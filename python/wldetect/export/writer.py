"""A model directory, file by file: each is written under a temporary name and renamed when it is whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wldetect._core import COMPILED_TOKENIZER, Tokenizer
from wldetect.config import ModelConfig, dump_model_config
from wldetect.embeddings.base import EmbeddingMatrix
from wldetect.errors import WLDetectError
from wldetect.export.ngram_file import NGRAM_TABLE_ID, ngram_file_names, ngram_table_id, write_ngram_file
from wldetect.export.quantize import E3M4_STEP, TableDType, choose_scale, quantize
from wldetect.export.table import table_chunks
from wldetect.export.table_file import TableFile, number_rows, write_table_file, write_tensors
from wldetect.files import atomic_path
from wldetect.training.model import LanguageModel

__all__ = ["FORMAT_VERSION", "ModelFiles", "SeenTokens", "write_model"]

# Must agree with the Rust core's artifact module.
FORMAT_VERSION = "1"


@dataclass(frozen=True, eq=False)
class SeenTokens:
    """Which tokens a lookup table has rows of.

    Attributes:
        counts: int64 [V], how often training saw each token.
        min_count: tokens seen fewer times have no row.
    """

    counts: NDArray[np.int64]
    min_count: int

    @property
    def kept(self) -> NDArray[np.bool_]:
        """bool [V]: the tokens that have one."""
        return self.counts >= self.min_count


@dataclass(frozen=True)
class ModelFiles:
    """What a model directory is made from.

    Attributes:
        model: the trained model.
        matrix: the embeddings [V, D] it was trained on.
        config: the model configuration, its languages those that were trained.
        tokenizer_json: text of the tokenizer whose ids number the rows.
        provenance: where the model comes from: configuration, corpus, versions, seed; plain data for JSON.
        seen: tokens that have a row in the lookup tables; None: all have.
        step: E3M4 values are multiples of it (see `wldetect.export.quantize.quantize`).
        ngram_step: those of the rows of n-grams are multiples of this; None: of ``step``.
    """

    model: LanguageModel
    matrix: EmbeddingMatrix
    config: ModelConfig
    tokenizer_json: str
    provenance: Mapping[str, Any]
    seen: SeenTokens | None = None
    step: float = E3M4_STEP
    ngram_step: float | None = None


def write_model(files: ModelFiles, directory: Path, dtypes: Sequence[TableDType]) -> list[Path]:
    """Write the model directory ``directory``; returns the files in the order they were written.

    Tables come last: until the one that is loaded has been renamed, an earlier model there either is whole or no
    longer agrees with the new tokenizer's fingerprint, so that no mixture of the two loads. Old tables that this
    model does not write are removed.

    Raises:
        WLDetectError: the table holds a value that is not finite, or no token was seen often enough to have a row.
        OSError: there is no room, or the directory cannot be written.
    """
    metadata = _metadata(files)
    mask = _mask(files.model)
    tokens = _tokens(files.seen, mask)
    largest = max((float(np.abs(chunk).max(initial=0.0)) for chunk in _rows(files, tokens)), default=0.0)
    directory.mkdir(parents=True, exist_ok=True)
    for dtype in TableDType:
        (directory / dtype.file_name).unlink(missing_ok=True)
    for name in set(ngram_file_names().values()):
        (directory / name).unlink(missing_ok=True)

    written = [
        *_write_tokenizer(directory, files.tokenizer_json),
        _write_text(directory / "model_config.yaml", dump_model_config(files.config)),
        _write_text(directory / "provenance.json", json.dumps(files.provenance, indent=1, ensure_ascii=False) + "\n"),
        write_tensors(directory / "projection.safetensors", _projection(files.model), metadata),
    ]
    if (ngrams := files.model.ngrams) is not None:
        shared = {key: metadata[key] for key in ("format_version", "languages", NGRAM_TABLE_ID)}
        by_name = {ngram_file_names()[dtype]: dtype for dtype in dtypes}
        step = files.step if files.ngram_step is None else files.ngram_step
        written += [write_ngram_file(directory, ngrams, dtype, shared, step) for dtype in by_name.values()]
    for dtype in dtypes:
        scale = choose_scale(largest, dtype)
        table = quantize(_rows(files, tokens), scale, dtype, files.step)
        if files.seen is None or tokens is None:
            file = TableFile(dtype, table, scale, mask, None, metadata)
        else:
            file = TableFile(dtype, table, scale, None, files.seen.min_count, metadata, number_rows(tokens))
        written.append(write_table_file(directory / dtype.file_name, file))
    return written


def _metadata(files: ModelFiles) -> dict[str, str]:
    inference = files.config.inference
    ngrams = files.model.ngrams
    return {
        **({} if ngrams is None else {NGRAM_TABLE_ID: ngram_table_id(ngrams)}),
        "format_version": FORMAT_VERSION,
        "languages": json.dumps(files.config.labels),
        **({"hidden_languages": json.dumps(hidden)} if (hidden := files.config.hidden_languages) else {}),
        "pooling": inference.pooling.value,
        "max_sequence_length": str(inference.max_sequence_length),
        "tokenizer_sha256": hashlib.sha256(files.tokenizer_json.encode()).hexdigest(),
        "provenance": json.dumps(files.provenance, ensure_ascii=False),
    }


def _mask(model: LanguageModel) -> NDArray[np.uint8] | None:
    return None if model.token_mask is None else model.token_mask.cpu().numpy().astype(np.uint8)


def _tokens(seen: SeenTokens | None, mask: NDArray[np.uint8] | None) -> NDArray[np.bool_] | None:
    """The tokens that have a row of their own, bool [V]; None: token i has row i."""
    if seen is None:
        return None
    tokens = seen.kept if mask is None else seen.kept & (mask == 0)
    if not tokens.any():
        raise WLDetectError(
            f"output.min_token_count: expected tokens that training saw {seen.min_count} times or more, found none"
        )
    return tokens


def _rows(files: ModelFiles, tokens: NDArray[np.bool_] | None) -> Iterator[NDArray[np.float32]]:
    """The rows of the lookup table in chunks, float32 [n, L], those of ``tokens`` only."""
    first = 0
    for chunk in table_chunks(files.model, files.matrix):
        end = first + len(chunk)
        yield chunk if tokens is None else chunk[tokens[first:end]]
        first = end


def _projection(model: LanguageModel) -> dict[str, NDArray[Any]]:
    return {
        "weight": model.projection.weight.detach().float().cpu().numpy(),
        "bias": model.projection.bias.detach().float().cpu().numpy(),
        "token_weights": model.token_weights.detach().float().cpu().numpy(),
    }


def _write_tokenizer(directory: Path, tokenizer_json: str) -> list[Path]:
    """Write the definition, and its compiled form if it has one, so that loading need not parse it."""
    compiled = directory / COMPILED_TOKENIZER
    compiled.unlink(missing_ok=True)
    written = [_write_text(directory / "tokenizer.json", tokenizer_json)]
    if Tokenizer(tokenizer_json).save_compiled(compiled):
        written.append(compiled)
    return written


def _write_text(path: Path, text: str) -> Path:
    with atomic_path(path) as temporary:
        # As bytes: the tokenizer's fingerprint must not depend on the platform's line ends.
        temporary.write_bytes(text.encode("utf-8"))
    return path
