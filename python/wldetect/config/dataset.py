"""The ``dataset`` section: which texts are trained on."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, Any

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from wldetect.config.fields import (
    Count,
    GeneratorName,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    Section,
    Text,
    UnitFloat,
)
from wldetect.config.messages import found, problem

__all__ = ["CleaningConfig", "DatasetConfig", "DatasetSourceConfig", "LabelWeightsConfig"]


class CleaningConfig(Section):
    """What is done about the texts of all sources; nothing unless asked for.

    Attributes:
        nfc: put texts into Unicode's normalization form C.
        deduplicate: keep one of the texts of a language that are equal but for case, white space and normalization.
        min_script_share: leave out texts of whose letters a smaller share is in the script that the label names.
        min_letters: leave out texts with fewer letters.
    """

    nfc: bool = False
    deduplicate: bool = False
    min_script_share: UnitFloat = 0.0
    min_letters: Count = 0


class _SourceFields(Section):
    split: Text = "train"
    text_column: Text = "text"
    language_column: Text = "language"
    weight_column: Text | None = None
    frequency_column: Text | None = None
    frequency_power: NonNegativeFloat = 0.5
    frequency_floor: NonNegativeFloat = 0.0
    frequency_repeats: NonNegativeFloat = 0.0
    sampling_weight: PositiveFloat = 1.0
    weight: PositiveFloat = 1.0

    @model_validator(mode="after")
    def _check_repeats(self) -> _SourceFields:
        if self.frequency_repeats > 0 and self.frequency_column is None:
            raise problem(f"expected 0 without frequency_column, found {self.frequency_repeats:g}", "frequency_repeats")
        return self


# What a source has no use for where there are no files.
_OF_FILES = (
    "files",
    "split",
    "text_column",
    "language_column",
    "weight_column",
    "frequency_column",
    "frequency_power",
    "frequency_floor",
    "frequency_repeats",
    "foreign_power",
)


class DatasetSourceConfig(_SourceFields):
    """One source of labelled texts.

    Attributes:
        name: hub id, directory, file, or pattern of files; None where the texts are ``generated``.
        files: names of the files of the directory ``name`` that are read, where others lie beside them (of another
            licence, say); empty: all files of the split.
        generated: what makes up the texts, in place of ``name``. They follow from ``dataset.seed``; their label is that
            of the generator, ``zxx`` for ``not_language``. Keys about files and columns are not for them.
        samples: how many texts are generated; needed there and nowhere else.
        split: the part of it to read.
        text_column: the column of texts.
        language_column: the column of language codes.
        weight_column: a column of loss weights, one a row; None: every row weighs the same.
        frequency_column: a column of frequencies; rows of a language that is capped are then drawn with a probability
            proportional to frequency ** ``frequency_power``.
        frequency_power: 0 ignores the frequencies, 1 takes them as they are.
        frequency_floor: smaller frequencies count as this one, for lists in which some have none.
        frequency_repeats: rows that are used are used this many times more, on average over those of a language, each
            in proportion to its frequency: so what is trained on has frequent words more often than rare ones.
        sampling_weight: where a language is capped over all sources, how much likelier than those of another source
            rows of this one are drawn.
        weight: loss weight multiplied onto every row of this source.
        max_samples_per_language: cap of this source alone; None: no cap of its own.
        foreign_power: rows that are one word, more frequent in the texts of another language, count less: their weight
            is multiplied by (the word's share of its own language's words / its largest share of another's) **
            ``foreign_power``, where that is less than 1. 0: all rows count alike. Shares are those in the texts of the
            sources whose power is 0.
    """

    name: Text | None = None
    files: list[Text] = Field(default=[])
    generated: GeneratorName | None = None
    samples: PositiveInt | None = None
    max_samples_per_language: PositiveInt | None = None
    foreign_power: NonNegativeFloat = 0.0

    @model_validator(mode="after")
    def _check_origin(self) -> DatasetSourceConfig:
        if self.generated is None:
            if self.name is None:
                raise problem("missing required key; expected text here or a generator in 'generated'", "name")
            if self.samples is not None:
                raise problem(f"expected none without 'generated', found {found(self.samples)}", "samples")
            return self
        if self.name is not None:
            raise problem(f"expected either 'name' or 'generated', found both: {found(self.name)}", "generated")
        if self.samples is None:
            raise problem("missing required key; expected int > 0 beside 'generated'", "samples")
        for key in _OF_FILES:
            value, default = getattr(self, key), type(self).model_fields[key].default
            # Compared, since what is dumped has every key.
            if value != default:
                raise problem(f"not allowed beside 'generated', found {found(value)}", key)
        return self


class LabelWeightsConfig(Section):
    """What the texts of some languages count.

    Attributes:
        weights: what their weights are multiplied by, after balancing, in each band of ``length_bands``.
        labels: the languages' codes.
    """

    weights: Annotated[list[PositiveFloat], Field(min_length=1, description="a list of one or more numbers")]
    labels: Annotated[list[Text], Field(min_length=1, description="a list of one or more codes")]


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
        length_bands: numbers of words, growing: texts of up to the first are one band, those of more up to the second
            another, and so on; texts of more than the last are one more. Languages are then balanced in each band, as
            their texts are after ``training.augmentation``. Empty: over texts of all lengths.
        band_weights: what the texts of each band are multiplied by, one more than ``length_bands``; empty: 1.
        label_weights: languages whose texts count more or less than balancing would have it; others: 1. The model takes
            these weights for how likely a text is to be in a language, before anything of it is seen.
        merge_labels: labels of the sources that are trained as one, by the language of the model that they become:
            small relatives of each other, say, as their family.
        sampling_alpha: draw texts so that a language of n texts has a share proportional to n ** ``sampling_alpha``:
            1 leaves the shares as they are, 0 makes them equal; texts of languages that fall short are repeated. None:
            every text once.
        max_repeats: how often ``sampling_alpha`` may take one text.
        cleaning: what is done about the texts before any is counted.
        held_out: data sets, or files of hashes, whose texts must not be trained on; they are removed from the sources.
        forbidden: data sets, or files of hashes, of which no sentence may be among the texts: training stops at the
            first that is. What is held out or cleaned away is none of the texts.
        shard_texts: texts of one shard of the tokenized form, on average; training holds two shards in memory.
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
    length_bands: list[PositiveInt] = Field(default=[])
    band_weights: list[PositiveFloat] = Field(default=[])
    label_weights: list[LabelWeightsConfig] = Field(default=[])
    merge_labels: dict[Text, Annotated[list[Text], Field(min_length=1, description="a list of one or more codes")]] = (
        Field(default={})
    )
    sampling_alpha: UnitFloat | None = None
    max_repeats: PositiveInt = 4
    cleaning: CleaningConfig = CleaningConfig()
    held_out: list[Text] = Field(default=[])
    forbidden: list[Text] = Field(default=[])
    shard_texts: PositiveInt = 1_000_000
    seed: Count = 42

    @property
    def all_sources(self) -> tuple[DatasetSourceConfig, ...]:
        """The sources, one or several; a source written inline has no cap of its own beside that of the dataset."""
        if self.sources is not None:
            return tuple(self.sources)
        return (DatasetSourceConfig.model_validate({key: getattr(self, key) for key in self._inline_keys()}),)

    @model_validator(mode="after")
    def _check_bands(self) -> DatasetConfig:
        if any(first >= second for first, second in pairwise(self.length_bands)):
            raise problem(f"expected growing numbers, found {self.length_bands}", "length_bands")
        if self.length_bands and not self.balance_languages:
            raise problem("expected balance_languages: true, which they are for, found false", "length_bands")
        if self.band_weights and len(self.band_weights) != len(self.length_bands) + 1:
            expected = f"expected {len(self.length_bands) + 1} numbers, one more than length_bands has"
            if not self.length_bands:
                expected = "expected none without length_bands"
            raise problem(f"{expected}, found {len(self.band_weights)}", "band_weights")
        return self

    @model_validator(mode="after")
    def _check_label_weights(self) -> DatasetConfig:
        expected = len(self.length_bands) + 1
        owners: dict[str, int] = {}
        for place, group in enumerate(self.label_weights):
            if len(group.weights) != expected:
                text = f"expected {expected} of them, one more than length_bands has, found {len(group.weights)}"
                raise problem(text, "label_weights", place, "weights")
            for label in group.labels:
                if label in owners:
                    text = f"expected each code once, found '{label}' in label_weights[{owners[label]}] as well"
                    raise problem(text, "label_weights", place, "labels")
                owners[label] = place
        return self

    @model_validator(mode="after")
    def _check_merged(self) -> DatasetConfig:
        owners: dict[str, str] = {}
        for language, members in self.merge_labels.items():
            for member in members:
                if member in owners or member in self.merge_labels:
                    other = f"in merge_labels.{owners[member]}" if member in owners else "as a key"
                    text = f"expected each code once, found '{member}' {other} as well"
                    raise problem(text, "merge_labels", language)
                owners[member] = language
        return self

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

    @model_validator(mode="after")
    def _check_generated(self) -> DatasetConfig:
        seen: list[GeneratorName] = []
        for place, source in enumerate(self.sources or ()):
            if source.generated in seen:
                expected = "expected one source of each generator, whose texts are the same everywhere"
                raise problem(f"{expected}, found another of {source.generated}", "sources", place, "generated")
            seen += [source.generated] if source.generated is not None else []
        return self

    @model_validator(mode="after")
    def _check_foreign_powers(self) -> DatasetConfig:
        # Generated texts are of no language whose words could be looked up.
        powers = [source.foreign_power for source in self.sources or () if source.generated is None]
        if powers and min(powers) > 0:
            expected = "expected 0 in one source at least, in whose texts the words of the others are looked up"
            raise problem(f"{expected}, found {powers[0]:g}", "sources", 0, "foreign_power")
        return self

    @model_serializer(mode="wrap")
    def _without_unused_form(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out the form that is not used, so that what is dumped can be loaded."""
        unused = {"sources"} if self.sources is None else set(self._inline_keys())
        return {key: value for key, value in dump(self).items() if key not in unused}
