"""Classes among executions can be added in any order, and their counts are exact."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from model.class_sample import KEPT_MAX, ClassSample

HASHES = st.lists(st.sampled_from([*range(12), 2**63, 2**64 - 1]), max_size=30)


def of(hashes, block=0):
    return ClassSample.of(np.array(hashes, np.uint64), block=block)


SAMPLES = st.builds(of, HASHES, st.integers(0, 2**40))


@given(SAMPLES, SAMPLES, SAMPLES)
def test_samples_are_added_in_any_order(a, b, c):
    assert a + b == b + a and (a + b) + c == a + (b + c)
    assert a + ClassSample() == a == ClassSample() + a


@given(st.lists(HASHES, min_size=1, max_size=5))
def test_few_classes_are_counted_exactly_with_the_first_block_that_showed_them(blocks):
    total = sum((of(hashes, block) for block, hashes in enumerate(blocks)), ClassSample())
    counts = Counter(h for hashes in blocks for h in hashes)
    first = {h: min(k for k, hashes in enumerate(blocks) if h in hashes) for h in counts}
    assert total.rows.tolist() == [[h, counts[h], first[h]] for h in sorted(counts)]
    assert total.is_exact and total.classes == len(counts)
    assert total.seen(1) == sum(n == 1 for n in counts.values())


def many(first, count, block):
    """So many executions, each of a class of its own, of classes numbered from the first."""
    numbers = np.arange(first, first + count, dtype=np.uint64)
    return of(numbers * np.uint64(0x9E3779B97F4A7C15), block)


def test_what_is_kept_of_many_classes_has_exact_counts_whatever_the_order():
    """Classes 0 to 9 n, of which those from 4 n to 5 n occur twice."""
    n = KEPT_MAX
    parts = [many(0, 5 * n, 7), many(4 * n, 3 * n, 2), many(7 * n, 2 * n, 5)]
    total = (parts[0] + parts[1]) + parts[2]
    assert total == parts[2] + (parts[1] + parts[0]) == parts[1] + (parts[2] + parts[0])
    assert not total.is_exact and len(total.kept) == 24 * n
    assert abs(total.classes - 9 * n) < 0.07 * 9 * n
    assert abs(total.seen(1) - 8 * n) < 0.07 * 8 * n
    assert abs(total.seen(2) - n) < 0.2 * n
    assert set(total.rows[:, 1].tolist()) == {1, 2}
    assert (total.rows[total.rows[:, 1] == 2, 2] == 2).all()
