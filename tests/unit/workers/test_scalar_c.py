"""The scalar walker means what the circuit means: equal rates of every ending, equal lengths."""

import shutil
from math import sqrt

import pytest

from model.circuit.block import Engine
from model.language import (
    ME,
    READ_ONCE,
    WRITE_ONCE,
    assume,
    atomic_dec,
    atomic_fetch_inc,
    atomic_inc,
    atomic_set,
    boolean,
    call_rcu,
    choose,
    cpu_relax,
    names,
    program,
    rcu_assign_pointer,
    rcu_dereference,
    rcu_read_lock,
    rcu_read_unlock,
    spawn,
    spin_lock,
    spin_unlock,
    spin_until,
    uint,
    wait_event,
)  # fmt: skip
from model.program import Outcome
from workers.scalar_c import CannotGenerate, compile_and_run, compiled, generate

needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="gcc is not installed")

ROWS = names("A", "B", null="NOWHERE")
A, B, NOWHERE = ROWS
PASSES = 4096
SIGMAS = 5.0


@program(steps_max=40)
def transfers(p):
    """Locks in two orders, a sum read without them, a loop, choices, arrays, several oracles."""
    spread = p.ghost_array("spread", ROWS, uint(2, wrapping=True))
    balance = p.array("balance", ROWS, uint(3), init={A: 3, B: 2})
    locks = p.spinlock("locks", ROWS)
    busy = p.shared("busy", uint(2))

    @p.thread(instances=2)
    def transfer():
        atomic_inc(busy)
        source = choose(0, 1)
        spin_lock(locks[source])
        spin_lock(locks[1 - source])
        if READ_ONCE(balance[source]) != 0:
            atomic_dec(balance[source])
            atomic_inc(balance[1 - source])
            spread[source] -= 1
        spin_unlock(locks[1 - source])
        spin_unlock(locks[source])
        atomic_dec(busy)

    @p.thread()
    def audit():
        while READ_ONCE(busy) != 0:
            cpu_relax()
        a = READ_ONCE(balance[0])
        b = READ_ONCE(balance[1])
        assert a + b == 5, "the sum is wrong"

    @p.invariant
    def not_all_in_one():
        assert balance[B] < 4, "most is in B"

    @p.at_end
    def one_paid():
        assert spread[A] != spread[B], "both paid"
        assert balance[B] != 0, "B paid twice"


@program(steps_max=60)
def update(p):
    """RCU with callbacks and daemons; an unprotected reader; a wait that may last for ever."""
    p.rcu(grace_periods_max=1, callbacks=1, argument=uint(2))
    pointer = p.shared("pointer", uint(2), init=1)
    freed = p.array("freed", 4, boolean)

    def free(which):
        WRITE_ONCE(freed[which], 1)

    @p.thread(instances=2)
    def reader():
        late = choose(0, 3, 1)
        if late != 3:
            rcu_read_lock()
        seen = rcu_dereference(pointer)
        READ_ONCE(pointer)
        READ_ONCE(pointer)
        assert READ_ONCE(freed[seen]) == 0, "used after it was freed"
        if late != 3:
            rcu_read_unlock()

    @p.thread()
    def updater():
        rcu_assign_pointer(pointer, 2)
        frees = choose(0, 1)
        if frees == 1:
            call_rcu(free, 1)
        READ_ONCE(pointer)

    @p.thread()
    def idler():
        wait_event(READ_ONCE(freed[1]) != 0, may_end_here=True)
        WRITE_ONCE(pointer, 0)

    @p.at_end
    def somebody_freed():
        assert pointer == 0, "the old one is still there"


@program(steps_max=30)
def family(p):
    """Children, assume, guards over locals, a cell that overflows, a null index."""
    where = p.shared("where", ROWS, init=NOWHERE)
    cell = p.array("cell", ROWS, uint(2))
    turn = p.shared("turn", uint(2))

    @p.thread(child=True)
    def child():
        wait_event(READ_ONCE(where) != NOWHERE)
        at = READ_ONCE(where)
        atomic_inc(cell[at])

    @p.thread()
    def parent():
        spawn(child)
        mine = choose(0, 1, 2)
        atomic_set(turn, mine)
        spin_until(READ_ONCE(turn) == mine)
        WRITE_ONCE(where, 0)
        at = READ_ONCE(where)
        assume(mine != 2)
        atomic_inc(cell[at])

    @p.thread(instances=2)
    def rival():
        value = READ_ONCE(turn)
        if value == ME:
            WRITE_ONCE(where, 2)
        WRITE_ONCE(turn, value)
        atomic_inc(cell[0])


PROGRAMS = (transfers, update, family)


# How each toy is known to end, so that what is compared is more than zeros.
ENDINGS = {
    "transfers": (
        "no thread can go on",
        "the sum is wrong",
        "most is in B",
        "both paid",
        "B paid twice",
        "step limit",
    ),
    "update": ("used after it was freed", "the old one is still there"),
    "family": ("cell leaves its range 0 to 3", "null pointer: cell[NOWHERE]", "discarded"),
}


def differ(hits, schedules, other_hits, other_schedules):
    """True where two samples of one rate lie this far apart less than once in a million times."""
    rate = (hits + other_hits) / (schedules + other_schedules)
    spread = sqrt(rate * (1 - rate) * (1 / schedules + 1 / other_schedules))
    return abs(hits / schedules - other_hits / other_schedules) > SIGMAS * spread


@needs_gcc
@pytest.mark.parametrize("source", PROGRAMS, ids=lambda source: source.name)
def test_the_scalar_walker_has_the_rates_of_the_circuit(source):
    program = source.compile()
    block = Engine(program).run_block(root_seed=7, block=0, passes=PASSES)
    scalar = compile_and_run(generate(program), steps=4_000_000)
    assert scalar.steps >= 4_000_000
    names_of = [*(site.sentence for site in program.sites), "discarded", "step limit"]
    mine = [*scalar.site_hits, scalar.discarded, scalar.step_limits]
    limits = block.outcomes[Outcome.DISCARDED], block.outcomes[Outcome.STEP_LIMIT]
    for ending, ours, theirs in zip(names_of, mine, [*block.site_hits, *limits], strict=True):
        assert not differ(ours, scalar.schedules, theirs, block.schedules), ending
        assert ending not in ENDINGS[source.name] or ours > 100, ending
    assert scalar.steps / scalar.schedules == pytest.approx(block.steps / block.schedules, rel=0.01)


@needs_gcc
def test_a_walk_depends_on_its_seed_only():
    with compiled(generate(transfers.compile())) as walk:
        first, again, other = (walk(steps=200_000, seed=seed) for seed in (1, 1, 2))
    assert (first.steps, first.site_hits) == (again.steps, again.site_hits)
    assert first.site_hits != other.site_hits


def many_threads(count):
    @program(steps_max=2000)
    def crowd(p):
        """The last to come finds all others."""
        come = p.shared("come", uint(7))

        @p.thread(instances=count)
        def one():
            before = atomic_fetch_inc(come)
            assert before != 5 or ME != 3, "the fourth came sixth"

    return crowd.compile()


@needs_gcc
@pytest.mark.parametrize("threads", [6, 7, 11])
def test_the_choice_is_uniform_with_any_number_of_threads(threads):
    """Each thread is as likely as any other to be the sixth: one in `threads`."""
    program = many_threads(threads)
    scalar = compile_and_run(generate(program), steps=2_000_000)
    expected = scalar.schedules / threads
    assert abs(sum(scalar.site_hits) - expected) < SIGMAS * sqrt(expected)


def test_more_threads_than_a_word_has_bits_are_refused():
    with pytest.raises(CannotGenerate, match="at most 64"):
        generate(many_threads(65))
