"""The commands by which people decide about failures, and by which they are asked again."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.life_commands import MEMORY_DEFAULT, Memory, Number, Sources
from service.options import DB_DEFAULT, Db, Json

if TYPE_CHECKING:
    from datetime import datetime

    from service.lives import Life
    from storage.session import Database

Why = Annotated[str, typer.Option("--why", metavar="TEXT", help="The reason, for the history.")]
By = Annotated[str | None, typer.Option("--by", metavar="NAME", help="Who decides. [default: you]")]
STILL_THERE, NOT_SAID = 1, 4

STATUS_HELP = """
Decide about a failure: open, fixed, regressed or invalid. Without a status, show its history.

Every decision is kept with who, when and why. A recheck makes an open failure fixed, and a fixed
one that shows again regressed; so does a campaign that finds it again in a later version of its
program. A duplicate is what `failures merge` makes.

Examples:

  gracefuzz failures status 1

  gracefuzz failures status 1 fixed --why "70b50f94 applied"

  gracefuzz failures status 2 invalid --why "the model forgets the page lock" --json
"""

NOTE_HELP = """
Write a note beside a failure.

Examples:

  gracefuzz failures note 1 "seen on the list, answered by the author"

  gracefuzz failures note 1 "needs a test" --by reviewer --json
"""

HISTORY_HELP = """
Show what happened to a failure: decisions, notes, overrides, rechecks, in order.

Examples:

  gracefuzz failures history 1

  gracefuzz failures history 1 --json
"""

MERGE_HELP = """
Say that a failure is a duplicate of another. Both rows stay; `failures undo` takes it back.

Examples:

  gracefuzz failures merge 7 --into 3 --why "the same lost reference, seen by another oracle"

  gracefuzz failures merge 7 --into 3 --why "the same race" --json
"""

SPLIT_HELP = """
Say that what one program shows of a failure is a failure of its own.

Its sightings, also future ones, then count there, and its interleaving is minimized in that
program. PROGRAM is the beginning of an IR hash, as `failures history` and `show --json` print it.
`failures undo` takes it back.

Examples:

  gracefuzz failures split 3 --program 5f0c --why "with the cookie it is another race"

  gracefuzz failures split 3 --program 5f0c --why "another race" --json
"""

UNDO_HELP = """
Take back a merge or a split, by the number of the override that `failures history` shows.

Examples:

  gracefuzz failures undo 1 --why "they differ after all"

  gracefuzz failures undo 1 --why "they differ after all" --json
"""

RECHECK_HELP = """
Ask today's programs whether the stored failures still show. Without numbers, all of them.

The stored interleaving is executed in today's program, with the failure's parameters; where it does
not fail as it did, a search looks for any interleaving of the same signature with up to one
preemption more. The verdicts: reproduced; fixed (nothing of the signature is left, as far as that);
different failure (something else is violated now); not reproduced (the search met its bound); not
applicable (the oracle or the step is gone). An open failure that is fixed becomes `fixed`, a fixed
one that shows again `regressed`. Programs that are not of the library are named with --source.

Exit codes: 0 nothing shows, 1 a failure shows, 2 wrong usage, 4 nothing shows and not all is said.

Examples:

  gracefuzz failures recheck

  gracefuzz failures recheck 1 2 --diff

  gracefuzz failures recheck --source ./my_lock.py --changed --json
"""

BASELINE_HELP = """
Keep which failures are known now, so that CI fails on new ones only.

NAME stores it in the database; with --output, it is written to a file for your repository. Failures
that are fixed are not in it: one that comes back is new. Then:

  gracefuzz fuzz ./my_lock.py --fail-on new --baseline known.json

Examples:

  gracefuzz failures baseline release-1

  gracefuzz failures baseline --output known.json

  gracefuzz failures baseline release-1 --program my_lock --json
"""


def register(failures: typer.Typer) -> None:
    """Add the commands to those of failures."""
    failures.command("status", help=STATUS_HELP)(failures_status)
    failures.command("note", help=NOTE_HELP)(failures_note)
    failures.command("history", help=HISTORY_HELP)(failures_history)
    failures.command("merge", help=MERGE_HELP)(failures_merge)
    failures.command("split", help=SPLIT_HELP)(failures_split)
    failures.command("undo", help=UNDO_HELP)(failures_undo)
    failures.command("recheck", help=RECHECK_HELP)(failures_recheck)
    failures.command("baseline", help=BASELINE_HELP)(failures_baseline)


def failures_status(
    failure: Number,
    status: Annotated[str | None, typer.Argument(help="open, fixed, regressed or invalid.")] = None,
    why: Why = "",
    by: By = None,
    db: Db = DB_DEFAULT,
    as_json: Json = False,
) -> None:
    """Decide, or show."""
    from service.reading import existing_database
    from storage.lives import set_status
    from storage.tables import FailureStatus

    with existing_database(db) as database:
        if status is not None:
            known = [each.value for each in FailureStatus if each is not FailureStatus.DUPLICATE]
            if status not in known:
                hint = ": a duplicate is made by failures merge" if status == "duplicate" else ""
                raise typer.BadParameter(f"{status!r} is none of {', '.join(known)}{hint}")
            with database.write() as session:
                decided = FailureStatus(status)
                set_status(session, failure, decided, actor=_who(by), why=why, now=_now())
        _show_life(database, failure, as_json=as_json)


def failures_note(
    failure: Number,
    words: Annotated[str, typer.Argument(metavar="TEXT", help="What to write.")],
    by: By = None,
    db: Db = DB_DEFAULT,
    as_json: Json = False,
) -> None:
    """One note more."""
    from service.reading import existing_database
    from storage.lives import add_note

    with existing_database(db) as database:
        with database.write() as session:
            add_note(session, failure, words, actor=_who(by), now=_now())
        _show_life(database, failure, as_json=as_json)


def failures_history(failure: Number, db: Db = DB_DEFAULT, as_json: Json = False) -> None:
    """All that happened."""
    from service.reading import existing_database

    with existing_database(db) as database:
        _show_life(database, failure, as_json=as_json)


def failures_merge(
    failure: Number,
    into: Annotated[int, typer.Option(metavar="FAILURE", help="What it is a duplicate of.")],
    why: Why,
    by: By = None,
    db: Db = DB_DEFAULT,
    as_json: Json = False,
) -> None:
    """Two are one."""
    from service.reading import existing_database
    from storage.overrides import merge

    with existing_database(db) as database:
        with database.write() as session:
            merge(session, failure, into, actor=_who(by), why=why, now=_now())
        _show_life(database, failure, as_json=as_json)


def failures_split(
    failure: Number,
    program: Annotated[str, typer.Option(metavar="HASH", help="The program, by its IR hash.")],
    why: Why,
    by: By = None,
    db: Db = DB_DEFAULT,
    as_json: Json = False,
) -> None:
    """One is two."""
    from service.lives import described_in
    from service.reading import existing_database
    from storage.overrides import split

    with existing_database(db) as database:
        own = described_in(database, failure, program)
        with database.write() as session:
            _, number = split(session, failure, own, actor=_who(by), why=why, now=_now())
        _show_life(database, number, as_json=as_json)


def failures_undo(
    override: Annotated[int, typer.Argument(help="The number of the override.")],
    why: Why,
    by: By = None,
    db: Db = DB_DEFAULT,
    as_json: Json = False,
) -> None:
    """As it was."""
    from service.reading import existing_database
    from storage.overrides import undo

    with existing_database(db) as database:
        with database.write() as session:
            undone = undo(session, override, actor=_who(by), why=why, now=_now())
        _show_life(database, undone.failure_id, as_json=as_json)


def failures_recheck(
    failures: Annotated[
        list[int] | None, typer.Argument(metavar="[FAILURE]...", help="Their numbers.")
    ] = None,
    source: Sources = None,
    changed: Annotated[
        bool, typer.Option("--changed", help="Only where the program is another than last time.")
    ] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Show how programs differ.")] = False,
    memory: Memory = MEMORY_DEFAULT,
    by: By = None,
    db: Db = DB_DEFAULT,
    as_json: Json = False,
) -> None:
    """Today's programs."""
    from model.recheck import Verdict
    from service.lives import rechecked_json, rechecked_lines
    from service.reading import existing_database
    from storage.rechecks import recheck_stored, sources_in

    sources = sources_in(source or [])
    with existing_database(db) as database:
        found = list(
            recheck_stored(
                database,
                numbers=failures or None,
                sources=sources,
                bytes_max=memory << 20,
                only_changed=changed,
                actor=_who(by),
            )
        )
    if as_json:
        typer.echo(rechecked_json(found))
    else:
        typer.echo("\n".join(rechecked_lines(found, with_diff=diff)))
    verdicts = {None if each.rechecked is None else each.rechecked.verdict for each in found}
    if verdicts & {Verdict.REPRODUCED, Verdict.DIFFERENT}:
        raise typer.Exit(STILL_THERE)
    raise typer.Exit(NOT_SAID if verdicts & {None, Verdict.NOT_REPRODUCED} else 0)


def failures_baseline(
    name: Annotated[str | None, typer.Argument(help="What to call it.")] = None,
    program: Annotated[str | None, typer.Option(help="Of this program only.")] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write to a new file.")
    ] = None,
    by: By = None,
    db: Db = DB_DEFAULT,
    as_json: Json = False,
) -> None:
    """What is known."""
    from service.exporting import write_new
    from service.reading import existing_database, pretty
    from storage.baselines import baseline_text, in_baseline, save_baseline
    from storage.failures import list_failures

    if name is None and output is None:
        raise typer.BadParameter("give a NAME to store it, or --output for a file")
    with existing_database(db) as database:
        with database.read() as session:
            known = in_baseline(list_failures(session, program=program))
        if name is not None:
            prints = [each.fingerprint for each in known]
            with database.write() as session:
                save_baseline(session, name, prints, actor=_who(by), now=_now())
    if output is not None:
        write_new(output, baseline_text(known))
    told = {"baseline": name, "failures": [each.failure_id for each in known]}
    count = f"{len(known)} failure{'' if len(known) == 1 else 's'}"
    typer.echo(pretty(told) if as_json else f"{name or output}: {count}")


def _show_life(database: "Database", failure: int, *, as_json: bool) -> None:
    from service.lives import life_lines, life_object, load_life
    from service.reading import pretty

    life: Life = load_life(database, failure)
    typer.echo(pretty(life_object(life)) if as_json else "\n".join(life_lines(life)))


def _who(given: str | None) -> str:
    from service.lives import person

    return person() if given is None else given


def _now() -> "datetime":
    from datetime import UTC, datetime

    return datetime.now(UTC)
