"""The model against a text-by-text float64 reference, and its lookup table against its own logits."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from wldetect import _core
from wldetect.config import Pooling, Precision
from wldetect.data.batches import Batch
from wldetect.embeddings.base import ArrayMatrix
from wldetect.export.table import table_chunks
from wldetect.training.lookup import EmbeddingLookup, GatheredLookup, MappedLookup, WholeLookup
from wldetect.training.model import LanguageModel

N_TOKENS, HIDDEN, LANGUAGES = 30, 6, 5
LOOKUPS: dict[str, Callable[[ArrayMatrix], EmbeddingLookup]] = {
    "mapped": lambda matrix: MappedLookup(matrix.parts() or ()),
    "whole": lambda matrix: WholeLookup(torch.from_numpy(matrix.rows(slice(None)))),
    "gathered": lambda matrix: GatheredLookup(matrix, torch.device("cpu")),
}


def make_model(
    seed: int,
    pooling: Pooling,
    mask: NDArray[np.bool_] | None = None,
    lookup: str = "mapped",
    precision: Precision = Precision.float32,
) -> LanguageModel:
    rng = np.random.default_rng(seed)
    matrix = ArrayMatrix(rng.normal(size=(N_TOKENS, HIDDEN)).astype(np.float32))
    token_mask = None if mask is None else torch.from_numpy(mask)
    model = LanguageModel(LOOKUPS[lookup](matrix), LANGUAGES, pooling, token_mask=token_mask, precision=precision)
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
    embeddings = model.lookup.rows(torch.arange(N_TOKENS)).numpy().astype(np.float64)
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
    matrix = ArrayMatrix(model.lookup.rows(torch.arange(N_TOKENS)).numpy())
    table = np.concatenate(list(table_chunks(model, matrix, chunk_rows=7)))
    for text in ([4], [1, 1, 8], list(range(N_TOKENS))):
        with torch.no_grad():
            expected = model(make_batch([text])).numpy()[0]
        found = _core.pool(table, np.array(text, dtype=np.uint32), dtype="float32", pooling=pooling.value)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("pooling", list(Pooling))
@pytest.mark.parametrize("masked", [False, True])
def test_gradients_do_not_depend_on_how_embeddings_are_read(pooling: Pooling, masked: bool) -> None:
    mask = np.arange(N_TOKENS) % 4 == 1 if masked else None
    gradients = []
    for lookup in LOOKUPS:
        model = make_model(6, pooling, mask, lookup)
        logits = model(make_batch([[3, 3, 1], [0], [4, 29, 4, 7, 2], [5]]))
        torch.nn.functional.cross_entropy(logits, torch.tensor([0, 1, 2, 3])).backward()
        gradients.append([parameter.grad for parameter in model.parameters()])
    for other in gradients[1:]:
        for expected, found in zip(gradients[0], other, strict=True):
            assert expected is not None
            assert expected.abs().sum() > 0
            torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("pooling", list(Pooling))
def test_gradients_are_slopes(pooling: Pooling) -> None:
    """The gradients of token weights and projection against differences of the loss."""
    model = make_model(7, pooling)
    batch, labels = make_batch([[3, 3, 1], [0, 2], [4, 29, 4, 7, 2]]), torch.tensor([0, 1, 2])

    def loss() -> torch.Tensor:
        return torch.nn.functional.cross_entropy(model(batch), labels)

    loss().backward()  # type: ignore[no-untyped-call]
    step = 1e-2
    for parameter, index in (
        (model.token_weights, (3, 0)),
        (model.token_weights, (4, 0)),
        (model.projection.weight, (2, 1)),
    ):
        assert parameter.grad is not None
        with torch.no_grad():
            parameter[index] += step
            above = loss()
            parameter[index] -= 2 * step
            below = loss()
            parameter[index] += step
        slope = float(above - below) / (2 * step)
        assert slope == pytest.approx(float(parameter.grad[index]), rel=0.02, abs=2e-4)


@pytest.mark.parametrize("pooling", list(Pooling))
def test_half_the_precision_is_near_and_parameters_stay_float32(pooling: Pooling) -> None:
    exact, near = (make_model(8, pooling, precision=precision) for precision in (Precision.float32, Precision.bfloat16))
    batch = make_batch([[3, 3, 1], [0], [4, 29, 4, 7, 2]])
    logits = near(batch)
    assert logits.dtype == torch.float32
    torch.testing.assert_close(logits, exact(batch), rtol=0.03, atol=0.1)
    assert not torch.equal(logits, exact(batch))
    logits.sum().backward()
    for parameter in near.parameters():
        assert parameter.grad is not None
        assert parameter.grad.dtype == parameter.dtype == torch.float32


@pytest.mark.filterwarnings(r"ignore:The \.grad attribute of a Tensor that is not a leaf")  # torch's own tracing
@pytest.mark.parametrize("pooling", list(Pooling))
@pytest.mark.parametrize("masked", [False, True])
def test_compiling_changes_nothing(pooling: Pooling, masked: bool) -> None:
    """Traced as for compiling, but run by torch itself: a compiler takes half a minute."""
    mask = np.arange(N_TOKENS) % 4 == 1 if masked else None
    plain, compiled = make_model(9, pooling, mask), make_model(9, pooling, mask)
    compiled.compile_layers(backend="aot_eager")
    for texts in ([[3, 3, 1], [0], [4, 29, 4, 7, 2]], [[5], [1, 1]]):
        batch = make_batch(texts)
        for model in (plain, compiled):
            model.zero_grad()
            model(batch).square().sum().backward()
        torch.testing.assert_close(compiled(batch), plain(batch))
        for expected, found in zip(plain.parameters(), compiled.parameters(), strict=True):
            torch.testing.assert_close(found.grad, expected.grad)
    assert list(compiled.state_dict()) == list(plain.state_dict())


@pytest.mark.parametrize("pooling", list(Pooling))
@pytest.mark.parametrize("lookup", list(LOOKUPS))
def test_a_part_without_texts_has_gradients_of_zero(pooling: Pooling, lookup: str) -> None:
    """Of several processes, one may have no text of the last batch."""
    model = make_model(10, pooling, lookup=lookup)
    logits = model(make_batch([]))
    assert logits.shape == (0, LANGUAGES)
    logits.sum().backward()
    for parameter in model.parameters():
        assert parameter.grad is not None
        assert not parameter.grad.any()


def test_a_tuned_table_begins_as_the_projection_has_it() -> None:
    for lookup in LOOKUPS:
        model = make_model(11, Pooling.average, lookup=lookup)
        texts = make_batch([[3, 3, 1], [0], [4, 29, 4, 7, 2]])
        matrix = ArrayMatrix(model.lookup.rows(torch.arange(N_TOKENS)).numpy())
        with torch.no_grad():
            before, rows = model(texts), np.concatenate(list(table_chunks(model, matrix)))
        names = list(model.state_dict())
        model.tune_table()
        assert model.table is not None
        torch.testing.assert_close(model(texts).detach(), before)
        np.testing.assert_allclose(model.table.rows.numpy(), rows, rtol=1e-5, atol=1e-6)
        assert not any(parameter.requires_grad for parameter in model.parameters())
        assert list(model.state_dict()) == names
        # What is written is what was learned.
        model.table.rows.add_(1.0)
        chunks = list(table_chunks(model, matrix, chunk_rows=7))
        np.testing.assert_array_equal(np.concatenate(chunks), model.table.rows.numpy())


def test_a_table_of_other_pooling_or_masked_tokens_is_not_tuned() -> None:
    for pooling, mask in ((Pooling.max, None), (Pooling.logsumexp, None), (Pooling.average, np.zeros(N_TOKENS, bool))):
        model = make_model(12, pooling, mask)
        with pytest.raises(ValueError, match=f"expected average pooling without masked tokens, found {pooling.value}"):
            model.tune_table()
        assert model.table is None


def test_dropout_works_only_in_training() -> None:
    model = make_model(5, Pooling.average)
    model.dropout.p = 0.5
    batch = make_batch([[1, 2, 3]] * 4)
    torch.manual_seed(0)
    model.train()
    assert not torch.equal(model(batch)[0], model(batch)[0])
    model.eval()
    assert torch.equal(model(batch)[0], model(batch)[0])
