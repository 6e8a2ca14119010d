"""The set of hashes: equal to Python's, however full and however hashes collide."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from wldetect.data.hash_set import HashSet

# Few values, some of which share their places at the beginning, the end, and in the middle of the table.
crowded = st.integers(0, 40) | st.integers(2**64 - 40, 2**64 - 1) | st.integers(2**63, 2**63 + 40)


@settings(deadline=None)
@given(batches=st.lists(st.lists(crowded | st.integers(0, 2**64 - 1), max_size=60), max_size=8))
def test_equals_a_set(batches: list[list[int]]) -> None:
    hashes, seen = HashSet(), set[int]()
    for batch in batches:
        expected = []
        for value in batch:
            # There is no place for 0.
            expected.append(max(value, 1) not in seen)
            seen.add(max(value, 1))
        assert hashes.add(np.array(batch, dtype=np.uint64)).tolist() == expected
        assert len(hashes) == len(seen)


def test_many_batches() -> None:
    rng = np.random.default_rng(3)
    hashes, seen = HashSet(), np.zeros(0, dtype=np.uint64)
    for _ in range(40):
        batch = rng.integers(0, 2**64, 5000, dtype=np.uint64)
        batch[::7] = rng.choice(seen, len(batch[::7])) if len(seen) else batch[0]
        _, first = np.unique(batch, return_index=True)
        expected = np.zeros(len(batch), dtype=bool)
        expected[first] = True
        expected &= ~np.isin(batch, seen)
        np.testing.assert_array_equal(hashes.add(batch), expected)
        seen = np.union1d(seen, batch)
        assert len(hashes) == len(seen)
    # As little memory as is promised.
    assert hashes._places.nbytes <= 18 * len(hashes)
    assert hashes.add(seen).sum() == 0
