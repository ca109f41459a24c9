"""The command `gracefuzz workers`: coordinate all campaigns of a database, with a pool."""

import os
import secrets
import socket
from contextlib import ExitStack, closing
from typing import Annotated

import typer

INFRASTRUCTURE = 3
DRAIN_DEFAULT = "30s"

HELP = """
Execute the campaigns that `gracefuzz campaigns create` has made, all at once, until Ctrl-C.

Several may be started on one database: one leads, and another takes over some seconds after the
leader has died. After Ctrl-C or SIGTERM nothing more is given out, and what is in flight has 30 s
(--drain) to end; the rest is executed again by whoever coordinates next. Whatever is killed, each
block counts once.

Who leads also tells webhooks what is new, looks for stored failures in today's programs, and
removes what the rules of retention say: see `gracefuzz settings`.

Examples:

  gracefuzz workers

  gracefuzz workers --workers 4 --db postgresql://fuzz@db.local/gracefuzz

  gracefuzz workers --until-idle
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("workers", help=HELP)(workers_command)


def workers_command(
    workers: Annotated[
        int | None, typer.Option(min=0, help="Processes. [default: the cores; 0: no other]")
    ] = None,
    drain: Annotated[
        str, typer.Option(metavar="DURATION", help="For what is in flight, after a stop.")
    ] = DRAIN_DEFAULT,
    until_idle: Annotated[
        bool, typer.Option("--until-idle", help="End when no campaign is left.")
    ] = False,
    db: Annotated[
        str, typer.Option(envvar="GRACEFUZZ_DB", help="An SQLite file, or a PostgreSQL URL.")
    ] = "gracefuzz.db",
) -> None:
    """Open everything and lead."""
    from storage.session import open_database
    from workers.caretaking import taken_care
    from workers.commands import cores, seconds_of
    from workers.errors import PoolError
    from workers.fleet import Fleet
    from workers.fuzzing import open_pool
    from workers.stopping import StopRequest

    drain_seconds = seconds_of(drain)
    stop = StopRequest()
    try:
        with ExitStack() as stack:
            stack.enter_context(stop.listening())
            database = stack.enter_context(open_database(db))
            pool = open_pool(None, workers=cores() if workers is None else workers)
            stack.enter_context(closing(pool))
            stop.listen()
            holder = holder_name()
            stack.enter_context(taken_care(db, holder, say))
            Fleet(
                database,
                pool,
                say,
                lambda: stop.is_requested,
                holder,
                drain_seconds=drain_seconds,
                is_done_when_idle=until_idle,
            ).execute()
    except PoolError as error:
        typer.echo(f"gracefuzz: {error}", err=True)
        raise typer.Exit(INFRASTRUCTURE) from error


def say(campaign_id: int | None, sentence: str) -> None:
    """A line on stderr."""
    where = "" if campaign_id is None else f"campaign {campaign_id}: "
    typer.echo(where + sentence.strip(), err=True)


def holder_name() -> str:
    """This process among all coordinators; another one of the same number is another one."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
