"""What the coordinator does now and then: who leads, as often as the settings say."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from storage.errors import UnknownFailure
from storage.failures import get_failure
from storage.leadership import lead, leader, resign
from storage.rechecks import list_rechecks
from storage.retention import Retention
from storage.session import open_database
from storage.settings import (
    RecheckRule,
    RetentionRule,
    recheck_rule,
    retention_rule,
    set_recheck_rule,
    set_retention_rule,
)
from storage.sources import find_source
from storage.tables import FailureStatus
from tests.stored_failures import store_failures
from tests.unit.storage.test_rechecks import LOCKED, TEXT
from workers.caretaking import Caretaker

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NONE = timedelta(0)
RULES = Retention(closed=NONE, campaigns=NONE, rechecks=NONE, messages=NONE, schedules=0)


@pytest.fixture
def database(tmp_path):
    with open_database(tmp_path / "found.db") as database:
        yield database


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "total.py"
    file.write_text(TEXT)
    return file


class Life:
    """A caretaker, whose clock stands still unless it is moved, and the failure it looks after."""

    def __init__(self, database, file):
        self.database, self.now, self.said = database, 100.0, []
        (self.number,) = store_failures(database, find_source(str(file)))
        with database.write() as session:
            self.epoch = lead(session, "me", instead_of=None, now=NOW)
        self.caretaker = Caretaker(
            database, "me", lambda _, said: self.said.append(said), lambda: False, lambda: self.now
        )

    def want(self, *, recheck=None, retention=None):
        with self.database.write() as session:
            set_recheck_rule(session, recheck, actor="a", now=NOW)
            set_retention_rule(session, retention, actor="a", now=NOW)

    def rechecks(self):
        with self.database.read() as session:
            return len(list_rechecks(session, self.number))

    def status(self):
        with self.database.read() as session:
            return get_failure(session, self.number).status


@pytest.fixture
def life(database, file):
    return Life(database, file)


def test_rechecks_follow_the_program_in_their_period(life, file):
    life.want(recheck=RecheckRule(60, (str(file),)))
    life.caretaker.turn()
    # The program is that in which it was found: there is nothing to ask.
    assert life.rechecks() == 0
    file.write_text(LOCKED)
    life.now += 59
    life.caretaker.turn()
    assert life.status() is FailureStatus.OPEN
    life.now += 1
    life.caretaker.turn()
    assert life.status() is FailureStatus.FIXED and "fixed" in life.said[-1]
    file.write_text(TEXT)
    life.now += 60
    life.caretaker.turn()
    assert life.status() is FailureStatus.REGRESSED
    life.now += 60
    life.caretaker.turn()
    assert life.rechecks() == 2


def test_only_who_leads_does_it(life, file):
    life.want(recheck=RecheckRule(60, (str(file),)), retention=RetentionRule(60, RULES))
    file.write_text(LOCKED)
    with life.database.write() as session:
        lead(session, "another", instead_of=leader(session), now=NOW)
    life.caretaker.turn()
    assert life.status() is FailureStatus.OPEN
    with life.database.write() as session:
        resign(session, leader(session).epoch, now=NOW)
        lead(session, "me", instead_of=leader(session), now=NOW)
    life.caretaker.turn()
    assert life.said[0].startswith("recheck: failure")


def test_retention_removes_what_the_rules_say_and_nothing_else(life, file):
    life.want(retention=RetentionRule(60, RULES))
    life.caretaker.turn()
    assert life.status() is FailureStatus.OPEN
    file.write_text(LOCKED)
    rules = RetentionRule(60, replace(RULES, closed=timedelta(days=1)))
    life.want(recheck=RecheckRule(60, (str(file),)), retention=rules)
    life.now += 60
    life.caretaker.turn()
    assert life.status() is FailureStatus.FIXED
    life.want(retention=RetentionRule(60, RULES))
    life.now += 60
    life.caretaker.turn()
    with pytest.raises(UnknownFailure):
        life.status()
    assert life.said[-1].startswith("retention: removed 1 failures")


def test_sources_that_cannot_be_read_are_said_and_the_library_is_asked(life, file):
    life.want(recheck=RecheckRule(60, (str(file.with_name("gone.py")),)))
    life.caretaker.turn()
    assert "recheck: the library only" in life.said[0] and "gone.py" in life.said[0]


def test_what_was_never_said_is_daily_rechecks_and_no_retention(database):
    with database.read() as session:
        assert recheck_rule(session) == RecheckRule(86_400.0, ())
        assert retention_rule(session) is None
