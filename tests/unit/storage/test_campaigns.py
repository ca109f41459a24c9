"""A campaign starts, is counted, and ends once."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from storage.campaigns import (
    CampaignPlan,
    campaign_totals,
    finish_campaign,
    get_campaign,
    list_campaigns,
    start_campaign,
)
from storage.errors import UnknownCampaign
from storage.tables import CampaignState

PLAN = CampaignPlan(
    program_ir_hash="a1",
    scheduler="pct",
    root_seed=2**64 - 1,
    engine_revision="1",
    budget='{"schedules": "1000"}',
    excluded_failures=(3, 1),
)


def test_a_campaign_comes_back_as_it_was_planned(database, campaign_id, now):
    with database.write() as session:
        second = start_campaign(session, PLAN, now=now)
    with database.read() as session:
        summary = get_campaign(session, second)
    assert summary.plan == PLAN and summary.program_name == "thp_split"
    assert summary.state is CampaignState.RUNNING and summary.started_at == now
    assert summary.ending is None and summary.ended_at is None


def test_a_new_campaign_has_done_nothing(database, campaign_id):
    with database.read() as session:
        totals = campaign_totals(session, campaign_id)
    assert (totals.blocks_done, totals.schedules, totals.steps, totals.violations) == (0, 0, 0, 0)
    assert totals.outcomes == {} and totals.site_counts == {}
    assert totals.steps_reached == frozenset() and totals.disagreements == 0


def test_a_campaign_ends_once_and_its_first_ending_stays(database, campaign_id, now):
    later = now + timedelta(seconds=9)
    with database.write() as session:
        assert finish_campaign(
            session, campaign_id, CampaignState.STOPPED, ending="was stopped", now=later
        )
    with database.write() as session:
        assert not finish_campaign(
            session, campaign_id, CampaignState.FINISHED, ending="ran it all", now=now
        )
    with database.read() as session:
        summary = get_campaign(session, campaign_id)
    assert summary.state is CampaignState.STOPPED
    assert summary.ending == "was stopped" and summary.ended_at == later


def test_campaigns_are_listed_newest_first_and_by_program(database, campaign_id, now):
    with database.write() as session:
        second = start_campaign(session, PLAN, now=now)
    with database.read() as session:
        assert [each.campaign_id for each in list_campaigns(session)] == [second, campaign_id]
        assert len(list_campaigns(session, program="thp_split")) == 2
        assert list_campaigns(session, program="rcu") == ()


def test_a_campaign_needs_a_stored_program(database, campaign_id, now):
    with pytest.raises(IntegrityError), database.write() as session:
        start_campaign(session, replace(PLAN, program_ir_hash="b2"), now=now)


def test_an_unknown_campaign_is_named(database, now):
    with pytest.raises(UnknownCampaign, match="number 7"), database.read() as session:
        campaign_totals(session, 7)
