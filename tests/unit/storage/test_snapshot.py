"""What monitoring reads: exact sums, every state named, one row a campaign that goes on."""

from sqlalchemy import update

from storage.campaigns import finish_campaign, start_campaign
from storage.leases import LeaseWish, Loss, give_leases, lose_leases
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


def test_ranges_that_are_tried_again_are_counted_while_they_are(database, campaign_id, now):
    with database.write() as session:
        wish = LeaseWish("core 0", 4)
        (lease,) = give_leases(session, campaign_id, [wish], now=now)
        lose_leases(session, [Loss(lease.key, is_blamed=True, error="signal 11")], now=now)
        give_leases(session, campaign_id, [wish, wish], now=now)
    with database.read() as session:
        assert database_figures(session).leases_retried == 1


def test_the_size_grows_with_what_is_stored(database, campaign_id, now):
    with database.read() as session:
        before = database_figures(session).size_bytes
    with database.write() as session:
        for _ in range(300):
            start_campaign(session, PLAN, now=now)
    with database.read() as session:
        assert database_figures(session).size_bytes > before > 0
