"""The API for reading: programs, failures, campaigns. Every answer is what a command prints."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from service.campaigns import campaign_lines, campaign_object, campaigns_lines, campaigns_objects
from service.failures import (
    failure_lines,
    failure_object,
    failures_lines,
    load_failure,
    summary_object,
)
from service.programs import library_lines, library_objects, program_lines, program_object
from service.replaying import trace_lines, trace_object
from service.web import documents
from service.web.access import READING
from service.web.answers import answer
from service.web.asked import FailureFilters, Params, compiled, filters_of, library_source
from service.web.problems import Refused
from service.web.replays import frame_object, shown
from service.web.shared import database_of, program_of
from storage.campaigns import campaign_totals, get_campaign, list_campaigns
from storage.claims import observed
from storage.programs import get_program
from storage.search import PAGE_MAX, search_failures

PAGE = 50
router = APIRouter(prefix="/api/v1", responses=documents.PROBLEMS, dependencies=[READING])
Limit = Annotated[int, Query(ge=1, le=PAGE_MAX, description="How many at most.")]
Cursor = Annotated[str | None, Query(max_length=400, description="From the page before.")]
Number = Annotated[int, Path(ge=1, lt=1 << 63)]


@router.get("/programs", response_model=list[documents.ProgramSummary])
def programs(request: Request) -> Response:
    """The programs of this installation."""
    return answer(request, library_objects(), library_lines)


@router.get("/programs/{name}", response_model=documents.Program)
def program(request: Request, name: str, parameters: Params = ()) -> Response:
    """One program with `param=name=value` folded in: threads, steps, oracles, source."""
    source, found = library_source(name), compiled(name, parameters)
    return answer(request, program_object(source, found), lambda: program_lines(source, found))


@router.post("/programs", response_model=None)
def upload(request: Request) -> Response:
    """Refused: programs are code, and come from the operator's installation."""
    raise Refused(
        HTTPStatus.FORBIDDEN,
        "programs are not uploaded: they are code that every worker executes\n"
        "    add the file to the installation of service and workers, where code is reviewed",
    )


@router.get("/failures", response_model=documents.FailurePage)
def failures(
    request: Request, query: FailureFilters, limit: Limit = PAGE, cursor: Cursor = None
) -> Response:
    """Failures that the filters let through; `next` is the path of the page behind this one."""
    with database_of(request).read() as session:
        found = search_failures(session, query, limit=limit, cursor=cursor)
    following = None
    if found.next_cursor is not None:
        given = {**filters_of(query), "limit": limit, "cursor": found.next_cursor}
        following = str(request.url.replace_query_params(**given).replace(scheme="", netloc=""))
    content = {"failures": [summary_object(each) for each in found.failures], "next": following}
    return answer(
        request, content, lambda: failures_lines(found.failures, database=_named(request))
    )


@router.get("/failures/{failure}", response_model=documents.Failure)
def failure(request: Request, failure: Number) -> Response:
    """One failure: its minimal interleaving, its proof, how to reproduce it."""
    loaded = load_failure(database_of(request), failure)
    return answer(
        request, failure_object(loaded), lambda: failure_lines(loaded, database=_named(request))
    )


@router.get("/failures/{failure}/trace", response_model=documents.Trace)
def trace(request: Request, failure: Number) -> Response:
    """The minimal interleaving executed again, step by step."""
    again = shown(load_failure(database_of(request), failure)).replayed
    return answer(request, trace_object(again), lambda: trace_lines(again))


@router.get("/failures/{failure}/trace/{step}", response_model=documents.State)
def state(request: Request, failure: Number, step: Annotated[int, Path(ge=0)]) -> Response:
    """All values after so many steps, and what each thread would do next."""
    frames = shown(load_failure(database_of(request), failure)).frames
    if step >= len(frames):
        raise Refused(HTTPStatus.NOT_FOUND, f"the interleaving has {len(frames) - 1} steps")
    return answer(request, frame_object(frames[step]))


@router.get("/campaigns", response_model=list[documents.CampaignSummary])
def campaigns(
    request: Request, program: Annotated[str | None, Query(max_length=200)] = None
) -> Response:
    """The campaigns, newest first."""
    database = database_of(request)
    with database.read() as session:
        stored = list_campaigns(session, program=program)
    found = [observed(database, each) for each in stored]
    return answer(
        request,
        campaigns_objects(found),
        lambda: campaigns_lines(found, database=_named(request)),
    )


@router.get("/campaigns/{campaign}", response_model=documents.Campaign)
def campaign(request: Request, campaign: Number) -> Response:
    """One campaign: what was asked, what was executed, what is covered and what is left."""
    database = database_of(request)
    with database.read() as session:
        summary, totals = get_campaign(session, campaign), campaign_totals(session, campaign)
        of = program_of(get_program(session, summary.plan.program_ir_hash).ir)
    told = observed(database, summary)
    return answer(
        request, campaign_object(told, totals, of), lambda: campaign_lines(told, totals, of)
    )


def _named(request: Request) -> str:
    """What a suggested command names as its database: this service."""
    return str(request.base_url).rstrip("/")
