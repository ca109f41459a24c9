"""`gracefuzz gc`: what the rules of retention remove, for a person to read and for a script."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import typer

from service.options import DB_DEFAULT, Db, Json

GC_HELP = """
Remove what nobody needs any more. With --dry-run, only say what that would be.

Never removed: failures that are open or have regressed, with everything that belongs to them;
campaigns that have not ended, or in which the two engines disagreed; whatever a failure, a merge or
a matrix still points to; the last recheck of each failure; messages that wait to be sent.

Removed after so many days: failures that are fixed, invalid or duplicates (--closed, since they
were last seen or decided about), campaigns that no failure points to (--campaigns), rechecks
(--rechecks), messages that were taken (--messages). Of closed failures, --schedules sightings keep
their schedule; all stay counted. Programs go with the last row that needs them.

Examples:

  gracefuzz gc --dry-run

  gracefuzz gc --closed 90 --campaigns 30

  gracefuzz gc --dry-run --json
"""
Days = Annotated[int, typer.Option(min=0, metavar="DAYS")]


def gc_command(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Remove nothing.")] = False,
    closed: Days = 365,
    campaigns: Days = 90,
    rechecks: Days = 90,
    messages: Days = 30,
    schedules: Annotated[int, typer.Option(min=0, help="Kept for a closed failure.")] = 8,
    db: Db = DB_DEFAULT,
    as_json: Json = False,
) -> None:
    """Apply the rules."""
    from datetime import UTC

    from service.reading import existing_database, pretty
    from storage.retention import Retention, removal, remove

    rules = Retention.of_days(closed, campaigns, rechecks, messages, schedules=schedules)
    now = datetime.now(UTC)
    with existing_database(db) as database:
        if dry_run:
            with database.read() as session:
                what = removal(session, rules, now=now)
        else:
            with database.write() as session:
                what = removal(session, rules, now=now)
                remove(session, what)
    kinds = what.by_kind
    if as_json:
        typer.echo(pretty({"removed": not dry_run, **{k: list(v) for k, v in kinds.items()}}))
        return
    verb = "would remove" if dry_run else "removed"
    if what.is_empty:
        typer.echo(f"{verb} nothing")
    for kind, rows in kinds.items():
        if rows:
            named = "" if kind not in ("failures", "campaigns") else f": {_listed(rows)}"
            typer.echo(f"{verb} {len(rows):,} {kind}{named}")


def _listed(numbers: Sequence[object]) -> str:
    shown = ", ".join(str(number) for number in numbers[:20])
    return shown + (", …" if len(numbers) > 20 else "")
