"""The ``training`` section: how a model is trained."""

from __future__ import annotations

from pydantic import model_validator

from wldetect.config.fields import (
    Count,
    Device,
    DeviceName,
    DropoutRate,
    LossFunction,
    LossFunctionName,
    NonNegativeFloat,
    Optimizer,
    OptimizerName,
    PositiveFloat,
    PositiveInt,
    Precision,
    PrecisionName,
    Scheduler,
    SchedulerName,
    Section,
    Text,
    UnitFloat,
)
from wldetect.config.messages import found, problem

__all__ = [
    "AugmentationConfig",
    "LossConfig",
    "NgramTrainingConfig",
    "ProjectionConfig",
    "TableConfig",
    "TrainingOptions",
]


class LossConfig(Section):
    """What is minimized.

    Attributes:
        name: cross-entropy, or the focal loss, which counts texts less the surer the model is of them already.
        label_smoothing: share of the target that is spread evenly over all languages.
        focal_gamma: how much less; 0 is cross-entropy. Only of the focal loss.
        focal_alpha: what the focal loss is multiplied by; None: 1.
        class_weights: weights a language, over those of single texts: ``none``, ``balanced`` (by inverse count),
            ``inverse_sqrt`` (by its square root), or a YAML or JSON file of weights by language code.
        length_power: logits of a text of n tokens are multiplied by n to this power before the loss is taken, and
            there alone: average pooling is trained as an average with 0 and as a sum with 1.
        learn_scale: whether logits are multiplied by a learned number before the loss is taken, and there alone. With
            logsumexp that is its temperature: T logsumexp(x / T) scales rows that are learned, and what comes out.
    """

    name: LossFunctionName = LossFunction.cross_entropy
    label_smoothing: DropoutRate = 0.0
    focal_gamma: NonNegativeFloat = 2.0
    focal_alpha: PositiveFloat | None = None
    class_weights: Text = "none"
    length_power: UnitFloat = 0.0
    learn_scale: bool = False


class AugmentationConfig(Section):
    """Changes to texts, drawn anew in each epoch; shares are of the texts, and 0 turns a change off.

    Attributes:
        crop: share that is cut to some successive words of it.
        crop_max_words: a crop has 1 to this many words.
        noise: share in which letters are replaced, dropped, doubled or swapped.
        noise_rate: share of the letters of such a text that are.
        uppercase: share put into capitals.
        lowercase: share put into small letters.
        strip_punctuation: share whose punctuation is taken out.
        strip_accents: share whose Latin, Greek and Cyrillic letters lose their accents.
        insert: share of those of three words or more into which something is put that is not language: a number, a
            date, an address, an emoji.
    """

    crop: UnitFloat = 0.0
    crop_max_words: PositiveInt = 5
    noise: UnitFloat = 0.0
    noise_rate: UnitFloat = 0.1
    uppercase: UnitFloat = 0.0
    lowercase: UnitFloat = 0.0
    strip_punctuation: UnitFloat = 0.0
    strip_accents: UnitFloat = 0.0
    insert: UnitFloat = 0.0

    @property
    def active(self) -> bool:
        """Whether any text is changed."""
        shares = (self.crop, self.noise, self.uppercase, self.lowercase, self.insert)
        return any((*shares, self.strip_punctuation, self.strip_accents))


class ProjectionConfig(Section):
    """The learned projection from embeddings to languages.

    Attributes:
        dropout: share of pooled features that is zeroed at random in training, at least 0 and under 1.
        bias: whether each language has a learned logit of its own, which is part of every token's row.
    """

    dropout: DropoutRate = 0.0
    bias: bool = True


class NgramTrainingConfig(Section):
    """How the rows of character n-grams are trained, where the model has them.

    Attributes:
        learning_rate: the largest learning rate of the rows; None: that of the other parameters.
        drop_tokens: share of the texts that are scored by their n-grams alone, so that these can stand alone.
        drop_ngrams: share of the texts that are scored by their tokens alone.
    """

    learning_rate: PositiveFloat | None = None
    drop_tokens: UnitFloat = 0.0
    drop_ngrams: UnitFloat = 0.1

    @model_validator(mode="after")
    def _check_shares(self) -> NgramTrainingConfig:
        if self.drop_tokens + self.drop_ngrams > 1:
            expected = f"expected at most {1 - self.drop_ngrams:g} beside drop_ngrams {self.drop_ngrams:g}"
            raise problem(f"{expected}, found {found(self.drop_tokens)}", "drop_tokens")
        return self


class TableConfig(Section):
    """A second stage of training, which tunes the lookup table itself, with average pooling.

    Rows of tokens that texts have go on being learned from where the first stage has left them; those of all other
    tokens stay. Token weights and projection are frozen.

    Attributes:
        num_epochs: passes over the data, after those of the first stage; 0: there is no second stage.
        learning_rate: the largest learning rate of the table's rows; it rises and falls as in the first stage.
        pull: share of its distance from where it began that a row gives up in a step that has it, times the learning
            rate.
        ngrams_share: the share of their learning rates in the first stage with which rows of n-grams and their
            projection are trained along; 0: they stay as they are.
    """

    num_epochs: Count = 0
    learning_rate: PositiveFloat = 5e-2
    pull: NonNegativeFloat = 0.1
    ngrams_share: UnitFloat = 0.2


class TrainingOptions(Section):
    """How to train: the ``training`` section.

    Attributes:
        batch_size: texts a step, of all processes together.
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
        ngrams: options of the rows of character n-grams.
        table: options of the second stage, which tunes the lookup table itself.
        loss: what is minimized.
        augmentation: random changes to the texts.
        precision: of the arithmetic; parameters and sums stay float32.
        compile: whether to compile the model with ``torch.compile``.
        prefetch_batches: batches that are made ready ahead of the step that needs them.
        log_every: optimizer steps between two lines of the training log.
        eval_every: optimizer steps between two evaluations while training; 0: none.
        tensorboard: whether to write the log for TensorBoard too.
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
    ngrams: NgramTrainingConfig = NgramTrainingConfig()
    table: TableConfig = TableConfig()
    loss: LossConfig = LossConfig()
    augmentation: AugmentationConfig = AugmentationConfig()
    precision: PrecisionName = Precision.float32
    compile: bool = False
    prefetch_batches: Count = 4
    log_every: PositiveInt = 50
    eval_every: Count = 0
    tensorboard: bool = False
    device: DeviceName = Device.auto
