"""The commands that `service` adds to the command line: what there is, and what was found."""

from pathlib import Path
from typing import Annotated

import typer

from service import steering_commands
from service.db_commands import register as register_db
from service.life_commands import register as register_life
from service.options import DB_DEFAULT, Json, print_text
from service.retaining import GC_HELP, gc_command
from service.serve_command import SERVE_HELP, serve_command
from service.settings_commands import register as register_settings
from service.status_commands import register as register_status
from service.token_commands import register as register_tokens
from service.up_command import UP_HELP, up_command

Db = Annotated[str, typer.Option("--db", envvar="GRACEFUZZ_DB", help="The database to read.")]
Server = Annotated[
    str | None,
    typer.Option(
        envvar="GRACEFUZZ_SERVER",
        metavar="URL",
        help="Ask a service instead; its token is in GRACEFUZZ_TOKEN or GRACEFUZZ_TOKEN_FILE.",
    ),
]
Params = Annotated[
    list[str] | None, typer.Option("--param", metavar="NAME=VALUE", help="A parameter; repeatable.")
]
STATES_DEFAULT = 1_000_000
SURVIVORS, NOTHING_SAID = 1, 4

PROGRAMS_HELP = """
List the programs that come with gracefuzz.

Examples:

  gracefuzz programs

  gracefuzz programs --json
"""

SHOW_HELP = """
Show a program: its parameters, its threads step by step, its oracles, its source.

PROGRAM is a name of the library, or path/to/file.py or path/to/file.py:name.

Examples:

  gracefuzz show thp_split

  gracefuzz show thp_split --param gp_cookie=on

  gracefuzz show ./my_lock.py --json
"""

EXPORT_HELP = """
Write a program as a model for another checker: --promela for Spin.

The model has the same steps, each one transition, with the line of its source in a comment. Its
head says how to search it with `spin -a` and gcc. It goes to stdout, or with --output to a file
that does not exist yet.

Examples:

  gracefuzz export thp_split --promela --output thp_split.pml

  gracefuzz export ./my_lock.py --promela --param threads=2
"""

MUTATE_HELP = """
Break a program in many small ways, and say which of them its oracles catch.

Each mutant differs from the program in one respect: a check dropped (a branch decided one way or
the other), two adjacent accesses swapped, an atomic read-modify-write split into a read and a
write, a lock or an RCU read lock removed from a body, inc_not_zero as plain inc, a set instead of a
read-modify-write, a wait that proceeds at once. It is caught where exploring it violates an oracle
that the program itself never violates, or leaves a state from which no schedule leads to an end.
The score is the share caught.

Left out of the score are only the barriers, which sequential consistency cannot show, mutants of
steps that no execution reaches, and mutants that the explorer proves equivalent: in every reachable
state, what was mutated does what it did; no thread can tell in which order two accesses were made;
nobody ever waits for the lock; or the values of all that the program declares, its asserts and its
ends are the same (branching bisimulation, or sequence by sequence). A mutant with more than
--states states is bounded, and counts as a survivor. Not derived: what `with atomic():` does at
once is not split, orderings are not weakened, no trylock is removed.

With --all, the library, over all cores: each program in every configuration that the Result: lines
of its header call clean. A mutant is caught where one of these catches it.

Steps, asserts and invariants that no execution of the program ever reaches are listed.

Exit codes: 0 all caught, 1 survivors, 2 wrong usage or a wrong program, 3 gracefuzz or its
surroundings failed, 4 nothing can be said: the program itself has more than --states states, or no
mutant counts.

Examples:

  gracefuzz mutate find_get_page

  gracefuzz mutate ./my_lock.py --param threads=2 --states 5000000 --json

  gracefuzz mutate --all
"""

LIST_HELP = """
List the failures of a database, newest first.

Examples:

  gracefuzz failures list

  gracefuzz failures list --status regressed

  gracefuzz failures list --program thp_split --json
"""

FAILURE_HELP = """
Show a failure: its minimal interleaving in columns, how far it is proved, how to reproduce it.

Examples:

  gracefuzz failures show 1

  gracefuzz failures show 1 --json
"""

REPLAY_HELP = """
Execute the minimal interleaving of a failure again, in the program as it was stored.

With --step, go forward and back through it: n or the right arrow, p or the left arrow, q. The same
letters may come from a pipe. The exit code is 0 where the failure shows again, and 3 where it does
not, which would be a defect of gracefuzz.

Examples:

  gracefuzz failures replay 1

  gracefuzz failures replay 1 --step

  echo nnp | gracefuzz failures replay 1 --step

  gracefuzz failures replay 1 --json
"""

CAMPAIGNS_HELP = """
List the campaigns of a database, newest first: what fuzzes and what verifies.

A campaign whose process was killed is shown as stopped, whatever it could still say itself.

Examples:

  gracefuzz campaigns list

  gracefuzz campaigns list --program thp_split --json
"""

CAMPAIGN_HELP = """
Show a campaign: what was asked, what was executed or explored, exactly, and how it ended.

The states seen are those of sampled executions only, eight moments of each lane and block: a lower
bound. Of how many is known where a verification has explored the very same program.

Examples:

  gracefuzz campaigns show 1

  gracefuzz campaigns show 1 --json
"""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("programs", help=PROGRAMS_HELP)(programs_command)
    app.command("show", help=SHOW_HELP)(show_command)
    app.command("export", help=EXPORT_HELP)(export_command)
    app.command("mutate", help=MUTATE_HELP)(mutate_command)
    failures = typer.Typer(help="What was found.", no_args_is_help=True, rich_markup_mode=None)
    failures.command("list", help=LIST_HELP)(failures_list)
    failures.command("show", help=FAILURE_HELP)(failures_show)
    failures.command("replay", help=REPLAY_HELP)(failures_replay)
    register_life(failures)
    register_status(failures)
    app.add_typer(failures, name="failures")
    campaigns = typer.Typer(help="What was executed.", no_args_is_help=True, rich_markup_mode=None)
    campaigns.command("list", help=CAMPAIGNS_HELP)(campaigns_list)
    campaigns.command("show", help=CAMPAIGN_HELP)(campaigns_show)
    steering_commands.register(campaigns)
    app.add_typer(campaigns, name="campaigns")
    app.command("gc", help=GC_HELP)(gc_command)
    app.command("serve", help=SERVE_HELP)(serve_command)
    register_settings(app)
    app.command("up", help=UP_HELP)(up_command)
    register_tokens(app)
    register_db(app)


# What a command needs is imported in it: `gracefuzz --help` needs neither SQL nor LLVM.


def programs_command(server: Server = None, as_json: Json = False) -> None:
    """The library."""
    if server is not None:
        from service.remote import remote

        return print_text(remote(server, "programs", as_json=as_json))
    from service.programs import library_json, library_lines

    print_text(library_json() if as_json else library_lines())


def show_command(
    program: Annotated[str, typer.Argument(help="A name of the library, or file.py[:name].")],
    param: Params = None,
    server: Server = None,
    as_json: Json = False,
) -> None:
    """One program."""
    if server is not None:
        from service.remote import part, remote

        path = f"programs/{part(program)}"
        return print_text(remote(server, path, as_json=as_json, param=param or []))
    from service.programs import program_json, program_lines
    from storage.sources import compile_source, find_source, parameters_of

    source = find_source(program)
    compiled = compile_source(source, parameters_of(param or []))
    print_text(program_json(source, compiled) if as_json else program_lines(source, compiled))


def export_command(
    program: Annotated[str, typer.Argument(help="A name of the library, or file.py[:name].")],
    promela: Annotated[bool, typer.Option("--promela", help="A Promela model, for Spin.")] = False,
    param: Params = None,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write to a new file.")
    ] = None,
) -> None:
    """One program for another checker."""
    from model.promela import promela as promela_of
    from service.exporting import write_new
    from storage.sources import compile_source, find_source, parameters_of

    if not promela:
        raise typer.BadParameter("say in which language: --promela is the only one so far")
    text = promela_of(compile_source(find_source(program), parameters_of(param or [])))
    if output is None:
        print_text(text.rstrip("\n"))
    else:
        write_new(output, text)


def mutate_command(
    program: Annotated[
        str | None, typer.Argument(help="A name of the library, or file.py[:name].")
    ] = None,
    param: Params = None,
    all_programs: Annotated[
        bool, typer.Option("--all", help="The library, as its headers call it clean.")
    ] = False,
    states: Annotated[
        int, typer.Option(min=1, help="About how many states to visit of each mutant.")
    ] = STATES_DEFAULT,
    as_json: Json = False,
) -> None:
    """Its mutants."""
    if (program is None) is not all_programs:
        raise typer.BadParameter("give a program, or --all")
    if program is None:
        if param:
            raise typer.BadParameter("--all has the parameters of the headers: leave out --param")
        _mutate_library(states, as_json=as_json)
    else:
        _mutate_program(program, param or [], states, as_json=as_json)


def _mutate_library(states: int, *, as_json: bool) -> None:
    from service.mutating_library import library_json, library_lines, library_scores, survive

    found = library_scores(states_max=states)
    print_text(library_json(found) if as_json else library_lines(found))
    raise typer.Exit(SURVIVORS if survive(found) else 0)


def _mutate_program(program: str, param: list[str], states: int, *, as_json: bool) -> None:
    from model.mutation import TooLarge, mutate
    from service.mutating import mutation_json, mutation_lines, show_progress
    from storage.sources import compile_source, find_source, parameters_of

    compiled = compile_source(find_source(program), parameters_of(param))
    try:
        found = mutate(compiled, states_max=states, note=show_progress)
    except TooLarge as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(NOTHING_SAID) from None
    print_text(mutation_json(found) if as_json else mutation_lines(found))
    if found.score is None:
        raise typer.Exit(NOTHING_SAID)
    raise typer.Exit(SURVIVORS if found.survivors else 0)


def failures_list(
    program: Annotated[str | None, typer.Option(help="Of this program only.")] = None,
    status: Annotated[
        str | None, typer.Option(help="open, fixed, regressed, invalid or duplicate.")
    ] = None,
    db: Db = DB_DEFAULT,
    server: Server = None,
    as_json: Json = False,
) -> None:
    """All failures."""
    from service.failures import failures_json, failures_lines
    from service.reading import existing_database
    from storage.failures import list_failures
    from storage.tables import FailureStatus

    known = [each.value for each in FailureStatus]
    if status is not None and status not in known:
        raise typer.BadParameter(f"{status!r} is none of {', '.join(known)}")
    if server is not None:
        from service.remote import remote_failures

        given = remote_failures(server, program=program, status=status)
        lines = failures_lines(given, database=server)
        return print_text(failures_json(given) if as_json else lines)
    wanted = None if status is None else FailureStatus(status)
    with existing_database(db) as database, database.read() as session:
        found = list_failures(session, program=program, status=wanted)
    print_text(failures_json(found) if as_json else failures_lines(found, database=db))


def failures_show(
    failure: Annotated[int, typer.Argument(help="The number of the failure.")],
    db: Db = DB_DEFAULT,
    server: Server = None,
    as_json: Json = False,
) -> None:
    """One failure."""
    if server is not None:
        from service.remote import remote

        return print_text(remote(server, f"failures/{failure}", as_json=as_json))
    from service.failures import failure_json, failure_lines, load_failure
    from service.reading import existing_database

    with existing_database(db) as database:
        loaded = load_failure(database, failure)
    print_text(failure_json(loaded) if as_json else failure_lines(loaded, database=db))


def failures_replay(
    failure: Annotated[int, typer.Argument(help="The number of the failure.")],
    step: Annotated[bool, typer.Option("--step", help="Forward and back, step by step.")] = False,
    db: Db = DB_DEFAULT,
    server: Server = None,
    as_json: Json = False,
) -> None:
    """One failure, executed again."""
    if server is not None:
        from service.remote import remote

        if step and not as_json:
            raise typer.BadParameter("--step needs the database: a service shows the steps itself")
        return print_text(remote(server, f"failures/{failure}/trace", as_json=as_json))
    from service.failures import load_failure
    from service.reading import existing_database
    from service.replaying import replayed, show_steps, trace_json, trace_lines

    with existing_database(db) as database:
        loaded = load_failure(database, failure)
    again = replayed(loaded)
    if step and not as_json:
        show_steps(again)
    else:
        print_text(trace_json(again) if as_json else trace_lines(again))
    if not again.is_reproduced:
        typer.echo(
            "the stored interleaving does not fail as it did: this is a defect of gracefuzz, "
            "please report it",
            err=True,
        )
        raise typer.Exit(3)


def campaigns_list(
    program: Annotated[str | None, typer.Option(help="Of this program only.")] = None,
    db: Db = DB_DEFAULT,
    server: Server = None,
    as_json: Json = False,
) -> None:
    """All campaigns."""
    if server is not None:
        from service.remote import remote

        return print_text(remote(server, "campaigns", as_json=as_json, program=program))
    from service.campaigns import campaigns_json, campaigns_lines
    from service.reading import existing_database
    from storage.campaigns import list_campaigns
    from storage.claims import observed

    with existing_database(db) as database:
        with database.read() as session:
            stored = list_campaigns(session, program=program)
        found = [observed(database, each) for each in stored]
    print_text(campaigns_json(found) if as_json else campaigns_lines(found, database=db))


def campaigns_show(
    campaign: Annotated[int, typer.Argument(help="The number of the campaign.")],
    db: Db = DB_DEFAULT,
    server: Server = None,
    as_json: Json = False,
) -> None:
    """One campaign."""
    if server is not None:
        from service.remote import remote

        return print_text(remote(server, f"campaigns/{campaign}", as_json=as_json))
    from model.program_json import from_json
    from service.campaigns import campaign_json, campaign_lines
    from service.reading import existing_database
    from storage.campaigns import campaign_totals, get_campaign
    from storage.claims import observed
    from storage.programs import get_program

    with existing_database(db) as database:
        with database.read() as session:
            summary, totals = get_campaign(session, campaign), campaign_totals(session, campaign)
            program = from_json(get_program(session, summary.plan.program_ir_hash).ir)
        summary = observed(database, summary)
    shown = (summary, totals, program)
    print_text(campaign_json(*shown) if as_json else campaign_lines(*shown))
