"""A program in a file of its own, as a person would give it to `gracefuzz fuzz`."""

from model.language import (
    READ_ONCE,
    WRITE_ONCE,
    Param,
    Switch,
    program,
    spin_lock,
    spin_unlock,
    uint,
)


@program(steps_max=60, writers=Param(1, 4, default=2), locked=Switch(default=False))
def lost_update(p):
    """Threads add one to a counter; without the lock, an addition can be lost."""
    count = p.shared("count", uint(4))
    lock = p.spinlock("lock")

    @p.thread(instances=p.writers)
    def add():
        if p.locked:
            spin_lock(lock)
        value = READ_ONCE(count)
        WRITE_ONCE(count, value + 1)
        if p.locked:
            spin_unlock(lock)

    @p.at_end
    def nothing_is_lost():
        assert count == p.writers, "an addition is lost"
