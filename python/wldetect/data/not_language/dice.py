"""Random choices that are the same on every machine and in every version of Python."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import TypeVar

__all__ = ["Dice", "Maker"]

_Item = TypeVar("_Item")
_PLACE = re.compile("‹([a-z_]+)›")


class Dice:
    """Draws of one seed. All come from ``Random.random``, the one method whose numbers Python promises to keep."""

    def __init__(self, seed: int) -> None:
        """``seed`` is at least 0."""
        self._next = Random(seed).random

    def chance(self, share: float) -> bool:
        """True in that share of the calls."""
        return self._next() < share

    def number(self, first: int, last: int) -> int:
        """A whole number, ``first`` and ``last`` included; there may be at most 2^53."""
        return first + int(self._next() * (last - first + 1))

    def one(self, items: Sequence[_Item]) -> _Item:
        """One of ``items``, each as likely; the characters of a text are its items."""
        return items[int(self._next() * len(items))]

    def some(self, items: Sequence[str], first: int, last: int, between: str = "") -> str:
        """``first`` to ``last`` of ``items``, one after the other; each may be there again."""
        return between.join([self.one(items) for _ in range(self.number(first, last))])

    def power(self, first: int, last: int) -> int:
        """A whole number, at least 1, as often with four binary digits as with five; no logarithm, whose last bit is
        not the same everywhere."""
        size = self.number(first.bit_length(), last.bit_length())
        return self.number(max(first, 1 << (size - 1)), min(last, (1 << size) - 1))

    def weighted(self, items: Sequence[_Item], sums: Sequence[float]) -> _Item:
        """One of ``items``; ``sums`` are those of their weights up to and with each."""
        drawn = self._next() * sums[-1]
        return next(item for item, bound in zip(items, sums, strict=True) if drawn < bound)

    def fill(self, template: str, makers: Mapping[str, Maker]) -> str:
        """``template`` with what the maker of that name makes in each place such as ``‹number›``."""
        return _PLACE.sub(lambda place: makers[place[1]](self), template)


Maker = Callable[[Dice], str]
"""What makes one piece of text."""
