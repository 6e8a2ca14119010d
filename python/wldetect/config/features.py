"""The ``features`` section: which rows a text is scored by."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from wldetect.config.fields import Count, PositiveInt, Section, Splitting, SplittingName
from wldetect.config.messages import found, problem

__all__ = ["FeaturesConfig", "NgramsConfig"]

NgramLength = Annotated[int, Field(ge=1, le=16, description="int from 1 to 16")]
NgramRows = Annotated[int, Field(ge=1, le=2**31, description="int from 1 to 2147483648")]


class NgramsConfig(Section):
    """Rows for hashed character n-grams, trained together with those of the tokens.

    Attributes:
        n_min: characters of the shortest n-grams, the marks at both ends of a word counted.
        n_max: characters of the longest.
        whole_words: whether each word as a whole has a row too.
        max_words: words that are looked at, from the beginning of a text; 0: all.
        max_letters: characters of words that are looked at, from the beginning of a text.
        rows: rows that n-grams are hashed to.
        dimensions: learned numbers of a row, which a projection turns into languages; None: a row has one number for
            each language, and there is no projection.
        splitting: where words begin and end.
    """

    n_min: NgramLength = 3
    n_max: NgramLength = 5
    whole_words: bool = True
    max_words: Count = 16
    max_letters: PositiveInt = 256
    rows: NgramRows = 262_144
    dimensions: PositiveInt | None = 64
    splitting: SplittingName = Splitting.letters

    @property
    def extraction(self) -> dict[str, int | bool | str]:
        """How texts become rows: all but how many numbers a row has."""
        return self.model_dump(mode="json", exclude={"dimensions"})

    @model_validator(mode="after")
    def _check_lengths(self) -> NgramsConfig:
        if self.n_min > self.n_max:
            raise problem(f"expected at most n_max ({self.n_max}), found {found(self.n_min)}", "n_min")
        return self


class FeaturesConfig(Section):
    """Which families of rows a text is scored by. Tokens always are one.

    Attributes:
        ngrams: the second family, character n-grams; None: there is none.
    """

    ngrams: NgramsConfig | None = None
