"""The command `gracefuzz fuzz` and its options."""

from pathlib import Path
from typing import Annotated

import typer

from workers.fail_options import BaselineName, FailingOn, FailOn, only_new

SECONDS_DEFAULT = 30.0
# With these, executing a configuration of thp_split's size takes as long as compiling it.
BLOCKS_DEFAULT = 32
SEED_MAX = 2**64 - 1
INFRASTRUCTURE = 3

HELP = """
Run a program under random schedules and store every way to break it.

PROGRAM is a name of the library, or path/to/file.py or path/to/file.py:name.

Schedulers (--scheduler NAME or NAME:OPTION=VALUE,...):

  uniform_walk  every enabled thread is as likely as the others, at every step

  pct:d=3       random priorities, lowered at d - 1 random steps; also k=STEPS, demotes=before

  pos           random priorities of pending steps, drawn again where steps race; also bits=8

  urw           threads weighted by the steps they are expected to have left

  surw          every order of the steps that touch one place as likely as the others

  preemption_bounded:c=2   at most c preemptions, at random steps; also k=STEPS

  portfolio     all of these, chosen turn by turn by what they show that is new; also
                portfolio:surw+pct:d=4+pos, of two to eight

  exhaustive:c=2   every schedule with at most c preemptions, those with fewer first, once; ends
                   when all are executed, with no time given

Exit codes: 0 clean, 1 violations found, 2 wrong usage or a wrong program, 3 gracefuzz or its
surroundings failed. Failures passed over with --exclude do not count. The same seed gives the same
executions, on every machine.

With --fail-on new, only failures count that the database did not have, and fixed ones that show
again. With --baseline besides, those count that are not in it: a name that `failures baseline` has
stored, or a file that it has written, for CI without a database.

With --hint, FILE holds an interleaving: columns, as `failures show` prints them, or `thread: step`
lines. Steps may be left out. It is followed, then executions around it are tried; what violates is
minimized, printed and stored, and otherwise the campaign goes on as without a hint.

With --again, the blocks of an earlier campaign of this very program are executed once more, with
its seed and its schedulers: also those that a portfolio chose, since they are on record.

With --watch, it fuzzes again at every save of a Python file beside the program's, until Ctrl-C.

With --open, the parameters named vary within what they declare, and others keep their values.
Hypothesis draws configurations as in swarm testing: each leaves a random part of the open
parameters at their defaults. Each configuration is a campaign of its own, of 32 blocks (--blocks).
Of every kind of violation, the smallest configuration that still shows it is looked for, and there
it is minimized. What failed is kept in the database and tried first by the next such campaign.

Examples:

  gracefuzz fuzz thp_split

  gracefuzz fuzz thp_split --param gp_cookie=on --time 2m

  gracefuzz fuzz thp_split --open lookups --open put=compound,late --time 5m

  gracefuzz fuzz thp_split --param design=v3.1 --open all --time 1h

  gracefuzz fuzz ./my_lock.py --watch --time 10s

  gracefuzz fuzz ./my_lock.py --hint idea.txt

  gracefuzz fuzz ./my_lock.py --schedules 1000000000 --workers 4 --json

  gracefuzz fuzz thp_split --scheduler pct:d=4

  gracefuzz fuzz thp_split --scheduler portfolio --time 10m

  gracefuzz fuzz thp_split --again 3

  gracefuzz fuzz remove_mapping --scheduler exhaustive:c=1

  gracefuzz fuzz thp_split --exclude 1 --fail-on new --time 10m

  gracefuzz fuzz ./my_lock.py --fail-on new --baseline known.json

  gracefuzz fuzz thp_split --seed 1 --block 0
"""


Given = Annotated[str, typer.Argument(help="A name of the library, or file.py[:name].")]
Parameters = Annotated[
    list[str] | None, typer.Option(metavar="NAME=VALUE", help="A parameter; repeatable.")
]
SchedulerName = Annotated[
    str, typer.Option(metavar="NAME[:OPTION=VALUE,...]", help="Who steps next; see above.")
]
Opened = Annotated[
    list[str] | None,
    typer.Option(
        "--open",
        metavar="NAME[=VALUES]",
        help="Let a parameter vary: NAME, NAME=2..4, NAME=a,b, or all; repeatable.",
    ),
]
Blocks = Annotated[
    int | None,
    typer.Option(
        min=1, help=f"With --open: blocks of each configuration. [default: {BLOCKS_DEFAULT}]"
    ),
]
Duration = Annotated[
    str | None, typer.Option(metavar="DURATION", help="End after 30s, 2m, 1h. [default: 30s]")
]
Schedules = Annotated[
    int | None, typer.Option(min=1, help="End after so many schedules, to whole blocks.")
]
StopOnFirst = Annotated[bool, typer.Option("--stop-on-first", help="End when a failure is stored.")]
Block = Annotated[int | None, typer.Option(min=0, help="Execute this block only, to see it again.")]
AgainNumber = Annotated[
    int | None,
    typer.Option(
        "--again", metavar="CAMPAIGN", help="Execute what a campaign has executed; see above."
    ),
]
Seed = Annotated[int, typer.Option(min=0, max=SEED_MAX, help="The root seed.")]
Workers = Annotated[
    int | None,
    typer.Option(min=0, help="Worker processes; 0: this process. [default: one a core]"),
]
Location = Annotated[
    str, typer.Option(envvar="GRACEFUZZ_DB", help="A path, or a postgresql:// URL.")
]
Excluded = Annotated[
    list[int] | None, typer.Option(metavar="FAILURE", help="Pass over it; repeatable.")
]
MetricsPort = Annotated[
    int | None, typer.Option(min=0, max=65535, help="Serve Prometheus metrics; 0: a free port.")
]
HintFile = Annotated[
    Path | None, typer.Option("--hint", metavar="FILE", help="Try this interleaving first.")
]
Watch = Annotated[bool, typer.Option("--watch", help="Again at every save of the file.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("fuzz", help=HELP)(fuzz_command)


def fuzz_command(
    program: Given,
    param: Parameters = None,
    scheduler: SchedulerName = "uniform_walk",
    opened: Opened = None,
    blocks: Blocks = None,
    time: Duration = None,
    schedules: Schedules = None,
    stop_on_first: StopOnFirst = False,
    block: Block = None,
    seed: Seed = 1,
    workers: Workers = None,
    db: Location = "gracefuzz.db",
    exclude: Excluded = None,
    fail_on: FailingOn = FailOn.ANY,
    baseline: BaselineName = None,
    metrics_port: MetricsPort = None,
    hint: HintFile = None,
    again: AgainNumber = None,
    watch: Watch = False,
    as_json: Json = False,
) -> None:
    """Settle the units and start."""
    # Imported here, and not before: `gracefuzz --help` needs neither SQL nor LLVM.
    from model.schedulers.exhaustive import exhaustive_named
    from model.schedulers.wanted import wanted
    from storage.sources import parameters_of
    from workers.commands import cores, seconds_of
    from workers.errors import PoolError, PortTaken
    from workers.starting import Wish, start

    wanted(scheduler)
    counts_new = only_new(fail_on, baseline)
    _refuse(
        scheduler=scheduler, opened=opened, block=block, blocks=blocks, hint=hint, again=again
    )
    seconds = None if time is None else seconds_of(time)
    given = parameters_of(param or [])
    if watch:
        raise typer.Exit(_watched(program))
    endless = schedules is None and block is None and not exhaustive_named(scheduler)
    if seconds is None and endless:
        seconds = SECONDS_DEFAULT
    wish = Wish(
        program=program,
        parameters=given,
        scheduler=scheduler,
        opened=tuple(opened or []),
        blocks=BLOCKS_DEFAULT if blocks is None else blocks,
        seconds=seconds,
        schedules=schedules,
        block=block,
        stop_on_first=stop_on_first,
        seed=seed,
        workers=cores() if workers is None else workers,
        database=db,
        excluded_failures=tuple(dict.fromkeys(exclude or [])),
        only_new=counts_new,
        baseline=baseline,
        metrics_port=metrics_port,
        as_json=as_json,
        hint=hint,
        again=again,
    )
    try:
        raise typer.Exit(int(start(wish)))
    except (PoolError, PortTaken) as error:
        typer.echo(f"gracefuzz: {error}", err=True)
        raise typer.Exit(INFRASTRUCTURE) from error


def _refuse(
    *,
    scheduler: str,
    opened: list[str] | None,
    block: int | None,
    blocks: int | None,
    hint: Path | None,
    again: int | None,
) -> None:
    """Raise BadParameter where options do not go together."""
    from model.schedulers.exhaustive import exhaustive_named
    from model.schedulers.portfolio import portfolio_named

    if opened and block is not None:
        raise typer.BadParameter("--block is one block of one program: leave out --open")
    if opened and hint is not None:
        raise typer.BadParameter("--hint is for one configuration: leave out --open")
    if blocks is not None and not opened:
        raise typer.BadParameter("--blocks says how much of each configuration: it needs --open")
    if opened and (portfolio_named(scheduler) or exhaustive_named(scheduler)):
        raise typer.BadParameter(f"--open needs a scheduler of its own: {scheduler} is none")
    if portfolio_named(scheduler) and block is not None:
        raise typer.BadParameter(
            "--block is executed by one scheduler: name that which the portfolio chose\n"
            "    gracefuzz campaigns show tells who had which blocks"
        )
    if again is not None and (opened or block is not None or hint is not None):
        raise typer.BadParameter("--again is a whole campaign: leave out --open, --block, --hint")


def _watched(program: str) -> int:
    """Fuzz whenever a file is saved; what is refused before this, no save can mend.

    Raises BadParameter for a program of the library.
    """
    from storage.sources import file_of
    from workers.watching import command_again, watch

    file = file_of(program)
    if file is None:
        raise typer.BadParameter(f"--watch needs a file of your own; {program!r} is none")
    if not file.is_file():
        raise typer.BadParameter(f"there is no file {file}")
    return watch(file, command_again())
