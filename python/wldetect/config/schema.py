"""The keys of the two configuration files, their types, limits and defaults.

All models are frozen and strict: an unknown key, text where a number belongs, or a number out of range is an error. An
int is accepted where a float is expected. Built in Python, a wrong value raises ``pydantic.ValidationError``; read from
a file (``wldetect.config.load``), it raises ``ConfigError`` with one line that names the file and the key.
"""

from __future__ import annotations

from pydantic import model_validator

from wldetect.config.dataset import DatasetConfig
from wldetect.config.features import FeaturesConfig
from wldetect.config.fields import Count32, E3M4Step, Section, Text
from wldetect.config.messages import found, problem
from wldetect.config.model import InferenceOverride
from wldetect.config.training import TrainingOptions

__all__ = ["EvaluationConfig", "OutputConfig", "TrainingConfig"]


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
        min_token_count: leave out the rows of tokens that training saw fewer times; 0: all tokens have a row.
        e3m4_step: what values stored as E3M4 are multiples of: 1/64, which all of them are, or a larger power of two up
            to 1/2, with which files compress better.
        ngram_e3m4_step: the same of the rows of n-grams; None: as those of tokens.
    """

    artifacts_dir: Text
    float32_table: bool = False
    min_token_count: Count32 = 0
    e3m4_step: E3M4Step = 2.0**-6
    ngram_e3m4_step: E3M4Step | None = None


class TrainingConfig(Section):
    """The training file.

    Attributes:
        model_config_path: the model file, relative to this file or else to the current directory.
        dataset: what to train on.
        training: how to train.
        evaluation: what to score on.
        output: where to write.
        inference: overrides of the model file's section of the same name.
        features: takes the place of the model file's section of the same name; None: that one counts.
    """

    model_config_path: Text
    dataset: DatasetConfig
    training: TrainingOptions = TrainingOptions()
    evaluation: EvaluationConfig = EvaluationConfig()
    output: OutputConfig
    inference: InferenceOverride | None = None
    features: FeaturesConfig | None = None

    @model_validator(mode="after")
    def _check_weights(self) -> TrainingConfig:
        weights = self.training.loss.class_weights
        if weights in ("balanced", "inverse_sqrt") and self.dataset.balance_languages:
            expected = "expected none where dataset.balance_languages is true, which weights texts by the same counts"
            raise problem(f"{expected}; found {found(weights)}", "training", "loss", "class_weights")
        return self
