"""A suite: several sets of labelled texts, each a parquet file, on which models are scored side by side."""

from __future__ import annotations

import errno
import os
import re
from enum import Enum
from pathlib import Path

from wldetect.errors import DataError
from wldetect.evaluation.flores import LabelledTexts, load_flores

__all__ = ["SENTENCES", "SetKind", "load_suite", "natural_order"]


class SetKind(Enum):
    """What the texts of a set are. A value is what names of such sets match as a whole, a regular expression."""

    SENTENCES = "sentences"
    WORDS = "words[0-9]+"
    NOISE = "noise[0-9]+"
    UPPER = "upper"
    NO_ACCENTS = "no_accents"
    NO_PUNCTUATION = "no_punctuation"
    NO_CASE = "no_case"
    OTHER = "(?s:.*)"

    @classmethod
    def of(cls, name: str) -> SetKind:
        """The kind of the set ``name``: the first that it matches."""
        return next(kind for kind in cls if re.fullmatch(kind.value, name))

    @property
    def of_length(self) -> bool:
        """Whether its texts are of a length, so that sets of it can be put in the order of their words."""
        match self:
            case SetKind.SENTENCES | SetKind.WORDS:
                return True
            case (
                SetKind.NOISE
                | SetKind.UPPER
                | SetKind.NO_ACCENTS
                | SetKind.NO_PUNCTUATION
                | SetKind.NO_CASE
                | SetKind.OTHER
            ):
                return False

    @property
    def description(self) -> str:
        """What its texts are, in a few words; of others there is nothing to say."""
        match self:
            case SetKind.SENTENCES:
                return "whole sentences"
            case SetKind.WORDS:
                return "so many successive words"
            case SetKind.NOISE:
                return "sentences with so many per cent of their letters perturbed"
            case SetKind.UPPER:
                return "sentences in capitals"
            case SetKind.NO_ACCENTS:
                return "sentences without accents"
            case SetKind.NO_PUNCTUATION:
                return "sentences without punctuation"
            case SetKind.NO_CASE:
                return "sentences in lower case"
            case SetKind.OTHER:
                return ""


SENTENCES = SetKind.SENTENCES.value
"""Name of the set of full sentences."""

_SUFFIX = ".parquet"


def natural_order(name: str) -> list[tuple[str, int]]:
    """A key that sorts names by the numbers in them: ``words2`` before ``words10``."""
    parts = re.findall(r"([^0-9]*)([0-9]*)", name)
    return [(text, int(digits) if digits else -1) for text, digits in parts]


def load_suite(
    directory: str | Path,
    sentences: LabelledTexts | None = None,
    split: str = "dev",
    text_column: str = "text",
    language_column: str | None = None,
) -> dict[str, LabelledTexts]:
    """Load every parquet file of ``directory`` as a set named after it, and add full sentences as the last one.

    Args:
        directory: holds the files.
        sentences: one more set, which is called `SENTENCES`.
        split: the rows to take of files with a column ``split``.
        text_column: the column of texts.
        language_column: the column of language codes; None: as `load_flores` chooses it.

    Returns:
        Sets by name, in natural order, the sentences last.

    Raises:
        FileNotFoundError: there is no such directory.
        NotADirectoryError: ``directory`` is a file.
        DataError: there is no parquet file, or one of them cannot be used: see `load_flores`.
    """
    place = Path(directory)
    if not place.is_dir():
        code = errno.ENOTDIR if place.exists() else errno.ENOENT
        raise OSError(code, os.strerror(code), str(directory))
    files = [path for path in place.iterdir() if path.suffix.lower() == _SUFFIX and not path.name.startswith(".")]
    files.sort(key=lambda path: natural_order(path.stem))
    if not files:
        raise DataError(f"{place}: expected one or more files of type {_SUFFIX}, found none")
    names = [path.stem for path in files]
    if sentences is not None and SENTENCES in names:
        raise DataError(f"{place / SENTENCES}{_SUFFIX}: expected no set of this name beside {sentences.name}")
    columns = (split, text_column, language_column)
    sets = {name: load_flores(str(path), *columns) for name, path in zip(names, files, strict=True)}
    if sentences is not None:
        sets[SENTENCES] = sentences
    return sets
