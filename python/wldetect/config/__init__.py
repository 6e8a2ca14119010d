"""Configuration files: the schema, loading with one-line errors, and finding the files that a configuration names."""

from __future__ import annotations

from wldetect.config.load import (
    ResolvedConfig,
    dump_model_config,
    load_model_config,
    load_training_config,
    parse_override,
)
from wldetect.config.paths import DEFAULT_TRAINING_CONFIG, candidate_paths, resolve_name, resolve_path
from wldetect.config.schema import (
    DatasetConfig,
    DatasetSourceConfig,
    Device,
    EvaluationConfig,
    InferenceConfig,
    InferenceOverride,
    ModelConfig,
    ModelSourceConfig,
    Optimizer,
    OutputConfig,
    Pooling,
    ProjectionConfig,
    Scheduler,
    TrainingConfig,
    TrainingOptions,
)

__all__ = [
    "DEFAULT_TRAINING_CONFIG",
    "DatasetConfig",
    "DatasetSourceConfig",
    "Device",
    "EvaluationConfig",
    "InferenceConfig",
    "InferenceOverride",
    "ModelConfig",
    "ModelSourceConfig",
    "Optimizer",
    "OutputConfig",
    "Pooling",
    "ProjectionConfig",
    "ResolvedConfig",
    "Scheduler",
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
