"""What a data set is made of: the sources, what must not be in them, and the key of all that it depends on."""

from __future__ import annotations

import hashlib
import json
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from wldetect import _core
from wldetect.config import ResolvedConfig, resolve_name
from wldetect.data.cleaning import Cleaner
from wldetect.data.columns import Columns
from wldetect.data.encoding import Encoding
from wldetect.data.generated import read_generated
from wldetect.data.held_out import HeldOut, read_held_out
from wldetect.data.scan import Source
from wldetect.data.sources import read_source

__all__ = ["Inputs", "cache_key", "looks_up_words", "open_inputs"]

# Raised whenever the layout or the meaning of the cached files changes.
_CACHE_VERSION = 3


@dataclass(frozen=True)
class Inputs:
    """What is read.

    Attributes:
        sources: rows and settings of each source.
        held_out: texts that are removed from them.
        forbidden: sentences that must not be left in them.
    """

    sources: list[Source]
    held_out: list[HeldOut]
    forbidden: list[HeldOut]

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) over the contents of the sources."""
        return hashlib.sha256("\n".join(rows.fingerprint for rows, _ in self.sources).encode()).hexdigest()


def open_inputs(config: ResolvedConfig, cache_dir: Path, progress: bool) -> Inputs:
    """Read or find what the ``dataset`` section names.

    Raises:
        OSError: a file is missing, or cannot be read or written.
        DataError: a source cannot be read or lacks a column, or a file of hashes is none.
    """
    options = config.training.dataset
    sources = []
    for source in options.all_sources:
        extra = [column for column in (source.weight_column, source.frequency_column) if column is not None]
        columns = Columns((source.text_column, source.language_column), tuple(extra))
        if source.name is not None:
            name = resolve_name(source.name, config.training_path)
            rows = read_source(name, source.split, columns, cache_dir, only=source.files, progress=progress)
        else:
            assert source.generated is not None
            assert source.samples is not None
            made_up = source.generated, source.samples, options.seed
            rows = read_generated(*made_up, columns, cache_dir, progress=progress)
        sources.append((rows, source))

    def read(names: list[str]) -> list[HeldOut]:
        places = dict.fromkeys(resolve_name(name, config.training_path) for name in names)
        return [read_held_out(place, cache_dir) for place in places]

    return Inputs(sources, read(options.held_out), read(options.forbidden))


def looks_up_words(config: ResolvedConfig) -> bool:
    """Whether a source has a ``foreign_power``."""
    return any(source.foreign_power > 0 for source in config.training.dataset.all_sources)


def cache_key(
    config: ResolvedConfig, inputs: Inputs, tokenizer: _core.Tokenizer, encoding: Encoding, keep_texts: bool
) -> str:
    """SHA-256 (hex) over everything that the tokenized texts depend on."""
    options = config.training.dataset
    cleaner = Cleaner(options.cleaning, config.labels, inputs.held_out)
    reads_texts = bool(cleaner.active or inputs.forbidden or looks_up_words(config))
    relevant = {
        "version": _CACHE_VERSION,
        "corpus": inputs.fingerprint,
        "sources": [source.model_dump(mode="json", exclude={"name"}) for source in options.all_sources],
        "maximum": options.max_samples_per_language,
        "minimum": options.min_samples_per_language,
        "alpha": options.sampling_alpha,
        # Of no effect unless rows are repeated.
        "max_repeats": None if options.sampling_alpha is None else options.max_repeats,
        "cleaning": options.cleaning.model_dump(mode="json"),
        "held_out": [source.fingerprint for source in inputs.held_out],
        # What was kept for a run was found to have none of these.
        "forbidden": [source.fingerprint for source in inputs.forbidden],
        # What is a letter, and how it is normalized, changes between versions.
        "unicode": unicodedata.unidata_version if reads_texts else None,
        "shard_texts": options.shard_texts,
        "seed": options.seed,
        "labels": config.labels,
        "merge_labels": options.merge_labels,
        "max_sequence_length": encoding.max_length,
        "tokenizer": tokenizer.sha256,
        # Longer texts are not told apart.
        "words": max(options.length_bands, default=None),
        # Of no effect unless the tokenizer knows more ids.
        "n_rows": min(encoding.n_rows, tokenizer.vocab_size),
        "texts": keep_texts,
    }
    return hashlib.sha256(json.dumps(relevant, sort_keys=True).encode()).hexdigest()
