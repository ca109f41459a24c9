"""What people decide about failures: statuses and notes, by the API and by the forms of a page."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Body, Form, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import Field

from service.lives import life_lines, life_object, load_life
from service.web import documents
from service.web.access import READING, Operator, check_csrf
from service.web.answers import answer
from service.web.problems import Refused
from service.web.reading import Number
from service.web.repeats import do_once
from service.web.shared import database_of
from storage.failures import get_failure
from storage.lives import WORDS_MAX, add_note, set_status
from storage.session import Transaction
from storage.tables import FailureStatus

router = APIRouter(prefix="/api/v1", responses=documents.PROBLEMS)
forms = APIRouter(include_in_schema=False)
Words = Annotated[str, Form(max_length=WORDS_MAX)]


class StatusWish(documents.Document):
    """A decision about a failure."""

    status: FailureStatus = Field(examples=["fixed"])
    why: str = Field(max_length=WORDS_MAX, examples=["patch 9 is applied"])
    duplicate_of: int | None = Field(default=None, ge=1, lt=1 << 63)


class NoteWish(documents.Document):
    """What a person writes beside a failure."""

    words: str = Field(max_length=WORDS_MAX)


@router.get("/failures/{failure}/life", response_model=documents.Life, dependencies=[READING])
def life(request: Request, failure: Number) -> Response:
    """All that was decided, written and found out about a failure."""
    loaded = load_life(database_of(request), failure)
    return answer(request, life_object(loaded), lambda: life_lines(loaded))


@router.post("/failures/{failure}/status", response_model=documents.Changed)
def decide(
    request: Request, failure: Number, wish: Annotated[StatusWish, Body()], visitor: Operator
) -> Response:
    """Set the status of a failure; the history keeps who, when and why."""

    def act(session: Transaction, now: datetime) -> object:
        return {"changed": _decide(session, failure, wish, actor=visitor.name, now=now)}

    return do_once(request, visitor, wish.model_dump(mode="json"), act)


@router.post("/failures/{failure}/notes", response_model=documents.Changed, status_code=201)
def note(
    request: Request, failure: Number, wish: Annotated[NoteWish, Body()], visitor: Operator
) -> Response:
    """Write something beside a failure."""

    def act(session: Transaction, now: datetime) -> object:
        add_note(session, failure, wish.words, actor=visitor.name, now=now)
        return {"changed": True}

    return do_once(request, visitor, wish.model_dump(mode="json"), act, status=HTTPStatus.CREATED)


@forms.post("/failures/{failure}/status")
def decide_on_page(
    request: Request,
    failure: Number,
    visitor: Operator,
    csrf: Words,
    status: Annotated[FailureStatus, Form()],
    why: Words,
    duplicate_of: Annotated[str, Form(max_length=20)] = "",
) -> Response:
    """The same from the page of a failure."""
    check_csrf(request, csrf)
    other = duplicate_of.strip()
    if other and not other.isdecimal():
        raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, f"{other!r} is no number of a failure")
    wish = StatusWish(status=status, why=why, duplicate_of=int(other) if other else None)
    with database_of(request).write() as session:
        _decide(session, failure, wish, actor=visitor.name, now=datetime.now(UTC))
    return _back(failure)


@forms.post("/failures/{failure}/notes")
def note_on_page(
    request: Request, failure: Number, visitor: Operator, csrf: Words, words: Words
) -> Response:
    """The same from the page of a failure."""
    check_csrf(request, csrf)
    with database_of(request).write() as session:
        add_note(session, failure, words, actor=visitor.name, now=datetime.now(UTC))
    return _back(failure)


def _decide(
    session: Transaction, failure: int, wish: StatusWish, *, actor: str, now: datetime
) -> bool:
    if (wish.status is FailureStatus.DUPLICATE) is not (wish.duplicate_of is not None):
        raise Refused(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "a duplicate, and nothing else, names the failure that it is one of: duplicate_of",
        )
    if wish.duplicate_of is not None:
        if wish.duplicate_of == failure:
            raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, "no failure is a duplicate of itself")
        get_failure(session, wish.duplicate_of)
    return set_status(
        session,
        failure,
        wish.status,
        actor=actor,
        why=wish.why,
        duplicate_of=wish.duplicate_of,
        now=now,
    )


def _back(failure: int) -> Response:
    return RedirectResponse(f"/failures/{failure}#life", HTTPStatus.SEE_OTHER)
