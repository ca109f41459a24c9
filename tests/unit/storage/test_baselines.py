"""A baseline says what is known, in the database or in a file; what is fixed is not in it."""

import json
from dataclasses import replace

import pytest

from storage.baselines import (
    baseline_text,
    in_baseline,
    load_baseline,
    read_baseline,
    save_baseline,
)
from storage.errors import BaselineError
from storage.failures import list_failures
from storage.lives import set_status
from storage.tables import FailureStatus
from tests.unit.storage.test_lives import failures  # noqa: F401

PRINT = "a" * 64


def test_a_stored_baseline_is_replaced_by_one_of_its_name(database, now):
    for prints in (["f1", "f2", "f1"], ["f3"]):
        with database.write() as session:
            save_baseline(session, "release", prints, actor="a", now=now)
        with database.read() as session:
            assert load_baseline(session, "release") == frozenset(prints)


def test_an_unknown_baseline_is_answered_with_those_that_are_known(database, now):
    with pytest.raises(BaselineError, match="there is none"), database.read() as session:
        load_baseline(session, "x")
    with database.write() as session:
        save_baseline(session, "release", [], actor="a", now=now)
    with pytest.raises(BaselineError, match="there is release"), database.read() as session:
        load_baseline(session, "x")


@pytest.mark.parametrize("name", ["", "a/b", "known.json", "\x1b", "x" * 101])
def test_a_name_that_could_be_a_file_is_refused(database, now, name):
    with pytest.raises(BaselineError), database.write() as session:
        save_baseline(session, name, [], actor="a", now=now)


def test_what_is_fixed_is_not_in_it(database, failures, now):  # noqa: F811
    with database.write() as session:
        for number, status in zip(
            failures, (FailureStatus.FIXED, FailureStatus.INVALID), strict=False
        ):
            set_status(session, number, status, actor="a", why="b", now=now)
    with database.read() as session:
        kept = in_baseline(list_failures(session))
    assert [each.failure_id for each in kept] == [3, 2]


def test_a_file_says_what_was_known(database, failures, tmp_path):  # noqa: F811
    with database.read() as session:
        known = list_failures(session)
    file = tmp_path / "known.json"
    longer = [replace(each, fingerprint="a" * 62 + each.fingerprint) for each in known]
    file.write_text(baseline_text(longer))
    assert read_baseline(file) == {f"{'a' * 62}f{n}" for n in range(3)}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "cannot be read"),
        ("[]", "is no baseline"),
        ('{"format": "gracefuzz-baseline", "version": 2}', "a baseline of version 2"),
        ('{"format": "gracefuzz-baseline", "version": 1}', "is damaged"),
        (
            json.dumps({"format": "gracefuzz-baseline", "version": 1, "failures": [{"a": 1}]}),
            "is damaged",
        ),
    ],
)
def test_a_file_that_is_no_baseline_is_refused(tmp_path, text, said):
    file = tmp_path / "known.json"
    file.write_text(text)
    with pytest.raises(BaselineError, match=said):
        read_baseline(file)
    file.unlink()
    with pytest.raises(BaselineError, match="cannot be read"):
        read_baseline(file)
