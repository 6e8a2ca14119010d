"""Tables of faulty configuration files and their errors: what they are written in, and what they become."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from wldetect.errors import ConfigError

Write = Callable[[str, str], Path]

MODEL = {"model": "model: {name: m, type: t, hidden_dim: 8}", "languages": "languages: {a: 0}"}
TRAINING = {
    "model_config_path": "model_config_path: model.yaml",
    "dataset": "dataset: {name: corpus}",
    "output": "output: {artifacts_dir: out}",
}
# What stands for a long text in the tables.
SHORTHAND = {
    "$MODEL": (
        "unknown key; expected one of name, type, hidden_dim, embedding_layer_name, shard_pattern, source, revision, "
        "sha256"
    ),
    "$MODEL_FILE": "unknown key; expected one of model, models, languages, hidden_languages, features, inference",
    "$TRAINING": (
        "unknown key; expected one of batch_size, learning_rate, num_epochs, num_workers, gradient_accumulation_steps, "
        "save_checkpoints, checkpoint_interval, seed, optimizer, weight_decay, gradient_clip, scheduler, warmup_steps, "
        "projection, ngrams, table, loss, augmentation, precision, compile, prefetch_batches, log_every, eval_every, "
        "tensorboard, device"
    ),
    "$OUTPUT": "unknown key; expected one of artifacts_dir, float32_table, min_token_count, e3m4_step, ngram_e3m4_step",
    "$NGRAM_TRAINING": "unknown key; expected one of learning_rate, drop_tokens, drop_ngrams",
    "$TRAINING_FILE": (
        "unknown key; expected one of model_config_path, dataset, training, evaluation, output, inference, features"
    ),
    "$DATASET": (
        "unknown key; expected one of split, text_column, language_column, weight_column, frequency_column, "
        "frequency_power, frequency_floor, frequency_repeats, sampling_weight, weight, name, sources, "
        "max_samples_per_language, min_samples_per_language, "
        "balance_languages, balance_power, length_bands, band_weights, label_weights, merge_labels, sampling_alpha, "
        "max_repeats, cleaning, held_out, forbidden, shard_texts, seed"
    ),
    "$NGRAMS": (
        "unknown key; expected one of n_min, n_max, whole_words, max_words, max_letters, rows, dimensions, splitting"
    ),
    "$SPLITTING": "expected one of spaces, letters, boundaries, ideographs",
    "$ALL_FOREIGN": (
        "expected 0 in one source at least, in whose texts the words of the others are looked up, found 1"
    ),
    "$TWICE": (
        "expected one source of each generator, whose texts are the same everywhere, found another of not_language"
    ),
    "$NO_LABEL": "expected the label 'zxx' of not_language among the languages of model.yaml, found 3 others",
    "$OR": "here or a generator in 'generated'",
    "$INLINE": "not allowed beside 'sources'; expected in each entry of 'sources' instead",
    "$TEXT": "expected non-empty text without control characters",
    "$CODE": "expected a code of printable characters without spaces",
    "$X200": "x" * 200,
    "$CLI": "(from the command line)",
}


def expand(text: str) -> str:
    """Replace shorthand, longest name first since some begin like others."""
    for name in sorted(SHORTHAND, key=len, reverse=True):
        text = text.replace(name, SHORTHAND[name])
    return text


def cases(table: str, valid: dict[str, str]) -> list[tuple[str, str]]:
    """Turn a table into pairs of a whole file and its error.

    Every even line changes a valid file: lines parted by " | " replace those of the same key, "-key" takes one away.
    Every odd line is the error, less the file's name.
    """
    rows = expand(table).strip().splitlines()
    pairs = []
    for changes, expected in zip(rows[::2], rows[1::2], strict=True):
        lines = dict(valid)
        for change in changes.split(" | "):
            if change.startswith("-"):
                del lines[change[1:]]
            else:
                lines[change.split(":")[0]] = change
        pairs.append(("\n".join(lines.values()), expected.strip()))
    return pairs


def message(error: pytest.ExceptionInfo[ConfigError]) -> str:
    text = str(error.value)
    assert text.isprintable(), "the text of an error is one line"
    return text
