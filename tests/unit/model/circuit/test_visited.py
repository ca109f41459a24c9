"""The set of rows against a Python set: what is new, in which order, and when it is full."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from model.circuit.visited import AHEAD, LOAD, RECENT, SLOTS, Visited

ROOM = 1 << 22


def expect_a_set(words: int, batches: list[list[tuple[int, ...]]]) -> Visited:
    """Inserts batch by batch; what is new, and the table, are those of a dictionary."""
    visited, known = Visited(words, memory=ROOM), {}
    for batch in batches:
        fresh = []
        for position, row in enumerate(batch):
            if row not in known:
                known[row] = len(known)
                fresh.append(position)
        assert visited.insert(array_of(batch, words)).tolist() == fresh
        assert [tuple(row) for row in visited.rows(0, visited.count).tolist()] == list(known)
    assert not visited.full and visited.count == len(known)
    return visited


def array_of(rows: list[tuple[int, ...]], words: int) -> np.ndarray:
    return np.array(rows, np.uint64).reshape(-1, words)


@settings(deadline=None, max_examples=60)
@given(st.data(), st.integers(1, 3), st.sampled_from([4, 2**64]))
def test_inserting_is_that_of_a_set(data, words, values):
    rows = st.tuples(*[st.integers(0, values - 1)] * words)
    expect_a_set(words, data.draw(st.lists(st.lists(rows, max_size=3 * AHEAD), max_size=4)))


@pytest.mark.parametrize("words", [1, 2, 5])
def test_growing_loses_nothing(words):
    generator = np.random.Generator(np.random.SFC64(words))
    batches = [
        [tuple(row) for row in generator.integers(0, 9000 // words, (n, words)).tolist()]
        for n in (0, 1, AHEAD, AHEAD + 1, 5000, 9000, 12000)
    ]
    assert expect_a_set(words, batches).count > 4000


def test_equal_hashes_do_not_make_rows_equal():
    """Far more rows than tags: nearly every row meets another's tag in its bucket."""
    rows = [(number, 0) for number in range(int(LOAD * SLOTS * 1024))]
    visited = expect_a_set(2, [rows])
    assert len(visited.insert(array_of([(0, number) for number in range(1, 5000)], 2))) == 4999


def test_a_full_table_says_so_and_keeps_what_it_has():
    visited = Visited(1, memory=8 * RECENT + 24 * 100)
    rows = array_of([(number,) for number in range(1000)], 1)
    fresh = visited.insert(rows)
    assert visited.full and 0 < len(fresh) == visited.count == visited.rows_max < 1000
    assert (visited.rows(0, visited.count) == rows[: visited.count]).all()
    assert len(visited.insert(rows[: visited.count])) == 0


def test_rows_of_another_set_are_taken_over():
    first, second = Visited(2, memory=ROOM), Visited(2, memory=ROOM)
    first.insert(array_of([(1, 2), (3, 4), (1, 2), (5, 6)], 2))
    second.extend(first.rows(0, 3))
    assert (second.rows(0, 3) == first.rows(0, 3)).all()
    assert len(second.insert(array_of([(3, 4), (7, 8)], 2))) == 1
    with pytest.raises(ValueError, match="3 states do not fit"):
        Visited(2, memory=1).extend(first.rows(0, 3))
