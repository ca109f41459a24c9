"""One failure is one row; its sightings are counted exactly and kept within bounds."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from storage.campaigns import CampaignPlan, campaign_totals, start_campaign
from storage.disagreements import DisagreementRecord, list_disagreements, record_disagreement
from storage.errors import UnknownFailure
from storage.failures import (
    SIGHTINGS_PER_CAMPAIGN_MAX,
    SIGHTINGS_PER_FAILURE_MAX,
    FailureRecord,
    RecordedSighting,
    SightingRecord,
    find_failure,
    get_failure,
    list_failures,
    list_sightings,
    record_sighting,
)
from storage.lease_totals import LeaseTotals
from storage.leases import Completion, begin_lease, complete_lease
from storage.tables import FailureStatus, SightingRow

FAILURE = FailureRecord(
    program_name="thp_split",
    oracle="tail count",
    sentence="a tail page's count went below zero",
    step_label="split:atomic_sub",
    fingerprint="f1",
    preemptions=2,
    switches=4,
    threads=3,
    steps=17,
    schedule='{"version": 1, "segments": []}',
    interleaving='{"version": 1, "picks": []}',
    diagram="CPU 0    CPU 1",
    proof='{"preemptions": "proved"}',
    ir_hash="a1",
    first_schedule_ordinal=2**64,
)


def sighting_at(campaign_id, *, block=0, lane=0, step=40):
    return SightingRecord(
        campaign_id=campaign_id, ir_hash="a1", block=block, lane=lane, step=step, schedule="[1]"
    )


def record(database, sighting, now, failure=FAILURE):
    with database.write() as session:
        return record_sighting(session, failure, sighting, now=now)


def stored(database, failure_id=1):
    with database.read() as session:
        return get_failure(session, failure_id)


def rows(database):
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(SightingRow))


def test_a_failure_comes_back_as_it_was_found(database, campaign_id, now):
    record(database, sighting_at(campaign_id, block=5, lane=511), now)
    failure = stored(database)
    assert failure.record == FAILURE
    assert failure.status is FailureStatus.OPEN and failure.sightings_count == 1
    assert (failure.first_campaign_id, failure.first_block, failure.first_lane) == (1, 5, 511)
    assert failure.created_at == failure.first_seen_at == failure.last_seen_at == now


def test_recording_a_sighting_twice_changes_nothing(database, campaign_id, now):
    sighting = sighting_at(campaign_id)
    assert record(database, sighting, now) == RecordedSighting(1, True, True)
    once = stored(database)
    later = now + timedelta(hours=1)
    assert record(database, sighting, later) == RecordedSighting(1, False, False)
    assert stored(database) == once and rows(database) == 1


def test_another_sighting_is_counted_and_moves_only_the_last_instant(database, campaign_id, now):
    record(database, sighting_at(campaign_id), now)
    later = now + timedelta(hours=1)
    again = replace(FAILURE, sentence="said otherwise", first_schedule_ordinal=7)
    assert record(database, sighting_at(campaign_id, lane=1), later, again) == (
        RecordedSighting(1, False, True)
    )
    failure = stored(database)
    assert failure.record == FAILURE and failure.sightings_count == 2
    assert failure.first_seen_at == now and failure.last_seen_at == later


def test_a_clock_that_went_back_does_not_move_the_last_instant_back(database, campaign_id, now):
    record(database, sighting_at(campaign_id), now)
    record(database, sighting_at(campaign_id, lane=1), now - timedelta(hours=1))
    assert stored(database).last_seen_at == now


def test_sightings_are_counted_exactly_while_their_schedules_are_bounded(
    database, campaign_id, now
):
    """Past the bound a repeat is recognized while its lease is held, and after it has ended."""
    with database.write() as session:
        lease = begin_lease(session, campaign_id, first_block=0, blocks=1, worker="core 0", now=now)
    for _ in range(2):
        for lane in range(200):
            record(database, sighting_at(campaign_id, lane=lane), now)
        assert stored(database).sightings_count == 200
    with database.write() as session:
        totals = LeaseTotals(1, 1, 1, {"violation": 1}, {}, frozenset())
        assert complete_lease(session, Completion(lease.key, totals))
    assert rows(database) == SIGHTINGS_PER_CAMPAIGN_MAX
    for lane in range(200):
        assert not record(database, sighting_at(campaign_id, lane=lane), now).is_new_sighting
    assert stored(database).sightings_count == 200
    with database.read() as session:
        kept = list_sightings(session, 1)
    assert [each.lane for each in kept] == list(range(SIGHTINGS_PER_CAMPAIGN_MAX))


def test_the_sightings_of_a_failure_are_bounded_over_all_campaigns(database, campaign_id, now):
    campaigns = SIGHTINGS_PER_FAILURE_MAX // SIGHTINGS_PER_CAMPAIGN_MAX + 2
    with database.write() as session:
        for number in range(campaigns):
            plan = CampaignPlan("a1", "uniform", number, "1", "{}")
            campaign = start_campaign(session, plan, now=now)
            begin_lease(session, campaign, first_block=0, blocks=1, worker="core 0", now=now)
            for lane in range(SIGHTINGS_PER_CAMPAIGN_MAX):
                sighting = sighting_at(campaign, lane=lane)
                assert record_sighting(session, FAILURE, sighting, now=now).is_new_sighting
    assert stored(database).sightings_count == campaigns * SIGHTINGS_PER_CAMPAIGN_MAX
    with database.read() as session:
        assert len(list_sightings(session, 1)) == SIGHTINGS_PER_FAILURE_MAX


def test_sightings_are_recorded_with_or_without_a_lease(database, campaign_id, now):
    assert record(database, sighting_at(campaign_id, block=99), now).is_new_sighting


def test_two_fingerprints_are_two_failures(database, campaign_id, now):
    record(database, sighting_at(campaign_id), now)
    other = replace(FAILURE, fingerprint="f2")
    assert record(database, sighting_at(campaign_id), now, other) == RecordedSighting(2, True, True)
    with database.read() as session:
        assert [each.failure_id for each in list_failures(session)] == [2, 1]
        assert find_failure(session, "f2") == 2 and find_failure(session, "f3") is None


def test_failures_are_listed_by_program_and_status(database, campaign_id, now):
    record(database, sighting_at(campaign_id), now)
    with database.read() as session:
        (summary,) = list_failures(session, program="thp_split", status=FailureStatus.OPEN)
        assert summary.preemptions == 2 and summary.sentence == FAILURE.sentence
        assert list_failures(session, program="rcu") == ()


def test_an_unknown_failure_is_named(database):
    for ask in (get_failure, list_sightings):
        with pytest.raises(UnknownFailure, match="number 7"), database.read() as session:
            ask(session, 7)


@pytest.mark.parametrize(
    "broken",
    [{"preemptions": -1}, {"switches": 1}, {"threads": -1}, {"steps": -1}, {"ir_hash": "b2"}],
)
def test_a_failure_that_makes_no_sense_is_refused_whole(database, campaign_id, now, broken):
    with pytest.raises(IntegrityError):
        record(database, sighting_at(campaign_id), now, replace(FAILURE, **broken))
    with database.read() as session:
        assert list_failures(session) == ()


@pytest.mark.parametrize("broken", [{"lane": 512}, {"lane": -1}, {"block": -1}, {"step": -1}])
def test_a_sighting_that_makes_no_sense_takes_its_failure_with_it(
    database, campaign_id, now, broken
):
    with pytest.raises(IntegrityError):
        record(database, replace(sighting_at(campaign_id), **broken), now)
    with database.read() as session:
        assert list_failures(session) == ()


def test_recording_a_disagreement_twice_changes_nothing(database, campaign_id, now):
    disagreement = DisagreementRecord(campaign_id, "a1", 0, 511, 40, "circuit: violation; ...")
    for is_new in (True, False):
        with database.write() as session:
            assert record_disagreement(session, disagreement, now=now) == is_new
    with database.read() as session:
        assert list_disagreements(session) == (disagreement,)
        assert list_disagreements(session, campaign_id=campaign_id + 1) == ()
        assert campaign_totals(session, campaign_id).disagreements == 1
