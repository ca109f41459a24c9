"""Messages are stored with what they tell of, claimed by one sender, and tried until taken."""

from dataclasses import replace
from datetime import timedelta

import pytest

from storage.failures import record_sighting
from storage.outbox import (
    FIRST_WAIT_SECONDS,
    WAIT_SECONDS_MAX,
    Occasion,
    Webhook,
    claim_due,
    list_deliveries,
    make_due,
    note_delivered,
    note_refused,
    set_webhooks,
    webhooks_of,
)
from tests.unit.storage.test_failures import FAILURE, sighting_at

HOOKS = (Webhook("https://a.example/", "SECRET", None), Webhook("https://b.example/", None, "/s"))


@pytest.fixture
def hooks(database, now):
    with database.write() as session:
        set_webhooks(session, HOOKS, actor="operator", now=now)


def found(database, campaign_id, now, fingerprint="f1", lane=0):
    record = replace(FAILURE, fingerprint=fingerprint)
    with database.write() as session:
        return record_sighting(session, record, sighting_at(campaign_id, lane=lane), now=now)


def claimed(database, now):
    with database.write() as session:
        return claim_due(session, now=now)


def waiting(database):
    with database.read() as session:
        return list_deliveries(session, waiting=True)


def test_webhooks_come_back_as_they_were_set(database, hooks):
    with database.read() as session:
        assert webhooks_of(session) == HOOKS


def test_a_new_failure_is_told_to_each_webhook_once(database, hooks, campaign_id, now):
    for lane in (0, 0, 1):
        found(database, campaign_id, now, lane=lane)
    left = waiting(database)
    assert [each.url for each in left] == [hook.url for hook in HOOKS]
    assert {each.occasion for each in left} == {Occasion.NEW}
    found(database, campaign_id, now, "f2")
    assert [each.failure_id for each in waiting(database)] == [1, 1, 2, 2]


def test_without_a_webhook_nothing_is_stored(database, campaign_id, now):
    found(database, campaign_id, now)
    assert waiting(database) == ()


def test_a_failure_that_is_not_stored_is_not_told(database, hooks, campaign_id, now):
    with pytest.raises(RuntimeError), database.write() as session:
        record_sighting(session, FAILURE, sighting_at(campaign_id), now=now)
        raise RuntimeError
    assert waiting(database) == ()


def test_a_message_is_claimed_by_one_sender_and_waits_longer_after_each_try(
    database, hooks, campaign_id, now
):
    found(database, campaign_id, now)
    assert len(claimed(database, now)) == 2
    at, waits = now, []
    for _ in range(12):
        assert claimed(database, at) == ()
        due = waiting(database)[0].due_at
        waits.append((due - at).total_seconds())
        at = due
        claimed(database, at)
    assert waits[:4] == [FIRST_WAIT_SECONDS << n for n in range(4)]
    assert waits[-1] == WAIT_SECONDS_MAX and waiting(database)[0].attempts == 13


def test_what_was_taken_is_told_no_more_and_what_was_refused_says_why(
    database, hooks, campaign_id, now
):
    found(database, campaign_id, now)
    one, other = claimed(database, now)
    with database.write() as session:
        note_delivered(session, one.delivery_id, now=now)
        note_refused(session, other.delivery_id, error="it answered 500")
        # A late answer of an earlier try changes nothing.
        note_refused(session, one.delivery_id, error="it answered 500")
    (left,) = waiting(database)
    assert (left.delivery_id, left.error) == (other.delivery_id, "it answered 500")
    with database.write() as session:
        assert make_due(session, now=now) == 1
    assert [each.delivery_id for each in claimed(database, now)] == [other.delivery_id]
    later = now + timedelta(days=1)
    assert [each.delivery_id for each in claimed(database, later)] == [other.delivery_id]


def test_a_webhook_that_is_removed_is_told_nothing_more(database, hooks, campaign_id, now):
    found(database, campaign_id, now)
    with database.write() as session:
        set_webhooks(session, HOOKS[:1], actor="operator", now=now)
    assert [each.url for each in waiting(database)] == [HOOKS[0].url]
