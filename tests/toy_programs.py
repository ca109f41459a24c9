"""Small programs for tests of what works on any trace, and executions of them.

Between them: a stale lookup, RCU with its daemons, callbacks, choices, children, a fine end that
waits, cpu_relax(), an invariant over ghosts, locks that deadlock, more threads than a page is wide.
"""

from collections.abc import Callable

from model.interpreter import Machine, Trace, advance
from model.language import (
    ME,
    READ_ONCE,
    WRITE_ONCE,
    Param,
    Switch,
    atomic,
    atomic_cmpxchg,
    atomic_dec,
    atomic_dec_and_test,
    atomic_inc,
    atomic_inc_not_zero,
    call_rcu,
    choose,
    cpu_relax,
    names,
    program,
    rcu_read_lock,
    rcu_read_unlock,
    spawn,
    spin_lock,
    spin_unlock,
    synchronize_rcu,
    uint,
    wait_event,
)
from model.program import Program

pages = names("HEAD", "TAIL", null="NONE")
HEAD, TAIL, NONE = pages


@program(steps_max=200, lookups=Param(1, 3, default=1), counted=Switch(default=False))
def stale_lookup(p):
    """A lookup takes a reference to a page that reclaim has given away."""
    slot = p.shared("slot", pages, init=TAIL)
    count = p.array("count", pages, uint(3), init={TAIL: 1})
    lookups_started = p.shared("lookups_started", uint(2))

    @p.thread(instances=p.lookups)
    def find_get_page():
        if p.counted:
            atomic_inc(lookups_started)
        page = READ_ONCE(slot)
        if page != NONE and atomic_inc_not_zero(count[page]):
            assert slot == page, "the page is no longer the one looked up"
            atomic_dec_and_test(count[page])

    @p.thread()
    def reclaim():
        if atomic_cmpxchg(count[TAIL], 1, 0) == 1:
            if p.counted:
                READ_ONCE(lookups_started)
            WRITE_ONCE(slot, NONE)
            WRITE_ONCE(count[TAIL], 1)


@program(steps_max=60, readers=Param(1, 2, default=2))
def early_free(p):
    """A writer frees what readers still look at: it forgot to wait for a grace period."""
    pointer = p.shared("pointer", pages, init=TAIL)
    is_freed = p.ghost("is_freed", uint(1))
    reading = p.ghost("reading", uint(2))
    p.thread(instances=p.readers)(_reader)

    @p.thread()
    def writer():
        WRITE_ONCE(pointer, NONE)
        how = choose(0, 1)
        if how == 0:
            synchronize_rcu()
        with atomic("the page is freed"):
            is_freed = 1  # noqa: F841

    @p.invariant
    def nobody_reads_what_is_freed():
        assert is_freed == 0 or reading == 0, "freed while a reader looks at it"

    p.rcu(grace_periods_max=1)


def _reader():
    rcu_read_lock()
    with atomic("the pointer is read"):
        found = READ_ONCE(pointer)  # noqa: F821
        if found != NONE:
            reading += 1  # noqa: F821
    with atomic("the reader has finished"):
        if found != NONE:
            reading -= 1
    rcu_read_unlock()


@program(steps_max=40)
def crossed_locks(p):
    """Two threads take two locks in opposite orders."""
    first = p.spinlock("first")
    second = p.spinlock("second")
    total = p.shared("total", uint(2))

    @p.thread()
    def ahead():
        spin_lock(first)
        spin_lock(second)
        atomic_inc(total)
        spin_unlock(second)
        spin_unlock(first)

    @p.thread()
    def back():
        spin_lock(second)
        spin_lock(first)
        atomic_inc(total)
        spin_unlock(first)
        spin_unlock(second)


@program(steps_max=60, threads=Param(2, 6, default=3))
def lost_update(p):
    """Threads add to a counter with a read and a write; each also counts for itself."""
    counter = p.shared("counter", uint(4))
    own = p.array("own", p.threads, uint(4))
    done = p.shared("done", uint(3))

    @p.thread(instances=p.threads)
    def adder():
        seen = READ_ONCE(counter)
        WRITE_ONCE(counter, seen + 1)
        WRITE_ONCE(own[ME], seen)
        atomic_inc(done)

    @p.at_end
    def every_addition_counts():
        assert counter == p.threads, "an addition is lost"


@program(steps_max=60)
def late_child(p):
    """An updater frees an object by a callback and starts a child that may find it freed."""
    state = p.array("state", 2, uint(2), init=1)
    started = p.shared("started", uint(1))
    p.thread(child=True)(_child)
    child = p._handles[-1]

    def free_object(at):
        WRITE_ONCE(state[at], 0)

    @p.thread()
    def updater():
        which = choose(0, 1)
        if READ_ONCE(state[which]) == 1:
            call_rcu(free_object, which)
        spawn(child)
        wait_event(READ_ONCE(started) == 1, may_end_here=True)
        for _ in range(2):
            cpu_relax()
            atomic_inc(state[1])

    p.rcu(grace_periods_max=1, callbacks=1, argument=uint(1))


def _child():
    WRITE_ONCE(started, 1)  # noqa: F821
    assert state[0] == 1 or state[1] == 1, "nothing is left"  # noqa: F821
    if READ_ONCE(state[0]) == 0:  # noqa: F821
        atomic_dec(state[0])  # noqa: F821


@program(steps_max=50)
def two_publishers(p):
    """Two publishers say that a value is ready before they write it: two races, one signature."""
    ready = p.shared("ready", uint(1))
    value = p.shared("value", uint(1))
    ticket = p.shared("ticket", uint(1))

    @p.thread()
    def plain_publisher():
        WRITE_ONCE(ready, 1)
        WRITE_ONCE(value, 1)

    @p.thread()
    def careful_publisher():
        WRITE_ONCE(ticket, 1)
        WRITE_ONCE(ready, 1)
        WRITE_ONCE(value, 1)

    @p.thread()
    def reader():
        if READ_ONCE(ready) == 1:
            now = READ_ONCE(value)
            assert now == 1, "the value is ready"


PROGRAMS: tuple[Program, ...] = (
    stale_lookup.compile(lookups=2),
    early_free.compile(),
    crossed_locks.compile(),
    lost_update.compile(),
    late_child.compile(),
)


def execute(program: Program, pick: Callable[[tuple[int, ...]], int]) -> Trace:
    """Execute a program to its end; `pick` gives one of the enabled threads, or of the options."""
    machine = Machine(program)
    events = []
    while machine.outcome is None:
        events.append(advance(machine, pick(machine.enabled()), pick))
    return Trace(program, tuple(events), machine.outcome, machine.site)
