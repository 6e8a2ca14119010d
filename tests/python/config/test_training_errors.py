"""The text of every error of a training file and of overrides: one line that names the file and the key, what was
expected and what was found."""

from __future__ import annotations

import pytest

from wldetect.config import load_training_config
from wldetect.errors import ConfigError

from .error_cases import TRAINING, Write, cases, expand, message

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
    training.projection.dropuot: unknown key; expected one of dropout, bias; did you mean 'dropout'?
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
output: {artifacts_dir: out, ngram_e3m4_step: 0.3}
    output.ngram_e3m4_step: expected one of 0.015625, 0.03125, 0.0625, 0.125, 0.25, 0.5, found 0.3 (float)
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


def test_the_file_that_the_table_changes_is_valid(write: Write) -> None:
    config = load_training_config(write("x.yaml", "\n".join(TRAINING.values())))
    assert config.training.dataset.name == "corpus"


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
