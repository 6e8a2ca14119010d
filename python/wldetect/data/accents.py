"""Text without the accents of its letters, as people type it who leave them out."""

from __future__ import annotations

import unicodedata
from functools import cache

__all__ = ["PLAIN", "WHOLE_LETTERS", "without_accents"]

_ACCENTED_SCRIPTS = ("LATIN ", "GREEK ", "CYRILLIC ")
WHOLE_LETTERS = frozenset("йЙїЇ")
"""Letters with keys of their own, whose marks are of Unicode's making."""
PLAIN = {
    "æ": "ae", "œ": "oe", "ß": "ss", "þ": "th", "ð": "d", "đ": "d", "ħ": "h", "ı": "i", "ł": "l", "ø": "o", "ŧ": "t",
    # African reference alphabet: Hausa, Fula, Ewe, Fon, Twi, Bambara, Dinka, Kabiyè, Kabyle, ...
    "ɓ": "b", "ɖ": "d", "ɗ": "d", "ɛ": "e", "ƒ": "f", "ɣ": "gh", "ɩ": "i", "ƙ": "k", "ŋ": "ng", "ɲ": "ny", "ɔ": "o",
    "ʈ": "t", "ʊ": "u", "ʋ": "v", "ƴ": "y",
    # Azerbaijani; Kanuri and Tuareg have both.
    "ə": "e", "ǝ": "e",
}  # fmt: skip
"""Letters that do not decompose, and what is commonly written for them."""


@cache
def _category(char: str) -> str:
    return unicodedata.category(char)[0]


@cache
def _plain(char: str) -> str | None:
    """What is written for a Latin, Greek or Cyrillic letter without its marks; None for any other character."""
    base = unicodedata.normalize("NFD", char)[0]
    if not (base.isalpha() and unicodedata.name(base, "").startswith(_ACCENTED_SCRIPTS)):
        return None
    if char in WHOLE_LETTERS:
        return char
    lower = base.lower()
    if lower not in PLAIN:
        return base
    return PLAIN[lower] if base == lower else PLAIN[lower].upper()


def without_accents(text: str) -> str:
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
