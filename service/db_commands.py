"""`gracefuzz db`: what an operator does with a database."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from service.options import DB_DEFAULT, Db, Json

APP_HELP = "Look at a database, migrate it, copy it."

CURRENT_HELP = """
Say what the database is: its kind and version, the revision of its tables, its size.

Exit codes: 0 this gracefuzz can use it as it is, 3 it must be upgraded, is too new, or cannot be
reached.

Examples:

  gracefuzz db current

  gracefuzz db current --db postgresql://fuzz@db.example/gracefuzz --json
"""

UPGRADE_HELP = """
Bring the database to the revision of this gracefuzz; one that is there already is left alone.

An SQLite file is upgraded by every command that opens it. A server may have other users: stop
their campaigns first, since what is older than the tables cannot use them.

Examples:

  gracefuzz db upgrade --db postgresql://fuzz@db.example/gracefuzz
"""

DOWNGRADE_HELP = """
Take the database back to an earlier revision, for an earlier gracefuzz.

What only later revisions can hold is lost, and --yes says that you know: make a backup first.

Examples:

  gracefuzz db backup before.db

  gracefuzz db downgrade 0008 --yes
"""

BACKUP_HELP = """
Copy the database into a new file, while campaigns go on: one consistent state of it.

An SQLite database becomes another SQLite file. For a PostgreSQL database, pg_dump writes its custom
format, which pg_restore reads; it must be installed here.

Examples:

  gracefuzz db backup gracefuzz-monday.db

  gracefuzz db backup gracefuzz.dump --db postgresql://fuzz@db.example/gracefuzz
"""


def register(app: typer.Typer) -> None:
    """Add the commands below `gracefuzz db`."""
    group = typer.Typer(help=APP_HELP, no_args_is_help=True)
    group.command(help=CURRENT_HELP)(current)
    group.command(help=UPGRADE_HELP)(upgrade)
    group.command(help=DOWNGRADE_HELP)(downgrade)
    group.command(help=BACKUP_HELP)(backup)
    app.add_typer(group, name="db")


def current(db: Db = DB_DEFAULT, as_json: Json = False) -> int:
    """Print what the database is."""
    from service.reading import pretty
    from storage.maintenance import sqlite_build, state_of

    state, build = state_of(db), sqlite_build()
    if as_json:
        more = {"is_current": state.is_current, "sqlite": asdict(build)}
        typer.echo(pretty({**asdict(state), **more}))
    else:
        typer.echo(f"{state.name}: {state.engine}, {state.size_bytes:,} bytes")
        typer.echo(f"revision {state.revision or 'none: no tables yet'} of {state.newest_revision}")
        if not state.is_current:
            typer.echo("bring it up to date: gracefuzz db upgrade", err=True)
        if build.has_reset_defect and state.engine.startswith("SQLite"):
            typer.echo(f"SQLite {build.version} has the WAL-reset defect", err=True)
    return 0 if state.is_current else 3


def upgrade(db: Db = DB_DEFAULT) -> None:
    """Migrate up."""
    from storage.maintenance import state_of, upgrade_database

    upgrade_database(db)
    state = state_of(db)
    typer.echo(f"{state.name} is at revision {state.revision}")


def downgrade(
    revision: Annotated[str, typer.Argument(help="As `db current` prints it: 0008.")],
    db: Db = DB_DEFAULT,
    yes: Annotated[bool, typer.Option("--yes", help="What later revisions hold is lost.")] = False,
) -> None:
    """Migrate down."""
    from storage.maintenance import downgrade_database, state_of

    if not yes:
        raise typer.BadParameter("what only later revisions can hold is lost: add --yes")
    downgrade_database(db, revision)
    state = state_of(db)
    typer.echo(f"{state.name} is at revision {state.revision}")


def backup(
    file: Annotated[Path, typer.Argument(help="A file that does not exist yet.")],
    db: Db = DB_DEFAULT,
) -> None:
    """Copy the database."""
    from storage.maintenance import back_up

    back_up(db, file)
    typer.echo(f"{file}: {file.stat().st_size:,} bytes")
