"""The model against a text-by-text float64 reference, and its lookup table against its own logits."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from wldetect import _core
from wldetect.config import Pooling
from wldetect.data.batches import Batch
from wldetect.embeddings.base import ArrayMatrix
from wldetect.export.table import table_chunks
from wldetect.training.lookup import GatheredLookup, WholeLookup, make_lookup
from wldetect.training.model import LanguageModel

N_TOKENS, HIDDEN, LANGUAGES = 30, 6, 5
CPU = torch.device("cpu")


def make_model(seed: int, pooling: Pooling, mask: NDArray[np.bool_] | None = None) -> LanguageModel:
    rng = np.random.default_rng(seed)
    embeddings = torch.from_numpy(rng.normal(size=(N_TOKENS, HIDDEN)).astype(np.float32))
    token_mask = None if mask is None else torch.from_numpy(mask)
    model = LanguageModel(WholeLookup(embeddings), LANGUAGES, pooling, token_mask=token_mask)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.from_numpy(rng.normal(size=tuple(parameter.shape)).astype(np.float32)))
    return model.eval()


def make_batch(texts: list[list[int]]) -> Batch:
    lengths = torch.tensor([len(text) for text in texts], dtype=torch.int32)
    offsets = (torch.cumsum(lengths, 0) - lengths).to(torch.int32)
    ids = torch.tensor([token for text in texts for token in text], dtype=torch.int32)
    labels = torch.zeros(len(texts), dtype=torch.int64)
    return Batch(ids, offsets, lengths, labels, torch.ones(len(texts)), len(texts))


def reference(model: LanguageModel, texts: list[list[int]], mask: NDArray[np.bool_] | None) -> NDArray[np.float64]:
    assert isinstance(model.lookup, WholeLookup)
    embeddings = model.lookup.rows(torch.zeros(0))[0].numpy().astype(np.float64)
    weights = model.token_weights.detach().numpy().astype(np.float64)
    projection = model.projection.weight.detach().numpy().astype(np.float64)
    bias = model.projection.bias.detach().numpy().astype(np.float64)
    table = (embeddings * weights) @ projection.T + bias
    pooled = []
    for text in texts:
        rows = table[[token for token in text if mask is None or not mask[token]]]
        if len(rows) == 0:
            pooled.append(bias)
        elif model.pooling is Pooling.average:
            pooled.append(rows.mean(axis=0))
        elif model.pooling is Pooling.max:
            pooled.append(rows.max(axis=0))
        else:
            pooled.append(np.log(np.exp(rows - rows.max(axis=0)).sum(axis=0)) + rows.max(axis=0))
    return np.array(pooled)


TEXTS = st.lists(st.lists(st.integers(0, N_TOKENS - 1), min_size=1, max_size=12), min_size=1, max_size=8)


@pytest.mark.parametrize("pooling", list(Pooling))
@settings(max_examples=60, deadline=None)
@given(texts=TEXTS, seed=st.integers(0, 999), masked=st.none() | st.lists(st.booleans(), min_size=30, max_size=30))
def test_logits_equal_the_reference(
    pooling: Pooling, texts: list[list[int]], seed: int, masked: list[bool] | None
) -> None:
    mask = None if masked is None else np.array(masked)
    model = make_model(seed, pooling, mask)
    with torch.no_grad():
        logits = model(make_batch(texts)).numpy()
    np.testing.assert_allclose(logits, reference(model, texts, mask), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("pooling", list(Pooling))
def test_a_text_does_not_depend_on_the_others_of_its_batch(pooling: Pooling) -> None:
    model = make_model(1, pooling)
    texts = [[3], [1, 2, 3, 4, 5, 6, 7, 8, 9], [29, 0]]
    with torch.no_grad():
        together = model(make_batch(texts))
        alone = torch.cat([model(make_batch([text])) for text in texts])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("pooling", list(Pooling))
def test_masked_tokens_get_no_gradient_and_finite_ones_everywhere_else(pooling: Pooling) -> None:
    mask = np.zeros(N_TOKENS, dtype=bool)
    mask[[2, 5]] = True
    model = make_model(2, pooling, mask)
    # The last text has only masked tokens.
    logits = model(make_batch([[1, 2, 3], [5, 7], [2, 5]]))
    torch.nn.functional.cross_entropy(logits, torch.tensor([0, 1, 2])).backward()
    for parameter in model.parameters():
        assert parameter.grad is not None
        assert torch.isfinite(parameter.grad).all()
    gradient = model.token_weights.grad
    assert gradient is not None
    assert (gradient[[2, 5]] == 0).all()
    assert (gradient[[1, 3, 7]] != 0).any()


@pytest.mark.parametrize("pooling", list(Pooling))
def test_the_table_pools_to_the_logits(pooling: Pooling) -> None:
    """What the detector does with the table (in the Rust core) is what was trained."""
    model = make_model(3, pooling)
    assert isinstance(model.lookup, WholeLookup)
    matrix = ArrayMatrix(model.lookup.rows(torch.zeros(0))[0].numpy().copy())
    table = np.concatenate(list(table_chunks(model, matrix, chunk_rows=7)))
    for text in ([4], [1, 1, 8], list(range(N_TOKENS))):
        with torch.no_grad():
            expected = model(make_batch([text])).numpy()[0]
        found = _core.pool(table, np.array(text, dtype=np.uint32), dtype="float32", pooling=pooling.value)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", [np.float16, np.uint16])
def test_gathered_rows_equal_the_whole_matrix(dtype: type) -> None:
    rng = np.random.default_rng(4)
    values = rng.normal(size=(N_TOKENS, HIDDEN)).astype(np.float32)
    stored = values.astype(np.float16) if dtype is np.float16 else (values.view(np.uint32) >> 16).astype(np.uint16)
    lookup = make_lookup(ArrayMatrix(stored), CPU)
    assert isinstance(lookup, GatheredLookup)
    ids = torch.tensor([5, 0, 5, 29], dtype=torch.int32)
    rows, positions = lookup.rows(ids)
    np.testing.assert_array_equal(rows[positions.long()].numpy(), ArrayMatrix(stored).rows(ids.numpy()))


def test_a_float32_matrix_is_used_in_place() -> None:
    values = np.ones((N_TOKENS, HIDDEN), dtype=np.float32)
    lookup = make_lookup(ArrayMatrix(values), CPU)
    assert lookup.rows(torch.zeros(1))[0].data_ptr() == values.ctypes.data


def test_dropout_works_only_in_training() -> None:
    model = make_model(5, Pooling.average)
    model.dropout.p = 0.5
    batch = make_batch([[1, 2, 3]] * 4)
    torch.manual_seed(0)
    model.train()
    assert not torch.equal(model(batch)[0], model(batch)[0])
    model.eval()
    assert torch.equal(model(batch)[0], model(batch)[0])
