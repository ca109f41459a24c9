"""Reading from a service instead of a database: `--server URL`, with the same output.

The service makes JSON and lines by the functions that the commands use themselves. A token comes
from the environment, never from the command line, which others on the machine can see.
"""

import json
import os
from collections.abc import Iterator, Mapping
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import Request, urlopen

from service.reading import pretty
from storage.failures import FailureSummary
from storage.tables import FailureStatus

SECONDS_MAX = 60.0
PAGE = 200
TOKEN, TOKEN_FILE = "GRACEFUZZ_TOKEN", "GRACEFUZZ_TOKEN_FILE"


class RemoteRefused(Exception):
    """The service answers, and refuses; the message is what it says."""


class RemoteFailed(Exception):
    """The service cannot be reached, or fails."""


def remote(server: str, path: str, *, as_json: bool, **query: str | list[str] | None) -> str:
    """What a command prints, from the API's `path`. Raises RemoteRefused and RemoteFailed."""
    accept = "application/json" if as_json else "text/plain"
    text = _fetch(server, _path(path, query), accept)
    return pretty(json.loads(text)) if as_json else text.rstrip("\n")


def remote_failures(
    server: str, *, program: str | None, status: str | None = None
) -> tuple[FailureSummary, ...]:
    """All failures, page after page."""
    query = {"program": program, "status": status, "limit": str(PAGE)}
    return tuple(_failures(server, _path("failures", query)))


def part(text: str | int) -> str:
    """A segment of a path, whatever it holds."""
    return quote(str(text), safe="")


def _failures(server: str, path: str) -> Iterator[FailureSummary]:
    following: str | None = path
    while following is not None:
        page = json.loads(_fetch(server, following, "application/json"))
        yield from (_summary(each) for each in page["failures"])
        following = page["next"]


def _summary(each: Mapping[str, Any]) -> FailureSummary:
    return FailureSummary(
        failure_id=each["failure"],
        program_name=each["program"],
        oracle=each["oracle"],
        sentence=each["sentence"],
        step_label=each["step"],
        fingerprint=each["fingerprint"],
        status=FailureStatus(each["status"]),
        preemptions=each["preemptions"],
        switches=each["switches"],
        threads=each["threads"],
        steps=each["steps"],
        sightings_count=each["sightings"],
        first_seen_at=datetime.fromisoformat(each["first_seen_at"]),
        last_seen_at=datetime.fromisoformat(each["last_seen_at"]),
    )


def _path(path: str, query: Mapping[str, str | list[str] | None]) -> str:
    given = {name: value for name, value in query.items() if value is not None}
    asked = urlencode(given, doseq=True)
    return f"/api/v1/{path}" + (f"?{asked}" if asked else "")


def _fetch(server: str, path: str, accept: str) -> str:
    base = urlsplit(server)
    if base.scheme not in ("http", "https") or not base.hostname:
        raise RemoteRefused(
            f"{server!r} is no address of a service\n    give one like http://127.0.0.1:8080"
        )
    headers = {"Accept": accept}
    token = _token()
    if token:
        headers["Authorization"] = f"Bearer {token}"
    request = Request(f"{base.scheme}://{base.netloc}{path}", headers=headers)
    try:
        with urlopen(request, timeout=SECONDS_MAX) as answer:
            content: bytes = answer.read()
    except HTTPError as error:
        raise _refusal(server, error) from error
    except (URLError, OSError) as error:
        reason = getattr(error, "reason", error)
        raise RemoteFailed(
            f"cannot reach the service {server}: {reason}\n    is it running? gracefuzz serve"
        ) from error
    return content.decode()


def _token() -> str | None:
    file = os.environ.get(TOKEN_FILE)
    if file is None:
        return os.environ.get(TOKEN)
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise RemoteRefused(f"cannot read {TOKEN_FILE}={file}: {error.strerror}") from error


def _refusal(server: str, error: HTTPError) -> Exception:
    status = HTTPStatus(error.code)
    try:
        detail = str(json.loads(error.read())["detail"])
    except (ValueError, KeyError, TypeError):
        detail = f"{server} answers {error.code} {status.phrase}"
    if status is HTTPStatus.UNAUTHORIZED:
        detail = f"{detail.splitlines()[0]}\n    set {TOKEN} or {TOKEN_FILE} for {server}"
    return (RemoteFailed if status >= 500 else RemoteRefused)(detail)
