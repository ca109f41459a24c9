"""What each kind of mutant leaves out, on a program of a few steps."""

import pytest

from model.language import *
from model.mutants import Kind, Mutant, mutants
from model.program import Body, Outcome, Program
from model.validation import validate
from tests.building import alone, body_named, memory, program_of
from tests.exploring import explore

# mypy: ignore-errors
# ruff: noqa: F403, F405


def of_kind(program: Program, kind: Kind) -> list[Mutant]:
    found = [mutant for mutant in mutants(program) if mutant.kind is kind]
    for mutant in found:
        validate(mutant.program)
    return found


def body_of(mutant: Mutant) -> Body:
    return body_named(mutant.program, mutant.body)


def texts(mutant: Mutant) -> list[str]:
    return [step.label.text for step in body_of(mutant).steps]


def value(machine, name: str) -> int:
    return machine.shared[name][0]


def nested(program: Program) -> bool:
    """Some thread is an RCU reader in some state."""
    found = []
    explore(program, watch=lambda _, __, after: found.append(any(after.shared["rcu_nesting"])))
    return any(found)


def test_a_branch_is_decided_one_way_and_the_other():
    def body():
        if READ_ONCE(x) == 1:
            WRITE_ONCE(y, 1)

    always, never = of_kind(program_of(body), Kind.BRANCH)
    assert [value(alone(always.program, x=n), "y") for n in (0, 1)] == [1, 1]
    assert [value(alone(never.program, x=n), "y") for n in (0, 1)] == [0, 0]
    assert always.change == "branch 1 of 1 is always taken"
    assert always.line == body.__code__.co_firstlineno + 1


def test_of_two_branches_in_a_step_each_is_decided():
    def body():
        if READ_ONCE(x) != 0:
            choice = READ_ONCE(y)
            if choice == 1:
                WRITE_ONCE(z, 1)
            elif choice == 2:
                WRITE_ONCE(z, 2)

    found = {(m.step, m.change): m.program for m in of_kind(program_of(body), Kind.BRANCH)}
    assert len(found) == 6
    second = found["body: choice = READ_ONCE(y)", "branch 2 of 2 is always taken"]
    assert [value(alone(second, x=1, y=n), "z") for n in (1, 3)] == [1, 2]


def test_two_writes_change_places():
    def body():
        WRITE_ONCE(x, 1)
        WRITE_ONCE(y, 2)

    (swapped,) = of_kind(program_of(body), Kind.SWAP)
    assert texts(swapped) == ["WRITE_ONCE(y, 2)", "WRITE_ONCE(x, 1)"]
    ended = alone(swapped.program)
    assert (value(ended, "x"), value(ended, "y")) == (1, 2)
    assert not explore(swapped.difference).sentences


def test_a_read_that_decides_may_come_first():
    def body():
        WRITE_ONCE(x, 1)
        if READ_ONCE(y) == 1:
            WRITE_ONCE(z, 1)

    (swapped,) = of_kind(program_of(body), Kind.SWAP)
    assert texts(swapped)[:2] == ["READ_ONCE(y) == 1", "WRITE_ONCE(x, 1)"]
    assert [value(alone(swapped.program, y=n), "z") for n in (0, 1)] == [0, 1]
    assert value(alone(swapped.program), "x") == 1


def test_accesses_that_need_each_other_keep_their_places():
    def body():
        seen = READ_ONCE(x)
        WRITE_ONCE(y, seen)

    assert not of_kind(program_of(body), Kind.SWAP)


def test_a_split_rmw_loses_an_update():
    def body():
        atomic_inc(x)

    program = program_of(body, instances=2)
    (split,) = of_kind(program, Kind.SPLIT)
    assert texts(split) == ["atomic_inc(x), read", "atomic_inc(x)"]
    assert explore(program).last("x") == {(2,)}
    assert explore(split.program).last("x") == {(1,), (2,)}
    assert "the mutant would do something else here" in explore(split.difference).sentences


def test_a_split_cmpxchg_compares_what_it_read():
    def body():
        if cmpxchg(x, 0, 1) == 0:
            atomic_inc(y)

    program = program_of(body, instances=2)
    split = of_kind(program, Kind.SPLIT)[0]
    assert explore(program).last("y") == {(1,)}
    assert explore(split.program).last("y") == {(1,), (2,)}


@pytest.mark.parametrize("name", ["lock", "mutex"])
def test_a_lock_that_is_removed_excludes_nobody(name):
    def spinning():
        spin_lock(lock)
        WRITE_ONCE(x, 1)
        spin_unlock(lock)

    def sleeping():
        mutex_lock(mutex)
        WRITE_ONCE(x, 1)
        mutex_unlock(mutex)

    program = program_of(spinning if name == "lock" else sleeping)
    (removed,) = of_kind(program, Kind.LOCK)
    assert alone(removed.program, **{name: 1}).outcome is Outcome.OK
    assert value(alone(removed.program, **{name: 1}), name) == 1
    assert not any(step.guard for step in body_of(removed).steps)


def test_a_body_that_also_tries_the_lock_keeps_it():
    def body():
        if spin_trylock(lock):
            spin_unlock(lock)
        spin_lock(lock)
        spin_unlock(lock)

    assert not of_kind(program_of(body), Kind.LOCK)


def test_a_reader_that_is_none_holds_up_no_grace_period():
    def declare(p):
        memory(p)
        p.rcu(grace_periods_max=1)

    def reader():
        rcu_read_lock()
        READ_ONCE(x)
        rcu_read_unlock()

    program = program_of(reader, declare=declare)
    (removed,) = of_kind(program, Kind.RCU)
    assert nested(program) and not nested(removed.program)
    assert {mutant.body for mutant in mutants(program)} == {"reader"}


def test_inc_not_zero_increments_a_count_of_0():
    def body():
        if atomic_inc_not_zero(x):
            WRITE_ONCE(y, 1)

    (inc,) = of_kind(program_of(body), Kind.INC)
    ended = alone(inc.program)
    assert (value(ended, "x"), value(ended, "y")) == (1, 1)
    assert value(alone(inc.program, x=2), "x") == 3


def test_a_set_forgets_what_was_there():
    def body():
        atomic_add(2, x)
        atomic_dec(y)
        set_bit(1, z)

    add, dec, bit = of_kind(program_of(body), Kind.SET)
    assert value(alone(add.program, x=3, y=1), "x") == 2
    assert value(alone(dec.program, y=3), "y") == 0
    assert value(alone(bit.program, y=1, z=5), "z") == 2


def test_a_wait_that_is_dropped_proceeds_at_once():
    def body():
        atomic_inc(z)
        wait_event(READ_ONCE(x) == 1)
        WRITE_ONCE(y, 1)

    (dropped,) = of_kind(program_of(body), Kind.WAIT)
    assert value(alone(dropped.program), "y") == 1


def test_synchronize_rcu_is_a_wait():
    def declare(p):
        memory(p)
        p.rcu(grace_periods_max=1)

    def writer():
        synchronize_rcu()

    (dropped,) = of_kind(program_of(writer, declare=declare), Kind.WAIT)
    assert dropped.step == "writer: synchronize_rcu(): a grace period has passed"


def test_a_barrier_is_named_and_changes_nothing():
    def body():
        WRITE_ONCE(x, 1)
        smp_mb()
        READ_ONCE(y)

    program = program_of(body)
    (barrier,) = of_kind(program, Kind.BARRIER)
    assert barrier.program == program
    assert barrier.change == "without the smp_mb() after it"


def test_mutants_come_in_the_same_order_every_time():
    def body():
        spin_lock(lock)
        if atomic_inc_not_zero(x):
            atomic_dec(x)
        spin_unlock(lock)

    first, again = (mutants(program_of(body)) for _ in range(2))
    assert [m.program.hash for m in first] == [m.program.hash for m in again]
    assert len({m.program.hash for m in first}) == len(first)
