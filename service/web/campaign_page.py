"""One campaign as a page: its totals as they grow, what it has discovered, what it never saw."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request, Response

from model.program import Program
from model.residual_risk import discovery
from model.step_pairs import possible_pairs
from service.coverage import never_seen_lines, risk_sentences, states_sentence
from service.verifications import verification_lines
from service.web.access import READING
from service.web.curves import Curve, curve
from service.web.pages import page
from service.web.reading import Number
from service.web.shared import database_of, program_of
from storage.campaigns import CampaignSummary, CampaignTotals, campaign_totals, get_campaign
from storage.claims import observed
from storage.programs import get_program

router = APIRouter(include_in_schema=False, dependencies=[READING])


@dataclass(frozen=True, slots=True)
class Loaded:
    """What is stored of a campaign."""

    summary: CampaignSummary
    totals: CampaignTotals
    program: Program


@router.get("/campaigns/{campaign}")
def campaign_page(request: Request, campaign: Number) -> Response:
    """The page, whose figures load again every few seconds while the campaign runs."""
    return page(request, "campaign.html", **_given(_load(request, campaign)))


@router.get("/campaigns/{campaign}/figures")
def campaign_figures(request: Request, campaign: Number) -> Response:
    """The figures alone, to be put into the page."""
    return page(request, "campaign_figures.html", **_given(_load(request, campaign)))


def _load(request: Request, campaign_id: int) -> Loaded:
    database = database_of(request)
    with database.read() as session:
        summary = get_campaign(session, campaign_id)
        totals = campaign_totals(session, campaign_id)
        program = program_of(get_program(session, summary.plan.program_ir_hash).ir)
    return Loaded(observed(database, summary), totals, program)


def _given(loaded: Loaded) -> dict[str, Any]:
    summary, totals, program = loaded.summary, loaded.totals, loaded.program
    until = summary.ended_at or datetime.now(UTC)
    seconds = max((until - summary.started_at).total_seconds(), 1e-3)
    told = summary.verification
    possible = len(possible_pairs(program))
    return {
        "campaign": summary,
        "totals": totals,
        "seconds": seconds,
        "steps_all": len({str(step.label) for body in program.bodies for step in body.steps}),
        "pairs_possible": possible,
        "curves": _curves(totals, possible),
        "risk": risk_sentences(totals, scheduler=summary.plan.scheduler),
        "states": states_sentence(totals),
        "never_seen": never_seen_lines(program, totals),
        "verification": None if told is None else "\n".join(verification_lines(told)),
        "is_live": summary.ended_at is None and summary.ending is None,
    }


def _curves(totals: CampaignTotals, possible: int) -> list[Curve]:
    points = discovery(totals.coverage)
    pairs = [(point.blocks, float(point.pairs)) for point in points]
    classes = [(point.blocks, point.classes) for point in points]
    drawn = (
        curve("conflicting pairs seen", pairs, whole=float(possible)),
        curve("classes of equivalent executions", classes, whole=None),
    )
    return [each for each in drawn if each is not None]
