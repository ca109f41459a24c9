"""What every request passes first: its size, its rate, and the headers that browsers obey."""

import math
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Protocol

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.web.problems import problem

CLIENTS_MAX = 4096
CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Count(Protocol):
    """Who is told of answers."""

    def __call__(self, *, method: str, route: str, status: int, seconds: float) -> None:
        """One answer."""


@dataclass(slots=True)
class TokenBuckets:
    """A bucket for each client: `burst` requests at once, `rate` a second for ever after.

    Remembers the CLIENTS_MAX clients seen last; who is forgotten begins with a full bucket.
    """

    rate: float
    burst: int
    _left: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)

    def take(self, client: str, *, now_seconds: float) -> float:
        """0.0 where the request may pass; else how many seconds to wait."""
        left, then = self._left.pop(client, (float(self.burst), now_seconds))
        left = min(self.burst, left + (now_seconds - then) * self.rate)
        wait_seconds = 0.0 if left >= 1 else (1 - left) / self.rate
        self._left[client] = (left - 1 if left >= 1 else left, now_seconds)
        if len(self._left) > CLIENTS_MAX:
            self._left.popitem(last=False)
        return wait_seconds


class Guard:
    """Refuses what is too large (413) or too often (429); adds HEADERS to every answer.

    `count` is told of every answer: its method, the pattern of its route, its status, its seconds.
    """

    def __init__(
        self, app: ASGIApp, *, body_bytes_max: int, buckets: TokenBuckets, count: Count
    ) -> None:
        self._app, self._body_bytes_max, self._buckets = app, body_bytes_max, buckets
        self._count = count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begin, status = time.monotonic(), HTTPStatus.INTERNAL_SERVER_ERROR.value

        async def with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._guarded(scope, receive, with_headers)
        finally:
            self._count(
                method=scope["method"],
                route=getattr(scope.get("route"), "path", "none"),
                status=status,
                seconds=time.monotonic() - begin,
            )

    async def _guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        client = scope["client"][0] if scope.get("client") else "local"
        wait_seconds = self._buckets.take(client, now_seconds=time.monotonic())
        if wait_seconds:
            answer = problem(
                request,
                HTTPStatus.TOO_MANY_REQUESTS,
                f"more than {self._buckets.rate:g} requests a second; wait and ask again",
                headers={"Retry-After": str(math.ceil(wait_seconds))},
            )
            await answer(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "0")
        if not declared.isdigit() or int(declared) > self._body_bytes_max:
            await self._too_large(request)(scope, receive, send)
            return
        await self._read_whole(scope, receive, send, request)

    async def _read_whole(
        self, scope: Scope, receive: Receive, send: Send, request: Request
    ) -> None:
        """Take the body before the route does: one without a length may turn out too large."""
        body, more = bytearray(), scope["method"] not in ("GET", "HEAD", "OPTIONS")
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > self._body_bytes_max:
                await self._too_large(request)(scope, receive, send)
                return
        given = False

        async def again() -> Message:
            nonlocal given
            if given or scope["method"] in ("GET", "HEAD", "OPTIONS"):
                return await receive()
            given = True
            return {"type": "http.request", "body": bytes(body), "more_body": False}

        await self._app(scope, again, send)

    def _too_large(self, request: Request) -> ASGIApp:
        return problem(
            request,
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"the body of a request has at most {self._body_bytes_max:,} bytes",
        )
