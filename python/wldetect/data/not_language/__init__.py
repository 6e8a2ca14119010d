"""Text that is not language, for the label `zxx`: numbers, addresses, code, symbols, letters without words.

Everything here is made up: no text, list or template is of another's making. Text i of a seed is always the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import accumulate

from wldetect.data.not_language import addresses, code, letters, numbers, symbols
from wldetect.data.not_language.dice import Dice, Maker

__all__ = ["KINDS", "VERSION", "generated_texts", "inserted_piece", "kind_and_text"]

VERSION = 2
"""Raised whenever a seed gives other texts than before."""

_LONGEST = 500
# The share of texts of one piece, and of those of pieces of several kinds.
_SINGLE, _MIXED = 0.35, 0.12

# How often lines of code of a kind are drawn, where that is not as often as others.
_OF_CODE = {"shell": 7, "sql": 6, "python": 5}
# Makers of one piece, how often each kind is drawn, and what stands between the pieces of a text. Kinds without letters
# are few: a detector needs no model for them, only what stands beside letters is worth knowing.
KINDS: dict[str, tuple[float, Maker, Sequence[str]]] = {
    "digits": (1, numbers.digits, (" ", " ", "\n", ", ", "-")),
    "number": (1, numbers.number, (" ", " ", "\n", "; ", "\t")),
    "date": (2, numbers.date, (" ", "\n", " - ", ", ")),
    "time": (1, numbers.time, (" ", "\n", " - ", ", ")),
    "price": (2, numbers.price, (" ", "\n", " / ", " + ")),
    "measure": (5, numbers.measure, (" ", "\n", ", ", " / ")),
    "phone": (1, numbers.phone, (" ", "\n", ", ", " / ")),
    "version": (1, numbers.version, (" ", "\n", ", ")),
    "article": (3, numbers.article, (" ", "\n", ", ")),
    "roman": (0.5, numbers.roman, (" ", "-", ", ")),
    "arithmetic": (1, numbers.arithmetic, (" ", "\n", ", ")),
    "barcode": (0.5, numbers.barcode, ("\n", " ")),
    "url": (7, addresses.url, (" ", "\n", ", ")),
    "domain": (1, addresses.domain, (" ", "\n", ", ")),
    "mail": (12, addresses.mail, (" ", "\n", ", ", "; ")),
    "ip": (3, addresses.ip, (" ", "\n", ", ")),
    "path": (8, addresses.path, (" ", "\n", ":")),
    "handle": (1, addresses.handle, (" ", "\n")),
    "uuid": (2, addresses.uuid, (" ", "\n", ",")),
    "hash": (3, addresses.hashed, (" ", "\n", ":")),
    "encoded": (3, addresses.encoded, ("\n", " ", "")),
    "colour": (1, addresses.colour, (" ", ", ", "; ")),
    **{name: (_OF_CODE.get(name, 2), maker, ("\n", "\n", " ")) for name, maker in code.KINDS.items()},
    "json": (3, code.json_text, ("\n", ",", " ")),
    "markup": (3, code.markup, ("", "\n", " ")),
    "log": (7, code.log, ("\n",)),
    "csv": (2, code.comma_separated, ("\n",)),
    "latex": (3, code.latex, (" ", "\n")),
    "punctuation": (1, symbols.punctuation, ("", " ", " ", "\n")),
    "emoji": (1, symbols.emoji, ("", "", "", " ")),
    "emoticon": (1.5, symbols.emoticon, (" ", "  ")),
    "symbols": (0.5, symbols.symbols, (" ", "\n", "")),
    "mathematics": (5, symbols.mathematics, ("\n", ", ", " ")),
    "music": (1, symbols.music, ("\n", " ")),
    "box": (0.5, symbols.box, ("\n",)),
    "art": (1, symbols.art, ("\n",)),
    "random_letters": (9, letters.random_letters, (" ", "\n")),
    "mixed_letters": (2, letters.mixed_letters, (" ", "\n", "-")),
    "keyboard": (4, letters.keyboard, (" ", "", "\n")),
    "repeated_letter": (2, letters.repeated_letter, (" ", "")),
    "chess": (1, letters.chess, ("\n", " ")),
    "chemistry": (6, letters.chemistry, (" ", ", ", "\n")),
    "genome": (1, letters.genome, ("\n", "")),
}
"""For each kind of text: how often it is drawn, what makes a piece of it, and what may stand between pieces."""

_NAMES = list(KINDS)
_SUMS = list(accumulate(weight for weight, _, _ in KINDS.values()))
# What stands in the midst of sentences.
_INSERTED = ("number", "date", "time", "price", "measure", "url", "url", "mail", "handle", "emoji", "emoji", "emoticon",
             "article", "version", "punctuation", "path", "phone")  # fmt: skip


def generated_texts(seed: int, count: int) -> Iterator[str]:
    """The first ``count`` texts of a seed, which is at least 0: of 1 to 500 characters, without spaces at the ends."""
    return (kind_and_text(seed, number)[1] for number in range(count))


def kind_and_text(seed: int, number: int) -> tuple[str, str]:
    """The kind, or for mixed texts ``mixed``, and the text of that number, at least 0, of a seed."""
    digest = hashlib.blake2b(f"{seed} {number}".encode(), digest_size=8).digest()
    dice = Dice(int.from_bytes(digest, "little"))
    kinds = [dice.weighted(_NAMES, _SUMS)]
    name = kinds[0]
    length = 1
    if not dice.chance(_SINGLE):
        length = dice.power(1, _LONGEST)
        if dice.chance(_MIXED / (1 - _SINGLE)):
            name, kinds = "mixed", kinds + [dice.weighted(_NAMES, _SUMS) for _ in range(dice.number(1, 3))]
    between = partial(dice.one, KINDS[kinds[0]][2])
    text = _piece(dice, dice.one(kinds))
    one_sign = between()
    while len(text) < length:
        text += (one_sign if name != "mixed" else between()) + _piece(dice, dice.one(kinds))
    return name, text[:_LONGEST].strip() or "."


def inserted_piece(dice: Dice, longest: int) -> str:
    """A piece that may stand in a sentence of any language: a number, an address, an emoji.

    It has at most ``longest`` characters, which is at least 4, and is one line.
    """
    while True:
        piece = _piece(dice, dice.one(_INSERTED))
        if len(piece) <= longest:
            return piece


def _piece(dice: Dice, name: str) -> str:
    return KINDS[name][1](dice)
