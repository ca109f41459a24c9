"""A known failure is recognized inside longer executions, and only there."""

from model.interpreter import replay
from model.known import conflicting_pairs, contains
from model.schedule import Pick
from tests.toy_programs import early_free, lost_update, stale_lookup


def played(program, threads):
    return replay(program, tuple(Pick(thread) for thread in threads))


MINIMAL = conflicting_pairs(played(stale_lookup.compile(), [0, 1, 1, 1, 0]))


def test_pairs_are_ordered_and_of_different_threads():
    shown = sorted(f"{pair.earlier.text} < {pair.later.text}" for pair in MINIMAL)
    assert shown == [
        "WRITE_ONCE(count[TAIL], 1) < atomic_inc_not_zero(count[page])",
        "WRITE_ONCE(slot, NONE) < atomic_inc_not_zero(count[page])",
        "atomic_cmpxchg(count[TAIL], 1, 0) == 1 < atomic_inc_not_zero(count[page])",
        "page = READ_ONCE(slot) < WRITE_ONCE(slot, NONE)",
    ]


def test_a_known_failure_is_recognized_among_more_threads_whichever_instance_shows_it():
    three = stale_lookup.compile(lookups=3)
    for lookup, other in ((0, 1), (1, 0), (2, 0)):
        assert contains(played(three, [other, lookup, 3, 3, 3, lookup]), MINIMAL)


def test_another_order_is_not_recognized():
    program = stale_lookup.compile(lookups=2)
    assert not contains(played(program, [2, 2, 0, 2, 1]), MINIMAL)
    assert not contains(played(program, [0, 2, 2]), MINIMAL)


def test_a_pair_is_not_borrowed_from_another_instance():
    """One lookup reads the slot too early, another takes the reference: neither does both."""
    program = lost_update.compile(threads=2)
    pattern = conflicting_pairs(played(program, [0, 1, 1, 0]))
    assert contains(played(program, [0, 1, 1, 0]), pattern)
    assert not contains(played(program, [1, 0, 0, 1]), pattern), "these instances are numbered"
    assert not contains(played(program, [0, 0, 1, 1]), pattern)


def test_a_failure_without_a_conflict_is_never_passed_over():
    alone = played(early_free.compile(), [0, 0])
    assert conflicting_pairs(alone) == frozenset()
    assert not contains(alone, frozenset())
