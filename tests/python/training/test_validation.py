"""Scores while training, against the model's answers text by text."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers

from wldetect import _core
from wldetect.config import Pooling
from wldetect.data.batches import Batch
from wldetect.errors import DataError
from wldetect.evaluation.flores import LabelledTexts
from wldetect.training.lookup import WholeLookup
from wldetect.training.model import LanguageModel
from wldetect.training.validation import Validation

LABELS = ["a", "b", "c"]


def tokenizer() -> _core.Tokenizer:
    definition = Tokenizer(models.WordLevel({f"w{row}": row for row in range(20)}, unk_token="w0"))
    definition.pre_tokenizer = pre_tokenizers.Whitespace()
    return _core.Tokenizer(definition.to_str())


def model() -> LanguageModel:
    generator = torch.Generator().manual_seed(1)
    made = LanguageModel(WholeLookup(torch.randn(18, 4, generator=generator)), 3, Pooling.average, 0.5)
    torch.nn.init.normal_(made.projection.weight, generator=generator)
    return made


def texts(n: int) -> LabelledTexts:
    rng = np.random.default_rng(0)
    # w18 and w19 have no row, so some texts have no token at all; "zzz" is no label of the model.
    words = [" ".join(f"w{word}" for word in rng.integers(0, 20, rng.integers(0, 4))) for _ in range(n)]
    return LabelledTexts(words, [str(rng.choice([*LABELS, "zzz"])) for _ in range(n)], "made up")


def test_scores_are_those_of_the_texts_one_by_one() -> None:
    chosen, trained, core = texts(3000), model(), tokenizer()
    trained.train()
    found = Validation(chosen, LABELS, core, 512, 18).score(trained)
    assert trained.training
    trained.eval()
    right, losses, known = 0, [], 0
    counts = np.zeros((3, 4), dtype=int)
    for text, label in zip(chosen.texts, chosen.labels, strict=True):
        if label not in LABELS:
            continue
        known += 1
        ids = [token for token in core.encode(text).tolist() if token < 18]
        answer = 3
        if ids:
            one = torch.tensor([0], dtype=torch.int32)
            tensors = (torch.tensor(ids, dtype=torch.int32), one, torch.tensor([len(ids)], dtype=torch.int32))
            with torch.inference_mode():
                logits = trained(Batch(*tensors, torch.tensor([0]), torch.ones(1), 1))[0]
            answer = int(logits.argmax())
            losses.append(-float(torch.log_softmax(logits, 0)[LABELS.index(label)]))
        counts[LABELS.index(label), answer] += 1
        right += answer == LABELS.index(label)
    assert 0 < len(losses) < known
    assert found.accuracy == pytest.approx(right / known)
    assert found.loss == pytest.approx(np.mean(losses), rel=1e-5)
    f1 = [2 * counts[i, i] / (counts[i].sum() + counts[:, i].sum()) for i in range(3)]
    assert found.macro_f1 == pytest.approx(np.mean(f1))


def test_nothing_to_score() -> None:
    with pytest.raises(DataError, match="made up: expected texts of the 3 languages that are trained, found none"):
        Validation(LabelledTexts(["w1"], ["zzz"], "made up"), LABELS, tokenizer(), 512, 18)


def test_texts_without_tokens_alone() -> None:
    found = Validation(LabelledTexts(["", "w19"], ["a", "b"], "x"), LABELS, tokenizer(), 512, 18).score(model())
    assert (found.accuracy, found.macro_f1, found.loss) == (0.0, 0.0, 0.0)
