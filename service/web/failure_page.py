"""One failure as a page: the interleaving in lanes, and the whole state at any of its steps."""

import json
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Query, Request, Response

from model.program import show_parameter
from model.schedule import from_picks_json
from service.failures import (
    load_failure,
    origin_of,
    proof_sentence,
    reproducing_command,
)
from service.lives import life_lines, load_life
from service.web.access import READING
from service.web.pages import page
from service.web.replays import Shown, shown
from service.web.shared import database_of
from service.web.source_lines import source_line
from storage.failures import SightingRecord, list_sightings
from storage.tables import FailureStatus

SIGHTINGS_SHOWN = 50
router = APIRouter(include_in_schema=False, dependencies=[READING])


@dataclass(frozen=True, slots=True)
class ShownSighting:
    """Where a schedule showed the failure, and its length in steps."""

    campaign_id: int
    block: int
    lane: int
    steps: int


@router.get("/failures/{failure_id}")
def failure_page(
    request: Request, failure_id: int, step: int = Query(default=-1, ge=-1)
) -> Response:
    """The page; `step` is the step whose state stands beside the lanes, the last one by default."""
    loaded = load_failure(database_of(request), failure_id)
    again = shown(loaded)
    with database_of(request).read() as session:
        sightings = [shown_sighting(each) for each in list_sightings(session, failure_id)]
    parameters = json.loads(loaded.program.parameters)
    return page(
        request,
        "failure.html",
        failure=loaded.failure,
        record=loaded.failure.record,
        parameters=[(name, show_parameter(value)) for name, value in parameters.items()],
        proof=proof_sentence(loaded.failure.record.proof),
        origin=origin_of(loaded),
        reproduce=reproducing_command(loaded),
        original_steps=sightings[0].steps if sightings else None,
        sightings=sightings[:SIGHTINGS_SHOWN],
        lanes=again.lanes,
        verdict=again.replayed.verdict,
        happened=life_lines(load_life(database_of(request), failure_id))[2:],
        statuses=list(FailureStatus),
        **_frame(again, step),
    )


@router.get("/failures/{failure_id}/frame")
def failure_frame(request: Request, failure_id: int, step: int = Query(ge=0)) -> Response:
    """The state at one step, to be put into the page."""
    again = shown(load_failure(database_of(request), failure_id))
    return page(request, "frame.html", **_frame(again, step))


def _frame(again: Shown, step: int) -> dict[str, Any]:
    last = len(again.frames) - 1
    frame = again.frames[last if step < 0 else min(step, last)]
    source = again.replayed.loaded.program.source
    return {
        "frame": frame,
        "steps": last,
        "ending": again.replayed.ending,
        "sources": {
            thread.name: source_line(source, thread.function, thread.line)
            for thread in frame.threads
        },
    }


def shown_sighting(record: SightingRecord) -> ShownSighting:
    """What is shown of a sighting. Its `step` counts from the start of its block."""
    steps = len(from_picks_json(record.schedule))
    return ShownSighting(record.campaign_id, record.block, record.lane, steps)
