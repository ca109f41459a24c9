"""Laws of equivalence classes, fingerprints, stored schedules and diagrams on random executions."""

from itertools import groupby, permutations

import hypothesis.strategies as st
from hypothesis import assume, given

from model.columns import WIDTH_MAX, diagram
from model.fingerprint import fingerprint, stable_form, uses_instance_number
from model.foata import levels, normal_form, step_key
from model.interpreter import Event, ScheduleError, Trace, replay
from model.known import conflicting_pairs, contains
from model.program import Program
from model.schedule import Pick, Schedule
from model.stored_schedule import reconstruct, segments, to_json
from model.trace import dependent, measure, preemptions
from tests.toy_programs import PROGRAMS, execute


@st.composite
def executions(draw: st.DrawFn) -> Trace:
    """An execution of one of the toy programs, to its end."""
    program = draw(st.sampled_from(PROGRAMS))
    return execute(program, lambda options: draw(st.sampled_from(options)))


def adjacent(trace: Trace, *, are_dependent: bool) -> list[int]:
    """Where adjacent events of different threads are (in)dependent; the last one must stay last."""
    return [
        number
        for number, (a, b) in enumerate(zip(trace.events[:-1], trace.events[1:-1], strict=False))
        if a.thread != b.thread and dependent(a, b) == are_dependent
    ]


def with_swapped(schedule: Schedule, at: int) -> Schedule:
    return (*schedule[:at], schedule[at + 1], schedule[at], *schedule[at + 2 :])


def form(events: tuple[Event, ...]) -> object:
    return normal_form(events, step_key)


def final_state(trace: Trace) -> dict[tuple[str, int], int]:
    return {(c.variable, c.index): c.after for event in trace.events for c in event.changes}


@given(executions(), st.data())
def test_swapping_independent_neighbours_changes_nothing(trace, data):
    places = adjacent(trace, are_dependent=False)
    assume(places)
    other = replay(trace.program, with_swapped(trace.schedule, data.draw(st.sampled_from(places))))
    assert (other.outcome, other.site) == (trace.outcome, trace.site)
    assert form(other.events) == form(trace.events)
    assert final_state(other) == final_state(trace)
    assert stable_form(other) == stable_form(trace)
    assert conflicting_pairs(other) == conflicting_pairs(trace)


@given(executions(), st.data())
def test_swapping_dependent_neighbours_changes_the_class(trace, data):
    places = adjacent(trace, are_dependent=True)
    assume(places)
    at = data.draw(st.sampled_from(places))
    try:
        other = replay(trace.program, with_swapped(trace.schedule, at)[: at + 2])
    except ScheduleError:
        return  # one of the two enables the other, or decides what it may choose
    assert form(other.events) != form(trace.events[: at + 2])


@given(executions(), st.randoms(use_true_random=False))
def test_every_linearization_of_the_levels_is_of_the_class(trace, shuffled):
    before_the_end = trace.events[:-1]
    order = sorted(
        zip(levels(before_the_end), before_the_end, strict=True),
        key=lambda pair: (pair[0], shuffled.random()),
    )
    other = replay(trace.program, tuple(Pick(e.thread, e.choices) for _, e in order))
    assert other.outcome is None
    assert form(other.events) == form(before_the_end)


@given(executions())
def test_levels_say_what_depends_on_what(trace):
    numbers = levels(trace.events)
    for later, event in enumerate(trace.events):
        below = [n for n in range(later) if dependent(trace.events[n], event)]
        assert numbers[later] == 1 + max((numbers[n] for n in below), default=-1)


def renamings(program: Program) -> list[dict[int, int]]:
    """The permutations of threads within one body that does not use its instance number."""
    found = [{}]
    numbered = enumerate(thread.body for thread in program.threads)
    for body, group in groupby(numbered, key=lambda pair: pair[1]):
        if not uses_instance_number(program.bodies[body], program):
            threads = [thread for thread, _ in group]
            found += [dict(zip(threads, p, strict=True)) for p in permutations(threads)]
    return found


@given(executions(), st.data())
def test_identical_instances_are_interchangeable(trace, data):
    renaming = data.draw(st.sampled_from(renamings(trace.program)))
    picks = tuple(Pick(renaming.get(p.thread, p.thread), p.choices) for p in trace.schedule)
    other = replay(trace.program, picks)
    assert stable_form(other) == stable_form(trace)
    assert conflicting_pairs(other) == conflicting_pairs(trace)
    if trace.site is not None:
        assert fingerprint(other) == fingerprint(trace)


@given(executions())
def test_a_stored_schedule_gives_the_same_schedule_in_the_same_program(trace):
    assert reconstruct(trace.program, to_json(trace)) == trace.schedule
    assert len(segments(trace)) == 1 + measure(trace).switches


@given(executions())
def test_an_execution_contains_its_own_conflicting_pairs(trace):
    pairs = conflicting_pairs(trace)
    assert contains(trace, pairs) == bool(pairs)


@given(executions())
def test_sizes_bound_each_other(trace):
    size = measure(trace)
    daemons = {t for t, thread in enumerate(trace.program.threads) if thread.daemon}
    assert size.preemptions <= size.switches < size.steps == len(trace.events)
    assert 1 <= size.threads <= len(trace.program.threads) - len(daemons)
    assert not any(trace.events[number].thread in daemons for number in preemptions(trace))


@given(st.sampled_from([p for p in PROGRAMS if not any(t.daemon for t in p.threads)]), st.data())
def test_who_runs_on_while_it_can_is_never_preempted(program, data):
    last: list[int] = []

    def pick(enabled: tuple[int, ...]) -> int:
        going = [thread for thread in enabled if last[-1:] == [thread]]
        last.append(data.draw(st.sampled_from(going or enabled)))
        return last[-1]

    assert preemptions(execute(program, pick)) == ()


@given(executions())
def test_a_diagram_fits_into_a_changelog(trace):
    text = diagram(trace, sentence="what is wrong is said here", proof="nothing smaller fails " * 5)
    assert text.endswith("\n")
    for line in text.splitlines():
        assert line == line.rstrip() and len(line) <= WIDTH_MAX
    assert "<-- what is wrong is said here" in text
    assert text.count("<preempted>") == len(preemptions(trace))
