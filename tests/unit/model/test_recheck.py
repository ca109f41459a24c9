"""What became of a failure in another version of its program: each verdict, by a program."""

import pytest

from model.explore import Explorer
from model.interpreter import replay
from model.language import READ_ONCE, WRITE_ONCE, choose, program, spin_lock, spin_unlock, uint
from model.language import Patch as Version
from model.minimize import minimize
from model.program_diff import program_diff
from model.recheck import Sought, Verdict, recheck
from model.signature import Signature, signature_of
from model.stored_schedule import to_json
from model.trace import measure
from tests.lost_update import lost_update


@program(
    steps_max=60,
    locked=Version(1),
    longer=Version(2),
    renamed=Version(3),
    blind=Version(4),
    other=Version(5),
)
def add(p):
    """Two threads add; each version of this does one thing differently."""
    count = p.shared("count", uint(4))
    lock = p.spinlock("lock")
    seen = p.shared("seen", uint(4))
    said = p.shared("said", uint(4))

    @p.thread()
    def first():
        if p.locked:
            spin_lock(lock)
        value = READ_ONCE(count)
        if p.longer:
            WRITE_ONCE(seen, 1)
        if p.other:
            assert value > 3, "too small"
        WRITE_ONCE(count, value + 1)
        if p.locked:
            spin_unlock(lock)

    @p.thread()
    def second():
        if p.locked:
            spin_lock(lock)
        value = READ_ONCE(count)
        WRITE_ONCE(count, value + 1)
        if p.renamed:  # noqa: SIM108
            word = choose(3, 4)
        else:
            word = choose(1, 2)
        WRITE_ONCE(said, word)
        if p.locked:
            spin_unlock(lock)

    if not p.blind:

        @p.at_end
        def nothing_is_lost():
            assert count == 2, "an addition is lost"


def sought(given=None):
    compiled = given or add.compile()
    explorer = Explorer(compiled)
    while explorer.advance():
        pass
    found = explorer.explored().signatures
    (signature,) = [each for each in found if each.step.startswith("first: ")]
    minimal = minimize(compiled, explorer.trace_of(signature))
    return Sought(signature, to_json(minimal.trace), minimal.preemptions)


def rechecked(**versions):
    return recheck(add.compile(**versions), sought())


def test_the_same_program_fails_as_it_did():
    again = rechecked()
    assert again.verdict is Verdict.REPRODUCED and again.states == 0 and not again.is_gone
    assert signature_of(again.trace) == sought().signature
    assert replay(add.compile(), again.trace.schedule).outcome is again.trace.outcome


def test_a_step_that_was_inserted_elsewhere_changes_nothing():
    assert rechecked(longer="on").verdict is Verdict.REPRODUCED


def test_a_lock_fixes_it_and_how_far_is_said():
    again = rechecked(locked="on")
    assert again.verdict is Verdict.FIXED and again.is_gone and again.trace is None
    assert again.reason.startswith("no interleaving at all fails this way (")
    assert again.states > 0


def test_where_the_schedule_cannot_be_followed_the_search_decides():
    """A label that the schedule names is gone, the race is not."""
    again = rechecked(renamed="on")
    assert again.verdict is Verdict.REPRODUCED and again.states > 0
    assert (
        "cannot be followed" in again.reason and "another one of the same signature" in again.reason
    )
    assert signature_of(again.trace) == sought().signature
    assert rechecked(renamed="on", locked="on").verdict is Verdict.FIXED


def test_what_no_oracle_looks_for_any_more_is_not_applicable():
    again = rechecked(blind="on")
    assert again.verdict is Verdict.NOT_APPLICABLE and again.is_gone
    assert again.reason == (
        "add (locked=off, longer=off, renamed=off, blind=on, other=off) has no oracle "
        "at_end: an addition is lost"
    )


def test_a_step_that_is_gone_is_not_applicable():
    stored = sought()
    gone = Signature(stored.signature.program, stored.signature.site, "first: READ_ONCE(nothing)")
    again = recheck(add.compile(), Sought(gone, stored.schedule, stored.preemptions))
    assert again.verdict is Verdict.NOT_APPLICABLE
    assert again.reason.endswith("has no step `first: READ_ONCE(nothing)`")


def test_a_program_of_another_name_is_not_applicable():
    again = recheck(lost_update.compile(), sought())
    assert again.verdict is Verdict.NOT_APPLICABLE
    assert again.reason == "the program is lost_update, the failure is one of add"


def test_a_schedule_that_violates_something_else_is_a_different_failure():
    again = rechecked(other="on", locked="on")
    assert again.verdict is Verdict.DIFFERENT and again.is_gone
    assert signature_of(again.trace).site == "assert: too small"
    assert "violates assert: too small by `first: " in again.reason


def test_a_search_that_meets_its_bound_says_neither():
    stored = sought()
    again = recheck(add.compile(locked="on"), stored, bytes_max=1)
    assert again.verdict is Verdict.NOT_REPRODUCED and not again.is_gone
    assert again.reason.startswith("the search met its bound after ")


def test_one_preemption_more_than_the_minimum_is_searched():
    """Were it known with none, it would be found; with one less than none, it would be missed."""
    stored = sought()
    assert stored.preemptions == 1
    unfollowed = add.compile(renamed="on", longer="on")
    missed = recheck(unfollowed, Sought(stored.signature, stored.schedule, -1))
    assert missed.verdict is Verdict.FIXED
    assert "nothing with up to 0 preemptions fails this way" in missed.reason
    found = recheck(unfollowed, Sought(stored.signature, stored.schedule, 0))
    assert found.verdict is Verdict.REPRODUCED


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        ({}, []),
        (
            {"longer": "on"},
            [
                "~ parameter longer: off -> on",
                "~ first: value = READ_ONCE(count)",
                "+ first: WRITE_ONCE(seen, 1)",
            ],
        ),
        (
            {"blind": "on"},
            ["~ parameter blind: off -> on", "- oracle at_end: an addition is lost"],
        ),
    ],
)
def test_a_difference_is_told_in_words_of_the_steps(versions, expected):
    found = [str(each) for each in program_diff(add.compile(), add.compile(**versions))]
    assert [line for line in found if "what at_end says" not in line] == expected


def test_a_body_and_a_thread_that_are_new_are_told():
    told = [
        str(each) for each in program_diff(lost_update.compile(), lost_update.compile(writers=3))
    ]
    assert told == ["~ parameter writers: 2 -> 3", "+ thread add#3", "~ what at_end says"]


def test_what_differs_one_way_differs_the_other_way():
    one = program_diff(add.compile(), add.compile(longer="on", locked="on"))
    other = program_diff(add.compile(longer="on", locked="on"), add.compile())
    turned = {"+": "-", "-": "+", "~": "~"}
    parts = {(turned[each.change.value], each.part.split(": off")[0]) for each in one}
    assert parts == {(each.change.value, each.part.split(": on")[0]) for each in other}


def test_the_measure_of_what_is_sought_is_that_of_its_schedule():
    stored = sought()
    again = rechecked()
    assert measure(again.trace).preemptions == stored.preemptions
