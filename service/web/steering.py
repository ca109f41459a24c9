"""Campaigns made and steered by the API and by forms of the pages; the coordinator does it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Body, Form, Header, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse
from pydantic import Field

from model.schedulers.exhaustive import exhaustive_named
from model.schedulers.wanted import wanted
from service.steering_commands import SEED_MAX, limits_of, plan_of, queue
from service.web import documents
from service.web.access import READING, Operator, check_csrf
from service.web.asked import PARAMETERS_MAX, compiled, library_source
from service.web.pages import page
from service.web.problems import Refused
from service.web.reading import Number
from service.web.repeats import do_once
from service.web.shared import database_of
from storage.campaigns import CampaignLimits, CampaignPlan, CampaignSummary, get_campaign
from storage.programs import ProgramRecord
from storage.session import Transaction
from storage.sources import library
from storage.steering import change, want
from storage.tables import DesiredState

EXCLUDED_MAX = 100
SHARE_MAX = 10**6
router = APIRouter(prefix="/api/v1", responses=documents.PROBLEMS)
forms = APIRouter(include_in_schema=False)
Bound = Annotated[str | None, Field(max_length=40, examples=["1000000"])]
Short = Annotated[str, Form(max_length=200)]
IfMatch = Annotated[str | None, Header(max_length=200)]
STATES = {
    "pause": DesiredState.PAUSED,
    "resume": DesiredState.RUNNING,
    "stop": DesiredState.STOPPED,
}
Order = Literal["pause", "resume", "stop"]


class Bounds(documents.Document):
    """When a campaign ends by itself, as the command line has it; `none` takes a bound away."""

    time: Bound = Field(default=None, examples=["2h"])
    schedules: Bound = None
    steps: Bound = None
    violations: Bound = None
    blocks: Bound = None
    saturation: Bound = None


class CampaignWish(documents.Document):
    """A campaign to make, of a program of this installation."""

    program: str = Field(max_length=200, examples=["thp_split"])
    parameters: dict[str, str] = Field(
        default={}, max_length=PARAMETERS_MAX, examples=[{"gp_cookie": "on"}]
    )
    scheduler: str = Field(default="uniform_walk", max_length=200, examples=["pct:d=3"])
    seed: int = Field(default=1, ge=0, le=SEED_MAX)
    exclude: list[int] = Field(default=[], max_length=EXCLUDED_MAX, examples=[[]])
    budget: Bounds = Field(default=Bounds(), examples=[{"blocks": "1000"}])
    weight: int = Field(default=1, ge=1, le=SHARE_MAX)
    priority: int = Field(default=0, ge=-SHARE_MAX, le=SHARE_MAX)


class ChangeWish(documents.Document):
    """What to change of a campaign; what is left out stays."""

    budget: Bounds = Field(default=Bounds(), examples=[{"blocks": "2000", "time": "none"}])
    weight: int | None = Field(default=None, ge=1, le=SHARE_MAX, examples=[3])
    priority: int | None = Field(default=None, ge=-SHARE_MAX, le=SHARE_MAX)


class Made(documents.Document):
    """The number of a new campaign."""

    campaign: int = Field(examples=[7])
    program: str = Field(examples=["thp_split"])


class Orders(documents.Document):
    """What people want of a campaign; the ETag of this answer is for `If-Match`."""

    campaign: int = Field(examples=[7])
    wanted: str = Field(examples=["running"])
    weight: int = Field(examples=[1])
    priority: int = Field(examples=[0])
    budget: dict[str, str | float | None] = Field(examples=[{"blocks_max": "1000"}])


@router.post("/campaigns", response_model=Made, status_code=201)
def make(request: Request, wish: Annotated[CampaignWish, Body()], visitor: Operator) -> Response:
    """Queue a campaign for the coordinator. With an Idempotency-Key, once."""
    row, plan = _planned(wish)

    def act(session: Transaction, now: datetime) -> object:
        number = queue(session, row, plan, actor=visitor.name, now=now)
        return {"campaign": number, "program": row.name}

    return do_once(request, visitor, wish.model_dump(mode="json"), act, status=HTTPStatus.CREATED)


@router.get("/campaigns/{campaign}/orders", response_model=Orders, dependencies=[READING])
def orders(request: Request, campaign: Number) -> Response:
    """What is wanted of a campaign, with the ETag that steering compares."""
    with database_of(request).read() as session:
        return _told(get_campaign(session, campaign))


@router.post("/campaigns/{campaign}/{order}", response_model=Orders)
def steer(
    request: Request,
    campaign: Number,
    order: Order,
    visitor: Operator,
    if_match: IfMatch = None,
) -> Response:
    """Pause, resume or stop; with If-Match, only where nobody has steered meanwhile (412)."""
    with database_of(request).write() as session:
        _refuse_changed(session, campaign, if_match)
        want(session, campaign, STATES[order], actor=visitor.name, now=_now())
        return _told(get_campaign(session, campaign))


@router.patch("/campaigns/{campaign}", response_model=Orders)
def adjust(
    request: Request,
    campaign: Number,
    wish: Annotated[ChangeWish, Body()],
    visitor: Operator,
    if_match: IfMatch = None,
) -> Response:
    """Change budget, weight or priority; with If-Match, where nobody has steered meanwhile."""
    with database_of(request).write() as session:
        _refuse_changed(session, campaign, if_match)
        _change(session, campaign, wish, actor=visitor.name)
        return _told(get_campaign(session, campaign))


@forms.get("/campaigns/new")
def form(
    request: Request, visitor: Operator, program: Annotated[str, Field(max_length=200)] = ""
) -> Response:
    """The form that makes a campaign; with a program chosen, its parameters too."""
    chosen = library_source(program) if program else None
    return page(
        request,
        "new_campaign.html",
        programs=sorted(library()),
        program=program,
        parameters=[] if chosen is None else sorted(chosen.parameters.items()),
    )


@forms.post("/campaigns")
def make_on_page(
    request: Request,
    visitor: Operator,
    csrf: Short,
    program: Short,
    scheduler: Short = "uniform_walk",
    seed: Annotated[int, Form(ge=0, le=SEED_MAX)] = 1,
    weight: Annotated[int, Form(ge=1, le=SHARE_MAX)] = 1,
    time: Short = "",
    blocks: Short = "",
    parameter: Annotated[list[str], Form(max_length=PARAMETERS_MAX)] = [],  # noqa: B006
    value: Annotated[list[str], Form(max_length=PARAMETERS_MAX)] = [],  # noqa: B006
) -> Response:
    """The same from the form; an empty field leaves a default."""
    check_csrf(request, csrf)
    if len(parameter) != len(value):
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "each parameter has one value")
    given = {n: text for n, text in zip(parameter, value, strict=True) if text}
    wish = CampaignWish(
        program=program,
        parameters=given,
        scheduler=scheduler,
        seed=seed,
        weight=weight,
        budget=Bounds(time=time[:40] or None, blocks=blocks[:40] or None),
    )
    row, plan = _planned(wish)
    with database_of(request).write() as session:
        number = queue(session, row, plan, actor=visitor.name, now=_now())
    return _back(number)


@forms.post("/campaigns/{campaign}/order")
def steer_on_page(
    request: Request,
    campaign: Number,
    visitor: Operator,
    csrf: Short,
    order: Annotated[Order, Form()],
) -> Response:
    """The buttons of a campaign's page."""
    check_csrf(request, csrf)
    with database_of(request).write() as session:
        want(session, campaign, STATES[order], actor=visitor.name, now=_now())
    return _back(campaign)


@forms.post("/campaigns/{campaign}/change")
def adjust_on_page(
    request: Request,
    campaign: Number,
    visitor: Operator,
    csrf: Short,
    weight: Annotated[int, Form(ge=1, le=SHARE_MAX)],
    time: Short = "",
    blocks: Short = "",
) -> Response:
    """The bounds and the weight, from a campaign's page; an empty field changes nothing."""
    check_csrf(request, csrf)
    bounds = Bounds(time=time[:40] or None, blocks=blocks[:40] or None)
    with database_of(request).write() as session:
        wish = ChangeWish(budget=bounds, weight=weight)
        _change(session, campaign, wish, actor=visitor.name)
    return _back(campaign)


def _planned(wish: CampaignWish) -> tuple[ProgramRecord, CampaignPlan]:
    """Compiled before the transaction begins: that may take a second."""
    wanted(wish.scheduler)
    if exhaustive_named(wish.scheduler) is not None:
        raise Refused(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "counting all schedules of a program may take long, so no request may ask for it\n"
            f"    on the machine: gracefuzz campaigns create {wish.program} "
            f"--scheduler {wish.scheduler}",
        )
    program = compiled(wish.program, [f"{n}={text}" for n, text in wish.parameters.items()])
    bounds = {name: value for name, value in _limits(wish.budget).items() if value is not None}
    return plan_of(
        program,
        library_source(wish.program),
        CampaignLimits(**bounds),  # type: ignore[arg-type]
        scheduler=wish.scheduler,
        seed=wish.seed,
        excluded=tuple(dict.fromkeys(wish.exclude)),
        weight=wish.weight,
        priority=wish.priority,
    )


def _change(session: Transaction, campaign: int, wish: ChangeWish, *, actor: str) -> None:
    limits = _limits(wish.budget)
    if not limits and wish.weight is None and wish.priority is None:
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "say what to change: a bound or the weight")
    change(
        session,
        campaign,
        limits=limits,
        weight=wish.weight,
        priority=wish.priority,
        actor=actor,
        now=_now(),
    )


def _limits(bounds: Bounds) -> Mapping[str, int | float | None]:
    import typer

    try:
        return limits_of(**bounds.model_dump())
    except typer.BadParameter as error:
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, error.message) from error


def _orders(summary: CampaignSummary) -> dict[str, object]:
    plan = summary.plan
    limits = {k: str(v) if isinstance(v, int) else v for k, v in asdict(plan.limits).items()}
    return {
        "campaign": summary.campaign_id,
        "wanted": summary.desired_state.value,
        "weight": plan.weight,
        "priority": plan.priority,
        "budget": limits,
    }


def _etag(summary: CampaignSummary) -> str:
    said = json.dumps(_orders(summary)).encode()
    return f'"{hashlib.sha256(said).hexdigest()[:32]}"'


def _told(summary: CampaignSummary) -> Response:
    return JSONResponse(_orders(summary), headers={"ETag": _etag(summary)})


def _refuse_changed(session: Transaction, campaign: int, if_match: str | None) -> None:
    """Raise Refused (412) where the orders are others than those that the asker has seen."""
    if if_match is None or if_match.strip() == "*":
        return
    now = _etag(get_campaign(session, campaign))
    if now not in [each.strip() for each in if_match.split(",")]:
        raise Refused(
            HTTPStatus.PRECONDITION_FAILED,
            f"campaign {campaign} was steered meanwhile: read its orders again, then decide",
            headers={"ETag": now},
        )


def _back(campaign: int) -> Response:
    return RedirectResponse(f"/campaigns/{campaign}", HTTPStatus.SEE_OTHER)


def _now() -> datetime:
    return datetime.now(UTC)
