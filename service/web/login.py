"""Visits in a browser: a token for a cookie."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from service.web.access import (
    SECRET_MAX,
    SESSION_COOKIE,
    check_csrf,
    refuse_other_sites,
)
from service.web.pages import page
from service.web.shared import database_of
from storage.access import SESSION_HOURS, begin_session, end_session, token_of_secret

router = APIRouter(include_in_schema=False)
Secret = Annotated[str, Form(max_length=SECRET_MAX)]


@router.get("/login")
def login_page(
    request: Request, path: Annotated[str, Query(alias="next", max_length=500)] = "/"
) -> Response:
    """Ask for a token."""
    return _page(request, path, wrong=False)


@router.post("/login")
def log_in(
    request: Request,
    token: Secret,
    path: Annotated[str, Form(alias="next", max_length=500)] = "/",
) -> Response:
    """Begin a visit, and go where the visitor wanted to go."""
    refuse_other_sites(request)
    with database_of(request).read() as session:
        known = token_of_secret(session, token.strip())
    if known is None:
        return _page(request, path, wrong=True)
    with database_of(request).write() as session:
        secret = begin_session(session, known, now=datetime.now(UTC))
    answer = RedirectResponse(_inside(path), HTTPStatus.SEE_OTHER)
    answer.set_cookie(
        SESSION_COOKIE,
        secret,
        max_age=SESSION_HOURS * 3600,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return answer


@router.post("/logout")
def log_out(request: Request, csrf: Secret) -> Response:
    """End the visit."""
    refuse_other_sites(request)
    check_csrf(request, csrf)
    secret = request.cookies.get(SESSION_COOKIE, "")
    if 0 < len(secret) <= SECRET_MAX:
        with database_of(request).write() as session:
            end_session(session, secret)
    answer = RedirectResponse("/login", HTTPStatus.SEE_OTHER)
    answer.delete_cookie(SESSION_COOKIE)
    return answer


def _page(request: Request, path: str, *, wrong: bool) -> Response:
    status = HTTPStatus.UNAUTHORIZED if wrong else HTTPStatus.OK
    return page(request, "login.html", status=status, path=_inside(path), wrong=wrong)


def _inside(path: str) -> str:
    """A path of this service, whatever was asked for: never another site's address."""
    is_path = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if is_path else "/"
