"""The commands under `gracefuzz failures` by which a failure has a life."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.options import DB_DEFAULT, Db, Json, print_text

if TYPE_CHECKING:
    from service.failures import LoadedFailure

Number = Annotated[int, typer.Argument(help="The number of the failure.")]
Sources = Annotated[
    list[str] | None,
    typer.Option(metavar="FILE.py[:NAME]", help="Where a program of your own is; repeatable."),
]
MEMORY_DEFAULT = 256
Memory = Annotated[int, typer.Option(min=1, metavar="MIB", help="How many MiB a search may take.")]

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

EXPORT_HELP = """
Write failures for other tools and other installations. Without numbers, all of the database.

  json     all that is known of each, one object

  pytest   a test file: each failure is looked for in today's program, and shown where it is found;
           a program that is not of the library must be named with --source

  bundle   a zip file that another installation imports, with the programs; the same failures give
           the same bytes

  sarif    SARIF 2.1.0: a result for each failure, its interleaving as a code flow

It goes to stdout, or with --output to a file that does not exist yet; a bundle needs --output.

Examples:

  gracefuzz failures export --json

  gracefuzz failures export 1 2 --format pytest --output test_races.py

  gracefuzz failures export 3 --format pytest --source ./my_lock.py --output test_my_lock.py

  gracefuzz failures export --program thp_split --format bundle --output thp_split.zip

  gracefuzz failures export --format sarif --output gracefuzz.sarif
"""

IMPORT_HELP = """
Take in the failures of a bundle that another installation has exported.

Each is executed again here, in the program of the bundle: its fingerprint, its sizes and its
columns are computed anew, and what does not fail as the bundle says is refused, with the whole
bundle. What is known already stays as it is. A bundle may be imported again and again.

A minimum that was proved elsewhere is not proved here: with --prove, each failure is minimized
again, which takes some seconds for each.

Examples:

  gracefuzz failures import thp_split.zip

  gracefuzz failures import thp_split.zip --prove --json
"""


class ExportFormat(StrEnum):
    """What failures are written as."""

    JSON = "json"
    PYTEST = "pytest"
    BUNDLE = "bundle"
    SARIF = "sarif"


def register(failures: typer.Typer) -> None:
    """Add the commands to those of failures."""
    failures.command("bisect", help=BISECT_HELP)(failures_bisect)
    failures.command("export", help=EXPORT_HELP)(failures_export)
    failures.command("import", help=IMPORT_HELP)(failures_import)


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
    print_text(bisected_json(found) if as_json else bisected_lines(found))
    shows = found.prefixes[-1].shows
    raise typer.Exit(UNDECIDED if shows is None else SHOWS if shows else 0)


def failures_export(
    failures: Annotated[
        list[int] | None, typer.Argument(metavar="[FAILURE]...", help="Their numbers.")
    ] = None,
    form: Annotated[
        ExportFormat, typer.Option("--format", help="What to write.")
    ] = ExportFormat.JSON,
    program: Annotated[str | None, typer.Option(help="Of this program only.")] = None,
    source: Sources = None,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write to a new file.")
    ] = None,
    db: Db = DB_DEFAULT,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Some failures, or all."""
    from service.exporting import write_new
    from service.failures import load_failure
    from service.reading import existing_database
    from storage.failures import list_failures

    form = ExportFormat.JSON if as_json else form
    if failures and program is not None:
        raise typer.BadParameter("give numbers or --program, not both")
    if form is ExportFormat.BUNDLE and output is None:
        raise typer.BadParameter("a bundle is a zip file: say where it goes with --output")
    with existing_database(db) as database:
        with database.read() as session:
            every = [each.failure_id for each in list_failures(session, program=program)]
        chosen = list(dict.fromkeys(failures or [])) or sorted(every)
        loaded = [load_failure(database, number) for number in chosen]
    text = _exported(form, loaded, output, source or [])
    if output is not None:
        write_new(output, text)
    else:
        assert isinstance(text, str)
        print_text(text.rstrip("\n"))


def _exported(
    form: ExportFormat, loaded: "list[LoadedFailure]", output: Path | None, sources: list[str]
) -> str | bytes:
    """The text of an export."""
    if form is ExportFormat.JSON:
        from service.failures import failures_document

        return failures_document(loaded)
    if form is ExportFormat.SARIF:
        from service.sarif import sarif

        return sarif(loaded)
    if form is ExportFormat.BUNDLE:
        from service.bundles import bundle

        return bundle(loaded)
    from service.regression import pytest_file
    from storage.sources import find_source

    programs = {find_source(given).name: given for given in sources}
    beside = Path.cwd() if output is None else output.absolute().parent
    return pytest_file(loaded, programs=programs, beside=beside)


def failures_import(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The bundle.")],
    prove: Annotated[bool, typer.Option("--prove", help="Minimize each again, here.")] = False,
    db: Db = DB_DEFAULT,
    as_json: Json = False,
) -> None:
    """The failures of a bundle."""
    from datetime import UTC, datetime

    from service.importing import bundle_in, import_bundle, imported_json, imported_lines
    from storage.session import open_database

    bundle = bundle_in(file)
    with open_database(db) as database:
        taken = import_bundle(database, bundle, prove=prove, now=datetime.now(UTC))
    print_text(imported_json(taken) if as_json else imported_lines(taken))
