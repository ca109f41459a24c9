"""The normal form of small traces, written out."""

from model.foata import levels, normal_form, step_key
from model.interpreter import replay
from model.schedule import Pick
from tests.toy_programs import lost_update


def events(threads):
    return replay(lost_update.compile(), tuple(Pick(thread) for thread in threads)).events


def test_a_level_holds_what_could_happen_at_once():
    """Two reads, then one write, then its thread's private store beside the other write."""
    trace = events([0, 1, 0, 0, 1])
    assert levels(trace) == (0, 0, 1, 2, 2)
    expected = ((("0"), ("1")), ("0",), ("0", "1"))
    assert normal_form(trace, lambda event: str(event.thread)) == expected


def test_equivalent_traces_have_one_form_and_others_do_not():
    assert normal_form(events([0, 1, 0]), step_key) == normal_form(events([1, 0, 0]), step_key)
    assert normal_form(events([0, 0, 1]), step_key) != normal_form(events([0, 1, 0]), step_key)


def test_the_form_of_nothing_is_nothing():
    assert normal_form((), step_key) == ()
