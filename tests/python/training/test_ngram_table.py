"""Learned rows of n-grams: averages, logits, and steps of Adam, beside torch's own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

from wldetect import _core
from wldetect.config import NgramsConfig
from wldetect.data.batches import NgramRows
from wldetect.training.learned_rows import BETAS, EPSILON, RowAdam, step_in_torch
from wldetect.training.ngram_table import NgramTable
from wldetect.training.processes import Processes

ROWS, WIDTH, LANGUAGES = 30, 6, 4


def batch(texts: list[list[int]]) -> NgramRows:
    lengths = torch.tensor([len(text) for text in texts], dtype=torch.int32)
    rows = torch.tensor([row for text in texts for row in text], dtype=torch.int32)
    return NgramRows(rows, (torch.cumsum(lengths, 0) - lengths).to(torch.int32), lengths)


def table(dimensions: int | None = WIDTH, seed: int = 1) -> NgramTable:
    made = NgramTable(NgramsConfig(rows=ROWS, dimensions=dimensions), LANGUAGES, seed)
    if made.projection is not None:
        with torch.no_grad():
            made.projection.copy_(torch.randn(WIDTH, LANGUAGES, generator=torch.Generator().manual_seed(2)))
    return made


TEXTS = st.lists(st.lists(st.integers(0, ROWS - 1), max_size=12), min_size=1, max_size=9)


@settings(max_examples=50, deadline=None)
@given(TEXTS, st.integers(1, 300), st.integers(0, 2**32))
def test_a_step_is_that_of_torch(texts: list[list[int]], number: int, seed: int) -> None:
    made = batch(texts)
    generator = torch.Generator().manual_seed(seed)
    rows, first = (torch.randn(ROWS, WIDTH, generator=generator) for _ in range(2))
    second = torch.rand(ROWS, WIDTH, generator=generator)
    gradient = torch.randn(len(texts), WIDTH, generator=generator)

    ours = [rows.clone(), first.clone(), second.clone()]
    _core.adam_rows(
        *(part.numpy() for part in ours),
        made.rows.numpy(),
        made.offsets.numpy(),
        gradient.numpy(),
        rate=0.1,
        betas=BETAS,
        epsilon=EPSILON,
        step_number=number,
    )
    theirs = [rows.clone(), first.clone(), second.clone()]
    step_in_torch(theirs[0], theirs[1], theirs[2], made.rows, made.lengths, gradient, 0.1, number)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)

    embeddings = torch.nn.EmbeddingBag.from_pretrained(rows.clone(), freeze=False, mode="mean", sparse=True)
    optimizer = torch.optim.SparseAdam(embeddings.parameters(), lr=0.1, betas=BETAS, eps=EPSILON)
    optimizer.state[embeddings.weight] = {
        "step": number - 1,
        "exp_avg": first.clone(),
        "exp_avg_sq": second.clone(),
    }
    embeddings(made.rows.long(), made.offsets.long()).backward(gradient)
    optimizer.step()
    torch.testing.assert_close(ours[0], embeddings.weight.detach(), rtol=1e-4, atol=1e-5)


@given(TEXTS)
@settings(max_examples=50, deadline=None)
def test_logits_are_averages_times_the_projection(texts: list[list[int]]) -> None:
    made = table()
    assert made.projection is not None
    expected = [made.rows[text].mean(0) @ made.projection if text else torch.zeros(LANGUAGES) for text in texts]
    torch.testing.assert_close(made(batch(texts)), torch.stack(expected))
    bare = table(None)
    bare.rows.normal_(generator=torch.Generator().manual_seed(3))
    expected = [bare.rows[text].mean(0) if text else torch.zeros(LANGUAGES) for text in texts]
    torch.testing.assert_close(bare(batch(texts)).detach(), torch.stack(expected))


def test_steps_of_the_table_are_those_of_an_embedding_bag() -> None:
    """Several batches before a step, as with accumulated gradients."""
    made, reference = table(), table()
    assert made.projection is not None
    assert reference.projection is not None
    bag = torch.nn.EmbeddingBag.from_pretrained(reference.rows.clone(), freeze=False, mode="mean", sparse=True)
    theirs = torch.optim.SparseAdam(bag.parameters(), lr=0.05, betas=BETAS, eps=EPSILON)
    ours = RowAdam(made)
    rng = np.random.default_rng(4)
    for _ in range(5):
        ours.forget()
        theirs.zero_grad()
        for _ in range(2):
            texts = [rng.integers(0, ROWS, rng.integers(0, 8)).tolist() for _ in range(7)]
            labels = torch.from_numpy(rng.integers(0, LANGUAGES, 7))
            rows = batch(texts)
            cross_entropy(made(rows), labels).backward()
            cross_entropy(bag(rows.rows.long(), rows.offsets.long()) @ reference.projection, labels).backward()
        ours.step(0.05, Processes())
        theirs.step()
        torch.testing.assert_close(made.rows, bag.weight.detach(), rtol=1e-4, atol=1e-5)
    assert not torch.equal(made.rows, table().rows)


def test_the_state_of_the_optimizer_goes_on() -> None:
    made = table()
    optimizer = RowAdam(made)

    def step(of: NgramTable, by: RowAdam) -> None:
        cross_entropy(of(batch([[1, 2], [3]])), torch.tensor([0, 1])).backward()
        by.step(0.1, Processes())

    step(made, optimizer)
    copy = table()
    copy.load_state_dict(made.state_dict())
    resumed = RowAdam(copy)
    resumed.load_state_dict(optimizer.state_dict())
    step(made, optimizer)
    step(copy, resumed)
    assert torch.equal(made.rows, copy.rows)
    fresh = table()
    fresh.load_state_dict(made.state_dict())
    step(fresh, RowAdam(fresh))
    step(made, optimizer)
    assert not torch.equal(made.rows, fresh.rows)


def test_nothing_is_kept_for_gradients_that_nobody_takes() -> None:
    made = table().eval()
    made(batch([[1]]))
    assert not made.averaged
    with torch.no_grad():
        made.train()(batch([[1]]))
    assert not made.averaged


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"table": np.zeros((ROWS, WIDTH))}, "table: expected a 2-dimensional numpy array of float32"),
        ({"first": np.zeros((ROWS, WIDTH + 1), np.float32)}, "first: expected"),
        ({"rows": np.array([ROWS], np.int32)}, f"rows[0]: expected a row below {ROWS}, found {ROWS}"),
        ({"gradient": np.zeros((2, WIDTH), np.float32)}, "gradient: expected"),
        ({"step_number": 0}, "adam: expected"),
        ({"threads": 0}, "threads: expected at least 1, found 0"),
    ],
)
def test_what_does_not_fit_is_refused(change: dict[str, object], text: str) -> None:
    arguments = {name: np.zeros((ROWS, WIDTH), np.float32) for name in ("table", "first", "second")}
    arguments |= {"rows": np.array([1], np.int32), "offsets": np.array([0], np.int32)}
    arguments |= {"gradient": np.zeros((1, WIDTH), np.float32)}
    keywords: dict[str, object] = {"rate": 0.1, "betas": BETAS, "epsilon": EPSILON, "step_number": 1}
    with pytest.raises((TypeError, ValueError)) as error:
        _core.adam_rows(**{**arguments, **keywords, **change})
    assert text in str(error.value)
    read_only = np.zeros((ROWS, WIDTH), np.float32)
    read_only.flags.writeable = False
    with pytest.raises(TypeError, match="second: expected a writable array"):
        _core.adam_rows(**{**arguments, **keywords, "second": read_only})
