"""The building blocks of the configuration schema: choices, constrained values, and the base of every section."""

from __future__ import annotations

import unicodedata
from enum import Enum
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from wldetect.config.messages import found, problem

__all__ = [
    "NOT_LANGUAGE",
    "Count",
    "Count32",
    "Device",
    "DeviceName",
    "DropoutRate",
    "E3M4Step",
    "Generator",
    "GeneratorName",
    "LossFunction",
    "LossFunctionName",
    "NonNegativeFloat",
    "Optimizer",
    "OptimizerName",
    "Pooling",
    "PoolingName",
    "PositiveFloat",
    "PositiveInt",
    "Precision",
    "PrecisionName",
    "Scheduler",
    "SchedulerName",
    "Section",
    "Sha256",
    "Splitting",
    "SplittingName",
    "Text",
    "UnitFloat",
]

NOT_LANGUAGE = "zxx"
"""The label of text that is not language, and ISO 639-2's code of it."""


class _Choice(str, Enum):
    def __str__(self) -> str:
        return str(self.value)


class Pooling(_Choice):
    """How the scores of a text's tokens become the scores of the text."""

    average = "average"
    logsumexp = "logsumexp"
    max = "max"


class Scheduler(_Choice):
    """How the learning rate changes during training."""

    none = "none"
    cosine = "cosine"
    cosine_warmup = "cosine_warmup"


class Optimizer(_Choice):
    """The rule that turns gradients into updates."""

    adamw = "adamw"
    adam = "adam"
    sgd = "sgd"


class Device(_Choice):
    """Where training runs; ``auto`` takes the first of cuda, mps and cpu that is there."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"
    mps = "mps"


class LossFunction(_Choice):
    """What training minimizes."""

    cross_entropy = "cross_entropy"
    focal = "focal"


class Splitting(_Choice):
    """Where words begin and end, for character n-grams: at white space, around runs of letters, at Unicode's word
    boundaries (UAX #29), or around runs of letters, of which those of ideographs give single ones and pairs."""

    spaces = "spaces"
    letters = "letters"
    boundaries = "boundaries"
    ideographs = "ideographs"


class Generator(_Choice):
    """What makes up the texts of a source; ``not_language``: numbers, addresses, code, symbols, mere letters."""

    not_language = "not_language"

    @property
    def label(self) -> str:
        """The label of the texts."""
        match self:
            case Generator.not_language:
                return NOT_LANGUAGE


class Precision(_Choice):
    """The arithmetic of a training step; ``bfloat16`` is mixed precision."""

    float32 = "float32"
    bfloat16 = "bfloat16"


def _check_text(text: str) -> str:
    # Control characters and lone surrogates break one-line messages, tables and files, and are never meant.
    if not text.strip() or any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in text):
        raise problem(f"expected non-empty text without control characters, found {found(text)}")
    return text


def _check_e3m4_step(step: float) -> float:
    steps = [2.0**power for power in range(-6, 0)]
    if step not in steps:
        raise problem(f"expected one of {', '.join(f'{one:g}' for one in steps)}, found {found(step)}")
    return step


Text = Annotated[str, AfterValidator(_check_text), Field(description="text")]
Count = Annotated[int, Field(ge=0, description="int >= 0")]
Count32 = Annotated[int, Field(ge=0, lt=2**31, description="int from 0 to 2147483647")]
PositiveInt = Annotated[int, Field(gt=0, description="int > 0")]
E3M4Step = Annotated[float, AfterValidator(_check_e3m4_step), Field(description="float")]
PositiveFloat = Annotated[float, Field(gt=0, description="float > 0")]
NonNegativeFloat = Annotated[float, Field(ge=0, description="float >= 0")]
UnitFloat = Annotated[float, Field(ge=0, le=1, description="float from 0 to 1")]
DropoutRate = Annotated[float, Field(ge=0, lt=1, description="float from 0 up to, not including, 1")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-fA-F]{64}$", description="64 hexadecimal digits")]
# Strict validation would take only members of an enumeration; a file holds their values.
PoolingName = Annotated[Pooling, Field(strict=False)]
SchedulerName = Annotated[Scheduler, Field(strict=False)]
OptimizerName = Annotated[Optimizer, Field(strict=False)]
DeviceName = Annotated[Device, Field(strict=False)]
LossFunctionName = Annotated[LossFunction, Field(strict=False)]
PrecisionName = Annotated[Precision, Field(strict=False)]
GeneratorName = Annotated[Generator, Field(strict=False)]
SplittingName = Annotated[Splitting, Field(strict=False)]


class Section(BaseModel):
    """A mapping of known keys: frozen, strictly typed, unknown keys refused, no infinities and no NaN."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, validate_default=True, protected_namespaces=()
    )
