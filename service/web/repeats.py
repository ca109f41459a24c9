"""A request that is sent twice is done once: the `Idempotency-Key` header (IETF draft 07).

The answer is stored in the transaction of what it tells of. Who sends the same key with the same
request gets that answer again; with another request, the key is refused.
"""

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from service.web.access import Visitor
from service.web.problems import Refused
from service.web.shared import database_of
from storage.access import Answered, answered, remember_answer
from storage.session import Transaction

HEADER = "Idempotency-Key"
KEY_MAX = 200


def do_once(
    request: Request,
    visitor: Visitor,
    asked: object,
    act: Callable[[Transaction, datetime], object],
    *,
    status: HTTPStatus = HTTPStatus.OK,
) -> Response:
    """`act` in one transaction, and what it gives as JSON. Raises Refused for a key misused."""
    key = request.headers.get(HEADER)
    if key is not None and (not 0 < len(key) <= KEY_MAX or not key.isprintable()):
        raise Refused(HTTPStatus.BAD_REQUEST, f"{HEADER} has 1 to {KEY_MAX} printable characters")
    what = hashlib.sha256(f"{request.method} {request.url.path} {json.dumps(asked)}".encode())
    now = datetime.now(UTC)
    with database_of(request).write() as session:
        if key is not None:
            before = answered(session, visitor.name, key)
            if before is not None and before.asked != what.hexdigest():
                raise Refused(
                    HTTPStatus.UNPROCESSABLE_ENTITY, f"this {HEADER} was sent with another request"
                )
            if before is not None:
                return Response(before.body, before.status, media_type="application/json")
        answer = JSONResponse(act(session, now), status.value)
        if key is not None:
            told = Answered(what.hexdigest(), status.value, bytes(answer.body).decode())
            remember_answer(session, visitor.name, key, told, now=now)
    return answer
