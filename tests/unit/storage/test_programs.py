"""Programs are stored once, with their IR."""

from dataclasses import replace

import pytest

from storage.errors import UnknownProgram
from storage.programs import ProgramRecord, get_program, record_program

PROGRAM = ProgramRecord(
    ir_hash="a1", name="thp_split", parameters="{}", ir='{"version": 1}', source="@program()"
)


def test_a_program_comes_back_as_it_was_stored(database, now):
    with database.write() as session:
        assert record_program(session, PROGRAM, now=now)
    with database.read() as session:
        assert get_program(session, "a1") == PROGRAM


def test_recording_a_program_twice_changes_nothing(database, now):
    for is_new in (True, False):
        with database.write() as session:
            assert record_program(session, PROGRAM, now=now) == is_new


def test_one_hash_cannot_stand_for_two_irs(database, now):
    with pytest.raises(AssertionError, match="two IRs"), database.write() as session:
        record_program(session, PROGRAM, now=now)
        record_program(session, replace(PROGRAM, ir='{"version": 2}'), now=now)


def test_an_unknown_program_is_named(database):
    with pytest.raises(UnknownProgram, match="b2"), database.read() as session:
        get_program(session, "b2")
