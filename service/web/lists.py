"""Pages that list failures with their filters, campaigns, programs; and the page of a program."""

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from model.program import show_parameter
from service.programs import program_object
from service.web.access import READING
from service.web.asked import FailureFilters, Params, compiled, filters_of, library_source
from service.web.pages import page
from service.web.shared import database_of
from service.web.step_graph import step_graph
from storage.campaigns import list_campaigns
from storage.claims import observed
from storage.search import FailureOrder, search_failures
from storage.snapshot import failures_by_status
from storage.sources import library
from storage.tables import FailureStatus

FAILURES_SHOWN = 50
ORDERS = {
    FailureOrder.NEWEST: "newest first",
    FailureOrder.LAST_SEEN: "last seen first",
    FailureOrder.SIGHTINGS: "most sightings",
    FailureOrder.PREEMPTIONS: "fewest preemptions",
    FailureOrder.STEPS: "fewest steps",
}
router = APIRouter(include_in_schema=False, dependencies=[READING])


@router.get("/")
def start() -> Response:
    """Where a visitor begins."""
    return RedirectResponse("/campaigns", status_code=303)


@router.get("/failures")
def failures_page(
    request: Request,
    query: FailureFilters,
    cursor: Annotated[str | None, Query(max_length=400)] = None,
) -> Response:
    """Failures; the address holds every filter, so it can be shared."""
    with database_of(request).read() as session:
        found = search_failures(session, query, limit=FAILURES_SHOWN, cursor=cursor)
        counts = failures_by_status(session)
    given = filters_of(query)
    following = None
    if found.next_cursor is not None:
        following = "/failures?" + urlencode({**given, "cursor": found.next_cursor})
    return page(
        request,
        "failures.html",
        failures=found.failures,
        counts=counts,
        query=query,
        given=given,
        programs=sorted(library()),
        statuses=list(FailureStatus),
        orders=ORDERS,
        first="/failures?" + urlencode(given) if cursor else None,
        following=following,
    )


@router.get("/campaigns")
def campaigns_page(request: Request) -> Response:
    """Campaigns, newest first."""
    database = database_of(request)
    with database.read() as session:
        stored = list_campaigns(session)
    found = [observed(database, each) for each in stored]
    return page(request, "campaigns.html", campaigns=found)


@router.get("/programs")
def programs_page(request: Request) -> Response:
    """The programs of this installation."""
    shown = [
        (name, source.sentence, source.parameters) for name, source in sorted(library().items())
    ]
    return page(request, "programs.html", programs=shown)


@dataclass(frozen=True, slots=True)
class ShownParameter:
    """A parameter as a field: its value here, and what it may be."""

    name: str
    value: str
    values: str


@router.get("/programs/{name}")
def program_page(request: Request, name: str, parameters: Params = ()) -> Response:
    """One program: its steps as a picture, its oracles, its source."""
    source, program = library_source(name), compiled(name, parameters)
    chosen = dict(program.parameters)
    graphs = [
        step_graph(body, tuple(t.name for t in program.threads if t.body == index))
        for index, body in enumerate(program.bodies)
    ]
    return page(
        request,
        "program.html",
        program=program,
        shown=program_object(source, program),
        graphs=graphs,
        parameters=[
            ShownParameter(each, show_parameter(chosen[each]), str(parameter.values))
            for each, parameter in source.parameters.items()
        ],
    )
