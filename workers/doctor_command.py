"""The command `gracefuzz doctor`: what is wrong here, and what to do about it."""

import json
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from workers.coordinating_command import INFRASTRUCTURE, LOCAL, Address, check_address

if TYPE_CHECKING:
    from workers.doctor import Check

HELP = """
Look at this machine, its packages, the database and Ray; say what is wrong and what to do.

Nothing is changed: no database is made or upgraded, what is written to see whether it can be is
taken back, and Ray is ended again (a cluster is only asked). Takes some ten seconds; a large SQLite
file is read as a whole.

Exit codes: 0 nothing is wrong, whatever there is to note; 2 a mistake in the options; 3 something
is wrong.

Examples:

  gracefuzz doctor

  gracefuzz doctor --db postgresql://fuzz@db.local/gracefuzz --address 10.0.0.1:6379

  gracefuzz doctor --json
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor", help=HELP)(doctor_command)


def doctor_command(
    db: Annotated[
        str, typer.Option(envvar="GRACEFUZZ_DB", help="An SQLite file, or a PostgreSQL URL.")
    ] = "gracefuzz.db",
    address: Address = LOCAL,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> int:
    """Print each check as soon as it is known."""
    from workers.doctor import Level

    check_address(address)
    checks = []
    for check in all_checks(db, address):
        checks.append(check)
        if not as_json:
            typer.echo("\n".join(lines_of(check)))
    wrong = sum(check.level is Level.WRONG for check in checks)
    if as_json:
        document = {"is_fine": wrong == 0, "checks": [asdict(check) for check in checks]}
        typer.echo(json.dumps(document, indent=2))
    elif wrong:
        typer.echo(f"{wrong} of {len(checks)} checks found something wrong", err=True)
    return INFRASTRUCTURE if wrong else 0


def all_checks(db: str, address: str) -> Iterator["Check"]:
    """In the order in which one thing needs another."""
    from storage.errors import StorageError
    from storage.locations import locate
    from workers.doctor import database_checks, machine_checks
    from workers.doctor_ray import ray_checks

    folders = {"temporary files": Path(tempfile.gettempdir())}
    try:
        path = getattr(locate(db), "path", None)
    except StorageError:
        # Said below.
        path = None
    if isinstance(path, Path):
        folders["disk of the database"] = path.parent
    yield from machine_checks(folders=folders)
    yield from database_checks(db)
    yield from ray_checks(address)


def lines_of(check: "Check") -> list[str]:
    """`wrong  database  what was found`, and the remedy below."""
    lines = [f"{check.level:<6} {check.name:<21} {check.found}"]
    return lines + ([f"{'':<29}{check.remedy}"] if check.remedy else [])
