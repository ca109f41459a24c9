"""The life of a failure by commands: decided, noted, merged, split, asked again, swept."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from service import cli
from storage.campaigns import start_campaign
from storage.failures import get_failure, list_sightings, record_sighting
from storage.programs import record_program
from storage.session import open_database
from tests.lost_update import lost_update
from tests.stored_failures import NOW, found, program_record, store_failures
from tests.toy_series import add_up
from tests.unit.storage.conftest import PLAN

SOURCE = str(Path(__file__).parents[2] / "lost_update.py")


@pytest.fixture
def path(tmp_path):
    """A database with a failure of each of two programs."""
    path = tmp_path / "found.db"
    with open_database(path) as database:
        store_failures(database, lost_update)
        store_failures(database, add_up)
    return path


@pytest.fixture
def do(path, capsys):
    """A command on that database: its exit code, and its JSON or what it said instead."""

    def do(*words):
        group = ["failures"] if words[0] != "gc" else []
        code = cli.execute([*group, *words, "--db", str(path), "--json"])
        out, err = capsys.readouterr()
        assert "Traceback" not in err and (code == 2) == (not out)
        return code, json.loads(out) if out else err

    return do


def test_who_decided_when_and_why_is_shown(do, path, capsys):
    decided = ("fixed", "--why", "locked", "--by", "reviewer")
    code, life = do("status", "1", *decided)
    assert code == 0 and life["status"] == "fixed"
    assert [(e["status"], e["who"], e["why"]) for e in life["statuses"]] == [
        ("fixed", "reviewer", "locked")
    ]
    do("note", "1", "seen on the list", "--by", "author")
    code, life = do("history", "1")
    assert life["notes"][0]["words"] == "seen on the list"
    assert cli.execute(["failures", "history", "1", "--db", str(path)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("failure 1   fixed\n") and "found by campaign 1" in said
    assert "author    note: seen on the list" in said and "reviewer  fixed: locked" in said
    assert do("list", "--status", "fixed")[1][0]["failure"] == 1
    assert [e["failure"] for e in do("list", "--status", "open")[1]] != [1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("status", "1", "fixed"), "why is missing"),
        (("status", "1", "gone", "--why", "x"), "is none of open, fixed, regressed, invalid"),
        (("status", "1", "duplicate", "--why", "x"), "made by failures merge"),
        (("status", "99", "fixed", "--why", "x"), "no failure has the number 99"),
        (("note", "1", " "), "the note is missing"),
        (("merge", "1", "--into", "1", "--why", "x"), "is failure 1"),
        (("undo", "7", "--why", "x"), "no override has the number 7"),
        (("split", "1", "--program", "zz", "--why", "x"), "names no program that showed"),
        (("baseline",), "give a NAME to store it, or --output"),
        (("baseline", "a/b"), "is no name of a baseline"),
        (("recheck", "99"), "no failure has the number 99"),
        (("list", "--status", "gone"), "is none of open"),
    ],
)
def test_a_mistake_is_one_sentence(do, words, said):
    code, told = do(*words)
    assert code == 2 and said in " ".join(told.replace("│", " ").split())


def test_a_merge_is_taken_back_by_its_number(do):
    code, life = do("merge", "2", "--into", "1", "--why", "the same")
    assert code == 0 and life["status"] == "duplicate"
    assert do("show", "2")[1]["duplicate_of"] == 1
    number = str(life["overrides"][0]["override"])
    code, life = do("undo", number, "--why", "not the same")
    assert life["status"] == "open" and life["overrides"][0]["undone_by"]
    assert do("undo", number, "--why", "again")[0] == 2


def test_a_split_is_minimized_in_its_program(do, path):
    """Three writers lose an addition too; split off, that is a failure that replays."""
    program, minimal = found(lost_update, (("writers", 3),))
    with open_database(path) as database, database.write() as session:
        record_program(session, program_record(program, lost_update), now=NOW)
        campaign = start_campaign(session, replace(PLAN, program_ir_hash=program.hash), now=NOW)
        record = get_failure(session, 1).record
        (first,) = list_sightings(session, 1)
        picks = json.dumps(
            {"version": 1, "picks": [[p.thread, *p.choices] for p in minimal[0].trace.schedule]}
        )
        seen = replace(first, campaign_id=campaign, ir_hash=program.hash, schedule=picks)
        assert record_sighting(session, record, seen, now=NOW).failure_id == 1
    code, life = do("split", "1", "--program", program.hash[:10], "--why", "three of them")
    assert code == 0
    number = str(life["failure"])
    shown = do("show", number)[1]
    assert shown["parameters"]["writers"] == 3 and shown["sightings"] == 1
    assert do("replay", number)[1]["verdict"] == "reproduced"
    assert do("undo", str(life["overrides"][0]["override"]), "--why", "no")[1]["status"] == (
        "duplicate"
    )
    assert do("show", "1")[1]["sightings"] == 2


def test_rechecking_says_what_shows_and_what_cannot_be_asked(do):
    code, told = do("recheck", "1", "--source", SOURCE)
    assert code == 1 and told[0]["verdict"] == "reproduced" and told[0]["status"] == "open"
    code, told = do("recheck", "1")
    assert code == 4 and told[0]["verdict"] is None and "--source" in told[0]["reason"]
    assert do("recheck", "1", "--source", SOURCE, "--changed") == (0, [])
    assert do("show", "1")[1]["verdict"] == "reproduced"


def test_rechecking_for_people_shows_how_the_program_differs(path, tmp_path, capsys):
    edited = tmp_path / "lost_update.py"
    text = (
        Path(SOURCE).read_text().replace("        if p.locked:\n            spin", "        spin")
    )
    edited.write_text(text.replace("    spin_lock(lock)", "spin_lock(lock)", 0))
    wish = ["failures", "recheck", "1", "--source", str(edited), "--db", str(path)]
    assert cli.execute([*wish, "--diff"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("failure 1   fixed   open -> fixed   lost_update (writers=2")
    assert "    + add: spin_lock(lock)\n" in said and "    -        if p.locked:\n" in said


def test_a_baseline_is_written_and_stored(do, tmp_path, capsys):
    do("status", "1", "fixed", "--why", "locked")
    file = tmp_path / "known.json"
    code, told = do("baseline", "release", "--output", str(file))
    assert code == 0 and told["baseline"] == "release" and 1 not in told["failures"]
    assert len(json.loads(file.read_text())["failures"]) == len(told["failures"])
    assert do("baseline", "--output", str(file))[0] == 2


def test_what_is_swept_is_said_before_and_after(do, path, capsys):
    do("status", "1", "fixed", "--why", "locked")
    code, told = do("gc", "--dry-run", "--closed", "0", "--campaigns", "0")
    assert code == 0 and told["failures"] == [1] and told["removed"] is False
    assert do("show", "1")[0] == 0
    wish = ["gc", "--closed", "0", "--campaigns", "0", "--db", str(path)]
    assert cli.execute(wish) == 0
    said = capsys.readouterr().out
    assert "removed 1 failures: 1\n" in said and "removed 1 campaigns: 1\n" in said
    assert do("show", "1")[0] == 2 and do("show", "2")[0] == 0
    assert cli.execute(wish) == 0
    assert capsys.readouterr().out == "removed nothing\n"
