"""Whether the service lives, and whether it can do its work; both without a token."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse

from service.web.shared import database_of
from storage.access import has_tokens

router = APIRouter(include_in_schema=False)


@router.get("/healthz")
def healthz() -> Response:
    """The process answers."""
    return PlainTextResponse("alive\n")


@router.get("/readyz")
def readyz(request: Request) -> Response:
    """The database answers; where it does not, 503 with the reason."""
    with database_of(request).read() as session:
        has_tokens(session)
    return PlainTextResponse("ready\n")
