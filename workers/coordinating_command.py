"""The command `gracefuzz workers`: coordinate all campaigns of a database, with a pool."""

import os
import secrets
import socket
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from workers.pool import SharedPool

LOCAL = "local"
INFRASTRUCTURE = 3
DRAIN_DEFAULT = "30s"
Address = Annotated[
    str,
    typer.Option(
        envvar="GRACEFUZZ_RAY_ADDRESS", help="Of Ray: local, auto, or HOST:PORT of a head."
    ),
]

HELP = """
Execute the campaigns that `gracefuzz campaigns create` has made, all at once, until Ctrl-C.

Several may be started on one database: one leads, and another takes over some seconds after the
leader has died. After Ctrl-C or SIGTERM nothing more is given out, and what is in flight has 30 s
(--drain) to end; the rest is executed again by whoever coordinates next. Whatever is killed, each
block counts once.

Who leads also tells webhooks what is new, looks for stored failures in today's programs, and
removes what the rules of retention say: see `gracefuzz settings`.

With --address the workers are those of a Ray cluster, of which this machine must be a node: one for
each CPU of every node. Nodes may join and leave meanwhile; while the head is away the command waits
and tries again. Nodes need the same gracefuzz, and the token that RAY_AUTH_TOKEN_PATH names
(RAY_AUTH_MODE=disabled for a cluster without one); the README has the steps.

Exit codes: 0 stopped or idle, 2 a mistake in the options, 3 the database or Ray cannot be used.

Examples:

  gracefuzz workers

  gracefuzz workers --address 10.0.0.1:6379 --db postgresql://fuzz@db.local/gracefuzz

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
    address: Address = LOCAL,
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
    from workers.stopping import StopRequest

    drain_seconds = seconds_of(drain)
    check_address(address)
    if workers is not None and address != LOCAL:
        raise typer.BadParameter(
            "--workers is for this machine alone: how many a cluster's node has is said there, by "
            "ray start --num-cpus"
        )
    stop = StopRequest()
    try:
        with ExitStack() as stack:
            stack.enter_context(stop.listening())
            database = stack.enter_context(open_database(db))
            pool = opened(address, cores() if workers is None else workers)
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


def check_address(address: str) -> None:
    """Raises BadParameter for what is no address of Ray."""
    from workers.ray_environment import is_address

    if not is_address(address):
        raise typer.BadParameter(
            f"{address!r} is no address of Ray: give local, auto, or HOST:PORT of a cluster's head"
        )


def opened(address: str, workers: int) -> "SharedPool":
    """This process alone for 0 local workers, else Ray. Raises PoolError."""
    from workers.local_pool import LocalPool
    from workers.pool_process import Opening, PoolProcess

    if address == LOCAL and workers == 0:
        return LocalPool(None)
    return PoolProcess(Opening(address, workers), lambda sentence: say(None, sentence))


def say(campaign_id: int | None, sentence: str) -> None:
    """A line on stderr."""
    where = "" if campaign_id is None else f"campaign {campaign_id}: "
    typer.echo(where + sentence.strip(), err=True)


def holder_name() -> str:
    """This process among all coordinators; another one of the same number is another one."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
