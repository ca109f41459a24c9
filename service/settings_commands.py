"""`gracefuzz settings`: what the coordinator does now and then, as this database says."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from service.options import DB_DEFAULT, Db, Json

if TYPE_CHECKING:
    from storage.settings import RecheckRule, RetentionRule

SHOW_HELP = """
Show what `gracefuzz workers` does now and then, besides executing campaigns.

Webhooks are set with `gracefuzz webhook`.

Examples:

  gracefuzz settings show

  gracefuzz settings show --json
"""
RECHECK_HELP = """
Say how often stored failures are looked for in today's programs.

Only programs are asked that have changed since they were asked last, so asking often costs little.
Today's programs are those of the library that the coordinator has, and those of --source. A failure
that is no more is then `fixed`, and one that is there again `regressed`. Once a day, where nothing
else is said.

Examples:

  gracefuzz settings recheck --every 1h --source ./my_lock.py

  gracefuzz settings recheck --off
"""
RETENTION_HELP = """
Say how often the rules of retention are applied; never, where nothing is said.

The rules are those of `gracefuzz gc`, whose --dry-run says what they would remove.

Examples:

  gracefuzz settings retention --every 24h --closed 365 --campaigns 90

  gracefuzz settings retention --off
"""
Every = Annotated[str, typer.Option(metavar="DURATION", help="How often: 30m, 24h.")]
Off = Annotated[bool, typer.Option("--off", help="Never.")]
Days = Annotated[int, typer.Option(min=0, metavar="DAYS")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    settings = typer.Typer(
        help="What the coordinator does now and then.", no_args_is_help=True, rich_markup_mode=None
    )
    settings.command("show", help=SHOW_HELP)(show)
    settings.command("recheck", help=RECHECK_HELP)(recheck)
    settings.command("retention", help=RETENTION_HELP)(retention)
    app.add_typer(settings, name="settings")


def show(db: Db = DB_DEFAULT, as_json: Json = False) -> None:
    """The rules that hold now."""
    from service.reading import existing_database, pretty
    from storage.settings import recheck_rule, retention_rule

    with existing_database(db) as database, database.read() as session:
        rechecks, retains = recheck_rule(session), retention_rule(session)
    if as_json:
        rules = {"recheck": rechecks, "retention": retains}
        print(pretty({name: rule and rule.document for name, rule in rules.items()}))
        return
    print(f"recheck    {recheck_line(rechecks)}")
    print(f"retention  {retention_line(retains)}")


def recheck(
    every: Every = "24h",
    source: Annotated[
        list[str] | None, typer.Option(metavar="FILE[:NAME]", help="A program; repeatable.")
    ] = None,
    off: Off = False,
    db: Db = DB_DEFAULT,
) -> None:
    """Set the rule of rechecks."""
    from service.steering_commands import actor
    from storage.rechecks import sources_in
    from storage.session import open_database
    from storage.settings import RecheckRule, set_recheck_rule

    given = [_absolute(each) for each in source or []]
    sources_in(given)
    rule = None if off else RecheckRule(_seconds(every), tuple(given))
    with open_database(db) as database, database.write() as session:
        set_recheck_rule(session, rule, actor=actor(), now=datetime.now(UTC))
    print(f"recheck    {recheck_line(rule)}")


def retention(
    every: Every = "24h",
    closed: Days = 365,
    campaigns: Days = 90,
    rechecks: Days = 90,
    messages: Days = 30,
    schedules: Annotated[int, typer.Option(min=0, help="Kept for a closed failure.")] = 8,
    off: Off = False,
    db: Db = DB_DEFAULT,
) -> None:
    """Set the rules of retention."""
    from service.steering_commands import actor
    from storage.retention import Retention
    from storage.session import open_database
    from storage.settings import RetentionRule, set_retention_rule

    rules = Retention.of_days(closed, campaigns, rechecks, messages, schedules=schedules)
    rule = None if off else RetentionRule(_seconds(every), rules)
    with open_database(db) as database, database.write() as session:
        set_retention_rule(session, rule, actor=actor(), now=datetime.now(UTC))
    print(f"retention  {retention_line(rule)}")


def recheck_line(rule: "RecheckRule | None") -> str:
    """For a person."""
    if rule is None:
        return "never"
    return f"every {rule.every_seconds:,g} s, of {', '.join(('the library', *rule.sources))}"


def retention_line(rule: "RetentionRule | None") -> str:
    """For a person."""
    if rule is None:
        return "never"
    kept = rule.rules
    return (
        f"every {rule.every_seconds:,g} s: closed failures after {kept.closed.days} days, "
        f"campaigns after {kept.campaigns.days}, rechecks after {kept.rechecks.days}, "
        f"messages after {kept.messages.days}; {kept.schedules} schedules kept of a closed failure"
    )


def _seconds(text: str) -> float:
    from storage.durations import duration_seconds

    seconds = duration_seconds(text)
    if seconds is None:
        raise typer.BadParameter(f"{text!r} is no duration: give 30s, 2m or 1h")
    return seconds


def _absolute(source: str) -> str:
    """The coordinator may stand in another folder."""
    file, colon, name = source.partition(":")
    return f"{Path(file).expanduser().absolute()}{colon}{name}"
