"""A message to a webhook: signed, sent once a try, never redirected.

The signature is HMAC-SHA256 over `TIMESTAMP.BODY`, so that neither can be changed, and an old
message cannot be sent again as a new one. `is_genuine` is what a receiver does.
"""

import hashlib
import hmac
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from storage.errors import WebhookError

SECONDS_MAX = 10.0
AGE_SECONDS_MAX = 300
SECRET_BYTES_MIN = 16
SIGNATURE, TIMESTAMP = "X-Gracefuzz-Signature", "X-Gracefuzz-Timestamp"
EVENT, DELIVERY = "X-Gracefuzz-Event", "X-Gracefuzz-Delivery"
_SCHEME = "sha256="


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent: `delivery` stays the same however often it is tried."""

    url: str
    event: str
    delivery: int
    body: bytes


def signature(secret: bytes, *, timestamp: int, body: bytes) -> str:
    """The value of the signature's header; `timestamp` in seconds since 1970."""
    signed = f"{timestamp}.".encode() + body
    return _SCHEME + hmac.new(secret, signed, hashlib.sha256).hexdigest()


def is_genuine(
    secret: bytes, headers: Mapping[str, str], body: bytes, *, now_seconds: float
) -> bool:
    """What a receiver asks: is it signed with the secret, and not older than five minutes?"""
    given = {name.lower(): value for name, value in headers.items()}
    told = given.get(TIMESTAMP.lower(), "")
    if not told.isascii() or not told.isdecimal() or len(told) > 12:
        return False
    expected = signature(secret, timestamp=int(told), body=body)
    signed = given.get(SIGNATURE.lower(), "").encode()
    fresh = abs(now_seconds - int(told)) <= AGE_SECONDS_MAX
    return hmac.compare_digest(expected.encode(), signed) and fresh


def secret_from(*, variable: str | None, file: str | None) -> bytes:
    """The secret, from the environment or from a file; never from the database.

    Raises WebhookError where it is not there, or too short to be one.
    """
    if file is not None:
        try:
            secret = Path(file).read_bytes().strip()
        except OSError as error:
            raise WebhookError(
                f"the secret of the webhook cannot be read from {file}: {error.strerror}"
            ) from None
        where = file
    else:
        assert variable is not None
        secret, where = os.environ.get(variable, "").strip().encode(), f"${variable}"
    if len(secret) < SECRET_BYTES_MIN:
        what = "is not set" if not secret else f"is shorter than {SECRET_BYTES_MIN} bytes"
        raise WebhookError(f"the secret of the webhook in {where} {what}")
    return secret


def check_url(url: str) -> None:
    """Raise WebhookError unless messages can be sent there."""
    try:
        parts = urlsplit(url)
        port_is_fine = parts.port is None or 0 < parts.port < 65536
    except ValueError:
        parts, port_is_fine = urlsplit(""), False
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_fine:
        raise WebhookError(f"{url!r:.80} is no address of a webhook: give http:// or https://")
    if parts.username or parts.password or not url.isprintable():
        raise WebhookError("the address of a webhook holds no password: it is signed instead")


def send(message: Message, secret: bytes, *, now_seconds: float) -> str | None:
    """Send a message once; None where it was taken, else why not. Takes at most some 10 s."""
    timestamp = int(now_seconds)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "gracefuzz",
        EVENT: message.event,
        DELIVERY: str(message.delivery),
        TIMESTAMP: str(timestamp),
        SIGNATURE: signature(secret, timestamp=timestamp, body=message.body),
    }
    request = urllib.request.Request(message.url, message.body, headers, method="POST")
    try:
        with _OPENER.open(request, timeout=SECONDS_MAX) as answer:
            status: int = answer.status
    except urllib.error.HTTPError as error:
        error.close()
        return f"it answered {error.code}"
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        return f"it cannot be reached: {reason}"[:500]
    return None if 200 <= status < 300 else f"it answered {status}"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A message goes to the address that was given, and nowhere else."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> None:
        """Follow nothing: the answer counts as refused."""


_OPENER = urllib.request.build_opener(_NoRedirect)
