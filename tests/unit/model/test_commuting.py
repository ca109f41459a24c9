"""Swapped accesses: equivalent where no other thread can have told, and only there."""

import pytest

from model.language import *
from model.mutants import Kind
from model.mutation import Fate, mutate
from tests.building import program_of

# mypy: ignore-errors
# ruff: noqa: F403, F405

STATES = 100_000


def two_writes():
    WRITE_ONCE(x, 1)
    WRITE_ONCE(y, 1)


def fate_of(program, first: str) -> Fate:
    found = mutate(program, states_max=STATES)
    (swap,) = [
        each
        for each in found.judged
        if each.mutant.kind is Kind.SWAP and each.mutant.step.endswith(first)
    ]
    return swap.fate


def with_others(body, *others):
    """A program of one thread of each body."""

    def declare(p):
        for name in ("x", "y", "z", "seen"):
            p.shared(name, uint(2))
        p.array("cells", 3, uint(2))
        for other in others:
            p.thread()(other)

    return program_of(body, declare=declare)


def test_what_nobody_reads_may_come_in_any_order():
    assert fate_of(program_of(two_writes), "WRITE_ONCE(x, 1)") is Fate.EQUIVALENT


def test_what_tells_of_the_other_may_not():
    def reads_both():
        now = READ_ONCE(y)
        before = READ_ONCE(x)
        WRITE_ONCE(seen, now + 2 * before)

    program = with_others(two_writes, reads_both)
    assert fate_of(program, "WRITE_ONCE(x, 1)") is Fate.SURVIVED


@pytest.mark.parametrize("name", ["x", "y"])
def test_one_of_them_alone_tells_nothing(name):
    def reads_x():
        now = READ_ONCE(x)
        WRITE_ONCE(seen, now)

    def reads_y():
        now = READ_ONCE(y)
        WRITE_ONCE(seen, now)

    program = with_others(two_writes, {"x": reads_x, "y": reads_y}[name])
    assert fate_of(program, "WRITE_ONCE(x, 1)") is Fate.EQUIVALENT


def test_two_threads_tell_together():
    def hears():
        wait_event(READ_ONCE(y) == 1, may_end_here=True)
        WRITE_ONCE(z, 1)

    def looks():
        wait_event(READ_ONCE(z) == 1, may_end_here=True)
        now = READ_ONCE(x)
        WRITE_ONCE(seen, now)

    program = with_others(two_writes, hears, looks)
    assert fate_of(program, "WRITE_ONCE(x, 1)") is Fate.SURVIVED


def test_reading_them_in_the_order_in_which_they_are_written_tells_nothing():
    def reads_both():
        before = READ_ONCE(x)
        now = READ_ONCE(y)
        WRITE_ONCE(seen, now + 2 * before)

    program = with_others(two_writes, reads_both)
    # x before y: y new and x old is possible in either order of writing.
    assert fate_of(program, "WRITE_ONCE(x, 1)") is Fate.EQUIVALENT


def test_elements_are_told_apart_by_their_indices():
    def writes_cells():
        at = READ_ONCE(z)
        WRITE_ONCE(cells[at], 1)
        WRITE_ONCE(y, 1)

    def reads_cell_1():
        now = READ_ONCE(y)
        cell = READ_ONCE(cells[1])
        WRITE_ONCE(seen, now + 2 * cell)

    def reads_cell_0():
        now = READ_ONCE(y)
        cell = READ_ONCE(cells[0])
        WRITE_ONCE(seen, now + 2 * cell)

    other, same = with_others(writes_cells, reads_cell_1), with_others(writes_cells, reads_cell_0)
    assert fate_of(other, "WRITE_ONCE(cells[at], 1)") is Fate.EQUIVALENT
    assert fate_of(same, "WRITE_ONCE(cells[at], 1)") is Fate.SURVIVED


def test_nothing_is_claimed_where_two_threads_are_between_at_once():
    """Each read of the other's flag comes first: neither sees the other, as in store buffering."""

    def declare(p):
        p.array("flags", 2, uint(1))
        p.array("saw", 2, uint(1))

    def raises_and_looks():
        WRITE_ONCE(flags[ME], 1)
        now = READ_ONCE(flags[1 - ME])
        WRITE_ONCE(saw[ME], now)

    program = program_of(raises_and_looks, declare=declare, instances=2)
    assert fate_of(program, "WRITE_ONCE(flags[ME], 1)") is Fate.SURVIVED
