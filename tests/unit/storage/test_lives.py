"""Statuses with their history, notes, merges and splits that are taken back, on both databases."""

from dataclasses import replace
from datetime import timedelta

import pytest

from storage.campaigns import start_campaign
from storage.errors import LifeError, UnknownFailure
from storage.failures import get_failure, list_sightings, record_sighting
from storage.lives import add_note, list_notes, set_status, status_history
from storage.outbox import Webhook, list_deliveries, set_webhooks
from storage.overrides import merge, overrides_of, root_of, split, undo
from storage.programs import record_program
from storage.tables import FailureStatus
from tests.unit.storage.conftest import PLAN, PROGRAM
from tests.unit.storage.test_failures import FAILURE, sighting_at

OTHER = replace(PROGRAM, ir_hash="b2", parameters='{"writers": 3}')
LATER = replace(PROGRAM, ir_hash="c3")


@pytest.fixture
def failures(database, campaign_id, now):
    """Three failures of one program, and two more programs in which they may show."""
    with database.write() as session:
        for program in (OTHER, LATER):
            record_program(session, program, now=now)
        return [
            record_sighting(
                session,
                replace(FAILURE, fingerprint=f"f{lane}"),
                sighting_at(campaign_id, lane=lane),
                now=now,
            ).failure_id
            for lane in range(3)
        ]


def decide(database, failure_id, status, now, **options):
    given = {"actor": "reviewer", "why": "because", **options}
    with database.write() as session:
        return set_status(session, failure_id, status, now=now, **given)


def status_of(database, failure_id):
    with database.read() as session:
        return get_failure(session, failure_id).status


def again(database, campaign_id, now, ir_hash, *, fingerprint="f0", lane=9):
    """The failure is sighted in another program, by that campaign."""
    seen = replace(sighting_at(campaign_id, lane=lane), ir_hash=ir_hash)
    with database.write() as session:
        return record_sighting(session, replace(FAILURE, fingerprint=fingerprint), seen, now=now)


def test_a_decision_is_kept_with_who_when_and_why(database, failures, now):
    first, *_ = failures
    later = now + timedelta(hours=1)
    assert decide(database, first, FailureStatus.FIXED, now, why="70b50f94 applied")
    assert not decide(database, first, FailureStatus.FIXED, later)
    assert decide(database, first, FailureStatus.INVALID, later, actor="author")
    with database.read() as session:
        changes = status_history(session, first)
    assert [(c.status, c.at, c.actor, c.why) for c in changes] == [
        (FailureStatus.FIXED, now, "reviewer", "70b50f94 applied"),
        (FailureStatus.INVALID, later, "author", "because"),
    ]
    assert status_of(database, first) is FailureStatus.INVALID
    assert status_of(database, failures[1]) is FailureStatus.OPEN


@pytest.mark.parametrize("why", ["", "  \n", "\x1b[2J", "x" * 20_000])
def test_a_decision_needs_a_reason_that_can_be_read(database, failures, now, why):
    with pytest.raises(LifeError):
        decide(database, failures[0], FailureStatus.FIXED, now, why=why)
    assert status_of(database, failures[0]) is FailureStatus.OPEN


def test_notes_are_kept_in_order(database, failures, now):
    with database.write() as session:
        add_note(session, failures[0], "first", actor="a", now=now)
        add_note(session, failures[0], " second\nline ", actor="b", now=now)
    with database.read() as session:
        notes = list_notes(session, failures[0])
        assert [(n.actor, n.words) for n in notes] == [("a", "first"), ("b", "second\nline")]
        assert list_notes(session, failures[1]) == ()


def test_an_unknown_failure_is_named(database, now):
    for do in (
        lambda s: add_note(s, 7, "x", actor="a", now=now),
        lambda s: set_status(s, 7, FailureStatus.FIXED, actor="a", why="b", now=now),
        lambda s: merge(s, 7, 8, actor="a", why="b", now=now),
    ):
        with pytest.raises(UnknownFailure, match="number 7"), database.write() as session:
            do(session)


def test_a_merge_is_a_duplicate_until_it_is_undone(database, failures, now):
    first, second, third = failures
    decide(database, second, FailureStatus.FIXED, now)
    with database.write() as session:
        number = merge(session, second, first, actor="r", why="the same", now=now)
        # Into what is merged itself: it counts as the root.
        other = merge(session, third, second, actor="r", why="the same too", now=now)
    with database.read() as session:
        assert root_of(session, second) == root_of(session, third) == first
        assert get_failure(session, third).duplicate_of == first
        assert [each.override_id for each in overrides_of(session, first)] == [number, other]
    assert status_of(database, second) is FailureStatus.DUPLICATE
    with database.write() as session:
        undone = undo(session, number, actor="s", why="not the same", now=now)
    assert undone.revoked_by == "s" and undone.revoked_at == now
    assert status_of(database, second) is FailureStatus.FIXED
    assert status_of(database, third) is FailureStatus.DUPLICATE
    with database.read() as session:
        assert root_of(session, second) == second


def test_a_merge_that_makes_no_sense_is_refused(database, failures, now):
    first, second, third = failures

    def attempt(one, other):
        with database.write() as session:
            merge(session, one, other, actor="r", why="the same", now=now)

    with pytest.raises(LifeError, match="is failure 1"):
        attempt(first, first)
    attempt(second, first)
    with pytest.raises(LifeError, match="is merged into 1 already"):
        attempt(second, third)
    with pytest.raises(LifeError, match="or is merged into it"):
        attempt(first, second)
    for number in (1, 2):
        if number == 1:
            with database.write() as session:
                undo(session, 1, actor="r", why="no", now=now)
        with pytest.raises(LifeError), database.write() as session:
            undo(session, number, actor="r", why="no", now=now)


def test_a_split_takes_what_one_program_shows_and_undoing_gives_it_back(
    database, failures, campaign_id, now
):
    first = failures[0]
    again(database, campaign_id, now, "b2", lane=10)
    again(database, campaign_id, now, "b2", lane=11)
    own = replace(FAILURE, fingerprint="unused", ir_hash="b2", diagram="in the other program")
    with database.write() as session:
        override, new = split(session, first, own, actor="r", why="another race", now=now)
    with database.read() as session:
        old, taken = get_failure(session, first), get_failure(session, new)
        assert (old.sightings_count, taken.sightings_count) == (1, 2)
        assert {each.ir_hash for each in list_sightings(session, new)} == {"b2"}
        assert {each.ir_hash for each in list_sightings(session, first)} == {"a1"}
        assert taken.record.diagram == "in the other program"
        assert taken.record.fingerprint not in ("unused", "f0")
    # What shows later goes to where it belongs, by its program.
    assert again(database, campaign_id, now, "b2", lane=12).failure_id == new
    assert again(database, campaign_id, now, "a1", lane=13).failure_id == first
    with database.write() as session:
        undo(session, override, actor="r", why="the same after all", now=now)
    with database.read() as session:
        old, taken = get_failure(session, first), get_failure(session, new)
        assert (old.sightings_count, taken.sightings_count) == (5, 0)
        assert (taken.status, taken.duplicate_of) == (FailureStatus.DUPLICATE, first)
        assert len(list_sightings(session, first)) == 5
    assert again(database, campaign_id, now, "b2", lane=14).failure_id == first
    with database.write() as session:
        _, same = split(session, first, own, actor="r", why="no, another", now=now)
    assert same == new and status_of(database, new) is FailureStatus.OPEN


def test_a_split_that_leaves_nothing_or_takes_nothing_is_refused(database, failures, now):
    for ir_hash, said in (("a1", "is all that shows"), ("b2", "shows nothing of")):
        own = replace(FAILURE, ir_hash=ir_hash)
        with pytest.raises(LifeError, match=said), database.write() as session:
            split(session, failures[0], own, actor="r", why="w", now=now)


def campaign_of(database, ir_hash, now):
    with database.write() as session:
        plan = replace(PLAN, program_ir_hash=ir_hash)
        return start_campaign(session, plan, now=now)


def test_a_fixed_failure_that_shows_in_a_later_version_has_regressed(database, failures, now):
    hook = Webhook("http://127.0.0.1:1/", "SECRET", None)
    decide(database, failures[0], FailureStatus.FIXED, now)
    with database.write() as session:
        set_webhooks(session, (hook,), actor="a", now=now)
    campaign = campaign_of(database, "c3", now)
    assert again(database, campaign, now, "c3").has_regressed
    assert not again(database, campaign, now, "c3", lane=20).has_regressed
    assert status_of(database, failures[0]) is FailureStatus.REGRESSED
    with database.read() as session:
        last = status_history(session, failures[0])[-1]
        (told,) = list_deliveries(session, waiting=True)
    assert last.actor == f"campaign {campaign}" and "later version of its program" in last.why
    assert told.occasion.value == "failure.regressed" and told.failure_id == failures[0]


def test_what_showed_it_before_and_other_parameters_are_no_regression(
    database, failures, campaign_id, now
):
    """The program it was found in always fails; so does an old version that is fuzzed again."""
    again(database, campaign_of(database, "c3", now), now, "c3")
    decide(database, failures[0], FailureStatus.FIXED, now)
    for ir_hash in ("a1", "b2", "c3"):
        campaign = campaign_of(database, ir_hash, now)
        assert not again(database, campaign, now, ir_hash, lane=30).has_regressed
    assert status_of(database, failures[0]) is FailureStatus.FIXED
