"""Settings of this installation: JSON documents by name, who has changed them and when.

What the coordinator does now and then is set here: asking today's programs for stored failures,
and removing what nobody needs any more.
"""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from storage.ledger_tables import SettingRow
from storage.retention import Retention

RECHECK, RETENTION = "recheck", "retention"
DAY_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class RecheckRule:
    """How often stored failures are looked for in today's programs: the library's, and those of
    the files `sources`, as `file.py` or `file.py:name`.
    """

    every_seconds: float = DAY_SECONDS
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RetentionRule:
    """How often the rules of retention are applied, and the rules."""

    every_seconds: float
    rules: Retention


def setting(session: Session, name: str, default: object = None) -> object:
    """The document of that name; `default` where it was never set."""
    row = session.get(SettingRow, name)
    return default if row is None else row.value


def set_setting(
    session: Session, name: str, value: object, *, actor: str, now: datetime
) -> None:
    """Store a document in place of the one of that name."""
    row = session.get(SettingRow, name, with_for_update=True)
    if row is None:
        session.add(SettingRow(name=name, value=value, changed_at=now, changed_by=actor))
    else:
        row.value, row.changed_at, row.changed_by = value, now, actor
    session.flush()


def recheck_rule(session: Session) -> RecheckRule | None:
    """None where it was switched off; once a day where nothing was ever said."""
    told = setting(session, RECHECK, asdict(RecheckRule()))
    if told is None:
        return None
    assert isinstance(told, dict)
    return RecheckRule(told["every_seconds"], tuple(told["sources"]))


def set_recheck_rule(
    session: Session, rule: RecheckRule | None, *, actor: str, now: datetime
) -> None:
    """Say how often, or never (None)."""
    value = None
    if rule is not None:
        value = {"every_seconds": rule.every_seconds, "sources": list(rule.sources)}
    set_setting(session, RECHECK, value, actor=actor, now=now)


def retention_rule(session: Session) -> RetentionRule | None:
    """None where nothing is removed by itself, which is so until somebody wants it."""
    told = setting(session, RETENTION)
    if told is None:
        return None
    assert isinstance(told, dict)
    days = {name: timedelta(days=told[name]) for name in _PERIODS}
    return RetentionRule(told["every_seconds"], Retention(**days, schedules=told["schedules"]))


def set_retention_rule(
    session: Session, rule: RetentionRule | None, *, actor: str, now: datetime
) -> None:
    """Have the rules applied so often, or never (None)."""
    value = None
    if rule is not None:
        days = {name: getattr(rule.rules, name).days for name in _PERIODS}
        value = {
            "every_seconds": rule.every_seconds,
            **days,
            "schedules": rule.rules.schedules,
        }
    set_setting(session, RETENTION, value, actor=actor, now=now)


_PERIODS = ("closed", "campaigns", "rechecks", "messages")
