"""Verifications are campaigns with figures, and go on while they have not seen everything."""

from dataclasses import replace

import pytest

from model.explore import Verdict
from storage.campaigns import (
    check_resumable,
    finish_campaign,
    get_campaign,
    list_campaigns,
    reopen_campaign,
    start_campaign,
)
from storage.checkpoints import Checkpoint
from storage.errors import NotResumable, UnknownCampaign
from storage.tables import CampaignKind, CampaignState, VerificationVerdict
from storage.verifications import (
    VerificationFigures,
    VerificationPlan,
    reachable_states,
    store_checkpoint,
    store_figures,
    store_verdict,
)
from tests.unit.storage.conftest import PLAN

EXPLORE = VerificationPlan(8 << 30, symmetry=True, bitstate=False)
FIGURES = VerificationFigures(
    states=100, transitions=250, frontier=7, depth=9, used_bytes=2400, sites={"assert: x": 5}
)
WHOLE = replace(FIGURES, states=120, frontier=0, exhausted=True)


@pytest.fixture
def verification_id(database, campaign_id, now):
    with database.write() as session:
        return start_campaign(session, replace(PLAN, verification=EXPLORE), now=now)


def finish(database, number, figures, verdict, now):
    with database.write() as session:
        store_figures(session, number, figures)
        store_verdict(session, number, verdict)
        finish_campaign(session, number, CampaignState.FINISHED, ending="ended", now=now)


def test_a_verification_is_listed_among_the_campaigns(database, campaign_id, verification_id):
    with database.read() as session:
        listed = list_campaigns(session)
    assert [each.plan.kind for each in listed] == [CampaignKind.VERIFY, CampaignKind.FUZZ]
    told = listed[0].verification
    assert told.plan == EXPLORE and told.figures == VerificationFigures()
    assert told.verdict is None and told.checkpoint is None and listed[1].verification is None


def test_figures_checkpoint_and_verdict_are_kept(database, verification_id, now):
    checkpoint = Checkpoint("kept/campaign-2-ab.checkpoint", "0" * 64)
    with database.write() as session:
        store_checkpoint(session, verification_id, checkpoint)
    finish(database, verification_id, FIGURES, VerificationVerdict.REFUTED, now)
    with database.read() as session:
        summary = get_campaign(session, verification_id)
    told = summary.verification
    assert (told.figures, told.checkpoint) == (FIGURES, checkpoint)
    assert told.verdict is VerificationVerdict.REFUTED and summary.violations == 1


def test_one_that_has_not_seen_everything_is_reopened(database, verification_id, now):
    finish(database, verification_id, FIGURES, VerificationVerdict.BOUNDED, now)
    with database.write() as session:
        reopen_campaign(session, verification_id, memory_bytes=16 << 30)
    with database.read() as session:
        summary = get_campaign(session, verification_id)
    assert (summary.state, summary.ended_at, summary.ending) == (CampaignState.RUNNING, None, None)
    assert summary.verification.plan.memory_bytes == 16 << 30
    assert summary.verification.verdict is None and summary.verification.figures == FIGURES


def test_what_cannot_go_on_says_why(database, campaign_id, verification_id, now):
    with database.read() as session:
        with pytest.raises(NotResumable, match="campaign 1 is no verification: it fuzzes"):
            check_resumable(session, campaign_id)
        with pytest.raises(UnknownCampaign):
            check_resumable(session, 99)
    finish(database, verification_id, WHOLE, VerificationVerdict.PROVED, now)
    with database.read() as session, pytest.raises(NotResumable, match=r"has ended \(proved\)"):
        check_resumable(session, verification_id)


@pytest.mark.parametrize(
    ("figures", "plan", "known"),
    [
        (FIGURES, EXPLORE, None),
        (WHOLE, EXPLORE, 120),
        (replace(WHOLE, reduced=True), EXPLORE, None),
        (WHOLE, replace(EXPLORE, bitstate=True), None),
    ],
    ids=["part", "whole", "reduced", "bitstate"],
)
def test_only_a_whole_verification_knows_how_many_states_there_are(
    database, campaign_id, now, figures, plan, known
):
    with database.write() as session:
        number = start_campaign(session, replace(PLAN, verification=plan), now=now)
    finish(database, number, figures, VerificationVerdict.REFUTED, now)
    with database.read() as session:
        assert reachable_states(session, "a1") == known
        assert reachable_states(session, "b2") is None


def test_the_verdicts_are_those_of_the_explorer():
    assert [each.value for each in VerificationVerdict] == [each.value for each in Verdict]
