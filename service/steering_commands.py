"""Campaigns for the coordinator: `gracefuzz campaigns create`, and what steers them.

These commands write what is wanted and return at once; `gracefuzz workers` does it.
"""

import getpass
import json
import socket
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from service.options import DB_DEFAULT, Db, Json

if TYPE_CHECKING:
    from model.language import ProgramSource
    from model.program import Program
    from storage.campaigns import CampaignLimits, CampaignPlan
    from storage.programs import ProgramRecord
    from storage.session import Transaction

SEED_MAX = 2**64 - 1
COUNT_MAX = 2**63 - 1
CONFIGURATIONS_DEFAULT, CONFIGURATIONS_MAX = 16, 1000

CREATE_HELP = """
Make a campaign for the coordinator to execute; `gracefuzz workers` is the coordinator.

It goes on until a bound is reached, or it is stopped. Campaigns share the workers by their weights;
those of a higher priority are served first. With --scheduler exhaustive:c=N it also ends when every
schedule with at most N preemptions was executed.

With --open, the parameters named vary, and others keep their values. Configurations are drawn from
the seed as in swarm testing: each leaves a random part of the open parameters at their defaults,
and the first all of them. Each is a campaign of its own with these bounds, --configurations at
most; what they find is one failure wherever it is the same. Shrinking a configuration needs an
answer to each question before the next: that is what `gracefuzz fuzz --open` does.

Examples:

  gracefuzz campaigns create thp_split

  gracefuzz campaigns create thp_split --param gp_cookie=on --blocks 1000000 --weight 3

  gracefuzz campaigns create remove_mapping --scheduler exhaustive:c=1

  gracefuzz campaigns create thp_split --open lookups=1..3 --open put --blocks 1000

  gracefuzz campaigns create ./my_lock.py --scheduler portfolio --time 8h --saturation 100000
"""
BUDGET_HELP = """
Change the bounds of a campaign, while it works; `none` takes a bound away.

Examples:

  gracefuzz campaigns budget 3 --blocks 2000000

  gracefuzz campaigns budget 3 --time none --schedules 1000000000000
"""

Number = Annotated[int, typer.Argument(metavar="CAMPAIGN", help="The number of the campaign.")]
Count = Annotated[str | None, typer.Option(metavar="N", help="End after so many.")]
Time = Annotated[
    str | None, typer.Option("--time", metavar="DURATION", help="End after working: 90s, 2h.")
]
Saturation = Annotated[
    str | None,
    typer.Option(metavar="BLOCKS", help="End when so many in a row have covered nothing new."),
]
Weight = Annotated[int | None, typer.Option(min=1, max=10**6, help="Its share of the workers.")]
Priority = Annotated[int | None, typer.Option(min=-(10**6), max=10**6, help="Higher: first.")]


def register(campaigns: typer.Typer) -> None:
    """Add the commands to `gracefuzz campaigns`."""
    campaigns.command("create", help=CREATE_HELP)(create)
    campaigns.command("budget", help=BUDGET_HELP)(budget)
    for command in (pause, resume, stop, weight):
        campaigns.command(command.__name__)(command)


def create(
    program: Annotated[str, typer.Argument(help="A name of the library, or file.py[:name].")],
    param: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="A parameter; repeatable.")
    ] = None,
    scheduler: Annotated[str, typer.Option(help="As of gracefuzz fuzz.")] = "uniform_walk",
    seed: Annotated[int, typer.Option(min=0, max=SEED_MAX)] = 1,
    opened: Annotated[
        list[str] | None,
        typer.Option(
            "--open", metavar="NAME[=VALUES]", help="Let a parameter vary; repeatable; or all."
        ),
    ] = None,
    configurations: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=CONFIGURATIONS_MAX,
            help=f"With --open: how many at most. [default: {CONFIGURATIONS_DEFAULT}]",
        ),
    ] = None,
    exclude: Annotated[
        list[int] | None, typer.Option(metavar="FAILURE", help="Pass over it; repeatable.")
    ] = None,
    time: Time = None,
    schedules: Count = None,
    steps: Count = None,
    violations: Count = None,
    blocks: Count = None,
    saturation: Saturation = None,
    weight: Weight = 1,
    priority: Priority = 0,
    db: Db = DB_DEFAULT,
    as_json: Json = False,
) -> None:
    """Queue a campaign."""
    from model.schedulers.wanted import wanted
    from storage.campaigns import CampaignLimits
    from storage.sources import find_source, parameters_of

    wanted(scheduler)
    if configurations is not None and not opened:
        raise typer.BadParameter("--configurations says how many to draw: it needs --open")
    limits = CampaignLimits(
        **limits_of(time, schedules, steps, violations, blocks, saturation)  # type: ignore[arg-type]
    )
    source, given = find_source(program), parameters_of(param or [])
    how_many = CONFIGURATIONS_DEFAULT if configurations is None else configurations
    programs = programs_of(source, given, opened, root_seed=seed, count=how_many)
    excluded = tuple(dict.fromkeys(exclude or []))
    planned = [
        plan_of(
            each,
            source,
            limits,
            scheduler=scheduler,
            seed=seed,
            excluded=excluded,
            weight=weight or 1,
            priority=priority or 0,
        )
        for each in programs
    ]
    numbers = _queue_all(planned, db)
    if as_json:
        said = {"campaign": numbers[0], "program": source.name}
        print(json.dumps(said | ({"campaigns": numbers} if opened else {})))
    else:
        named = f"campaigns {numbers[0]} to {numbers[-1]} wait" if opened else ""
        print(f"{named or f'campaign {numbers[0]} waits'} for: gracefuzz workers")


def _queue_all(planned: "list[tuple[ProgramRecord, CampaignPlan]]", db: str) -> list[int]:
    """All of them or none, in one transaction; raises UnknownFailure."""
    from storage.session import open_database

    with open_database(db) as database, database.write() as session:
        return [queue(session, row, plan, actor=actor(), now=_now()) for row, plan in planned]


def queue(
    session: "Transaction", row: "ProgramRecord", plan: "CampaignPlan", *, actor: str, now: datetime
) -> int:
    """Store a planned campaign with its program, and give its number. Raises UnknownFailure."""
    from storage.failures import get_failure
    from storage.programs import record_program
    from storage.steering import queue_campaign

    for failure in plan.excluded_failures:
        get_failure(session, failure)
    record_program(session, row, now=now)
    return queue_campaign(session, plan, actor=actor, now=now)


def programs_of(
    source: "ProgramSource",
    given: "Mapping[str, str]",
    opened: list[str] | None,
    *,
    root_seed: int,
    count: int,
) -> "list[Program]":
    """The program as given, or some of the space that is opened; its author may refuse values.

    Raises what compiling raises, where no program is left.
    """
    from model.language import ParameterError
    from model.program import show_parameter
    from model.scenario_space import scenario_space, swarm
    from storage.sources import compile_source

    if not opened:
        return [compile_source(source, given)]
    found: list[Program] = []
    refused: ParameterError | None = None
    for each in swarm(scenario_space(source, given, opened), root_seed=root_seed, count=count):
        try:
            values = {name: show_parameter(value) for name, value in each}
            found.append(compile_source(source, values))
        except ParameterError as error:
            refused = error
    if not found and refused is not None:
        raise refused
    return found


def plan_of(
    compiled: "Program",
    source: "ProgramSource",
    limits: "CampaignLimits",
    *,
    scheduler: str,
    seed: int,
    excluded: tuple[int, ...],
    weight: int,
    priority: int,
) -> "tuple[ProgramRecord, CampaignPlan]":
    """What is stored of a campaign of a compiled program; counting all schedules takes seconds."""
    from model.circuit.block import ENGINE_REVISION
    from model.exhaustive_engine import ExhaustiveEngine
    from model.program_json import to_json
    from model.schedulers.exhaustive import exhaustive_named
    from model.schedulers.wanted import settled
    from storage.campaigns import ALL_BLOCKS, QUEUED, CampaignPlan
    from storage.programs import ProgramRecord
    from storage.sources import text_of

    asked = {QUEUED: True} | {k: v for k, v in vars_of(limits).items() if v is not None}
    exhaustive = exhaustive_named(scheduler)
    if exhaustive is not None:
        asked[ALL_BLOCKS] = str(ExhaustiveEngine(compiled, exhaustive).blocks)
    row = ProgramRecord(
        compiled.hash,
        compiled.name,
        json.dumps(dict(compiled.parameters)),
        to_json(compiled),
        text_of(source),
    )
    plan = CampaignPlan(
        compiled.hash,
        settled(scheduler, compiled),
        seed,
        str(ENGINE_REVISION),
        json.dumps(asked),
        excluded,
        limits=limits,
        weight=weight,
        priority=priority,
    )
    return row, plan


def pause(campaign: Number, db: Db = DB_DEFAULT) -> None:
    """Give out nothing more of a campaign, until it is resumed; what is in flight ends."""
    _want(campaign, db, "paused")


def resume(campaign: Number, db: Db = DB_DEFAULT) -> None:
    """Let a campaign that was paused go on."""
    _want(campaign, db, "running")


def stop(campaign: Number, db: Db = DB_DEFAULT) -> None:
    """End a campaign; what is in flight ends, and everything found is kept."""
    _want(campaign, db, "stopped")


def budget(
    campaign: Number,
    time: Time = None,
    schedules: Count = None,
    steps: Count = None,
    violations: Count = None,
    blocks: Count = None,
    saturation: Saturation = None,
    db: Db = DB_DEFAULT,
) -> None:
    """Change bounds."""
    from service.reading import existing_database
    from storage.steering import change

    limits = limits_of(time, schedules, steps, violations, blocks, saturation)
    if not limits:
        raise typer.BadParameter("say which bound: --blocks, --time, --schedules and so on")
    with existing_database(db) as database, database.write() as session:
        change(session, campaign, limits=limits, actor=actor(), now=_now())
    print(f"campaign {campaign}: its budget is changed")


def weight(
    campaign: Number,
    value: Annotated[int, typer.Argument(min=1, max=10**6, help="Its share of the workers.")],
    priority: Priority = None,
    db: Db = DB_DEFAULT,
) -> None:
    """Change the share of the workers that a campaign has beside others, or its priority."""
    from service.reading import existing_database
    from storage.steering import change

    with existing_database(db) as database, database.write() as session:
        change(
            session,
            campaign,
            limits={},
            weight=value,
            priority=priority,
            actor=actor(),
            now=_now(),
        )
    print(f"campaign {campaign}: its weight is {value}")


def limits_of(
    time: str | None,
    schedules: str | None,
    steps: str | None,
    violations: str | None,
    blocks: str | None,
    saturation: str | None,
) -> dict[str, int | float | None]:
    """The bounds that were given, by their names. Raises BadParameter for what is no bound."""
    from storage.durations import duration_seconds

    found: dict[str, int | float | None] = {}
    if time is not None:
        seconds = duration_seconds(time)
        if seconds is None and time != "none":
            raise typer.BadParameter(f"{time!r} is no duration: give 30s, 2m or 1h, or none")
        found["seconds_max"] = seconds
    counts = {
        "schedules_max": schedules,
        "steps_max": steps,
        "violations_max": violations,
        "blocks_max": blocks,
        "saturation_blocks": saturation,
    }
    for name, text in counts.items():
        if text is None:
            continue
        if text != "none" and not (text.isascii() and text.isdigit() and int(text) > 0):
            raise typer.BadParameter(f"{text!r} is no bound: give a whole number above 0, or none")
        count = None if text == "none" else int(text)
        if count is not None and count > COUNT_MAX and "blocks" in name:
            raise typer.BadParameter(f"there are at most {COUNT_MAX:,} blocks")
        found[name] = count
    return found


def vars_of(limits: object) -> dict[str, object]:
    """The bounds as a document keeps them: counts are text, because they may pass 2^53."""
    from dataclasses import asdict, is_dataclass

    assert is_dataclass(limits) and not isinstance(limits, type)
    return {k: str(v) if isinstance(v, int) else v for k, v in asdict(limits).items()}


def actor() -> str:
    """Who says it, for the record."""
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (KeyError, OSError):
        return socket.gethostname()


def _want(campaign: int, db: str, state: str) -> None:
    from service.reading import existing_database
    from storage.steering import want
    from storage.tables import DesiredState

    with existing_database(db) as database, database.write() as session:
        want(session, campaign, DesiredState(state), actor=actor(), now=_now())
    print(f"campaign {campaign}: {state} is wanted")


def _now() -> datetime:
    return datetime.now(UTC)
