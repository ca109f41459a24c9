"""Locks and readers that may be left out: where nobody ever waits for them."""

import pytest

from model.language import *
from model.mutants import Kind
from model.mutation import Fate, mutate
from tests.building import memory, program_of

# mypy: ignore-errors
# ruff: noqa: F403, F405

STATES = 100_000


def fate_of(program, kind: Kind) -> Fate:
    found = mutate(program, states_max=STATES)
    (only,) = [each for each in found.judged if each.mutant.kind is kind]
    return only.fate


def locked():
    spin_lock(lock)
    WRITE_ONCE(x, 1)
    WRITE_ONCE(y, 1)
    spin_unlock(lock)


def test_a_lock_that_nobody_else_takes_is_not_needed():
    assert fate_of(program_of(locked), Kind.LOCK) is Fate.EQUIVALENT


@pytest.mark.parametrize("ordered", [True, False])
def test_a_lock_that_somebody_waits_for_is(ordered):
    """Unless they never meet: the other waits until the first is done."""

    def declare(p):
        memory(p)

        @p.thread()
        def other():
            if ordered:
                wait_event(READ_ONCE(z) == 1)
            if spin_trylock(lock):
                both = READ_ONCE(x)
                WRITE_ONCE(x, both + 1)
                spin_unlock(lock)

    def first():
        spin_lock(lock)
        WRITE_ONCE(x, 1)
        WRITE_ONCE(y, 1)
        spin_unlock(lock)
        WRITE_ONCE(z, 1)

    expected = Fate.EQUIVALENT if ordered else Fate.SURVIVED
    assert fate_of(program_of(first, declare=declare), Kind.LOCK) is expected


@pytest.mark.parametrize("waits", [False, True])
def test_a_reader_is_needed_where_somebody_waits_for_grace_periods(waits):
    def declare(p):
        memory(p)
        p.rcu(grace_periods_max=1)
        if waits:

            @p.thread()
            def writer():
                WRITE_ONCE(y, 1)
                synchronize_rcu()
                WRITE_ONCE(y, 2)

    def reader():
        rcu_read_lock()
        WRITE_ONCE(x, 1)
        WRITE_ONCE(x, 0)
        rcu_read_unlock()

    expected = Fate.SURVIVED if waits else Fate.EQUIVALENT
    assert fate_of(program_of(reader, declare=declare), Kind.RCU) is expected
