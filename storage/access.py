"""Tokens and sessions: made, looked up, revoked. A secret is shown once and never stored."""

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from storage.access_tables import AnswerRow, Scope, SessionRow, TokenRow
from storage.errors import StorageError
from storage.once import insert_once

TOKEN_PREFIX = "gracefuzz_"
SECRET_BYTES = 32
# What `openssl rand -hex 32` gives: an operator's secret is as hard to guess as ours.
SECRET_FORM = TOKEN_PREFIX + "[0-9a-f]{64}"
SESSION_HOURS = 12
ANSWER_HOURS = 24


class TokenError(StorageError):
    """A token that cannot be made or revoked as asked."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token without its secret."""

    token_id: int
    name: str
    scope: Scope
    created_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Answered:
    """What a repeated request was answered the first time; `asked` is the hash of what it asked."""

    asked: str
    status: int
    body: str


def create_token(session: Session, name: str, scope: Scope, *, now: datetime) -> str:
    """Make a token and give its secret, this once. Raises TokenError where the name is taken."""
    secret = TOKEN_PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    if not _insert_token(session, name, scope, secret, now=now):
        raise _name_is_taken(name)
    return secret


def keep_token(session: Session, name: str, scope: Scope, secret: str, *, now: datetime) -> bool:
    """Make a token of a secret that an operator drew; False where it was made before.

    Raises TokenError where the secret can be guessed, or the name is another token's.
    """
    if not re.fullmatch(SECRET_FORM, secret):
        raise TokenError(
            f"the secret is not {TOKEN_PREFIX} with 64 hexadecimal digits\n"
            f'    make one: printf {TOKEN_PREFIX}%s "$(openssl rand -hex 32)"'
        )
    if _insert_token(session, name, scope, secret, now=now):
        return True
    there = token_of_secret(session, secret)
    if there is None or (there.name, there.scope) != (name, scope):
        raise _name_is_taken(name)
    return False


def _insert_token(
    session: Session, name: str, scope: Scope, secret: str, *, now: datetime
) -> bool:
    if not 0 < len(name) <= 100 or not name.isprintable():
        raise TokenError("a token's name has 1 to 100 printable characters")
    values = {
        "name": name,
        "digest": digest_of(secret),
        "scope": scope,
        "created_at": now,
        "revoked_at": None,
    }
    return insert_once(session, TokenRow, key=["name"], values=values)


def _name_is_taken(name: str) -> TokenError:
    return TokenError(
        f"a token called {name!r} exists or existed\n    give another name: the trail of who "
        "did what goes by it"
    )


def list_tokens(session: Session) -> tuple[Token, ...]:
    """All tokens, revoked ones too, in the order in which they were made."""
    return tuple(_token(row) for row in session.scalars(select(TokenRow).order_by(TokenRow.id)))


def revoke_token(session: Session, name: str, *, now: datetime) -> bool:
    """End a token and every visit it began; False where it had ended. Raises TokenError."""
    row = session.scalar(select(TokenRow).where(TokenRow.name == name).with_for_update())
    if row is None:
        raise TokenError(f"no token is called {name!r}\n    list them: gracefuzz token list")
    session.execute(delete(SessionRow).where(SessionRow.token_id == row.id))
    if row.revoked_at is not None:
        return False
    row.revoked_at = now
    return True


def token_of_secret(session: Session, secret: str) -> Token | None:
    """The token with this secret, unless it was revoked. The database compares hashes only."""
    row = session.scalar(select(TokenRow).where(TokenRow.digest == digest_of(secret)))
    return None if row is None or row.revoked_at is not None else _token(row)


def has_tokens(session: Session) -> bool:
    """Whether a token exists that is not revoked."""
    valid = select(func.count()).where(TokenRow.revoked_at.is_(None))
    return bool(session.scalar(valid))


def begin_session(session: Session, token: Token, *, now: datetime) -> str:
    """Begin a visit of SESSION_HOURS and give its secret; forget visits that are over."""
    session.execute(delete(SessionRow).where(SessionRow.expires_at <= now))
    secret = secrets.token_urlsafe(SECRET_BYTES)
    expires_at = now + timedelta(hours=SESSION_HOURS)
    session.add(
        SessionRow(digest=digest_of(secret), token_id=token.token_id, expires_at=expires_at)
    )
    return secret


def token_of_session(session: Session, secret: str, *, now: datetime) -> Token | None:
    """The token that began a visit, while the visit lasts and the token is not revoked."""
    row = session.get(SessionRow, digest_of(secret))
    if row is None or row.expires_at <= now:
        return None
    token = session.get_one(TokenRow, row.token_id)
    return None if token.revoked_at is not None else _token(token)


def end_session(session: Session, secret: str) -> None:
    """End a visit."""
    session.execute(delete(SessionRow).where(SessionRow.digest == digest_of(secret)))


def answered(session: Session, visitor: str, key: str) -> Answered | None:
    """What a request with this key was answered before."""
    row = session.get(AnswerRow, (visitor, key))
    return None if row is None else Answered(row.asked, row.status, row.body)


def remember_answer(
    session: Session, visitor: str, key: str, answer: Answered, *, now: datetime
) -> None:
    """Keep an answer for ANSWER_HOURS, in the transaction of what it tells of."""
    session.execute(
        delete(AnswerRow).where(AnswerRow.created_at < now - timedelta(hours=ANSWER_HOURS))
    )
    session.add(
        AnswerRow(
            visitor=visitor,
            key=key,
            asked=answer.asked,
            status=answer.status,
            body=answer.body,
            created_at=now,
        )
    )


def digest_of(secret: str) -> str:
    """What is stored of a secret. It has 256 random bits, so a plain hash cannot be guessed."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _token(row: TokenRow) -> Token:
    return Token(row.id, row.name, row.scope, row.created_at, row.revoked_at)
