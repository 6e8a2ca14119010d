"""The text of every error: one line that names the file and the key, what was expected and what was found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wldetect.config import load_model_config, load_training_config
from wldetect.errors import ConfigError

Write = Callable[[str, str], Path]

MODEL = {"model": "model: {name: m, type: t, hidden_dim: 8}", "languages": "languages: {a: 0}"}
TRAINING = {
    "model_config_path": "model_config_path: model.yaml",
    "dataset": "dataset: {name: corpus}",
    "output": "output: {artifacts_dir: out}",
}
# What stands for a long text in the tables below.
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
    "$OUTPUT": "unknown key; expected one of artifacts_dir, float32_table, min_token_count, e3m4_step",
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

# Every even line changes a valid file: lines parted by " | " replace those of the same key, "-key" takes one away.
# Every odd line is the error, less the file's name.
MODEL_ERRORS = r"""
model: {name: m, type: t, hidden_dim: 8, hidden_dims: 8}
    model.hidden_dims: $MODEL; did you mean 'hidden_dim'?
model: {name: m, type: t, hidden_dim: 8, zzz: 8}
    model.zzz: $MODEL
-languages | language: {a: 0}
    language: $MODEL_FILE; did you mean 'languages'? (and 1 more)
model: {name: m, type: t}
    model.hidden_dim: missing required key; expected int > 0
-languages
    languages: missing required key; expected a mapping of one or more codes to indices
model: {name: m, type: t, hidden_dim: '8'}
    model.hidden_dim: expected int > 0, found '8' (str)
model: {name: m, type: t, hidden_dim: 0}
    model.hidden_dim: expected int > 0, found 0 (int)
model: {name: m, type: t, hidden_dim: 8.0}
    model.hidden_dim: expected int > 0, found 8.0 (float)
model: {name: m, type: t, hidden_dim: true}
    model.hidden_dim: expected int > 0, found true (bool)
model: {name: 3, type: t, hidden_dim: 8}
    model.name: expected text, found 3 (int); put it in quotes
model: {name: ' ', type: t, hidden_dim: 8}
    model.name: $TEXT, found ' ' (str)
model: {name: "a\nb", type: t, hidden_dim: 8}
    model.name: $TEXT, found 'a\nb' (str)
model: gemma
    model: expected a mapping or null, found 'gemma' (str)
model: {name: m, type: t, hidden_dim: 8, revision: 1e10}
    model.revision: expected text or null, found 10000000000.0 (float); put it in quotes
model: {name: m, type: t, hidden_dim: 8, sha256: abc}
    model.sha256: expected 64 hexadecimal digits or null, found 'abc' (str)
model: {name: m, type: t, hidden_dim: 8, source: 'pypi:'}
    model.source: expected 'pypi:PACKAGE', found 'pypi:' (str)
-model
    model: missing required key; expected a mapping here or a list of them in 'models'
models: [{name: m, type: t, hidden_dim: 8}]
    models: expected either 'model' or 'models', found both
-model | models: []
    models: expected a list of one or more mappings or null, found an empty list
-model | models: {name: m}
    models: expected a list of one or more mappings or null, found a mapping
-model | models: [{name: m, type: t, hidden_dim: 8}, {name: n, type: u, hidden_dim: 8}]
    models[1].type: expected 't', the type of models[0], found 'u' (str)
-model | models: [{name: m, type: t, hidden_dim: 8}, {name: n, typo: t, hidden_dim: 8}]
    models[1].typo: $MODEL; did you mean 'type'? (and 1 more)
-model | models: [gemma]
    models[0]: expected a mapping, found 'gemma' (str)
languages: {}
    languages: expected a mapping of one or more codes to indices, found an empty mapping
languages: [a, b]
    languages: expected a mapping of one or more codes to indices, found a list
languages: {a: zero}
    languages.a: expected int, found 'zero' (str)
languages: {a: 0, b: 2}
    languages.b: expected indices 0 to 1 for 2 languages, each once; found 2, and 1 is missing
languages: {a: 0, b: 1} | hidden_languages: [a, c]
    hidden_languages[1]: expected one of the 2 codes of languages, each once; found 'c' (str)
languages: {a: 0, b: 1} | hidden_languages: [a, a]
    hidden_languages[1]: expected one of the 2 codes of languages, each once; found 'a' (str)
languages: {a: 0, b: 1} | hidden_languages: [a, b]
    hidden_languages: expected one language at least that is not hidden, found none
languages: {a: 1, b: 2}
    languages.b: expected indices 0 to 1 for 2 languages, each once; found 2, and 0 is missing
languages: {a: -1, b: 0}
    languages.a: expected indices 0 to 1 for 2 languages, each once; found -1, and 1 is missing
languages: {a: 0, b: 1, c: 1}
    languages.c: expected an index of its own, found 1, the index of 'b'
languages: {'a b': 0}
    languages.a b: $CODE, found 'a b' (str)
languages: {"a\tb": 0}
    languages.'a\tb': $CODE, found 'a\tb' (str)
languages: {'': 0}
    languages.'': $CODE, found '' (str)
inference: {pooling: maximum}
    inference.pooling: expected one of average, logsumexp, max, found 'maximum' (str); did you mean 'max'?
inference: {pooling: sum}
    inference.pooling: expected one of average, logsumexp, max, found 'sum' (str)
inference: {max_sequence_length: 0}
    inference.max_sequence_length: expected int > 0, found 0 (int)
inference: null
    inference: expected a mapping, found null
features: {ngram: {}}
    features.ngram: unknown key; expected one of ngrams; did you mean 'ngrams'?
features: {ngrams: {row: 8}}
    features.ngrams.row: $NGRAMS; did you mean 'rows'?
features: {ngrams: true}
    features.ngrams: expected a mapping or null, found true (bool)
features: {ngrams: {n_min: 6}}
    features.ngrams.n_min: expected at most n_max (5), found 6 (int)
features: {ngrams: {n_min: 0}}
    features.ngrams.n_min: expected int from 1 to 16, found 0 (int)
features: {ngrams: {n_max: 17}}
    features.ngrams.n_max: expected int from 1 to 16, found 17 (int)
features: {ngrams: {rows: 0}}
    features.ngrams.rows: expected int from 1 to 2147483648, found 0 (int)
features: {ngrams: {rows: 2147483649}}
    features.ngrams.rows: expected int from 1 to 2147483648, found 2147483649 (int)
features: {ngrams: {dimensions: 0}}
    features.ngrams.dimensions: expected int > 0 or null, found 0 (int)
features: {ngrams: {splitting: space}}
    features.ngrams.splitting: $SPLITTING, found 'space' (str); did you mean 'spaces'?
features: {ngrams: {splitting: words}}
    features.ngrams.splitting: $SPLITTING, found 'words' (str)
features: null
    features: expected a mapping, found null
"""

TRAINING_ERRORS = r"""
training: {learning_rat: 1}
    training.learning_rat: $TRAINING; did you mean 'learning_rate'?
training: {batch_size: many}
    training.batch_size: expected int > 0, found 'many' (str)
training: {batch_size: 1_000}
    training.batch_size: expected int > 0, found '1_000' (str)
training: {batch_size: many, num_epochs: 0, seed: -1}
    training.batch_size: expected int > 0, found 'many' (str) (and 2 more)
training: {batch_size: many, zzz: 1}
    training.zzz: $TRAINING (and 1 more)
training: {learning_rate: 0}
    training.learning_rate: expected float > 0, found 0 (int)
training: {learning_rate: .inf}
    training.learning_rate: expected float > 0, found inf (float)
training: {learning_rate: .NaN}
    training.learning_rate: expected float > 0, found nan (float)
training: {learning_rate: '1e-3'}
    training.learning_rate: expected float > 0, found '1e-3' (str)
training: {learning_rate: true}
    training.learning_rate: expected float > 0, found true (bool)
training: {num_workers: -1}
    training.num_workers: expected int >= 0, found -1 (int)
training: {save_checkpoints: 1}
    training.save_checkpoints: expected true or false, found 1 (int)
training: {save_checkpoints: yes}
    training.save_checkpoints: expected true or false, found 'yes' (str)
training: {weight_decay: -1}
    training.weight_decay: expected float >= 0, found -1 (int)
training: {gradient_clip: 0}
    training.gradient_clip: expected float > 0 or null, found 0 (int)
training: {optimizer: adamw2}
    training.optimizer: expected one of adamw, adam, sgd, found 'adamw2' (str); did you mean 'adamw'?
training: {scheduler: null}
    training.scheduler: expected one of none, cosine, cosine_warmup, found null
training: {device: 0}
    training.device: expected one of auto, cpu, cuda, mps, found 0 (int)
training: {projection: {dropout: 1}}
    training.projection.dropout: expected float from 0 up to, not including, 1, found 1 (int)
training: {projection: {dropuot: 0}}
    training.projection.dropuot: unknown key; expected one of dropout; did you mean 'dropout'?
training: {ngrams: {drop_tokens: 0.95}}
    training.ngrams.drop_tokens: expected at most 0.9 beside drop_ngrams 0.1, found 0.95 (float)
training: {ngrams: {drop_tokens: 0.5, drop_ngrams: 0.75}}
    training.ngrams.drop_tokens: expected at most 0.25 beside drop_ngrams 0.75, found 0.5 (float)
training: {ngrams: {drop_ngrams: 1.5}}
    training.ngrams.drop_ngrams: expected float from 0 to 1, found 1.5 (float)
training: {ngrams: {learning_rate: 0}}
    training.ngrams.learning_rate: expected float > 0 or null, found 0 (int)
training: {ngrams: {drop_token: 0}}
    training.ngrams.drop_token: $NGRAM_TRAINING; did you mean 'drop_tokens'?
training: []
    training: expected a mapping, found an empty list
training: null
    training: expected a mapping, found null
training: {batch_size: $X200}
    training.batch_size: expected int > 0, found 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx... (str)
training: {$X200: 1}
    training.xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...: $TRAINING
dataset: {nam: corpus}
    dataset.nam: $DATASET; did you mean 'name'?
dataset: {}
    dataset.name: missing required key; expected text here or a list of sources in 'sources'
dataset: {sources: []}
    dataset.sources: expected a list of one or more mappings or null, found an empty list
dataset: {sources: [{split: s}]}
    dataset.sources[0].name: missing required key; expected text here or a generator in 'generated'
dataset: {sources: [{generated: not_language}]}
    dataset.sources[0].samples: missing required key; expected int > 0 beside 'generated'
dataset: {sources: [{generated: noise, samples: 5}]}
    dataset.sources[0].generated: expected one of not_language or null, found 'noise' (str)
dataset: {sources: [{name: a, generated: not_language, samples: 5}]}
    dataset.sources[0].generated: expected either 'name' or 'generated', found both: 'a' (str)
dataset: {sources: [{name: a, samples: 5}]}
    dataset.sources[0].samples: expected none without 'generated', found 5 (int)
dataset: {sources: [{generated: not_language, samples: 0}]}
    dataset.sources[0].samples: expected int > 0 or null, found 0 (int)
dataset: {sources: [{generated: not_language, samples: 5, split: dev}]}
    dataset.sources[0].split: not allowed beside 'generated', found 'dev' (str)
dataset: {sources: [{generated: not_language, samples: 5, foreign_power: 1}]}
    dataset.sources[0].foreign_power: not allowed beside 'generated', found 1.0 (float)
dataset: {sources: [{generated: not_language, samples: 5}, {generated: not_language, samples: 6}]}
    dataset.sources[1].generated: $TWICE
dataset: {sources: [{name: a, foreign_power: 1}, {generated: not_language, samples: 5}]}
    dataset.sources[0].foreign_power: $ALL_FOREIGN
dataset: {sources: [{name: a}, {generated: not_language, samples: 5}]}
    dataset.sources[1].generated: $NO_LABEL
dataset: {sources: [{name: a}, {name: b, weight: -1}]}
    dataset.sources[1].weight: expected float > 0, found -1 (int)
dataset: {name: corpus, sources: [{name: a}]}
    dataset.name: $INLINE
dataset: {split: train, sources: [{name: a}]}
    dataset.split: $INLINE
dataset: {weight: 1.0, sources: [{name: a}]}
    dataset.weight: $INLINE
dataset: {name: a, balance_power: 1.5}
    dataset.balance_power: expected float from 0 to 1, found 1.5 (float)
dataset: {name: a, max_samples_per_language: 0}
    dataset.max_samples_per_language: expected int > 0 or null, found 0 (int)
dataset: {name: a, min_samples_per_language: null}
    dataset.min_samples_per_language: expected int >= 0, found null
dataset: {name: a, frequency_power: -0.5}
    dataset.frequency_power: expected float >= 0, found -0.5 (float)
dataset: {name: a, frequency_floor: -1}
    dataset.frequency_floor: expected float >= 0, found -1 (int)
dataset: {name: a, sampling_weight: 0}
    dataset.sampling_weight: expected float > 0, found 0 (int)
dataset: {sources: [{name: a, sampling_weight: 0}]}
    dataset.sources[0].sampling_weight: expected float > 0, found 0 (int)
dataset: {sources: [{name: a, files: b.parquet}]}
    dataset.sources[0].files: expected a list, found 'b.parquet' (str)
dataset: {sources: [{name: a}, {name: b, foreign_power: -1}]}
    dataset.sources[1].foreign_power: expected float >= 0, found -1 (int)
dataset: {sources: [{name: a, foreign_power: 1}, {name: b, foreign_power: 0.5}]}
    dataset.sources[0].foreign_power: $ALL_FOREIGN
dataset: {sampling_weight: 2, sources: [{name: a}]}
    dataset.sampling_weight: $INLINE
dataset: {name: a, balance_languages: true, length_bands: [5, 1]}
    dataset.length_bands: expected growing numbers, found [5, 1]
dataset: {name: a, balance_languages: true, length_bands: [1, 1]}
    dataset.length_bands: expected growing numbers, found [1, 1]
dataset: {name: a, balance_languages: true, length_bands: [0, 5]}
    dataset.length_bands[0]: expected int > 0, found 0 (int)
dataset: {name: a, length_bands: [1, 5]}
    dataset.length_bands: expected balance_languages: true, which they are for, found false
dataset: {name: a, balance_languages: true, length_bands: [1, 5], band_weights: [1, 2]}
    dataset.band_weights: expected 3 numbers, one more than length_bands has, found 2
dataset: {name: a, band_weights: [1, 2]}
    dataset.band_weights: expected none without length_bands, found 2
dataset: {name: a, balance_languages: true, length_bands: [1], band_weights: [1, 0]}
    dataset.band_weights[1]: expected float > 0, found 0 (int)
dataset: {name: a, label_weights: [{weights: [0.5, 1], labels: [eng_Latn]}]}
    dataset.label_weights[0].weights: expected 1 of them, one more than length_bands has, found 2
dataset: {name: a, label_weights: [{weights: [0], labels: [eng_Latn]}]}
    dataset.label_weights[0].weights[0]: expected float > 0, found 0 (int)
dataset: {name: a, label_weights: [{weights: [1], labels: []}]}
    dataset.label_weights[0].labels: expected a list of one or more codes, found an empty list
dataset: {name: a, label_weights: [{weights: [1], labels: [a]}, {weights: [2], labels: [b, a]}]}
    dataset.label_weights[1].labels: expected each code once, found 'a' in label_weights[0] as well
dataset: {name: a, frequency_repeats: 2}
    dataset.frequency_repeats: expected 0 without frequency_column, found 2
dataset: {name: a, merge_labels: {a: []}}
    dataset.merge_labels.a: expected a list of one or more codes, found an empty list
dataset: {name: a, merge_labels: {a: [c, d], b: [e, d]}}
    dataset.merge_labels.b: expected each code once, found 'd' in merge_labels.a as well
dataset: {name: a, merge_labels: {a: [c, b], b: [e]}}
    dataset.merge_labels.a: expected each code once, found 'b' as a key as well
features: {ngrams: {n_min: 6}}
    features.ngrams.n_min: expected at most n_max (5), found 6 (int)
features: {ngrams: {n_mix: 5}}
    features.ngrams.n_mix: $NGRAMS; did you mean 'n_min'?
inference: {pooling: sum}
    inference.pooling: expected one of average, logsumexp, max or null, found 'sum' (str)
evaluation: {enabled: 'no'}
    evaluation.enabled: expected true or false, found 'no' (str)
languages: {a: 0}
    languages: $TRAINING_FILE
"a\nb": 1
    'a\nb': $TRAINING_FILE
-model_config_path
    model_config_path: missing required key; expected text
-output
    output: missing required key; expected a mapping
output: {}
    output.artifacts_dir: missing required key; expected text
output: {artifacts_dir: out, min_token_count: -1}
    output.min_token_count: expected int from 0 to 2147483647, found -1 (int)
output: {artifacts_dir: out, min_token_count: 2147483648}
    output.min_token_count: expected int from 0 to 2147483647, found 2147483648 (int)
output: {artifacts_dir: out, e3m4_step: 0.1}
    output.e3m4_step: expected one of 0.015625, 0.03125, 0.0625, 0.125, 0.25, 0.5, found 0.1 (float)
output: {artifacts_dir: out, e3m4_step: 1}
    output.e3m4_step: expected one of 0.015625, 0.03125, 0.0625, 0.125, 0.25, 0.5, found 1.0 (float)
output: {artifacts_dir: out, e3m4_step: coarse}
    output.e3m4_step: expected float, found 'coarse' (str)
output: {artifacts_dir: out, min_token_counts: 3}
    output.min_token_counts: $OUTPUT; did you mean 'min_token_count'?
"""

# The left side is a value for each dotted key of the command line, over a file with training.batch_size 8.
OVERRIDE_ERRORS: list[tuple[dict[str, object], str]] = [
    ({"training.devise": "cpu"}, "training.devise $CLI: $TRAINING; did you mean 'device'?"),
    ({"training.batch_size": 0}, "training.batch_size $CLI: expected int > 0, found 0 (int)"),
    (
        {"training.device": "gpu"},
        "training.device $CLI: expected one of auto, cpu, cuda, mps, found 'gpu' (str); did you mean 'cpu'?",
    ),
    (
        {"training.batch_size.x": 1},
        "training.batch_size.x $CLI: expected a mapping at 'training.batch_size', found 8 (int)",
    ),
    ({"trainin.seed": 1}, "trainin $CLI: $TRAINING_FILE; did you mean 'training'?"),
    ({"dataset": {"sources": [{}]}}, "dataset.sources[0].name $CLI: missing required key; expected text $OR"),
    ({"training.seed": 3, "dataset.seed": -1}, "dataset.seed $CLI: expected int >= 0, found -1 (int)"),
    ({"training.seed": 3, "dataset": 1}, "dataset $CLI: expected a mapping, found 1 (int)"),
    (
        {"training.loss.class_weights": "balanced", "dataset.balance_languages": True},
        "training.loss.class_weights $CLI: expected none where dataset.balance_languages is true, which weights texts "
        "by the same counts; found 'balanced' (str)",
    ),
    (
        {"training.loss.name": "hinge"},
        "training.loss.name $CLI: expected one of cross_entropy, focal, found 'hinge' (str)",
    ),
    (
        {"training.loss.label_smoothing": 1.0},
        "training.loss.label_smoothing $CLI: expected float from 0 up to, not including, 1, found 1.0 (float)",
    ),
    (
        {"training.augmentation.crop": 1.5},
        "training.augmentation.crop $CLI: expected float from 0 to 1, found 1.5 (float)",
    ),
    ({"training.table.pull": -1}, "training.table.pull $CLI: expected float >= 0, found -1 (int)"),
    (
        {"training.table.num_epochs": 1, "inference.pooling": "max"},
        "training.table.num_epochs $CLI: expected 0 where inference.pooling is max, found 1 (int)",
    ),
]

TAG = "could not determine a constructor for the tag 'tag:yaml.org,2002"
YAML_ERRORS: list[tuple[bytes, str]] = [
    (b"", "expected a mapping of keys to values, found an empty file"),
    (b"# only a comment\n", "expected a mapping of keys to values, found an empty file"),
    (b"- a\n- b\n", "expected a mapping of keys to values, found a list"),
    (b"just text", "expected a mapping of keys to values, found 'just text' (str)"),
    (b"null", "expected a mapping of keys to values, found null"),
    (b"name: caf\xe9", "expected UTF-8 text, found byte 0xe9 at offset 9"),
    (b"\xff\xfen\x00", "expected UTF-8 text, found byte 0xff at offset 0"),
    (b"a: 1\nb: 2\na: 3\n", "a: duplicate key on line 3, first on line 1"),
    (b"a:\n  b: [{c: 1,\n    c: 2}]\n", "a.b[0].c: duplicate key on line 3, first on line 2"),
    (b"languages:\n  1: 0\n", "languages.1: line 2: expected text as a key; put it in quotes"),
    (b"null: 0\n", "null: line 1: expected text as a key; put it in quotes"),
    (b"? [a]\n: 1\n", "line 1: expected text as a key, found a list or mapping"),
    (b"a: 1\nb: [1,\n2\n", "line 4: not valid YAML: expected ',' or ']', but got '<stream end>'"),
    (b"a: 1\n b: 2\n", "line 2: not valid YAML: mapping values are not allowed here"),
    (b"a: 1\nb:\t\x07\n", "line 2: not valid YAML: special characters are not allowed (U+0007)"),
    (b"a: 1\n---\nb: 2\n", "line 2: not valid YAML: but found another document"),
    (b"a: *b\n", "line 1: not valid YAML: found undefined alias 'b'"),
    (b"a: !!python/name:os.system x\n", f"line 1: not valid YAML: {TAG}:python/name:os.system'"),
    (b"a: 1\nb: !!timestamp x\n", f"line 2: not valid YAML: {TAG}:timestamp'"),
    (b"a: !!int x\n", "line 1: not valid YAML: 'x' is not a 64-bit integer"),
    (b"a: !!float x\n", "line 1: not valid YAML: 'x' is not a number"),
    (b"a: !!bool x\n", "line 1: not valid YAML: 'x' is not true or false"),
    (b"a: 1\nb: 9223372036854775808\n", "line 2: not valid YAML: '9223372036854775808' is not a 64-bit integer"),
    (b"a: " + b"9" * 10_000, f"line 1: not valid YAML: '{'9' * 40}' is not a 64-bit integer"),
    (b"a: " + b"[" * 5_000, "not valid YAML: nested too deeply"),
    (b"a: &x {b: *x}\n", "a: $MODEL_FILE (and 1 more)"),
    (b"<<: {a: 1}\n", "<<: $MODEL_FILE (and 1 more)"),
]


def expand(text: str) -> str:
    """Replace shorthand, longest name first since some begin like others."""
    for name in sorted(SHORTHAND, key=len, reverse=True):
        text = text.replace(name, SHORTHAND[name])
    return text


def cases(table: str, valid: dict[str, str]) -> list[tuple[str, str]]:
    """Turn a table into pairs of a whole file and its error."""
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


@pytest.mark.parametrize("valid", [MODEL, TRAINING])
def test_the_files_that_the_tables_change_are_valid(write: Write, valid: dict[str, str]) -> None:
    path = write("x.yaml", "\n".join(valid.values()))
    if valid is MODEL:
        assert load_model_config(path).labels == ("a",)
    else:
        assert load_training_config(path).training.dataset.name == "corpus"


@pytest.mark.parametrize(("text", "expected"), cases(MODEL_ERRORS, MODEL))
def test_model_errors(write: Write, text: str, expected: str) -> None:
    with pytest.raises(ConfigError) as error:
        load_model_config(write("m.yaml", text))
    assert message(error) == f"m.yaml: {expected}"


@pytest.mark.parametrize(("text", "expected"), cases(TRAINING_ERRORS, TRAINING))
def test_training_errors(write: Write, text: str, expected: str) -> None:
    with pytest.raises(ConfigError) as error:
        load_training_config(write("configs/x.yaml", text))
    assert message(error) == f"configs/x.yaml: {expected}"


@pytest.mark.parametrize(("overrides", "expected"), OVERRIDE_ERRORS)
def test_override_errors(write: Write, overrides: dict[str, object], expected: str) -> None:
    path = write("train.yaml", "\n".join([*TRAINING.values(), "training: {batch_size: 8}"]))
    with pytest.raises(ConfigError) as error:
        load_training_config(path, overrides)
    assert message(error) == f"train.yaml: {expand(expected)}"


def test_an_error_of_the_file_is_not_blamed_on_the_command_line(write: Write) -> None:
    path = write("train.yaml", "\n".join([*TRAINING.values(), "training: {batch_size: 0, batch: 1}"]))
    with pytest.raises(ConfigError) as error:
        load_training_config(path, {"training.batch_size": 4})
    assert message(error).startswith("train.yaml: training.batch: unknown key")


@pytest.mark.parametrize(("raw", "expected"), YAML_ERRORS)
def test_yaml_errors(write: Write, raw: bytes, expected: str) -> None:
    path = write("m.yaml", "")
    path.write_bytes(raw)
    with pytest.raises(ConfigError) as error:
        load_model_config(path)
    assert message(error) == f"m.yaml: {expand(expected)}"


def test_aliases_that_would_expand_to_billions_of_nodes_are_refused_at_once(write: Write) -> None:
    rows = ["a0: &a0 [x, x]"] + [f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 40)]
    with pytest.raises(ConfigError, match="a0: unknown key"):
        load_model_config(write("m.yaml", "\n".join(rows)))


@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass")))
@example(b"a: \x85")
@settings(max_examples=200, deadline=None)
def test_no_bytes_give_anything_but_a_config_error(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yaml"
    path.write_bytes(raw)
    with pytest.raises(ConfigError) as error:
        load_model_config(path)
    message(error)
