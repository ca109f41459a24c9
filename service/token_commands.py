"""`gracefuzz token`: who may use the service."""

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from service.options import DB_DEFAULT, Db, Json

Name = Annotated[str, typer.Argument(help="Who or what it is for; the trail says it.")]

CREATE_HELP = """
Make a token for the service and print it, this once; the database keeps a hash of it.

A token for read may look at everything, one for operate may also start, pause and stop campaigns
and change failures, one for admin may also see and revoke tokens. As soon as there is one, the
service lets nobody in without. With --secret-file an operator brings the secret; the same file
again changes nothing, and nothing is printed of it.

Examples:

  gracefuzz token create ci --scope read

  gracefuzz token create alice --scope operate --json

  gracefuzz token create prometheus --secret-file /run/secrets/prometheus_token
"""

LIST_HELP = """
List the tokens, without their secrets; revoked ones too.

Examples:

  gracefuzz token list

  gracefuzz token list --json
"""

REVOKE_HELP = """
End a token at once, with every visit that it began. Its name is not given again.

Examples:

  gracefuzz token revoke ci
"""


class ScopeWord(StrEnum):
    """The scopes, without the database's package."""

    READ = "read"
    OPERATE = "operate"
    ADMIN = "admin"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    tokens = typer.Typer(
        help="Who may use the service.", no_args_is_help=True, rich_markup_mode=None
    )
    tokens.command("create", help=CREATE_HELP)(create)
    tokens.command("list", help=LIST_HELP)(list_all)
    tokens.command("revoke", help=REVOKE_HELP)(revoke)
    app.add_typer(tokens, name="token")


def create(
    name: Name,
    scope: Annotated[ScopeWord, typer.Option(help="What it allows.")] = ScopeWord.READ,
    secret_file: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Holds the secret: gracefuzz_, 64 digits."),
    ] = None,
    db: Db = DB_DEFAULT,
    as_json: Json = False,
) -> None:
    """Make a token."""
    from service.reading import pretty
    from storage.access import create_token, keep_token
    from storage.access_tables import Scope
    from storage.session import open_database

    now = datetime.now(UTC)
    with open_database(db) as database, database.write() as session:
        if secret_file is not None:
            given = secret_file.read_text(encoding="utf-8", errors="replace").strip()
            made = keep_token(session, name, Scope(scope.value), given, now=now)
            print(f"the token {name!r} {'is made' if made else 'was made before'}")
            return
        secret = create_token(session, name, Scope(scope.value), now=now)
    if as_json:
        print(pretty({"name": name, "scope": scope.value, "token": secret}))
    else:
        print(secret)
        typer.echo(f"this is the token {name!r}: it is shown this once", err=True)


def list_all(db: Db = DB_DEFAULT, as_json: Json = False) -> None:
    """All tokens."""
    from service.reading import columns, existing_database, pretty
    from storage.access import list_tokens

    with existing_database(db) as database, database.read() as session:
        found = list_tokens(session)
    if as_json:
        print(
            pretty(
                [
                    {
                        "name": token.name,
                        "scope": token.scope.value,
                        "created_at": token.created_at.isoformat(),
                        "revoked_at": None
                        if token.revoked_at is None
                        else token.revoked_at.isoformat(),
                    }
                    for token in found
                ]
            )
        )
        return
    rows = [
        (
            token.name,
            token.scope.value,
            f"{token.created_at:%Y-%m-%d %H:%M}",
            "valid" if token.revoked_at is None else f"revoked {token.revoked_at:%Y-%m-%d %H:%M}",
        )
        for token in found
    ]
    print("\n".join(columns(rows)) if rows else "there is no token: the service is for loopback")


def revoke(name: Name, db: Db = DB_DEFAULT) -> None:
    """End a token."""
    from service.reading import existing_database
    from storage.access import revoke_token

    with existing_database(db) as database, database.write() as session:
        ended = revoke_token(session, name, now=datetime.now(UTC))
    print(f"the token {name!r} {'is revoked' if ended else 'had been revoked before'}")
