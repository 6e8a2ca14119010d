"""Loading configuration files: read, override, validate, and join the training file with its model file."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from wldetect.config.fields import Pooling
from wldetect.config.messages import dotted, found, problems_of
from wldetect.config.model import InferenceConfig, ModelConfig
from wldetect.config.paths import candidate_paths, expand_home, resolve_path
from wldetect.config.schema import TrainingConfig
from wldetect.config.yaml_text import dump_yaml, parse_yaml, read_yaml
from wldetect.errors import ConfigError

__all__ = ["ResolvedConfig", "dump_model_config", "load_model_config", "load_training_config", "parse_override"]

_Model = TypeVar("_Model", bound=BaseModel)


@dataclass(frozen=True)
class ResolvedConfig:
    """Everything a training run is told: the training file joined with its model file.

    Attributes:
        model: the model file, its ``inference`` and ``features`` already overridden by the training file.
        training: the training file, command-line overrides included.
        model_path: the model file that was read.
        training_path: the training file that was read.
    """

    model: ModelConfig
    training: TrainingConfig
    model_path: Path
    training_path: Path

    @property
    def labels(self) -> tuple[str, ...]:
        """The language codes in the order of their indices."""
        return self.model.labels

    @property
    def inference(self) -> InferenceConfig:
        """How texts are scored: the training file's keys where it gives them, else the model file's."""
        return self.model.inference

    @property
    def artifacts_dir(self) -> Path:
        """Directory of the finished model, ``~`` expanded; a relative one is relative to the current directory."""
        return expand_home(self.training.output.artifacts_dir)

    def to_dict(self) -> dict[str, Any]:
        """Return both files, defaults filled in, as plain data for JSON; where they were read from is left out."""
        return {"model": self.model.model_dump(mode="json"), "training": self.training.model_dump(mode="json")}

    def fingerprint(self) -> str:
        """Return the SHA-256, in hexadecimal, of ``to_dict()`` as JSON with sorted keys and no spaces."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode("ascii")).hexdigest()


def load_model_config(path: str | Path) -> ModelConfig:
    """Read and validate a model file.

    Raises:
        OSError: the file is missing or unreadable.
        ConfigError: it is not YAML or not a valid model configuration; names the file and the key.
    """
    path = Path(path)
    return _validated(ModelConfig, read_yaml(path), path)


def dump_model_config(config: ModelConfig) -> str:
    """Write a model configuration as YAML text that ``load_model_config`` reads back as an equal one."""
    data = config.model_dump(mode="json", exclude_none=True)
    data["languages"] = {code: config.languages[code] for code in config.labels}
    if not config.hidden_languages:
        del data["hidden_languages"]
    if config.features.ngrams is None:
        del data["features"]
    else:
        # With its nulls: ``dimensions`` left out would be read back as its default.
        data["features"] = config.features.model_dump(mode="json")
    return dump_yaml(data)


def load_training_config(path: str | Path, overrides: Mapping[str, object] | None = None) -> ResolvedConfig:
    """Read and validate a training file and the model file that it names.

    Args:
        path: the training file.
        overrides: values from the command line by dotted key, such as ``{"training.device": "cpu"}``; each replaces
            the file's value, or adds the key, before validation. A ``Path`` counts as text.

    Raises:
        OSError: the training file is missing or unreadable, or the model file is unreadable.
        ConfigError: either file is not YAML or not valid, they do not go together, or there is no model file; names the
            file and the key, and says so where the value came from the command line.
    """
    path = Path(path)
    overrides = overrides or {}
    data = read_yaml(path)
    for key, value in overrides.items():
        plain = os.fspath(value) if isinstance(value, os.PathLike) else value
        data = _with_override(data, key.split("."), plain, key, path)
    training = _validated(TrainingConfig, data, path, overrides)

    model_path = resolve_path(training.model_config_path, path)
    if model_path is None:
        tried = " or ".join(f"'{candidate}'" for candidate in candidate_paths(training.model_config_path, path))
        origin = _origin("model_config_path", overrides)
        raise ConfigError(f"{path}: model_config_path{origin}: expected an existing file, found no {tried}")
    model = load_model_config(model_path)
    if training.inference is not None:
        given = training.inference.model_dump(exclude_none=True)
        inference = InferenceConfig.model_validate({**model.inference.model_dump(), **given})
        model = model.model_copy(update={"inference": inference})
    if training.features is not None:
        model = model.model_copy(update={"features": training.features})
    _check_weighted_labels(training, model, path, overrides)
    _check_merged_labels(training, model, path, overrides)
    if training.training.table.num_epochs and model.inference.pooling is not Pooling.average:
        where = f"training.table.num_epochs{_origin('training.table.num_epochs', overrides)}"
        expected = f"expected 0 where inference.pooling is {model.inference.pooling}"
        raise ConfigError(f"{path}: {where}: {expected}, found {found(training.training.table.num_epochs)}")
    _check_generated(training, model, path, model_path)
    return ResolvedConfig(model=model, training=training, model_path=model_path, training_path=path)


def _check_weighted_labels(
    training: TrainingConfig, model: ModelConfig, path: Path, overrides: Mapping[str, object]
) -> None:
    for place, group in enumerate(training.dataset.label_weights):
        for position, label in enumerate(group.labels):
            if label not in model.languages:
                key = f"dataset.label_weights[{place}].labels[{position}]"
                expected = f"expected one of the {len(model.languages)} codes of {training.model_config_path}"
                raise ConfigError(f"{path}: {key}{_origin(key, overrides)}: {expected}, found {found(label)}")


def _check_merged_labels(
    training: TrainingConfig, model: ModelConfig, path: Path, overrides: Mapping[str, object]
) -> None:
    """Languages of the model stay what they are, and others become one of them."""
    for language, members in training.dataset.merge_labels.items():
        key = f"dataset.merge_labels.{language}"
        where = f"{path}: {key}{_origin(key, overrides)}"
        if language not in model.languages:
            expected = f"expected the key to be one of the {len(model.languages)} codes of {training.model_config_path}"
            raise ConfigError(f"{where}: {expected}, found {found(language)}")
        for position, member in enumerate(members):
            if member in model.languages:
                expected = f"expected codes that {training.model_config_path} does not have"
                raise ConfigError(f"{where}[{position}]: {expected}, found {found(member)}")


def _check_generated(training: TrainingConfig, model: ModelConfig, path: Path, model_path: Path) -> None:
    """Texts that are made up have a label of their own, which the model file must have."""
    for place, source in enumerate(training.dataset.sources or ()):
        if source.generated is not None and source.generated.label not in model.languages:
            expected = f"expected the label '{source.generated.label}' of {source.generated} among the languages"
            where = f"dataset.sources[{place}].generated"
            raise ConfigError(f"{path}: {where}: {expected} of {model_path}, found {len(model.languages)} others")


def parse_override(text: str) -> tuple[str, object]:
    """Split ``KEY=VALUE`` from the command line into a dotted key and its value, read as YAML.

    Raises:
        ConfigError: there is no ``=`` or no key, or the value is not YAML.
    """
    key, equals, value = text.partition("=")
    if not equals or not all(key.split(".")):
        raise ConfigError(f"command line: expected KEY=VALUE with a dotted key, found {found(text)}")
    return key, parse_yaml(value, f"command line: {key}")[0]


def _validated(
    schema: type[_Model], data: Mapping[str, object], path: Path, overrides: Mapping[str, object] | None = None
) -> _Model:
    try:
        return schema.model_validate(data)
    except ValidationError as error:
        first, *others = problems_of(error, schema)
        key = dotted(first.path)
        more = f" (and {len(others)} more)" if others else ""
        raise ConfigError(f"{path}: {key}{_origin(key, overrides or {})}: {first.text}{more}") from None


def _with_override(
    data: Mapping[str, object], parts: Sequence[str], value: object, key: str, path: Path
) -> dict[str, object]:
    """Return a copy of ``data`` with one value replaced; copied, because YAML aliases may share a mapping."""
    head, *rest = parts
    if not rest:
        return {**data, head: value}
    inner = data.get(head, {})
    if not isinstance(inner, Mapping):
        above = key.removesuffix("." + ".".join(rest))
        text = f"expected a mapping at '{above}', found {found(inner)}"
        raise ConfigError(f"{path}: {key} (from the command line): {text}")
    return {**data, head: _with_override(inner, rest, value, key, path)}


def _origin(key: str, overrides: Mapping[str, object]) -> str:
    # The key may be the override's own, lie inside its value, or be an unknown section that the override has added.
    given = any(f"{key}.".startswith((f"{name}.", f"{name}[")) or name.startswith(f"{key}.") for name in overrides)
    return " (from the command line)" if given else ""
