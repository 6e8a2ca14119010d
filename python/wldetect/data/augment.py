"""Random changes to texts while training: crops, noise, case, punctuation, accents, insertions."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from wldetect.config import AugmentationConfig
from wldetect.data.accents import without_accents
from wldetect.data.characters import LETTERS_A_WORD, SPACELESS
from wldetect.data.mixing import Draw, hashed, uniform
from wldetect.data.not_language import inserted_piece
from wldetect.data.not_language.dice import Dice

__all__ = ["Augmentation"]

# Texts of fewer words are left alone, since nobody could tell what they are with something in them.
_FEWEST_WORDS = 3
_LONGEST_PIECE = 80


class Augmentation:
    """The changes of the ``training.augmentation`` section.

    What happens to a text depends on the seed, the epoch and the text's number alone, so that neither resuming nor the
    number of processes makes a difference. A text may be changed in several ways: it is cropped first, then its
    punctuation and accents are taken out, its case changed (capitals win), noise added, and a piece that is not
    language put in last, so that nothing is cut down to that.
    """

    def __init__(self, options: AugmentationConfig, seed: int) -> None:
        self._options = options
        self._seed = seed

    def __call__(self, texts: Sequence[str], rows: NDArray[np.int64], epoch: int) -> list[str]:
        """Change ``texts``, whose numbers in the data set are ``rows``, as in epoch ``epoch``."""
        options = self._options
        shares = {
            Draw.CROP: options.crop,
            Draw.STRIP_PUNCTUATION: options.strip_punctuation,
            Draw.STRIP_ACCENTS: options.strip_accents,
            Draw.UPPERCASE: options.uppercase,
            Draw.LOWERCASE: options.lowercase,
            Draw.NOISE: options.noise,
            Draw.INSERT: options.insert,
        }
        # One number in [0, 1) a text and kind of change, without a generator for each text.
        drawn = {draw: uniform(self._seed, epoch, draw, rows) < share for draw, share in shares.items()}
        seeds = hashed(self._seed, epoch, Draw.CHANGES, rows)
        pieces = hashed(self._seed, epoch, Draw.INSERTED, rows)
        changed = list(texts)
        for place in np.flatnonzero(np.logical_or.reduce(list(drawn.values()))):
            rng = random.Random(int(seeds[place]))
            text = changed[place]
            if drawn[Draw.CROP][place]:
                text = crop(text, rng.randint(1, options.crop_max_words), rng)
            if drawn[Draw.STRIP_PUNCTUATION][place]:
                text = without_punctuation(text)
            if drawn[Draw.STRIP_ACCENTS][place]:
                text = without_accents(text)
            if drawn[Draw.UPPERCASE][place]:
                text = text.upper()
            elif drawn[Draw.LOWERCASE][place]:
                text = text.lower()
            if drawn[Draw.NOISE][place]:
                text = perturbed(text, options.noise_rate, rng)
            if drawn[Draw.INSERT][place]:
                text = with_piece(text, Dice(int(pieces[place])))
            changed[place] = text
        return changed


def crop(text: str, n_words: int, rng: random.Random) -> str:
    """Some ``n_words`` successive words of ``text``; where words are not spaced, four letters for each."""
    if len(SPACELESS.findall(text)) * 2 > len(text):
        length = n_words * LETTERS_A_WORD
        start = rng.randrange(max(1, len(text) - length + 1))
        return text[start : start + length]
    words = text.split()
    start = rng.randrange(max(1, len(words) - n_words + 1))
    return " ".join(words[start : start + n_words])


def without_punctuation(text: str) -> str:
    """``text`` with a space in place of every run of punctuation, except inside words (``l'eau``, ``bien-être``)."""
    kept = []
    for place, char in enumerate(text):
        inside = text[place - 1 : place].isalpha() and text[place + 1 : place + 2].isalpha()
        kept.append(" " if unicodedata.category(char)[0] == "P" and not inside else char)
    return " ".join("".join(kept).split())


def perturbed(text: str, rate: float, rng: random.Random) -> str:
    """``text`` with each letter dropped, replaced, doubled by another, or swapped with the next, at ``rate``."""
    letters = [char for char in text if char.isalpha()]
    chars = list(text)
    place = 0
    while place < len(chars):
        if chars[place].isalpha() and rng.random() < rate:
            match rng.randrange(4):
                case 0:
                    chars[place] = ""
                case 1:
                    chars[place] = rng.choice(letters)
                case 2:
                    chars[place] += rng.choice(letters)
                case _:
                    if place + 1 < len(chars):
                        chars[place], chars[place + 1] = chars[place + 1], chars[place]
                        # Past both, or the same letter would be moved on and on.
                        place += 1
        place += 1
    return "".join(chars)


def with_piece(text: str, dice: Dice) -> str:
    """``text`` with a piece that is not language, no longer than itself, between two words or at an end.

    Where words are not spaced, it stands at an end or behind a character that is neither letter nor mark. Texts of
    fewer than three words stay as they are.
    """
    if len(SPACELESS.findall(text)) * 2 > len(text):
        if len(text) < _FEWEST_WORDS * LETTERS_A_WORD:
            return text
        gaps = [place for place, char in enumerate(text, 1) if unicodedata.category(char)[0] not in "LM"]
        place = dice.one([0, *gaps, len(text)])
        return text[:place] + inserted_piece(dice, min(_LONGEST_PIECE, len(text))) + text[place:]
    words = text.split()
    if len(words) < _FEWEST_WORDS:
        return text
    words.insert(dice.number(0, len(words)), inserted_piece(dice, min(_LONGEST_PIECE, len(text))))
    return " ".join(words)
