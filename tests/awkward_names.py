"""A program whose names are words of Promela and of its model, with children and wide numbers."""

from model.language import (
    READ_ONCE,
    WRITE_ONCE,
    atomic,
    atomic_add,
    atomic_inc,
    call_rcu,
    choose,
    names,
    program,
    spawn,
    spin_until,
    uint,
    wait_event,
)

pages = names("HEAD", "TAIL", null="NONE")
HEAD, TAIL, NONE = pages


@program(steps_max=200)
def awkward(p):
    """Two children of one body, one of another; a number wraps; a callback; all the oracles."""
    byte = p.shared("byte", uint(2))
    run = p.shared("run", uint(9, wrapping=True), init=510)
    s1 = p.array("s1", 3, uint(12), init={1: 2047})
    outcome = p.ghost("outcome", uint(1))
    end_it = p.shared("end_it", uint(20, wrapping=True))
    count = p.array("count", pages, uint(1), init=0)
    p.rcu(grace_periods_max=1, callbacks=1, argument=uint(1))

    @p.thread(child=True, instances=2)
    def ok():
        x: uint(2) = ME + 1  # noqa: F821
        spin_until(READ_ONCE(byte) != 0, may_end_here=True)
        atomic_add(x, run)
        if READ_ONCE(run) == 0:
            WRITE_ONCE(end_it, x - 3)

    @p.thread(instances=2)
    def timeout():
        deadlock: uint(3) = 0
        if ME == 0:  # noqa: F821
            deadlock = choose(1, 2)
            if deadlock == 1:
                spawn(ok, 0)
            else:
                spawn(ok, 1)
        busy = READ_ONCE(byte)
        assert busy != 3, 'it\'s 100% "wrong" */ \\ here'
        atomic_inc(s1[deadlock])

    def later(which):
        WRITE_ONCE(byte, which + 1)

    @p.thread(child=True)
    def skip():
        wait_event(READ_ONCE(run) == 0, may_end_here=True)
        WRITE_ONCE(byte, 3)

    @p.thread()
    def never():
        call_rcu(later, 1)
        also = choose(0, 1)
        if also == 1:
            spawn(skip)
        which = choose(HEAD, TAIL)
        WRITE_ONCE(count[which], 1)
        with atomic("ghosts"):
            outcome = 1  # noqa: F841

    @p.invariant
    def always():
        assert not (outcome == 1 and count[HEAD] == 1 and byte == 2), "an invariant"

    @p.at_end
    def done():
        assert end_it == 0 or run == 0, "an end"
        assert count[HEAD] + count[TAIL] == 1, "both"
