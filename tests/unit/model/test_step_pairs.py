"""Which ordered conflicting pairs a program can have, by the accesses that it declares."""

from model.language import (
    READ_ONCE,
    WRITE_ONCE,
    boolean,
    program,
    spin_lock,
    spin_unlock,
    uint,
)
from model.step_pairs import PairKind, StepPair, possible_pairs
from tests.lost_update import lost_update

READS, OVERWRITES = PairKind.READS, PairKind.OVERWRITES


@program()
def guarded(p):
    """Under a lock: an access of another element, of an own element, and of a ghost."""
    lock = p.spinlock("lock")
    flags = p.array("flags", 2, boolean)
    seen = p.ghost("seen", uint(2, wrapping=True))  # noqa: F841 (a ghost that is written)

    @p.thread()
    def first():
        spin_lock(lock)
        WRITE_ONCE(flags[0], 1)
        seen = 1  # noqa: F841 (a ghost that is written)
        spin_unlock(lock)

    @p.thread()
    def second():
        spin_lock(lock)
        old = READ_ONCE(flags[1])
        assert flags[0] == 0 or old == 0, "asserts read for free"
        spin_unlock(lock)


def test_two_threads_of_one_body_have_pairs_with_each_other():
    read, write = (0, 0), (0, 1)
    assert possible_pairs(lost_update.compile()) == {
        StepPair(READS, write, read),
        StepPair(OVERWRITES, write, write),
        StepPair(OVERWRITES, read, write),
    }


def test_one_thread_alone_has_none():
    assert possible_pairs(lost_update.compile(writers=1)) == set()


def test_of_a_lock_only_who_takes_it_after_whom_counts():
    """Elements that differ, ghosts, and what asserts read make no pair."""
    assert possible_pairs(guarded.compile()) == {
        StepPair(READS, (0, 2), (1, 0)),
        StepPair(READS, (1, 2), (0, 0)),
    }
