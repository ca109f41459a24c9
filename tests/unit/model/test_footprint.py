"""What steps bear on besides their own accesses."""

from model.program import END
from tests.toy_programs import early_free, late_child, stale_lookup

FREED, READING = ("is_freed", 0), ("reading", 0)


def test_a_write_bears_on_all_that_its_invariant_looks_at():
    program = early_free.compile()
    seen = program.footprint.read_by(frozenset({FREED}), body=0, daemon=False, next_pc=0)
    assert seen == {FREED, READING}
    other = frozenset({("pointer", 0)})
    assert not program.footprint.read_by(other, body=0, daemon=False, next_pc=0)


def test_a_thread_that_ends_looks_at_whether_the_callbacks_are_done():
    """A callback's steps may not be moved across the end of the last thread: that ends it all."""
    watch = late_child.compile().footprint
    queued = {("rcu_cb_function", 0)}
    assert watch.until == queued
    assert watch.read_by(frozenset(), body=0, daemon=False, next_pc=END) == queued
    assert watch.read_by(frozenset(), body=0, daemon=False, next_pc=0) == frozenset()
    assert watch.read_by(frozenset(), body=0, daemon=True, next_pc=END) == frozenset()


def test_a_thread_that_may_wait_for_ever_looks_too():
    program = late_child.compile()
    body = program.threads[1].body
    (waiting,) = (pc for pc, step in enumerate(program.bodies[body].steps) if step.may_end)
    assert program.footprint.may_end == {(body, waiting)}
    assert program.footprint.read_by(frozenset(), body=body, daemon=False, next_pc=waiting)


def test_a_program_without_invariants_and_callbacks_has_nothing_to_bear_on():
    watch = stale_lookup.compile().footprint
    assert (watch.invariants, watch.until, watch.spawned, watch.may_end) == (
        (),
        set(),
        set(),
        set(),
    )
