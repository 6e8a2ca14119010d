#!/usr/bin/env python3
"""Make three sets of sentences as people type them in haste, for `wldetect eval --suite short`.

Reads a table with the columns text and language, or iso_639_3 and iso_15924. Writes to the output directory:

  no_accents.parquet      Latin, Greek and Cyrillic letters without their accents and other marks
  no_punctuation.parquet  words with a space between them, and what belongs to the spelling of a word
  no_case.parquet         lower case, as str.lower has it

Only what people leave out is left out. Marks of other scripts stay, for what is left would be no text that anyone
writes: vowel signs of Indic scripts and of Thai are as much of a word as its consonants, as are the dots of a kana, and
who writes Arabic or Hebrew with points does so on purpose. So do й and ї, which have keys of their own; their marks are
of Unicode's making. Latin letters with strokes, hooks and tails, and ligatures, become the letters of an English
keyboard that are commonly written for them (wldetect.data.accents); Cyrillic ones (қ, ң, һ, ...) stay, for which letter
is written instead depends on the language. Of punctuation, apostrophes, hyphens and middle dots within words stay, as
do Tibetan dots between syllables and four Burmese signs that are words. Texts of which nothing is left are left out.

example: python scripts/plain_variants.py data/flores/dev.parquet --output data/flores/variants
"""

from __future__ import annotations

import argparse
import sys
import unicodedata
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from wldetect.config import load_model_config
from wldetect.data.accents import without_accents
from wldetect.data.files import listed
from wldetect.errors import DataError, WLDetectError
from wldetect.evaluation import LabelledTexts, load_flores
from wldetect.evaluation.suite import SetKind
from wldetect.files import atomic_path

_NAME = Path(__file__).name
# Kept between letters, marks and digits: apostrophes; hyphens, Armenian and Hebrew ones too; the middle dot of Catalan;
# geresh and gershayim of Hebrew; the Tibetan tsheg.
JOINERS = frozenset("'’‘＇-‐‑֊־·׳״་༌")
# Burmese locative, "having", "the said" and "of".
SIGNS_THAT_ARE_WORDS = frozenset("၌၍၎၏")


@cache
def _category(char: str) -> str:
    return unicodedata.category(char)[0]


def no_punctuation(text: str) -> str:
    """``text`` with a space for each character of Unicode's categories P, but within words (see above), and one space
    between words."""
    neighbours = zip(f" {text}", text, f"{text[1:]} ", strict=False)
    return " ".join("".join(part[1] if _stays(*part) else " " for part in neighbours).split())


def _stays(before: str, char: str, after: str) -> bool:
    if _category(char) != "P" or char in SIGNS_THAT_ARE_WORDS:
        return True
    return char in JOINERS and _category(before) in "LMN" and _category(after) in "LMN"


VARIANTS: dict[SetKind, Callable[[str], str]] = {
    SetKind.NO_ACCENTS: without_accents,
    SetKind.NO_PUNCTUATION: no_punctuation,
    SetKind.NO_CASE: str.lower,
}


def main() -> int:
    """Write the sets; returns the exit status: 2 where the input is at fault, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sentences", metavar="SENTENCES", help="anything that `wldetect eval --data` takes")
    parser.add_argument("--output", type=Path, required=True, metavar="DIR")
    parser.add_argument("--split", default="dev", metavar="NAME", help="the part of the data (default: %(default)s)")
    parser.add_argument(
        "--languages", type=Path, metavar="MODEL_CONFIG", help="only sentences of its languages (default: all)"
    )
    options = parser.parse_args()
    try:
        sentences = load_flores(options.sentences, options.split)
        if options.languages is not None:
            sentences = _of_languages(sentences, options.languages)
        for kind, variant in VARIANTS.items():
            _write(options.output / f"{kind.value}.parquet", sentences, variant)
    except (WLDetectError, OSError) as error:
        text = str(error)
        if isinstance(error, OSError) and error.strerror and error.filename is not None:
            text = f"{error.filename}: {error.strerror}"
        print(f"{_NAME}: error: {' '.join(text.splitlines())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{_NAME}: interrupted", file=sys.stderr)
        return 130
    return 0


def _of_languages(sentences: LabelledTexts, config: Path) -> LabelledTexts:
    chosen = sentences.of(load_model_config(config).labels)
    if not len(chosen):
        found = listed(sorted(set(sentences.labels)))
        raise DataError(f"{sentences.name}: expected texts of the languages of {config}, found those of {found}")
    return chosen


def _write(path: Path, sentences: LabelledTexts, variant: Callable[[str], str]) -> None:
    texts: list[str] = []
    labels: list[str] = []
    others = 0
    pairs = zip(sentences.texts, sentences.labels, strict=True)
    for sentence, label in tqdm(pairs, desc=path.stem, total=len(sentences), unit=" texts", disable=None):
        text = variant(sentence)
        if text.strip():
            texts.append(text)
            labels.append(label)
            others += text != sentence
    with atomic_path(path) as temporary:
        pq.write_table(pa.table({"text": pa.array(texts, pa.string()), "language": labels}), temporary)
    print(f"{path}: {len(texts):,} texts of {len(set(labels))} languages, {others:,} of them not as they were")


if __name__ == "__main__":
    raise SystemExit(main())
