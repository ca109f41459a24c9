"""Settings of this installation: JSON documents by name, who has changed them and when.

What the coordinator does now and then is set here: asking today's programs for stored failures,
and removing what nobody needs any more.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from storage.ledger_tables import SettingRow
from storage.retention import Retention

RECHECK, RETENTION = "recheck", "retention"
# Of the rules of retention, what is a number of days.
PERIODS = ("closed", "campaigns", "rechecks", "messages")
DAY_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class RecheckRule:
    """How often stored failures are looked for in today's programs: the library's, and those of
    the files `sources`, as `file.py` or `file.py:name`.
    """

    every_seconds: float = DAY_SECONDS
    sources: tuple[str, ...] = ()

    @property
    def document(self) -> dict[str, object]:
        """As it is stored and shown."""
        return {"every_seconds": self.every_seconds, "sources": list(self.sources)}


@dataclass(frozen=True, slots=True)
class RetentionRule:
    """How often the rules of retention are applied, and the rules."""

    every_seconds: float
    rules: Retention

    @property
    def document(self) -> dict[str, object]:
        """As it is stored and shown; periods are days."""
        days = {name: getattr(self.rules, name).days for name in PERIODS}
        return {"every_seconds": self.every_seconds, **days, "schedules": self.rules.schedules}


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
    told = setting(session, RECHECK, RecheckRule().document)
    if told is None:
        return None
    assert isinstance(told, dict)
    return RecheckRule(told["every_seconds"], tuple(told["sources"]))


def set_recheck_rule(
    session: Session, rule: RecheckRule | None, *, actor: str, now: datetime
) -> None:
    """Say how often, or never (None)."""
    set_setting(session, RECHECK, rule and rule.document, actor=actor, now=now)


def retention_rule(session: Session) -> RetentionRule | None:
    """None where nothing is removed by itself, which is so until somebody wants it."""
    told = setting(session, RETENTION)
    if told is None:
        return None
    assert isinstance(told, dict)
    rules = Retention.of_days(*(told[name] for name in PERIODS), schedules=told["schedules"])
    return RetentionRule(told["every_seconds"], rules)


def set_retention_rule(
    session: Session, rule: RetentionRule | None, *, actor: str, now: datetime
) -> None:
    """Have the rules applied so often, or never (None)."""
    set_setting(session, RETENTION, rule and rule.document, actor=actor, now=now)
