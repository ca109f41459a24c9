"""States seen are a set: exact while it is small, close when it is large, the same in any order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.circuit.block import Engine
from model.circuit.sampled_states import StateHashes
from model.circuit.step_circuit import Stepper
from model.circuit.successors import Successors
from model.coverage import KEPT_MAX, StatesSeen
from model.explore import Explorer
from tests.toy_programs import PROGRAMS


def seen(numbers):
    return StatesSeen.of(np.array(list(numbers), np.uint64))


def hashes(count, *, first=0):
    """Well spread, as hashes are."""
    numbers = np.arange(first, first + count, dtype=np.uint64)
    return numbers * np.uint64(0x9E3779B97F4A7C15) + np.uint64(1)


FEW = st.lists(st.integers(0, 2**64 - 1), max_size=20).map(seen)


@given(FEW, FEW, FEW)
def test_the_union_has_any_order(a, b, c):
    assert a + b == b + a and (a + b) + c == a + (b + c)
    assert a + a == a and a + StatesSeen() == a == StatesSeen() + a


@given(st.sets(st.integers(0, 2**64 - 1), max_size=50))
def test_a_small_set_is_counted_exactly(numbers):
    assert seen(numbers).count == len(numbers) and seen(numbers).is_exact


def test_a_large_set_is_estimated_whatever_the_order_of_its_parts():
    count = 40 * KEPT_MAX
    whole = StatesSeen.of(hashes(count))
    assert not whole.is_exact and len(whole.kept) == 8 * KEPT_MAX
    assert abs(whole.count - count) < 0.03 * count
    parts = [StatesSeen.of(hashes(count // 8, first=k * (count // 8))) for k in range(8)]
    forth, back = StatesSeen(), StatesSeen()
    for part in parts:
        forth = forth + part
    for part in reversed(parts):
        back = back + part
    assert forth == back == whole


def test_the_bound_is_met_exactly():
    assert StatesSeen.of(hashes(KEPT_MAX - 1)).count == KEPT_MAX - 1
    assert not StatesSeen.of(hashes(KEPT_MAX)).is_exact


def packed_words(states, planes):
    return np.array(
        [[state >> 64 * k & 2**64 - 1 for k in range(-(-planes // 64))] for state in states],
        np.uint64,
    )


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_what_samples_show_are_states_that_the_explorer_visits(program):
    explorer = Explorer(program)
    while explorer.advance():
        pass
    states = Successors(program).unpacked(explorer.snapshot()["table"])
    layout = Stepper(program).layout
    known = StateHashes(layout).of_states(packed_words(states, len(layout.planes)))
    assert len(set(known.tolist())) == len(states), "different states have different hashes"
    shown = Engine(program).coverage(root_seed=1, block=0).states
    assert 0 < shown.count <= len(states)
    assert set(np.frombuffer(shown.kept, "<u8").tolist()) <= set(known.tolist())
