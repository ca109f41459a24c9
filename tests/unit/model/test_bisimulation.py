"""Mutants that differ in what nobody sees: checks that are made again, waits that spin."""

from model.bisimulation import Finding
from model.language import *
from model.mutants import Kind
from model.mutation import Fate, mutate
from tests.building import memory, program_of

# mypy: ignore-errors
# ruff: noqa: F403, F405

STATES = 100_000


def fates(program, kind: Kind) -> dict[tuple[str, str], Fate]:
    found = mutate(program, states_max=STATES)
    return {
        (each.mutant.step.partition(": ")[2], each.mutant.change.rpartition(" is ")[2]): each.fate
        for each in found.judged
        if each.mutant.kind is kind
    }


def sets_x(p):
    memory(p)

    @p.thread()
    def other():
        WRITE_ONCE(x, 1)


def test_a_check_that_is_made_again_can_be_dropped_and_the_last_one_not():
    def body():
        if READ_ONCE(x) == 1:  # noqa: SIM102
            if READ_ONCE(x) == 1:
                WRITE_ONCE(y, 1)

    found = fates(program_of(body, declare=sets_x), Kind.BRANCH)
    assert found["READ_ONCE(x) == 1", "always taken"] is Fate.EQUIVALENT
    assert found["READ_ONCE(x) == 1", "never taken"] is Fate.SURVIVED
    assert found["READ_ONCE(x) == 1 #2", "always taken"] is Fate.EQUIVALENT
    assert found["READ_ONCE(x) == 1 #2", "never taken"] is Fate.SURVIVED


def test_of_two_checks_the_only_one_left_is_needed():
    def body():
        if READ_ONCE(x) == 1:
            WRITE_ONCE(y, 1)

    found = fates(program_of(body, declare=sets_x), Kind.BRANCH)
    assert set(found.values()) == {Fate.SURVIVED}


def test_an_assert_that_is_never_made_is_missed():
    def body():
        if READ_ONCE(x) == 1:
            now = READ_ONCE(x)
            assert now == 1, "what was set stays set"

    found = fates(program_of(body, declare=sets_x), Kind.BRANCH)
    assert found["READ_ONCE(x) == 1", "never taken"] is Fate.SURVIVED


def test_the_values_in_the_end_are_seen():
    def body():
        if READ_ONCE(z) == 0:
            WRITE_ONCE(y, 1)

    def declare(p):
        memory(p)

        @p.thread()
        def other():
            WRITE_ONCE(z, 1)

    found = fates(program_of(body, declare=declare), Kind.BRANCH)
    assert set(found.values()) == {Fate.SURVIVED}


def test_a_wait_in_a_loop_may_spin():
    def body():
        now = READ_ONCE(x)
        while now == 0:
            wait_event(READ_ONCE(x) == 1)
            now = READ_ONCE(x)
        WRITE_ONCE(y, 1)

    (fate,) = fates(program_of(body, declare=sets_x), Kind.WAIT).values()
    assert fate is Fate.EQUIVALENT


def test_a_mutant_that_comes_to_no_end_is_caught():
    def body():
        while READ_ONCE(x) == 0:
            cpu_relax()
        WRITE_ONCE(y, 1)

    found = fates(program_of(body, declare=sets_x), Kind.BRANCH)
    assert found["READ_ONCE(x) == 0", "always taken"] is Fate.CAUGHT
    assert found["READ_ONCE(x) == 0", "never taken"] is Fate.SURVIVED


def test_what_caught_a_mutant_without_an_end_is_said():
    def body():
        while READ_ONCE(x) == 0:
            cpu_relax()

    judged = mutate(program_of(body, declare=sets_x), states_max=STATES).judged
    (endless,) = [each for each in judged if each.fate is Fate.CAUGHT]
    assert endless.site is None and endless.violated == Finding.ENDLESS


def sets_and_clears_x(p):
    memory(p)

    @p.thread()
    def other():
        WRITE_ONCE(x, 1)
        WRITE_ONCE(x, 0)


def test_giving_up_early_is_waiting_for_ever_where_that_is_a_fine_end():
    """The same values in the same order, though the mutant has decided earlier."""

    def body():
        wait_event(READ_ONCE(x) == 1, may_end_here=True)
        if READ_ONCE(x) == 1:
            WRITE_ONCE(y, 1)

    (fate,) = fates(program_of(body, declare=sets_and_clears_x), Kind.WAIT).values()
    assert fate is Fate.EQUIVALENT


def test_a_wait_that_some_value_depends_on_is_needed():
    def body():
        wait_event(READ_ONCE(x) == 1, may_end_here=True)
        WRITE_ONCE(y, 1)

    (fate,) = fates(program_of(body, declare=sets_and_clears_x), Kind.WAIT).values()
    assert fate is Fate.SURVIVED


def test_a_lock_around_one_access_is_not_seen():
    """Others wait for it, and do nothing that its absence would let them do."""

    def body():
        spin_lock(lock)
        WRITE_ONCE(y, 1)
        spin_unlock(lock)

    def declare(p):
        memory(p)

        @p.thread()
        def other():
            spin_lock(lock)
            WRITE_ONCE(x, 1)
            spin_unlock(lock)

    assert set(fates(program_of(body, declare=declare), Kind.LOCK).values()) == {Fate.EQUIVALENT}


def test_a_lock_around_two_accesses_is():
    def body():
        spin_lock(lock)
        WRITE_ONCE(y, 1)
        WRITE_ONCE(y, 0)
        spin_unlock(lock)

    def declare(p):
        memory(p)

        @p.thread()
        def other():
            spin_lock(lock)
            WRITE_ONCE(x, 1)
            spin_unlock(lock)

    assert set(fates(program_of(body, declare=declare), Kind.LOCK).values()) == {Fate.SURVIVED}
