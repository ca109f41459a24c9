"""What the rules remove, and what they never do; everything that points to it goes along."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from storage.base import Base
from storage.campaigns import finish_campaign, list_campaigns, start_campaign
from storage.cells import CellEffort, CellFinding, record_cell
from storage.failures import get_failure, list_failures, record_sighting
from storage.lives import add_note, set_status
from storage.outbox import Webhook, claim_due, list_deliveries, note_delivered, set_webhooks
from storage.overrides import merge, undo
from storage.programs import record_program
from storage.retention import Retention, removal, remove
from storage.tables import CampaignState, FailureStatus
from tests.unit.storage.conftest import PLAN, PROGRAM
from tests.unit.storage.test_failures import FAILURE, sighting_at

DAY = timedelta(days=1)
RULES = Retention(closed=10 * DAY, campaigns=5 * DAY, rechecks=5 * DAY, messages=DAY, schedules=2)
LATE = 20 * DAY


def campaign(database, now, *, ends=True, program=PROGRAM, **plan):
    with database.write() as session:
        record_program(session, program, now=now)
        number = start_campaign(
            session, replace(PLAN, program_ir_hash=program.ir_hash, **plan), now=now
        )
        if ends:
            finish_campaign(session, number, CampaignState.FINISHED, ending="done", now=now)
    return number


def failure(database, now, fingerprint, campaign_id, *, status=None, sightings=1, ir_hash="a1"):
    record = replace(FAILURE, fingerprint=fingerprint, ir_hash=ir_hash)
    with database.write() as session:
        for lane in range(sightings):
            seen = replace(sighting_at(campaign_id, lane=lane), ir_hash=ir_hash)
            number = record_sighting(session, record, seen, now=now).failure_id
        if status is not None:
            set_status(session, number, status, actor="a", why="b", now=now)
    return number


def planned(database, at, rules=RULES):
    with database.read() as session:
        return removal(session, rules, now=at)


def swept(database, at, rules=RULES):
    with database.write() as session:
        what = removal(session, rules, now=at)
        remove(session, what)
    return what


def counts(database):
    with database.read() as session:
        return {
            table.name: session.scalar(select(func.count()).select_from(table))
            for table in Base.metadata.sorted_tables
        }


def numbers(database):
    with database.read() as session:
        return {each.failure_id for each in list_failures(session)}


@pytest.mark.parametrize("status", [FailureStatus.OPEN, FailureStatus.REGRESSED])
def test_a_failure_that_stands_is_never_removed_with_anything_of_it(database, now, status):
    first = campaign(database, now)
    number = failure(database, now, "f1", first, sightings=5, status=FailureStatus.FIXED)
    with database.write() as session:
        set_status(session, number, status, actor="a", why="b", now=now)
    before = counts(database)
    assert swept(database, now + 1000 * DAY).is_empty
    assert counts(database) == before


@pytest.mark.parametrize("status", [FailureStatus.FIXED, FailureStatus.INVALID])
def test_a_closed_failure_goes_with_all_that_points_to_it(database, now, status):
    hook = Webhook("https://a.example/", "S", None)
    with database.write() as session:
        set_webhooks(session, (hook,), actor="a", now=now)
    first = campaign(database, now)
    number = failure(database, now, "f1", first, status=status, sightings=3)
    with database.write() as session:
        add_note(session, number, "a note", actor="a", now=now)
    assert swept(database, now + 9 * DAY).failures == ()
    assert planned(database, now + LATE).failures == (number,)
    what = swept(database, now + LATE)
    assert (what.failures, what.campaigns, what.programs) == ((number,), (first,), ("a1",))
    left = {name: count for name, count in counts(database).items() if count}
    assert left == {"settings": 1}
    assert swept(database, now + LATE).is_empty


def test_a_decision_or_a_sighting_starts_the_time_again(database, now):
    first = campaign(database, now)
    number = failure(database, now, "f1", first, status=FailureStatus.FIXED)
    with database.write() as session:
        late = now + LATE - DAY
        set_status(session, number, FailureStatus.INVALID, actor="a", why="b", now=late)
    assert planned(database, now + LATE).failures == ()


def test_what_a_kept_failure_has_to_do_with_is_kept(database, now):
    """A duplicate and its root go together or not at all, also where the merge was undone."""
    first = campaign(database, now)
    closed = FailureStatus.FIXED
    root = failure(database, now, "f1", first, status=closed)
    duplicate = failure(database, now, "f2", first, status=closed)
    with database.write() as session:
        override = merge(session, duplicate, root, actor="a", why="b", now=now)
    assert planned(database, now + LATE).failures == (root, duplicate)
    with database.write() as session:
        undo(session, override, actor="a", why="b", now=now)
        set_status(session, duplicate, FailureStatus.OPEN, actor="a", why="b", now=now)
    assert planned(database, now + LATE).failures == ()


def test_failures_that_point_to_each_other_are_removed_together(database, now):
    first = campaign(database, now)
    root = failure(database, now, "f1", first, status=FailureStatus.INVALID)
    duplicate = failure(database, now, "f2", first)
    with database.write() as session:
        merge(session, duplicate, root, actor="a", why="b", now=now)
    assert swept(database, now + LATE).failures == (root, duplicate)
    assert numbers(database) == set()


def test_a_matrix_and_a_campaign_under_way_keep_what_they_name(database, now):
    first = campaign(database, now)
    celled = failure(database, now, "f1", first, status=FailureStatus.FIXED)
    excluded = failure(database, now, "f2", first, status=FailureStatus.FIXED)
    with database.write() as session:
        finding = CellFinding("assert: x", "s", celled, 1, None, None)
        record_cell(session, first, "folded", CellEffort(1, 1, 1, 1.0), (finding,))
    campaign(database, now, ends=False, excluded_failures=(excluded,))
    assert planned(database, now + LATE).failures == ()


def test_campaigns_go_unless_something_points_to_them_or_they_have_not_ended(database, now):
    used, unused, running = (
        campaign(database, now),
        campaign(database, now),
        campaign(database, now, ends=False),
    )
    failure(database, now, "f1", used)
    assert swept(database, now + 4 * DAY).is_empty
    assert swept(database, now + 6 * DAY).campaigns == (unused,)
    with database.read() as session:
        assert {each.campaign_id for each in list_campaigns(session)} == {used, running}


def test_programs_go_with_the_last_row_that_needs_them(database, now):
    other = replace(PROGRAM, ir_hash="b2")
    alone = campaign(database, now, program=other)
    kept = campaign(database, now)
    failure(database, now, "f1", kept)
    what = swept(database, now + LATE)
    assert (what.campaigns, what.programs) == ((alone,), ("b2",))


def test_schedules_of_closed_failures_are_bounded_and_stay_counted(database, now):
    first = campaign(database, now)
    number = failure(database, now, "f1", first, status=FailureStatus.FIXED, sightings=5)
    assert len(swept(database, now).sightings) == 3
    with database.read() as session:
        assert get_failure(session, number).sightings_count == 5
    assert counts(database)["sightings"] == 2
    assert swept(database, now).is_empty


def test_a_message_that_waits_stays_and_one_that_was_taken_goes(database, now):
    hook = Webhook("https://a.example/", "S", None)
    with database.write() as session:
        set_webhooks(session, (hook,), actor="a", now=now)
    first = campaign(database, now)
    for fingerprint in ("f1", "f2"):
        failure(database, now, fingerprint, first)
    with database.write() as session:
        one, other = claim_due(session, now=now)
        note_delivered(session, one.delivery_id, now=now)
    assert swept(database, now + LATE).messages == (one.delivery_id,)
    with database.read() as session:
        (left,) = list_deliveries(session, waiting=False)
    assert left.delivery_id == other.delivery_id
