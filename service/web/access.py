"""Who asks, and what they may do.

A script sends a bearer token; a browser has a cookie, which a visitor gets for a token on the page
`/login`. As long as the database holds no token, and only on loopback, everybody on this machine
may do everything. What changes something from a browser carries a secret of the visit that another
site cannot know, and comes from a page of this service.
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request

from service.web.problems import Refused
from service.web.shared import database_of
from storage.access import Token, has_tokens, token_of_secret, token_of_session
from storage.access_tables import Scope

SESSION_COOKIE = "gracefuzz_session"
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
SECRET_MAX = 200
UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})
ANONYMOUS = "loopback"


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who asks: a token's name, or anybody on this machine."""

    name: str
    scope: Scope
    by_cookie: bool


def visitor_of(request: Request) -> Visitor:
    """Who asks. Raises Refused (401) where that is nobody who may."""
    header = request.headers.get("authorization")
    if header is not None:
        return _by_bearer(request, header)
    cookie = request.cookies.get(SESSION_COOKIE, "")
    with database_of(request).read() as session:
        token = None
        if 0 < len(cookie) <= SECRET_MAX:
            token = token_of_session(session, cookie, now=datetime.now(UTC))
        if token is not None:
            return _named(token, by_cookie=True)
        if request.app.state.is_open and not has_tokens(session):
            return _anybody(request)
    raise _unauthorized("a token is needed: send Authorization: Bearer …, or log in at /login")


def _by_bearer(request: Request, header: str) -> Visitor:
    kind, _, secret = header.partition(" ")
    if kind.lower() != "bearer" or not 0 < len(secret) <= SECRET_MAX:
        raise _unauthorized("the Authorization header is not of the form Bearer TOKEN")
    with database_of(request).read() as session:
        token = token_of_secret(session, secret)
    if token is None:
        raise _unauthorized("the token is unknown or was revoked")
    return _named(token, by_cookie=False)


def may(wanted: Scope) -> Callable[[Request], Visitor]:
    """What a route depends on that needs a scope: its visitor, or Refused (401 or 403)."""

    def allowed(request: Request) -> Visitor:
        visitor = visitor_of(request)
        if not visitor.scope.allows(wanted):
            raise Refused(
                HTTPStatus.FORBIDDEN,
                f"the token {visitor.name!r} is for {visitor.scope.value}: this needs "
                f"{wanted.value}",
            )
        if request.method in UNSAFE and visitor.by_cookie:
            refuse_other_sites(request)
        request.state.visitor, request.state.csrf = visitor, csrf_of(request)
        return visitor

    return allowed


READING = Depends(may(Scope.READ))
Operator = Annotated[Visitor, Depends(may(Scope.OPERATE))]
Admin = Annotated[Visitor, Depends(may(Scope.ADMIN))]


def refuse_other_sites(request: Request) -> None:
    """Raise Refused where a browser was sent here by a page of another site.

    Browsers say where an unsafe request comes from; one without a word of it is a script, which no
    other site can start. A form carries the secret of its visit besides.
    """
    origin = request.headers.get("origin")
    site = request.headers.get("sec-fetch-site", "same-origin")
    host = request.headers.get("host", "")
    elsewhere = origin is not None and urlsplit(origin).netloc != host
    if elsewhere or site not in ("same-origin", "none"):
        raise Refused(HTTPStatus.FORBIDDEN, "the request comes from a page of another site")


def csrf_of(request: Request) -> str:
    """The secret that the forms of a visit carry. It follows from the visit's cookie.

    Where nobody has to log in, from a key of this process: only a page of this service can read it,
    since other sites' pages may not, and a foreign name for this address is refused.
    """
    key = request.cookies.get(SESSION_COOKIE) or request.app.state.csrf_key
    return hmac.new(key.encode(), b"csrf", "sha256").hexdigest()


def check_csrf(request: Request, given: str) -> None:
    """Raise Refused (403) where a form does not carry the secret of its visit."""
    if not hmac.compare_digest(csrf_of(request).encode(), given.encode()):
        raise Refused(
            HTTPStatus.FORBIDDEN, "the form is of another visit: load its page again, then send it"
        )


def _anybody(request: Request) -> Visitor:
    """A foreign name that leads here would let another site's page in: only our own will do."""
    if request.url.hostname not in LOOPBACK_HOSTS:
        raise Refused(
            HTTPStatus.FORBIDDEN,
            f"this service is not called {request.url.hostname}: ask 127.0.0.1 or localhost",
        )
    return Visitor(ANONYMOUS, Scope.ADMIN, by_cookie=True)


def _named(token: Token, *, by_cookie: bool) -> Visitor:
    return Visitor(token.name, token.scope, by_cookie)


def _unauthorized(detail: str) -> Refused:
    return Refused(HTTPStatus.UNAUTHORIZED, detail, headers={"WWW-Authenticate": "Bearer"})
