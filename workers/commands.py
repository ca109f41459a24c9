"""What `workers` adds: `fuzz`, `verify`, `matrix`, `workers`, `webhook`, `doctor`, `bench`."""

import os
from typing import Annotated

import typer

from storage.durations import duration_seconds
from workers import (
    coordinating_command,
    doctor_command,
    fuzz_command,
    matrix_command,
    verify_command,
    webhook_command,
)

INFRASTRUCTURE = 3

BENCH_HELP = """
Measure the engine and the way to a first failure, as a table or as one flat JSON object.

Takes some minutes, and means little on a machine that does other things.

Examples:

  gracefuzz bench

  gracefuzz bench --json

  gracefuzz bench --only first_failure_seconds
"""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    fuzz_command.register(app)
    verify_command.register(app)
    matrix_command.register(app)
    webhook_command.register(app)
    coordinating_command.register(app)
    doctor_command.register(app)
    app.command("bench", help=BENCH_HELP)(bench_command)


def bench_command(
    only: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Measure this one; repeatable.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one flat JSON object.")] = False,
) -> None:
    """Measure and print."""
    from workers.bench import BenchError, measure, measurements, print_figures
    from workers.errors import PoolError

    known = measurements()
    unknown = [name for name in only or [] if name not in known]
    if unknown:
        raise typer.BadParameter(f"no measurement is called {unknown[0]!r}: {', '.join(known)}")
    try:
        figures = measure(only or list(known))
    except (BenchError, PoolError) as error:
        typer.echo(f"gracefuzz: {error}", err=True)
        raise typer.Exit(INFRASTRUCTURE) from error
    print_figures(figures, as_json=as_json)


def seconds_of(text: str) -> float:
    """`30s`, `1.5m`, `2h`, or a number of seconds. Raises BadParameter."""
    seconds = duration_seconds(text)
    if seconds is None:
        raise typer.BadParameter(f"{text!r} is no duration: give 30s, 2m or 1h")
    return seconds


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
