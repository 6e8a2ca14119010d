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
keyboard that are commonly written for them (PLAIN); Cyrillic ones (қ, ң, һ, ...) stay, for which letter is written
instead depends on the language. Of punctuation, apostrophes, hyphens and middle dots within words stay, as do Tibetan
dots between syllables and four Burmese signs that are words. Texts of which nothing is left are left out.

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
from wldetect.data.files import listed
from wldetect.errors import DataError, WLDetectError
from wldetect.evaluation import LabelledTexts, load_flores
from wldetect.evaluation.suite import SetKind
from wldetect.files import atomic_path

_NAME = Path(__file__).name
ACCENTED_SCRIPTS = ("LATIN ", "GREEK ", "CYRILLIC ")
WHOLE_LETTERS = frozenset("йЙїЇ")
# Letters that do not decompose, and what is commonly written for them.
PLAIN = {
    "æ": "ae", "œ": "oe", "ß": "ss", "þ": "th", "ð": "d", "đ": "d", "ħ": "h", "ı": "i", "ł": "l", "ø": "o", "ŧ": "t",
    # African reference alphabet: Hausa, Fula, Ewe, Fon, Twi, Bambara, Dinka, Kabiyè, Kabyle, ...
    "ɓ": "b", "ɖ": "d", "ɗ": "d", "ɛ": "e", "ƒ": "f", "ɣ": "gh", "ɩ": "i", "ƙ": "k", "ŋ": "ng", "ɲ": "ny", "ɔ": "o",
    "ʈ": "t", "ʊ": "u", "ʋ": "v", "ƴ": "y",
    # Azerbaijani; Kanuri and Tuareg have both.
    "ə": "e", "ǝ": "e",
}  # fmt: skip
# Kept between letters, marks and digits: apostrophes; hyphens, Armenian and Hebrew ones too; the middle dot of Catalan;
# geresh and gershayim of Hebrew; the Tibetan tsheg.
JOINERS = frozenset("'’‘＇-‐‑֊־·׳״་༌")
# Burmese locative, "having", "the said" and "of".
SIGNS_THAT_ARE_WORDS = frozenset("၌၍၎၏")


@cache
def _category(char: str) -> str:
    return unicodedata.category(char)[0]


@cache
def _plain(char: str) -> str | None:
    """What is written for a Latin, Greek or Cyrillic letter without its marks; None for any other character."""
    base = unicodedata.normalize("NFD", char)[0]
    if not (base.isalpha() and unicodedata.name(base, "").startswith(ACCENTED_SCRIPTS)):
        return None
    if char in WHOLE_LETTERS:
        return char
    lower = base.lower()
    if lower not in PLAIN:
        return base
    return PLAIN[lower] if base == lower else PLAIN[lower].upper()


def no_accents(text: str) -> str:
    """``text`` without the marks of Latin, Greek and Cyrillic letters; all other characters as they are."""
    if text.isascii():
        return text
    found: list[str] = []
    # The letter that a mark would be of, if it is of these scripts.
    letter: str | None = None
    for place, char in enumerate(text):
        if _category(char) == "M":
            whole = letter is not None and unicodedata.normalize("NFC", letter + char)
            if whole in WHOLE_LETTERS:
                found[-1] = str(whole)
            elif letter is None:
                found.append(char)
            continue
        letter = _plain(char)
        if letter is None:
            found.append(char)
        elif len(letter) == 2 and letter.isupper() and text[place + 1 : place + 2].islower():
            found.append(letter.capitalize())
        else:
            found.append(letter)
    return "".join(found)


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
    SetKind.NO_ACCENTS: no_accents,
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
