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


def test_a_program_whose_lines_have_moved_is_the_one_that_is_stored(database, now):
    with database.write() as session:
        record_program(session, PROGRAM, now=now)
    moved = replace(PROGRAM, ir='{"version": 1, "line": 2}', source="# more\n@program()")
    with database.write() as session:
        assert not record_program(session, moved, now=now)
    with database.read() as session:
        assert get_program(session, "a1") == PROGRAM


def test_an_unknown_program_is_named(database):
    with pytest.raises(UnknownProgram, match="b2"), database.read() as session:
        get_program(session, "b2")
