"""Stored failures in today's programs: what is recorded, and which status follows."""

import pytest

from model.recheck import Verdict
from storage.failures import get_failure
from storage.lives import set_status, status_history
from storage.rechecks import list_rechecks, recheck_stored, sources_in
from storage.sources import find_source
from storage.tables import FailureStatus
from tests.stored_failures import NOW, store_failures

TEXT = '''
from model.language import READ_ONCE, WRITE_ONCE, Param, program, spin_lock, spin_unlock, uint


@program(steps_max=40, writers=Param(1, 3, default=2))
def total(p):
    """Threads add to a total."""
    count = p.shared("count", uint(4))
    lock = p.spinlock("lock")

    @p.thread(instances=p.writers)
    def add():
        value = READ_ONCE(count)
        WRITE_ONCE(count, value + 1)

    @p.at_end
    def nothing_is_lost():
        assert count == p.writers, "an addition is lost"
'''
LOCKED = TEXT.replace(
    "        value = READ_ONCE(count)\n        WRITE_ONCE(count, value + 1)\n",
    "        spin_lock(lock)\n        value = READ_ONCE(count)\n"
    "        WRITE_ONCE(count, value + 1)\n        spin_unlock(lock)\n",
)
BROKEN = TEXT.replace("READ_ONCE(count)\n", "READ_ONCE(nothing)\n")


@pytest.fixture
def file(tmp_path):
    return tmp_path / "total.py"


@pytest.fixture
def number(database, file):
    file.write_text(TEXT)
    (number,) = store_failures(database, find_source(str(file)))
    return number


def asked(database, file, text, **options):
    file.write_text(text)
    sources = sources_in([str(file)])
    return list(recheck_stored(database, sources=sources, clock=lambda: NOW, **options))


def life_of(database, number):
    with database.read() as session:
        changes = status_history(session, number)
        return get_failure(session, number), changes, list_rechecks(session, number)


def test_open_fixed_regressed_fixed(database, number, file):
    """The whole life, each decision with its reason."""
    for text, verdict, status in (
        (TEXT, Verdict.REPRODUCED, FailureStatus.OPEN),
        (LOCKED, Verdict.FIXED, FailureStatus.FIXED),
        (LOCKED, Verdict.FIXED, FailureStatus.FIXED),
        (TEXT, Verdict.REPRODUCED, FailureStatus.REGRESSED),
        (LOCKED, Verdict.FIXED, FailureStatus.FIXED),
    ):
        (found,) = asked(database, file, text)
        assert found.rechecked.verdict is verdict and found.after is status
        failure, *_ = life_of(database, number)
        assert (failure.status, failure.verdict, failure.checked_at) == (status, verdict.value, NOW)
    _, changes, rechecks = life_of(database, number)
    assert [each.status.value for each in changes] == ["fixed", "regressed", "fixed"]
    assert all(each.actor == "recheck" and each.why.startswith("recheck: ") for each in changes)
    assert [each.verdict for each in rechecks][:2] == ["reproduced", "fixed"]
    assert rechecks[0].differences == () and rechecks[0].states == 0
    assert "+ add: spin_lock(lock)" in rechecks[1].differences


def test_the_programs_are_compared_as_steps_and_as_text(database, number, file):
    (found,) = asked(database, file, LOCKED)
    assert "+ add: spin_lock(lock)" in found.differences
    assert "+        spin_lock(lock)" in found.text_diff
    (same,) = asked(database, file, TEXT)
    assert same.differences == () and same.text_diff == ()


@pytest.mark.parametrize("status", [FailureStatus.INVALID, FailureStatus.OPEN])
def test_what_a_person_called_invalid_stays_so(database, number, file, status):
    with database.write() as session:
        set_status(session, number, status, actor="a", why="b", now=NOW)
    (found,) = asked(database, file, LOCKED)
    after = FailureStatus.FIXED if status is FailureStatus.OPEN else status
    assert found.rechecked.verdict is Verdict.FIXED and found.after is after


def test_a_bound_that_was_met_decides_nothing(database, number, file):
    (found,) = asked(database, file, LOCKED, bytes_max=1)
    assert found.rechecked.verdict is Verdict.NOT_REPRODUCED
    assert found.after is FailureStatus.OPEN


def test_a_program_that_is_nowhere_or_wrong_is_said_and_changes_nothing(database, number, file):
    (found,) = recheck_stored(database, clock=lambda: NOW)
    assert found.rechecked is None and "--source" in found.reason
    (found,) = asked(database, file, BROKEN)
    assert found.rechecked is None
    assert found.reason.startswith("today's program does not compile: total.py:")
    failure, changes, rechecks = life_of(database, number)
    assert failure.verdict is None and changes == rechecks == ()


def test_who_asks_again_and_again_is_answered_where_the_program_has_changed(database, number, file):
    changed = {"only_changed": True}
    assert asked(database, file, TEXT, **changed) == []
    assert len(asked(database, file, LOCKED, **changed)) == 1
    assert asked(database, file, LOCKED, **changed) == []
    assert len(asked(database, file, TEXT, **changed)) == 1


def test_a_parameter_that_is_gone_is_left_out(database, number, file):
    text = LOCKED.replace(", writers=Param(1, 3, default=2)", "").replace("p.writers", "2")
    (found,) = asked(database, file, text)
    assert found.rechecked.verdict is Verdict.FIXED
    assert "- parameter writers" in found.differences


def test_it_stops_between_failures_and_asks_only_those_that_were_named(database, number, file):
    assert asked(database, file, LOCKED, is_stopping=lambda: True) == []
    assert len(asked(database, file, LOCKED, numbers=[number])) == 1
    assert life_of(database, number)[0].status is FailureStatus.FIXED
