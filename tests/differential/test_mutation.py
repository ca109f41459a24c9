"""Fates of mutants: the explorer against brute force on the interpreter, and known survivors."""

import pytest

from model.language import *
from model.library import PROGRAMS
from model.mutants import Kind
from model.mutation import Fate, TooLarge, mutate
from tests import toy_programs
from tests.building import program_of
from tests.exploring import explore

# mypy: ignore-errors
# ruff: noqa: F403, F405

STATES = 100_000


@pytest.mark.parametrize(
    "program",
    [
        toy_programs.stale_lookup.compile(),
        toy_programs.two_publishers.compile(),
        toy_programs.crossed_locks.compile(),
        toy_programs.lost_update.compile(threads=2),
    ],
    ids=lambda program: program.name,
)
def test_every_fate_is_what_brute_force_says(program):
    """An equivalent mutant ends as the program does, a caught one in a way of its own."""
    original = explore(program)
    judged = mutate(program, states_max=STATES).judged
    assert judged
    for each in judged:
        found = explore(each.mutant.program)
        assert (each.fate is Fate.CAUGHT) == bool(found.sentences - original.sentences)
        if each.fate is Fate.EQUIVALENT:
            assert found.endings == original.endings


def test_the_mutants_of_a_lock_are_caught_by_a_lost_update():
    def add():
        spin_lock(lock)
        seen = READ_ONCE(x)
        WRITE_ONCE(x, seen + 1)
        spin_unlock(lock)

    def declare(p):
        p.shared("x", uint(2))
        p.spinlock("lock")

        @p.at_end
        def both():
            assert x == 2, "an update is lost"

    program = program_of(add, declare=declare, instances=2)
    found = mutate(program, states_max=STATES)
    (lock,) = [each for each in found.judged if each.mutant.kind is Kind.LOCK]
    assert lock.fate is Fate.CAUGHT
    assert program.sites[lock.site].sentence == "an update is lost"
    assert found.score == 1.0
    assert not found.unreached_steps and not found.unreached_sites


def test_an_rmw_that_nobody_contends_is_split_without_a_difference():
    def alone():
        atomic_inc(x)
        if atomic_read(x) == 0:
            WRITE_ONCE(y, 1)
            assert y == 1, "never asked"
            assert x == 3, "never asked either"

    found = mutate(program_of(alone), states_max=STATES)
    fates = {(each.mutant.kind, each.mutant.change): each.fate for each in found.judged}
    assert fates[Kind.SPLIT, "a read, then a write"] is Fate.EQUIVALENT
    assert fates[Kind.SET, "writes what it would make of 0"] is Fate.EQUIVALENT
    assert fates[Kind.BRANCH, "branch 1 of 1 is never taken"] is Fate.EQUIVALENT
    assert [step.label.text for step in found.unreached_steps] == ["WRITE_ONCE(y, 1)"]
    sentences = [found.program.sites[site].sentence for site in found.unreached_sites]
    assert sentences == ["never asked", "never asked either"]


def test_a_barrier_is_counted_apart():
    def body():
        WRITE_ONCE(x, 1)
        smp_mb()

    found = mutate(program_of(body), states_max=STATES)
    assert found.count(Fate.BARRIER) == 1
    assert found.score is None


def test_a_mutant_beyond_the_bound_counts_as_a_survivor():
    """In turns there are few states; without the wait, four threads are anywhere at once."""

    def declare(p):
        p.shared("turn", uint(3))
        p.shared("a", uint(1, wrapping=True))

    def takes_turns():
        wait_event(READ_ONCE(turn) == ME)
        for _ in range(60):
            WRITE_ONCE(a, 1)
        atomic_inc(turn)

    program = program_of(takes_turns, declare=declare, instances=4, steps_max=300)
    found = mutate(program, states_max=1000)
    (wait,) = [each for each in found.judged if each.mutant.kind is Kind.WAIT]
    assert found.original.states <= 1000 < wait.states
    assert wait.fate is Fate.BOUNDED and wait in found.survivors


def test_a_program_beyond_the_bound_is_refused():
    with pytest.raises(TooLarge, match="more than 1 states"):
        mutate(toy_programs.stale_lookup.compile(), states_max=0)


def test_the_known_survivors_of_page_uptodate():
    """Only its assertion under the flag is wrong: a reader that never looks cannot be wrong."""
    found = mutate(PROGRAMS["page_uptodate"].compile(), states_max=STATES)
    survivors = [(each.mutant.kind, each.mutant.step, each.mutant.line) for each in found.survivors]
    step = "do_generic_mapping_read: test_bit(PG_uptodate, flags)"
    assert survivors == [(Kind.BRANCH, step, 55)]
    assert found.count(Fate.CAUGHT) == 2 and found.count(Fate.EQUIVALENT) == 2
