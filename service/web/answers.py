"""An answer of the API: an object as JSON, or the same as the lines that a terminal shows.

`gracefuzz --server` asks for the lines, so a command prints the same from a service as from a file.
Every answer carries an ETag of its bytes: who sends it back gets 304 where nothing has changed.
"""

import hashlib
import json
from collections.abc import Callable
from http import HTTPStatus

from fastapi import Request, Response

JSON, TEXT = "application/json", "text/plain; charset=utf-8"
Lines = Callable[[], list[str]]


def answer(request: Request, content: object, lines: Lines | None = None) -> Response:
    """`content`, or `lines` where the asker prefers plain text."""
    if lines is not None and _prefers_text(request):
        return with_etag(request, "\n".join(lines()).encode() + b"\n", TEXT)
    return with_etag(request, json.dumps(content, ensure_ascii=False).encode(), JSON)


def with_etag(request: Request, body: bytes, media_type: str) -> Response:
    """The bytes, or 304 where the asker has them."""
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": "no-cache", "Vary": "Accept"}
    given = request.headers.get("if-none-match", "")
    if etag in [each.strip().removeprefix("W/") for each in given.split(",")]:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(body, headers=headers, media_type=media_type)


def _prefers_text(request: Request) -> bool:
    return request.headers.get("accept", "").startswith("text/plain")
