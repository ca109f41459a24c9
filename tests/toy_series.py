"""A small series with one of each: a race that is closed, one that is opened, an assertion."""

from model.language import (
    READ_ONCE,
    WRITE_ONCE,
    Param,
    Patch,
    atomic,
    program,
    spin_lock,
    spin_unlock,
    uint,
)
from model.series import Series, SeriesPatch, Variant


@program(
    steps_max=60,
    adders=Param(2, 3, default=2),
    locked=Patch(1),
    asserted=Patch(2),
    early_unlock=Patch(3),
)
def add_up(p):
    """Threads add to a total that is to be locked; patch 3 unlocks it too early."""
    total = p.shared("total", uint(2))
    lock = p.spinlock("lock")

    @p.thread(instances=p.adders)
    def add():
        if p.locked:
            spin_lock(lock)
        with atomic("read the total"):
            if p.asserted:
                assert lock == 1, "VM_BUG_ON(!spin_is_locked(lock))"
            seen = READ_ONCE(total)
        if p.locked and p.early_unlock:
            spin_unlock(lock)
        WRITE_ONCE(total, seen + 1)
        if p.locked and not p.early_unlock:
            spin_unlock(lock)

    @p.at_end
    def nothing_is_lost():
        assert total == p.adders, "update lost"


@program(steps_max=60, asserted=Patch(2))
def look_only(p):
    """Nobody writes, so that the assertion has nothing to say."""
    total = p.shared("total", uint(2))

    @p.thread(instances=2)
    def look():
        with atomic("read the total"):
            assert total == 0, "nobody adds"


TOY = Series(
    "toy",
    "A total is locked",
    programs=(add_up, Variant(add_up, {"adders": 3}), look_only),
    patches=(
        SeriesPatch(1, "lock it", {add_up: {"locked": "on"}}),
        SeriesPatch(
            2,
            "assert the lock",
            {add_up: {"asserted": "on"}, look_only: {"asserted": "on"}},
            asserts="VM_BUG_ON(!spin_is_locked(lock))",
        ),
        SeriesPatch(3, "unlock it early", {add_up: {"early_unlock": "on"}}),
    ),
)

CLOSED = Series(
    "closed",
    "A total is locked, and that is all",
    programs=(add_up,),
    patches=(
        SeriesPatch(1, "lock it", {add_up: {"locked": "on"}}),
        SeriesPatch(
            2,
            "assert the lock",
            {add_up: {"asserted": "on"}},
            asserts="VM_BUG_ON(!spin_is_locked(lock))",
        ),
        SeriesPatch(3, "change nothing", {add_up: {"early_unlock": "off"}}),
    ),
)
