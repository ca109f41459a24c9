"""Sizes of traces whose interleaving is written out."""

import pytest

from model.interpreter import replay
from model.program import Outcome
from model.schedule import Pick
from model.trace import Measure, context_switches, dependent, measure, preemptions
from tests.toy_programs import crossed_locks, early_free, late_child, lost_update, stale_lookup

LOOKUP, RECLAIM = 0, 1


def played(program, threads):
    return replay(program, tuple(Pick(thread) for thread in threads))


def test_a_thread_that_is_left_before_its_end_is_preempted_and_one_that_ended_is_not():
    trace = played(stale_lookup.compile(), [LOOKUP, RECLAIM, RECLAIM, RECLAIM, LOOKUP])
    assert trace.site is not None
    assert preemptions(trace) == (0,)
    assert measure(trace) == Measure(preemptions=1, switches=2, threads=2, steps=5)


def test_a_thread_that_is_left_and_only_then_has_to_wait_is_preempted():
    trace = played(crossed_locks.compile(), [0, 1])
    assert trace.outcome is Outcome.DEADLOCK
    assert preemptions(trace) == (0,)


def test_measures_compare_preemptions_first_and_steps_last():
    assert Measure(1, 9, 9, 9) < Measure(2, 0, 0, 0)
    assert Measure(1, 2, 2, 5) < Measure(1, 2, 2, 6)


READER, OTHER_READER, WRITER, GRACE_PERIODS = range(4)


def test_a_step_of_a_daemon_neither_preempts_nor_is_preempted_and_hides_no_preemption():
    program = early_free.compile()
    alone = played(program, [READER, GRACE_PERIODS, READER])
    assert context_switches(alone) == 2 and preemptions(alone) == ()
    between = played(program, [READER, GRACE_PERIODS, WRITER])
    assert context_switches(between) == 2 and preemptions(between) == (0,)
    assert measure(between).threads == 2


def test_a_thread_that_waits_for_a_daemon_gives_way_freely():
    program = early_free.compile()
    picks = [Pick(WRITER), Pick(WRITER, (0,)), Pick(GRACE_PERIODS), Pick(READER)]
    trace = replay(program, tuple(picks))
    assert WRITER not in trace.events[2].enabled
    assert preemptions(trace) == ()


def test_leaving_at_a_cpu_relax_is_no_preemption():
    program = late_child.compile()
    child, updater = 0, 1
    names = [thread.name for thread in program.threads[:2]]
    assert names == ["_child", "updater"]
    picks = [Pick(updater, (0,)), Pick(updater), Pick(updater), Pick(child), Pick(updater)]
    trace = replay(program, (*picks, Pick(child)))
    assert trace.events[4].yields
    assert preemptions(trace) == (3,), "the child is preempted, who waits or relaxes is not"


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [(0, 1, False), (0, 2, True), (1, 2, True), (2, 4, True)],
)
def test_steps_depend_on_each_other_where_one_writes_what_the_other_touches(
    first, second, expected
):
    """#1 reads, #2 reads, #1 writes, #1 stores what it saw, #2 writes."""
    events = played(lost_update.compile(), [0, 1, 0, 0, 1]).events
    assert dependent(events[first], events[second]) is expected
    assert dependent(events[second], events[first]) is expected


def test_a_child_depends_on_what_started_it():
    program = late_child.compile()
    picks = (Pick(1, (0,)), Pick(1), Pick(1), Pick(0))
    events = replay(program, picks).events
    assert [dependent(event, events[3]) for event in events[:3]] == [False, False, True]


def test_steps_that_write_what_one_invariant_looks_at_depend_on_each_other():
    program = early_free.compile()
    picks = [Pick(WRITER), Pick(READER), Pick(READER), Pick(WRITER, (1,))]
    without = [Pick(READER), Pick(READER), Pick(WRITER), Pick(WRITER, (1,))]
    missed, found = replay(program, tuple(picks)), replay(program, tuple(without))
    assert missed.site is None and found.site is not None
    assert dependent(found.events[1], found.events[3]), "both write what the invariant reads"
    assert not dependent(found.events[0], found.events[3])


def test_a_step_does_not_depend_on_what_another_thread_waits_for():
    """Whether the others are enabled is looked at after every step, which reads nothing for it."""
    program = crossed_locks.compile()
    events = played(program, [0, 1]).events
    assert not dependent(*events)
    assert {place for place, _ in events[0].reads} == {"first"}
