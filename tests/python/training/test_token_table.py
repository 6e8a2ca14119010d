"""The lookup table as what is trained: logits, pulled steps of Adam beside torch's own, and a state that goes on."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

from wldetect.data.batches import Batch
from wldetect.training.learned_rows import BETAS, EPSILON, RowAdam
from wldetect.training.processes import Processes
from wldetect.training.token_table import TableAdam, TokenTable

TOKENS, LANGUAGES = 30, 4
TEXTS = st.lists(st.lists(st.integers(0, TOKENS - 1), min_size=1, max_size=12), min_size=1, max_size=9)


def batch(texts: list[list[int]]) -> Batch:
    lengths = torch.tensor([len(text) for text in texts], dtype=torch.int32)
    ids = torch.tensor([token for text in texts for token in text], dtype=torch.int32)
    labels = torch.tensor([sum(text) % LANGUAGES for text in texts])
    offsets = (torch.cumsum(lengths, 0) - lengths).to(torch.int32)
    return Batch(ids, offsets, lengths, labels, torch.ones(len(texts)), len(texts))


def prior(seed: int = 1) -> torch.Tensor:
    return torch.randn(TOKENS, LANGUAGES, generator=torch.Generator().manual_seed(seed))


def step(table: TokenTable, optimizer: RowAdam, texts: list[list[int]], rate: float = 0.1) -> None:
    optimizer.forget()
    made = batch(texts)
    cross_entropy(table(made), made.labels).backward()
    optimizer.step(rate, Processes())


@settings(max_examples=50, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=5), st.sampled_from([0.0, 0.3, 2.0, 50.0]))
def test_a_step_pulls_its_rows_and_then_is_that_of_torch(steps: list[list[list[int]]], pull: float) -> None:
    table = TokenTable(prior())
    optimizer = TableAdam(table, pull)
    bag = torch.nn.EmbeddingBag.from_pretrained(prior(), freeze=False, mode="mean", sparse=True)
    theirs = torch.optim.SparseAdam(bag.parameters(), lr=0.1, betas=BETAS, eps=EPSILON)
    for texts in steps:
        made = batch(texts)
        theirs.zero_grad()
        cross_entropy(bag(made.ids.long(), made.offsets.long()), made.labels).backward()
        with torch.no_grad():
            for token in {token for text in texts for token in text}:
                distance = bag.weight[token] - prior()[token]
                bag.weight[token] = prior()[token] + distance * max(1 - 0.1 * pull, 0)
        theirs.step()
        step(table, optimizer, texts)
        torch.testing.assert_close(table.rows, bag.weight.detach(), rtol=1e-4, atol=1e-5)
    seen = {token for texts in steps for text in texts for token in text}
    others = [token for token in range(TOKENS) if token not in seen]
    assert torch.equal(table.rows[others], prior()[others])
    assert torch.equal(table.prior, prior())


@given(TEXTS)
@settings(max_examples=30, deadline=None)
def test_logits_are_averages_of_rows(texts: list[list[int]]) -> None:
    expected = torch.stack([prior()[text].mean(0) for text in texts])
    torch.testing.assert_close(TokenTable(prior())(batch(texts)).detach(), expected)


def test_without_evidence_rows_go_back() -> None:
    table = TokenTable(prior())
    table.rows.add_(1.0)
    optimizer = TableAdam(table, pull=1.0)
    made = batch([[3, 4], [3]])
    distances = []
    for _ in range(40):
        # Of a loss of zero, so that Adam has nothing to say.
        (table(made) * 0).sum().backward()
        optimizer.step(0.1, Processes())
        distances.append(float((table.rows - prior())[3].abs().max()))
    assert distances == pytest.approx([0.9 ** (index + 1) for index in range(40)], rel=1e-4)
    assert torch.equal(table.rows[5], prior()[5] + 1.0)


def test_the_state_is_of_the_rows_that_have_changed_and_goes_on() -> None:
    steps = [[[1, 2], [3]], [[2], [7, 7, 1]], [[3, 1], [2]], [[9]]]
    table = TokenTable(prior())
    optimizer = TableAdam(table, pull=0.5)
    for texts in steps[:2]:
        step(table, optimizer, texts)
    state = optimizer.state_dict()
    assert isinstance(state["tokens"], torch.Tensor)
    assert state["tokens"].tolist() == [1, 2, 3, 7]
    assert all(len(state[name]) == 4 for name in ("rows", "first", "second"))  # type: ignore[arg-type]
    assert not table.state_dict()

    resumed_table = TokenTable(prior())
    resumed = TableAdam(resumed_table, pull=0.5)
    resumed.load_state_dict(state)
    for texts in steps[2:]:
        step(table, optimizer, texts)
        step(resumed_table, resumed, texts)
    assert torch.equal(table.rows, resumed_table.rows)
    for name, part in optimizer.state_dict().items():
        other = resumed.state_dict()[name]
        assert torch.equal(part, other) if isinstance(part, torch.Tensor) else part == other  # type: ignore[arg-type]


def test_frozen_rows_and_rows_that_are_only_read_keep_nothing_for_gradients() -> None:
    table = TokenTable(prior())
    table.eval()(batch([[1]]))
    table.train().frozen = True
    table(batch([[1]]))
    assert not table.averaged
    assert not RowAdam(table).learns
    table.frozen = False
    assert table(batch([[1]])).requires_grad
    assert len(table.averaged) == 1
