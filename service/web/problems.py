"""What went wrong, as problem documents (RFC 9457) for scripts and as a page for people.

One table maps error classes to statuses. What is not in it is our mistake: 500, with a number that
stands in the log beside the traceback, and nothing of the traceback in the answer.
"""

import logging
import secrets
from http import HTTPStatus
from urllib.parse import quote

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.exceptions import HTTPException

from model.language import LanguageError, ParameterError
from model.schedulers.scheduler import SchedulerError
from service.web.pages import problem_page, wants_page
from storage.access import TokenError
from storage.errors import (
    CampaignBusy,
    LifeError,
    NotResumable,
    StorageError,
    UnknownCampaign,
    UnknownFailure,
    UnknownProgram,
)
from storage.search import BadCursor
from storage.sources import SourceError
from storage.steering import NotSteerable

log = logging.getLogger("gracefuzz.service")
MEDIA_TYPE = "application/problem+json"

# The first class that fits decides: those that say more come first.
STATUSES: tuple[tuple[type[Exception], HTTPStatus], ...] = (
    (UnknownCampaign, HTTPStatus.NOT_FOUND),
    (UnknownFailure, HTTPStatus.NOT_FOUND),
    (UnknownProgram, HTTPStatus.NOT_FOUND),
    (LifeError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (BadCursor, HTTPStatus.UNPROCESSABLE_ENTITY),
    (SourceError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (CampaignBusy, HTTPStatus.CONFLICT),
    (NotResumable, HTTPStatus.CONFLICT),
    (NotSteerable, HTTPStatus.CONFLICT),
    (TokenError, HTTPStatus.CONFLICT),
    (StorageError, HTTPStatus.SERVICE_UNAVAILABLE),
    (SchedulerError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (ParameterError, HTTPStatus.UNPROCESSABLE_ENTITY),
    (LanguageError, HTTPStatus.UNPROCESSABLE_ENTITY),
)


class Refused(Exception):
    """A request that cannot be done as it was asked; `detail` says why and what would do."""

    def __init__(
        self, status: HTTPStatus, detail: str, *, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, headers or {}


def add_problems(app: FastAPI) -> None:
    """Let every error that leaves a route become a problem document or page."""
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    for error, _status in STATUSES:
        app.add_exception_handler(error, _known)
    app.add_exception_handler(Exception, _unexpected)


def problem(
    request: Request,
    status: HTTPStatus,
    detail: str,
    *,
    headers: dict[str, str] | None = None,
    errors: list[dict[str, object]] | None = None,
) -> Response:
    """The answer in the form that the asker reads."""
    if wants_page(request) and status is HTTPStatus.UNAUTHORIZED:
        where = quote(request.url.path, safe="/")
        return RedirectResponse(f"/login?next={where}", HTTPStatus.SEE_OTHER)
    if wants_page(request):
        return problem_page(request, status, detail, headers=headers)
    document: dict[str, object] = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "detail": detail,
        "instance": request.url.path,
    }
    if errors:
        document["errors"] = errors
    return JSONResponse(document, status.value, headers, MEDIA_TYPE)


def status_of(error: Exception) -> HTTPStatus:
    """What the table says of an error that is in it."""
    return next(status for kind, status in STATUSES if isinstance(error, kind))


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return problem(request, error.status, error.detail, headers=error.headers)


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    detail = error.detail
    if status is HTTPStatus.NOT_FOUND and detail == status.phrase:
        detail = f"nothing is at {request.url.path}; /api/v1/openapi.json lists what there is"
    return problem(request, status, detail, headers=dict(error.headers or {}))


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = [
        {"where": ".".join(map(str, each["loc"])), "said": str(each["msg"])}
        for each in error.errors()
    ]
    first = "; ".join(f"{each['where']}: {each['said']}" for each in found[:3])
    return problem(
        request,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        first or "the request does not have the form that is asked for",
        errors=[dict(each) for each in found],
    )


def _known(request: Request, error: Exception) -> Response:
    return problem(request, status_of(error), str(error))


def _unexpected(request: Request, error: Exception) -> Response:
    number = secrets.token_hex(4)
    log.error("unexpected error %s", number, exc_info=error)
    return problem(
        request,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        f"this is a defect of gracefuzz; the log has the details under {number}",
    )
