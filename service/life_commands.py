"""The commands under `gracefuzz failures` by which a failure has a life."""

import sys
from typing import Annotated

import typer

Db = Annotated[str, typer.Option("--db", envvar="GRACEFUZZ_DB", help="The database.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Number = Annotated[int, typer.Argument(help="The number of the failure.")]
MEMORY_DEFAULT = 256
Memory = Annotated[int, typer.Option(min=1, metavar="MIB", help="How many MiB a search may take.")]
DB_DEFAULT = "gracefuzz.db"

BISECT_HELP = """
Say which patch of a series closes a failure, and which one opens it.

Every prefix of the series is asked, from none of its patches to all: the stored interleaving is
executed there, and where it does not fail as it did, a search looks for any interleaving of the
same signature with up to one preemption more. Parameters that no patch sets keep the failure's
values. SERIES is a name of the library, or file.py[:name]; by default the first of the library that
has the failure's program.

Exit codes: 0 it is gone with the whole series, 1 it shows there, 2 wrong usage, 4 not decided.

Examples:

  gracefuzz failures bisect 1

  gracefuzz failures bisect 1 --series ./my_series.py --memory 2048

  gracefuzz failures bisect 1 --json
"""
SHOWS, UNDECIDED = 1, 4


def register(failures: typer.Typer) -> None:
    """Add the commands to those of failures."""
    failures.command("bisect", help=BISECT_HELP)(failures_bisect)


# What a command needs is imported in it: `gracefuzz --help` needs neither SQL nor LLVM.


def failures_bisect(
    failure: Number,
    series: Annotated[
        str | None, typer.Option(metavar="SERIES", help="A name, or file.py[:name].")
    ] = None,
    memory: Memory = MEMORY_DEFAULT,
    db: Db = DB_DEFAULT,
    as_json: Json = False,
) -> None:
    """One failure over a series."""
    import json

    from service.bisecting import bisect, bisected_json, bisected_lines, series_for
    from service.failures import load_failure
    from service.reading import existing_database
    from storage.rechecks import sought_of

    with existing_database(db) as database:
        loaded = load_failure(database, failure)
    name = loaded.program.name
    found = bisect(
        failure,
        sought_of(loaded.failure.record),
        json.loads(loaded.program.parameters),
        series_for(name, series),
        bytes_max=memory << 20,
        note=lambda prefix: print(f"patches up to {prefix.patches}: asked", file=sys.stderr),
    )
    _print(bisected_json(found) if as_json else bisected_lines(found))
    shows = found.prefixes[-1].shows
    raise typer.Exit(UNDECIDED if shows is None else SHOWS if shows else 0)


def _print(text: str | list[str]) -> None:
    print(text if isinstance(text, str) else "\n".join(text))
