"""Cleaning: texts put into one form, and those left out that are not what their labels say, or not to be trained on."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Sequence
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wldetect.config import NOT_LANGUAGE, CleaningConfig
from wldetect.data.hash_set import HashSet
from wldetect.data.held_out import HeldOut, text_hashes
from wldetect.data.scripts import letter_scripts, script_matrix, script_of_label

__all__ = ["Cleaner", "Reason", "duplicate_key"]

_EXAMPLES = 3
_LONGEST_EXAMPLE = 200
# Characters whose scripts are looked up at a time, or about: texts are not split.
_CHARACTERS = 1 << 17


class Reason(str, Enum):
    """Why a text is left out; a text is counted for the first that holds."""

    HELD_OUT = "held_out"
    FEW_LETTERS = "few_letters"
    OTHER_SCRIPT = "other_script"
    DUPLICATE = "duplicate"


class Cleaner:
    """Decides text by text, in order, which are left out, and counts why.

    Of texts that are equal but for white space, case and normalization, the first of a language stays. They are known
    by hashes of 64 bits: among 10^8 texts one is left out wrongly with a chance of 3 in 10,000 (n^2 / 2^65).
    """

    def __init__(self, config: CleaningConfig, labels: Sequence[str], held_out: Sequence[HeldOut] = ()) -> None:
        self._config = config
        self._labels = list(labels)
        self._held_out = held_out
        self._seen = HashSet()
        self._scripts = script_matrix(labels)
        # What is no language needs no letters.
        self._min_letters = np.array([0 if label == NOT_LANGUAGE else config.min_letters for label in labels])
        self._rows = np.zeros(len(labels), dtype=np.int64)
        self._normalized = np.zeros(len(labels), dtype=np.int64)
        self._removed = np.zeros((len(Reason), len(labels)), dtype=np.int64)
        self._removed_by = np.zeros(len(held_out), dtype=np.int64)
        self._examples: dict[Reason, dict[str, list[str]]] = {reason: {} for reason in Reason}

    @property
    def active(self) -> bool:
        """Whether there is anything to do."""
        config = self._config
        return bool(
            self._held_out or config.nfc or config.deduplicate or config.min_script_share > 0 or config.min_letters > 0
        )

    def normalize(self, texts: Sequence[str]) -> list[str]:
        """The texts in the form in which they are used."""
        if not self._config.nfc:
            return list(texts)
        return [text if text.isascii() else unicodedata.normalize("NFC", text) for text in texts]

    def keep(self, texts: Sequence[str], labels: NDArray[np.integer]) -> NDArray[np.bool_]:
        """Which texts stay.

        Args:
            texts: n texts as they were read.
            labels: int [n], index of the label of each.

        Returns:
            bool [n].
        """
        used = self.normalize(texts)
        changed = np.fromiter((old is not new and old != new for old, new in zip(texts, used, strict=True)), np.bool_)
        self._rows += np.bincount(labels, minlength=len(self._labels))
        self._normalized += np.bincount(labels[changed], minlength=len(self._labels))
        kept = np.ones(len(used), dtype=np.bool_)
        if self._held_out:
            hashes = text_hashes(used)
            for index, source in enumerate(self._held_out):
                held = kept & source.hashes.holds(hashes)
                self._removed_by[index] += held.sum()
                self._remove(Reason.HELD_OUT, held, kept, used, labels)
        config = self._config
        if config.min_letters > 0 or config.min_script_share > 0:
            letters, known, right = self._count_letters(used, labels)
            self._remove(Reason.FEW_LETTERS, kept & (letters < self._min_letters[labels]), kept, used, labels)
            # Without letters there is nothing to tell a script by.
            other = kept & (right < config.min_script_share * known)
            self._remove(Reason.OTHER_SCRIPT, other, kept, used, labels)
        if config.deduplicate:
            places = np.flatnonzero(kept)
            keys = [duplicate_key(self._labels[labels[place]], used[place]) for place in places]
            repeated = np.zeros(len(used), dtype=np.bool_)
            repeated[places] = ~self._seen.add(np.array(keys, dtype=np.uint64))
            self._remove(Reason.DUPLICATE, repeated, kept, used, labels)
        return kept

    def removed(self) -> dict[str, int]:
        """Texts left out for each reason there was."""
        totals = self._removed.sum(1).tolist()
        return {reason.value: total for reason, total in zip(Reason, totals, strict=True) if total}

    def removed_as_held_out(self) -> dict[str, int]:
        """Texts left out for each of the held-out sources, in their order, each text counted once."""
        return {source.name: int(count) for source, count in zip(self._held_out, self._removed_by, strict=True)}

    def report(self) -> dict[str, Any]:
        """All counts by language, and examples, as plain data for JSON."""
        return {
            "settings": self._config.model_dump(mode="json"),
            "unicode": unicodedata.unidata_version,
            "held_out": self.removed_as_held_out(),
            "labels_without_script_check": [label for label in self._labels if script_of_label(label) is None],
            "removed": self.removed(),
            "languages": {
                label: {
                    "rows": int(self._rows[index]),
                    "normalized": int(self._normalized[index]),
                    **{reason.value: int(self._removed[place, index]) for place, reason in enumerate(Reason)},
                }
                for index, label in enumerate(self._labels)
                if self._rows[index]
            },
            "examples": {reason.value: found for reason, found in self._examples.items() if found},
        }

    def _remove(
        self,
        reason: Reason,
        which: NDArray[np.bool_],
        kept: NDArray[np.bool_],
        texts: Sequence[str],
        labels: NDArray[np.integer],
    ) -> None:
        """Count and leave out the texts ``which``, and note a few of them."""
        if not which.any():
            return
        kept &= ~which
        place = list(Reason).index(reason)
        before = self._removed[place]
        wanted = np.flatnonzero(which & (before[labels] < _EXAMPLES))
        self._removed[place] = before + np.bincount(labels[which], minlength=len(self._labels))
        for row in wanted.tolist():
            noted = self._examples[reason].setdefault(self._labels[labels[row]], [])
            if len(noted) < _EXAMPLES:
                noted.append(texts[row][:_LONGEST_EXAMPLE])

    def _count_letters(
        self, texts: Sequence[str], labels: NDArray[np.integer]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Letters of each text, those of a known script, and those of its label's script; int64 [n] each."""
        counts = np.zeros((3, len(texts)), dtype=np.int64)
        lengths = np.fromiter(map(len, texts), np.int64, len(texts))
        n_codes = self._scripts.shape[1]
        # Letters of a script, and of those the ones that the label has.
        right = (self._scripts & (np.arange(n_codes) > 1)).ravel()
        for first, last in zip(*_runs((np.cumsum(lengths) - lengths) // _CHARACTERS), strict=True):
            mine = lengths[first:last]
            points = np.frombuffer("".join(texts[first:last]).encode("utf-32-le", "surrogatepass"), dtype="<u4")
            scripts = letter_scripts()[points]
            of_label = right[np.repeat(labels[first:last] * n_codes, mine) + scripts]
            # Sums of texts without characters, of which there is no sum, stay 0.
            some = np.flatnonzero(mine)
            starts = (np.cumsum(mine) - mine)[some]
            for row, hits in enumerate((scripts > 0, scripts > 1, of_label)):
                if len(some):
                    counts[row, first + some] = np.add.reduceat(hits, starts, dtype=np.int64)
        return counts[0], counts[1], counts[2]


def duplicate_key(label: str, text: str) -> int:
    """What equal texts of a language have in common: 64 bits of a hash of the label and the text, the latter in
    normalization form C, case-folded, with single spaces."""
    plain = text if text.isascii() else unicodedata.normalize("NFC", text)
    words = " ".join(plain.casefold().split())
    digest = hashlib.blake2b(f"{label}\n{words}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def _runs(values: NDArray[np.int64]) -> tuple[list[int], list[int]]:
    """Where runs of equal values begin and end."""
    firsts = np.flatnonzero(np.diff(values, prepend=-1)).tolist()
    return firsts, [*firsts[1:], len(values)] if firsts else []
