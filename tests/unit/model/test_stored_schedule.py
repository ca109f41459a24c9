"""A stored schedule in its program, in one that was edited, and in one that lost a step."""

import json

import pytest

from model.interpreter import replay
from model.program import Outcome
from model.schedule import Pick
from model.stored_schedule import (
    DamagedSchedule,
    NotApplicable,
    from_json,
    reconstruct,
    segments,
    to_json,
)
from tests.toy_programs import early_free, late_child, stale_lookup


def failing():
    trace = replay(stale_lookup.compile(), tuple(Pick(t) for t in (0, 1, 1, 1, 0)))
    assert trace.site is not None
    return trace


def test_a_schedule_reads_as_what_to_do():
    assert [str(segment) for segment in segments(failing())] == [
        "run find_get_page#1 until before `atomic_inc_not_zero(count[page])`",
        "run reclaim#1 to its end",
        "run find_get_page#1 until after `atomic_inc_not_zero(count[page])`",
    ]


def test_steps_inserted_elsewhere_are_executed_on_the_way():
    trace = failing()
    edited = stale_lookup.compile(counted="on")
    schedule = reconstruct(edited, to_json(trace))
    assert [pick.thread for pick in schedule] == [0, 0, 1, 1, 1, 1, 0]
    again = replay(edited, schedule)
    assert again.outcome is Outcome.VIOLATION
    assert again.program.sites[again.site] == trace.program.sites[trace.site]


def test_json_gives_the_segments_back():
    trace = failing()
    assert from_json(to_json(trace)) == ("stale_lookup", segments(trace))


def test_chosen_values_are_stored_with_their_step():
    trace = replay(early_free.compile(), (Pick(2), Pick(2, (1,)), Pick(0)))
    assert trace.events[1].choices == (1,)
    assert reconstruct(trace.program, to_json(trace)) == trace.schedule


def test_a_later_visit_of_a_step_is_told_from_the_first():
    program = late_child.compile()
    picks = [Pick(1, (1,))] + [Pick(1)] * 2 + [Pick(0)] + [Pick(1)] * 2 + [Pick(0)]
    trace = replay(program, tuple(picks))
    assert segments(trace)[2].visit == 2 and "visit 2" in str(segments(trace)[2])
    assert reconstruct(program, to_json(trace)) == trace.schedule


def changed(**values):
    document = json.loads(to_json(failing()))
    document["segments"][0].update(values)
    return json.dumps(document)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (changed(thread=["find_get_page", 1]), "has no thread find_get_page#2"),
        (changed(thread=["gone", 0]), "has no thread gone#1"),
        (changed(label=["gone()", 0]), "has no step `find_get_page: gone\\(\\)`"),
        (changed(choices=[["gone()", 0, 1]]), "has no step"),
        (to_json(failing()).replace('"stale_lookup"', '"other"'), "is one of other"),
    ],
)
def test_what_is_gone_is_said(text, said):
    with pytest.raises(NotApplicable, match=said):
        reconstruct(stale_lookup.compile(), text)


def test_a_choice_that_is_no_longer_offered_is_said():
    program = early_free.compile()
    text = to_json(replay(program, (Pick(2), Pick(2, (1,)))))
    with pytest.raises(NotApplicable, match="no longer offers the choice 7"):
        reconstruct(program, text.replace(",1]]", ",7]]"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not JSON"),
        ("[]", "version None"),
        ('{"version":2}', "version 2 of a stored schedule; this engine reads 1"),
        ('{"version":1,"program":"x"}', "damaged"),
        (changed(until="before", label=None), "stops at a label or at the end"),
        (changed(until="never"), "damaged"),
    ],
)
def test_a_damaged_text_is_refused(text, said):
    with pytest.raises(DamagedSchedule, match=said):
        from_json(text)
