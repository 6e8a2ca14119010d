"""Configuration files: the schema, loading with one-line errors, and finding the files that a configuration names."""

from __future__ import annotations

from wldetect.config.dataset import CleaningConfig, DatasetConfig, DatasetSourceConfig
from wldetect.config.features import FeaturesConfig, NgramsConfig
from wldetect.config.fields import (
    NOT_LANGUAGE,
    Device,
    Generator,
    LossFunction,
    Optimizer,
    Pooling,
    Precision,
    Scheduler,
    Splitting,
)
from wldetect.config.load import (
    ResolvedConfig,
    dump_model_config,
    load_model_config,
    load_training_config,
    parse_override,
)
from wldetect.config.model import InferenceConfig, InferenceOverride, ModelConfig, ModelSourceConfig
from wldetect.config.paths import DEFAULT_TRAINING_CONFIG, candidate_paths, resolve_name, resolve_path
from wldetect.config.schema import EvaluationConfig, OutputConfig, TrainingConfig
from wldetect.config.training import (
    AugmentationConfig,
    LossConfig,
    NgramTrainingConfig,
    ProjectionConfig,
    TableConfig,
    TrainingOptions,
)

__all__ = [
    "DEFAULT_TRAINING_CONFIG",
    "NOT_LANGUAGE",
    "AugmentationConfig",
    "CleaningConfig",
    "DatasetConfig",
    "DatasetSourceConfig",
    "Device",
    "EvaluationConfig",
    "FeaturesConfig",
    "Generator",
    "InferenceConfig",
    "InferenceOverride",
    "LossConfig",
    "LossFunction",
    "ModelConfig",
    "ModelSourceConfig",
    "NgramTrainingConfig",
    "NgramsConfig",
    "Optimizer",
    "OutputConfig",
    "Pooling",
    "Precision",
    "ProjectionConfig",
    "ResolvedConfig",
    "Scheduler",
    "Splitting",
    "TableConfig",
    "TrainingConfig",
    "TrainingOptions",
    "candidate_paths",
    "dump_model_config",
    "load_model_config",
    "load_training_config",
    "parse_override",
    "resolve_name",
    "resolve_path",
]
