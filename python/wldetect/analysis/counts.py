"""How often each token occurs: counted over a training set or any texts, kept in a file, listed for reading."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wldetect import _core
from wldetect.analysis.model import ModelDirectory, open_model
from wldetect.config import ResolvedConfig
from wldetect.data.columns import Columns, check_columns
from wldetect.data.dataset import needs_texts, prepare_dataset
from wldetect.data.files import FileKind, files_fingerprint, find_files
from wldetect.data.readers import RowFile, open_rows
from wldetect.data.token_counts import count_ids, count_training_tokens
from wldetect.embeddings import EmbeddingSource
from wldetect.errors import ArtifactError, EmbeddingError
from wldetect.export.table_file import read_tensors, write_tensors
from wldetect.files import atomic_path

__all__ = [
    "COUNTS_FILE",
    "TokenCounts",
    "count_files",
    "count_training_set",
    "other_corpus",
    "read_counts",
    "require_same_tokens",
    "write_counts",
    "write_frequency_table",
]

COUNTS_FILE = "token_counts.safetensors"
"""Name of the file of counts, beside the model that it belongs to unless another place is given."""


@dataclass(frozen=True, eq=False)
class TokenCounts:
    """How often each token of a tokenizer occurs in a corpus.

    Attributes:
        counts: int64 [V], occurrences by token id.
        texts: texts counted, those without a token left out.
        corpus: SHA-256 (hex) of the corpus.
        tokenizer: SHA-256 (hex) of the ``tokenizer.json`` whose ids these are.
    """

    counts: NDArray[np.int64]
    texts: int
    corpus: str
    tokenizer: str

    @property
    def tokens(self) -> int:
        """Occurrences of all tokens together."""
        return int(self.counts.sum())


def count_training_set(
    config: ResolvedConfig, source: EmbeddingSource, cache_dir: Path, progress: bool = True
) -> TokenCounts:
    """Count the tokens of the texts that ``config`` trains on, as training sees them in its first epoch.

    Args:
        config: the training configuration.
        source: its embeddings and tokenizer.
        cache_dir: where the tokenized form is kept.
        progress: show progress bars, if somebody is looking.

    Raises:
        OSError: a file cannot be read.
        DataError, EmbeddingError: as in training.
    """
    n_tokens = source.matrix().shape[0]
    try:
        tokenizer = _core.Tokenizer(source.tokenizer_json())
    except ValueError as error:
        raise EmbeddingError(f"{source.describe()}: its tokenizer cannot be used: {error}") from error
    dataset = prepare_dataset(
        config, tokenizer, cache_dir, n_rows=n_tokens, keep_texts=needs_texts(config), progress=progress
    )
    counts = count_training_tokens(dataset, config, tokenizer, n_tokens, progress=progress)
    return TokenCounts(counts, len(dataset), dataset.report.fingerprint, tokenizer.sha256)


def count_files(
    names: Sequence[str],
    model_path: Path,
    text_column: str = "text",
    threads: int | None = None,
    progress: bool = True,
) -> TokenCounts:
    """Count the tokens of texts as the model in ``model_path`` sees them, cut at its length limit.

    Args:
        names: files, patterns of files or directories (of these the split ``train``, where they have splits): text
            with one text a line, parquet, JSON or CSV.
        model_path: the model directory.
        text_column: the column of texts, of files that have columns.
        threads: threads that tokenize; None: one a core.
        progress: show a progress bar, if somebody is looking.

    Raises:
        OSError: a file cannot be read.
        ArtifactError: the model directory is malformed.
        DataError: a file is malformed, lacks the column, or there is none.
    """
    from tqdm import tqdm

    model = open_model(model_path)
    tokenizer = _core.Tokenizer(model.tokenizer_json)
    files = [open_rows(path, kind) for path, kind in _paths(names)]
    texts = 0
    counts = np.zeros(model.n_tokens, dtype=np.int64)
    with tqdm(desc="counting", unit=" texts", disable=None if progress else True) as bar:
        for file in files:
            for chunk in _texts(file, text_column):
                ids, offsets = tokenizer.encode_batch(chunk, model.max_sequence_length, threads)
                counts += count_ids([ids], len(counts))
                texts += int(np.count_nonzero(np.diff(offsets)))
                bar.update(len(chunk))
    return TokenCounts(counts, texts, files_fingerprint([file.path for file in files]), tokenizer.sha256)


def _paths(names: Sequence[str]) -> Iterator[tuple[Path, FileKind]]:
    for name in names:
        found = find_files(name, "train")
        if found is None:
            raise FileNotFoundError(2, "no such file or directory", name)
        yield from ((path, found.kind) for path in found.paths)


def _texts(file: RowFile, column: str) -> Iterator[list[str]]:
    if not file.names:
        return
    is_text = file.path.suffix.lower() == ".txt"
    if not is_text:
        check_columns(str(file.path), file.names, [column])
    # Of a text file, the second is what to call its label.
    columns = Columns(("text", "language") if is_text else (column,))
    for table in file.tables(columns):
        yield [text or "" for text in table.column(columns.text[0]).to_pylist()]


def write_counts(counts: TokenCounts, path: Path) -> None:
    """Write a file of counts: ``counts`` int64 [V]; where they come from is in the metadata.

    Raises:
        OSError: the file cannot be written.
    """
    metadata = {
        "corpus_sha256": counts.corpus,
        "tokenizer_sha256": counts.tokenizer,
        "texts": str(counts.texts),
        "tokens": str(counts.tokens),
    }
    write_tensors(path, {"counts": counts.counts}, metadata)


def read_counts(path: Path) -> TokenCounts:
    """Read a file that `write_counts` wrote.

    Raises:
        OSError: it cannot be read.
        ArtifactError: it is not such a file, or its counts are not those that were written.
    """
    tensors, metadata = read_tensors(path)
    counts = tensors.get("counts")
    if counts is None or counts.dtype != np.int64 or counts.ndim != 1:
        found = {name: f"{tensor.dtype.name} {list(tensor.shape)}" for name, tensor in sorted(tensors.items())}
        raise ArtifactError(f"{path}: expected a tensor counts, int64 [V], found {found}")
    try:
        result = TokenCounts(counts, int(metadata["texts"]), metadata["corpus_sha256"], metadata["tokenizer_sha256"])
        tokens = int(metadata["tokens"])
    except (KeyError, ValueError) as error:
        raise ArtifactError(f"{path}: expected the metadata of a file of token counts, found {error}") from None
    if tokens != result.tokens or (len(counts) and counts.min() < 0):
        raise ArtifactError(f"{path}: counts: expected {tokens} tokens in all, found {result.tokens}")
    return result


def require_same_tokens(counts: TokenCounts, where: Path, model: ModelDirectory) -> None:
    """Check that ``counts``, read from ``where``, number their tokens as ``model`` does.

    Raises:
        ArtifactError: they are of another tokenizer, or of another number of tokens.
    """
    if counts.tokenizer != model.tokenizer_sha256:
        raise ArtifactError(
            f"{where}: tokenizer_sha256: expected that of {model.path}, {model.tokenizer_sha256}, found "
            f"{counts.tokenizer}"
        )
    if len(counts.counts) != model.n_tokens:
        raise ArtifactError(
            f"{where}: counts: expected {model.n_tokens}, one a row of the table, found {len(counts.counts)}"
        )


def other_corpus(counts: TokenCounts, provenance: Mapping[str, Any]) -> str | None:
    """A remark, if ``counts`` are not of the corpus that the model with this ``provenance`` was trained on."""
    corpus = provenance.get("corpus")
    trained = corpus.get("sha256") if isinstance(corpus, Mapping) else None
    if trained == counts.corpus:
        return None
    found = "is not known" if trained is None else f"is another one ({trained})"
    return f"note: the tokens were counted in the corpus {counts.corpus}; the one that the model was trained on {found}"


def write_frequency_table(counts: TokenCounts, tokens: Mapping[int, str], path: Path, n: int) -> None:
    """Write the ``n`` most frequent tokens and the ``n`` least frequent ones that occur at all, as TSV.

    Columns: rank (1: the most frequent), id, token (as a JSON string), count, and share of all occurrences. Tokens of
    one count are in the order of their ids.

    Raises:
        OSError: the file cannot be written.
    """
    order = np.lexsort((np.arange(len(counts.counts)), -counts.counts))
    n_seen = int(np.count_nonzero(counts.counts))
    ranks = [*range(min(n, n_seen)), *range(max(n_seen - n, n), n_seen)]
    total = max(counts.tokens, 1)
    lines = ["rank\tid\ttoken\tcount\tshare"]
    for rank in ranks:
        token_id = int(order[rank])
        count = int(counts.counts[token_id])
        token = json.dumps(tokens.get(token_id), ensure_ascii=False)
        lines.append(f"{rank + 1}\t{token_id}\t{token}\t{count}\t{count / total:.3e}")
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
