"""The wide program of `gracefuzz bench`: 25 threads, 130 steps, no step shared between bodies."""

# The bodies are a language of their own, as those of the library.
# mypy: ignore-errors

from model.language import (
    READ_ONCE,
    WRITE_ONCE,
    atomic_dec,
    atomic_inc,
    program,
    spin_lock,
    spin_unlock,
    uint,
)

INSTANCES = 5


@program(steps_max=700)
def wide(p):
    """Five kinds of threads, five of each, with 26 steps a kind; nothing is wrong with it."""
    values = p.array("values", 8, uint(2, wrapping=True))
    total = p.shared("total", uint(2, wrapping=True))
    lock = p.spinlock("lock")

    def pass_on(at, to):
        old = READ_ONCE(values[at & 7])
        WRITE_ONCE(values[to & 7], old + 1)

    def work(at, by):
        pass_on(at, at + by)
        pass_on(at + 1, at + by + 2)
        pass_on(at + 2, at + by + 4)
        pass_on(at + 3, at + by + 6)
        spin_lock(lock)
        now = READ_ONCE(total)
        WRITE_ONCE(total, now + by)
        spin_unlock(lock)
        pass_on(at + 4, at + by + 1)
        pass_on(at + 5, at + by + 3)
        pass_on(at + 6, at + by + 5)
        atomic_inc(values[at])
        atomic_inc(values[at + 1])
        atomic_inc(values[at + 2])
        atomic_inc(values[at + 3])
        atomic_dec(values[7 - at])
        atomic_dec(values[6 - at])
        atomic_dec(values[5 - at])
        atomic_dec(values[4 - at])

    @p.thread(instances=INSTANCES)
    def first():
        work(0, 1)

    @p.thread(instances=INSTANCES)
    def second():
        work(1, 3)

    @p.thread(instances=INSTANCES)
    def third():
        work(2, 5)

    @p.thread(instances=INSTANCES)
    def fourth():
        work(3, 7)

    @p.thread(instances=INSTANCES)
    def fifth():
        work(4, 2)
