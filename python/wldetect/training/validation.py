"""Scoring a model while it is being trained, in torch, without making a table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from wldetect import _core
from wldetect.data.batches import Batch, NgramRows
from wldetect.data.shards import gather
from wldetect.errors import DataError
from wldetect.evaluation.flores import LabelledTexts
from wldetect.evaluation.metrics import NO_ANSWER, confusion_matrix, overall_scores
from wldetect.training.model import LanguageModel

__all__ = ["Validation", "ValidationScores"]

_BATCH = 1024


@dataclass(frozen=True)
class ValidationScores:
    """Scores of one moment of training.

    Attributes:
        accuracy: share of all texts answered right; one without a token counts as wrong.
        macro_f1: mean of the languages' F1.
        loss: mean cross-entropy of the texts with a token.
    """

    accuracy: float
    macro_f1: float
    loss: float


class Validation:
    """Texts to score a model on, tokenized once.

    Args:
        texts: labelled texts; those of languages that the model does not have are left out.
        labels: the model's languages, in the order of its logits.
        tokenizer: text to ids.
        max_length: tokens of a text that are looked at.
        n_rows: rows of the embeddings; ids past them are left out.
        ngrams: text to rows of character n-grams, where the model has them.

    Raises:
        DataError: no text has a language of the model.
    """

    def __init__(
        self,
        texts: LabelledTexts,
        labels: list[str],
        tokenizer: _core.Tokenizer,
        max_length: int,
        n_rows: int,
        ngrams: _core.Ngrams | None = None,
    ) -> None:
        index = {label: position for position, label in enumerate(labels)}
        known = [position for position, label in enumerate(texts.labels) if label in index]
        if not known:
            raise DataError(f"{texts.name}: expected texts of the {len(labels)} languages that are trained, found none")
        ids, bounds = tokenizer.encode_batch([texts.texts[position] for position in known], max_length)
        self._ngrams = None if ngrams is None else ngrams.rows_batch([texts.texts[position] for position in known])
        has_row = ids < n_rows
        self._bounds: NDArray[np.int64] = np.concatenate([[0], np.cumsum(has_row)])[bounds]
        self._ids = ids[has_row].astype(np.int32)
        self._labels = np.array([index[texts.labels[position]] for position in known], dtype=np.int64)
        self._names = labels

    def score(self, model: LanguageModel) -> ValidationScores:
        """Score ``model`` as it is; it is left in the mode it was in."""
        was_training = model.training
        model.eval()
        device = model.projection.weight.device
        predicted = np.full(len(self._labels), NO_ANSWER, dtype=np.int64)
        lengths = np.diff(self._bounds)
        loss, scored = 0.0, np.flatnonzero(lengths)
        with torch.inference_mode():
            for first in range(0, len(scored), _BATCH):
                rows = scored[first : first + _BATCH]
                batch = self._batch(rows).to(device)
                logits = model(batch)
                loss += float(F.cross_entropy(logits, batch.labels, reduction="sum"))
                predicted[rows] = logits.argmax(1).cpu().numpy()
        model.train(was_training)
        confusion = confusion_matrix(self._labels, predicted, len(self._names))
        scores = overall_scores(confusion)
        return ValidationScores(scores.accuracy, scores.macro_f1, loss / max(len(scored), 1))

    def _batch(self, rows: NDArray[np.int64]) -> Batch:
        # Rows follow each other but for texts without a token, which have no ids between them either.
        lengths = np.diff(self._bounds)[rows]
        ids = self._ids[self._bounds[rows[0]] : self._bounds[rows[-1] + 1]]
        return Batch(
            ids=torch.from_numpy(ids),
            offsets=torch.from_numpy((np.cumsum(lengths) - lengths).astype(np.int32)),
            lengths=torch.from_numpy(lengths.astype(np.int32)),
            labels=torch.from_numpy(self._labels[rows]),
            weights=torch.ones(len(rows)),
            total=len(rows),
            ngrams=None if self._ngrams is None else _ngram_rows(*self._ngrams, rows),
        )


def _ngram_rows(values: NDArray[np.uint32], bounds: NDArray[np.int64], texts: NDArray[np.int64]) -> NgramRows:
    lengths = np.diff(bounds)[texts]
    parts = (gather(values.astype(np.int32), bounds[texts], lengths), np.cumsum(lengths) - lengths, lengths)
    return NgramRows(*(torch.from_numpy(part.astype(np.int32)) for part in parts))
