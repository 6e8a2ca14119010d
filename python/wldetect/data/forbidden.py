"""The check that no sentence of an evaluation set is trained on: it removes nothing, it stops."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from wldetect.data.held_out import HeldOut, are_sentences, text_hashes
from wldetect.errors import DataError

__all__ = ["refuse_forbidden"]

_LONGEST_SHOWN = 60


def refuse_forbidden(forbidden: Sequence[HeldOut], texts: Sequence[str], place: Callable[[int], str]) -> None:
    """Stop if a text is one of those of ``forbidden``, but for what `wldetect.data.held_out.text_hash` takes away.

    Only whole texts are compared, and only sentences (`wldetect.data.held_out.are_sentences`): a word of a list is in
    many a sentence, and a short line may be anyone's.

    Args:
        forbidden: sets of texts.
        texts: n texts that would be trained on.
        place: tells the file, row and label of the text of an index, for the message.

    Raises:
        DataError: one is.
    """
    rows = np.flatnonzero(are_sentences(texts))
    hashes = text_hashes([texts[row] for row in rows.tolist()])
    for source in forbidden:
        hits = rows[source.hashes.holds(hashes)]
        if len(hits):
            text = texts[int(hits[0])]
            shown = text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 3]}..."
            raise DataError(f"{place(int(hits[0]))}: expected no sentence of {source.name}, found {shown!r}")
