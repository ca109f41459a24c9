"""The commands that `workers` adds to the `gracefuzz` command line: `fuzz`, `verify`, `bench`."""

import os
import re
from enum import StrEnum
from typing import Annotated

import typer

from workers import verify_command

SECONDS_DEFAULT = 30.0
SEED_MAX = 2**64 - 1
INFRASTRUCTURE = 3
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}

FUZZ_HELP = """
Run a program under random schedules and store every way to break it.

PROGRAM is a name of the library, or path/to/file.py or path/to/file.py:name.

Exit codes: 0 clean, 1 violations found, 2 wrong usage or a wrong program, 3 gracefuzz or its
surroundings failed. Failures passed over with --exclude do not count. The same seed gives the same
executions, on every machine.

Examples:

  gracefuzz fuzz thp_split

  gracefuzz fuzz thp_split --param gp_cookie=on --time 2m

  gracefuzz fuzz ./my_lock.py --schedules 1000000000 --workers 4 --json

  gracefuzz fuzz thp_split --exclude 1 --fail-on new --time 10m

  gracefuzz fuzz thp_split --seed 1 --block 0
"""

BENCH_HELP = """
Measure the engine and the way to a first failure, as a table or as one flat JSON object.

Takes some minutes, and means little on a machine that does other things.

Examples:

  gracefuzz bench

  gracefuzz bench --json

  gracefuzz bench --only first_failure_seconds
"""


class FailOn(StrEnum):
    """Which failures make the exit code 1."""

    ANY = "any"
    NEW = "new"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("fuzz", help=FUZZ_HELP)(fuzz_command)
    verify_command.register(app)
    app.command("bench", help=BENCH_HELP)(bench_command)


def fuzz_command(
    program: Annotated[str, typer.Argument(help="A name of the library, or file.py[:name].")],
    param: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="A parameter; repeatable.")
    ] = None,
    time: Annotated[
        str | None,
        typer.Option(metavar="DURATION", help="End after 30s, 2m, 1h. [default: 30s]"),
    ] = None,
    schedules: Annotated[
        int | None, typer.Option(min=1, help="End after so many schedules, to whole blocks.")
    ] = None,
    stop_on_first: Annotated[
        bool, typer.Option("--stop-on-first", help="End when a failure is stored.")
    ] = False,
    block: Annotated[
        int | None,
        typer.Option(min=0, help="Execute this block only, to see it again."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=SEED_MAX, help="The root seed.")] = 1,
    workers: Annotated[
        int | None,
        typer.Option(min=0, help="Worker processes; 0: this process. [default: one a core]"),
    ] = None,
    db: Annotated[
        str, typer.Option(envvar="GRACEFUZZ_DB", help="The database: an SQLite file.")
    ] = "gracefuzz.db",
    exclude: Annotated[
        list[int] | None, typer.Option(metavar="FAILURE", help="Pass over it; repeatable.")
    ] = None,
    fail_on: Annotated[
        FailOn, typer.Option(help="Exit with 1 for any failure, or for new ones only.")
    ] = FailOn.ANY,
    metrics_port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Serve Prometheus metrics; 0: a free port."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Settle the units and start."""
    # Imported here, and not before: `gracefuzz --help` needs neither SQL nor LLVM.
    from storage.sources import parameters_of
    from workers.errors import PoolError, PortTaken
    from workers.starting import Wish, start

    seconds = None if time is None else seconds_of(time)
    if seconds is None and schedules is None and block is None:
        seconds = SECONDS_DEFAULT
    wish = Wish(
        program=program,
        parameters=parameters_of(param or []),
        seconds=seconds,
        schedules=schedules,
        block=block,
        stop_on_first=stop_on_first,
        seed=seed,
        workers=cores() if workers is None else workers,
        database=db,
        excluded_failures=tuple(dict.fromkeys(exclude or [])),
        only_new=fail_on is FailOn.NEW,
        metrics_port=metrics_port,
        as_json=as_json,
    )
    try:
        code = int(start(wish))
    except (PoolError, PortTaken) as error:
        typer.echo(f"gracefuzz: {error}", err=True)
        code = INFRASTRUCTURE
    raise typer.Exit(code)


def bench_command(
    only: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Measure this one; repeatable.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one flat JSON object.")] = False,
) -> None:
    """Measure and print."""
    from workers.bench import BenchError, measure, measurements, print_figures

    known = measurements()
    unknown = [name for name in only or [] if name not in known]
    if unknown:
        raise typer.BadParameter(f"no measurement is called {unknown[0]!r}: {', '.join(known)}")
    try:
        figures = measure(only or list(known))
    except BenchError as error:
        typer.echo(f"gracefuzz: {error}", err=True)
        raise typer.Exit(INFRASTRUCTURE) from error
    print_figures(figures, as_json=as_json)


def seconds_of(text: str) -> float:
    """`30s`, `1.5m`, `2h`, or a number of seconds. Raises BadParameter."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(s|m|h|)", text.strip())
    seconds = float(match[1]) * _UNITS[match[2]] if match else 0.0
    if seconds <= 0:
        raise typer.BadParameter(f"{text!r} is no duration: give 30s, 2m or 1h")
    return seconds


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
