"""What monitoring reads: exact sums, every state named, one row a campaign that goes on."""

from sqlalchemy import update

from storage.campaigns import finish_campaign, start_campaign
from storage.snapshot import database_figures
from storage.tables import CampaignRow, CampaignState
from tests.unit.storage.conftest import PLAN


def test_an_empty_database_has_every_state_and_no_program(database):
    with database.read() as session:
        figures = database_figures(session)
    assert figures.programs == {} and figures.campaigns == ()
    assert figures.campaign_states == dict.fromkeys(CampaignState, 0)
    assert figures.last_new_failure_at is None and not figures.leads


def test_sums_are_exact_beyond_64_bits_and_ended_campaigns_count(database, campaign_id, now):
    with database.write() as session:
        second = start_campaign(session, PLAN, now=now)
        session.execute(update(CampaignRow).values(schedules=2**64 + 1, steps=2**70))
        finish_campaign(session, second, CampaignState.FINISHED, ending="done", now=now)
    with database.read() as session:
        figures = database_figures(session)
    total = figures.programs["thp_split"]
    assert (total.schedules, total.steps, total.violations) == (2**65 + 2, 2**71, 0)
    assert [each.campaign_id for each in figures.campaigns] == [campaign_id]
    assert figures.campaign_states[CampaignState.FINISHED] == 1
    assert figures.campaign_states[CampaignState.RUNNING] == 1
