"""A model directory as the analyses read it: one table, what was learned, the tokenizer."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wldetect.errors import ArtifactError
from wldetect.export.quantize import TableDType
from wldetect.export.table_file import TableFile, read_table_file, read_tensors

__all__ = [
    "PROVENANCE_FILE",
    "ModelDirectory",
    "open_model",
    "read_json_object",
    "read_provenance",
    "read_token_weights",
]

PROVENANCE_FILE = "provenance.json"


@dataclass(frozen=True, eq=False)
class ModelDirectory:
    """A model directory with one of its tables read.

    Attributes:
        path: the directory.
        table: the table.
        tokenizer_json: the text of its ``tokenizer.json``, which is the one that the table was made with.
        languages: language codes, one a column.
        max_sequence_length: tokens of a text that are used.
    """

    path: Path
    table: TableFile
    tokenizer_json: str
    languages: list[str]
    max_sequence_length: int

    @property
    def tokenizer_sha256(self) -> str:
        """Fingerprint of the tokenizer, in hexadecimal."""
        return self.table.metadata["tokenizer_sha256"]

    @property
    def n_tokens(self) -> int:
        """V: tokens that could have a row in the table."""
        return self.table.n_tokens

    @property
    def kept_tokens(self) -> NDArray[np.bool_]:
        """bool [V]: the tokens that have a row, not a masked one."""
        return self.table.kept_tokens


def open_model(path: Path, dtype: TableDType = TableDType.E3M4) -> ModelDirectory:
    """Read the table of ``dtype`` and the tokenizer of the model directory ``path``.

    Raises:
        OSError: a file is missing or cannot be read.
        ArtifactError: a file is malformed, or the tokenizer is not the one the table was made with.
    """
    table_path = path / dtype.file_name
    table = read_table_file(table_path, dtype)
    tokenizer_path = path / "tokenizer.json"
    content = tokenizer_path.read_bytes()
    found, expected = hashlib.sha256(content).hexdigest(), table.metadata.get("tokenizer_sha256")
    if found != expected:
        raise ArtifactError(f"{tokenizer_path}: expected the tokenizer with SHA-256 {expected}, found {found}")
    try:
        languages = [str(language) for language in json.loads(table.metadata["languages"])]
        limit = int(table.metadata["max_sequence_length"])
    except (KeyError, ValueError, TypeError) as error:
        raise ArtifactError(f"{table_path}: expected the metadata of a table, found {error!r}") from None
    if len(languages) != table.stored.shape[1]:
        raise ArtifactError(
            f"{table_path}: languages: expected {table.stored.shape[1]}, one a column, found {len(languages)}"
        )
    return ModelDirectory(path, table, content.decode("utf-8"), languages, limit)


def read_token_weights(model: ModelDirectory) -> NDArray[np.float32]:
    """The learned weight of every token, float32 [V].

    Raises:
        OSError: ``projection.safetensors`` cannot be read.
        ArtifactError: it is malformed, or has another number of tokens than the table.
    """
    path = model.path / "projection.safetensors"
    weights = read_tensors(path)[0].get("token_weights")
    expected = (model.n_tokens, 1)
    if weights is None or weights.dtype != np.float32 or weights.shape != expected:
        found = "none" if weights is None else f"{weights.dtype.name} {list(weights.shape)}"
        raise ArtifactError(f"{path}: token_weights: expected float32 {list(expected)}, found {found}")
    return weights[:, 0]


def read_provenance(model: ModelDirectory) -> dict[str, Any]:
    """The record of training: the file's, or else what the table says; empty where there is none.

    Raises:
        OSError: the file cannot be read.
        ArtifactError: the record is not JSON.
    """
    path = model.path / PROVENANCE_FILE
    if path.exists():
        return read_json_object(path)
    try:
        found = json.loads(model.table.metadata.get("provenance", "{}"))
    except ValueError as error:
        raise ArtifactError(f"{model.path}: provenance in the table's metadata: expected JSON, found {error}") from None
    return found if isinstance(found, dict) else {}


def read_json_object(path: Path) -> dict[str, Any]:
    """The object that the JSON file ``path`` holds.

    Raises:
        OSError: it cannot be read.
        ArtifactError: it is not JSON, or no object.
    """
    try:
        content = json.loads(path.read_bytes())
    except ValueError as error:
        raise ArtifactError(f"{path}: expected a JSON object, found {error}") from None
    if not isinstance(content, dict):
        raise ArtifactError(f"{path}: expected a JSON object, found {type(content).__name__}")
    return content
