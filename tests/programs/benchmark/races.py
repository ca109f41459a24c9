"""The benchmark programs without a data structure that `schedulers_4_4` does not have already."""

# ruff: noqa: F823, F841

from model.language import (
    ME,
    READ_ONCE,
    WRITE_ONCE,
    Param,
    atomic,
    program,
    spawn,
    spin_lock,
    spin_unlock,
    uint,
)

UPDATES = 5


@program(writers=Param(1, 7, default=1))
def wronglock(p):
    """One thread counts under a lock and looks at the sum; others write under another lock."""
    v = p.shared("v", uint(2, wrapping=True))
    data_lock = p.spinlock("data_lock")
    this_lock = p.spinlock("this_lock")

    @p.thread(child=True)
    def count():
        spin_lock(data_lock)
        x = READ_ONCE(v)
        old = READ_ONCE(v)
        WRITE_ONCE(v, old + 1)
        now = READ_ONCE(v)
        assert now == (x + 1 & 3), "written under the wrong lock"
        spin_unlock(data_lock)

    @p.thread(child=True, instances=p.writers)
    def write():
        spin_lock(this_lock)
        WRITE_ONCE(v, 3)
        spin_unlock(this_lock)

    @p.thread()
    def main():
        spawn(count)
        for number in range(p.writers):
            spawn(write, number)


@program()
def uniformity(p):
    """Two threads append five bits each, one zeros, one ones: 252 outcomes, one an interleaving."""
    x = p.shared("x", uint(2 * UPDATES, wrapping=True))

    @p.thread(instances=2)
    def append():
        for _ in range(UPDATES):
            with atomic("append a bit"):
                x = x << 1 | ME
