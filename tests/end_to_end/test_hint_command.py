"""`gracefuzz fuzz --hint FILE`: what `failures show` prints can be given back."""

import json

import pytest

from tests.end_to_end.test_fuzz_command import fuzz, gracefuzz

pytestmark = pytest.mark.slow


def test_a_stored_failure_is_a_hint_and_a_hint_finds_what_is_around_it(tmp_path):
    database, hint = tmp_path / "found.db", tmp_path / "hint.txt"
    assert fuzz(database, "--schedules", 1).returncode == 1
    shown = gracefuzz("failures", "show", 1, "--db", database)
    hint.write_text(shown.stdout)
    again = fuzz(database, "--hint", hint)
    assert again.returncode == 1, again.stderr
    assert again.stdout.startswith("hint: 4 steps followed, 0 filled in\nthe hint itself violates")
    assert "an addition is lost   4 steps  1 preemption  minimal: proved" in again.stdout
    assert "known as failure 1: gracefuzz failures show 1 --db" in again.stdout

    hint.write_text("add#2: WRITE_ONCE(count, value + 1)\n")
    sound = fuzz(database, "--hint", hint, "--schedules", 1, "--param", "locked=on")
    assert sound.returncode == 0, sound.stderr
    assert "hint: 1 step followed, 2 filled in" in sound.stdout
    assert "around it: 32,768 executions, no violation" in sound.stdout


def test_a_hint_speaks_json_and_is_refused_with_its_line(tmp_path):
    database, hint = tmp_path / "found.db", tmp_path / "hint.txt"
    hint.write_text("add#1: value = count\nadd#2: value = count\n")
    report = json.loads(fuzz(database, "--hint", hint, "--json").stdout)
    assert report["hint"] == {"steps_followed": 2, "steps_filled_in": 0, "violates": False}
    assert [each["steps"] for each in report["failures"]] == [4]
    (failure,) = report["failures"]
    assert failure["failure"] == 1 and failure["new"]
    assert gracefuzz("failures", "replay", 1, "--db", database).returncode == 0
    shown = gracefuzz("failures", "show", 1, "--db", database).stdout
    assert "by the hint that is campaign 1; 1 sightings recorded" in shown
    campaign = json.loads(gracefuzz("campaigns", "show", 1, "--db", database, "--json").stdout)
    assert campaign["scheduler"] == "hint" and campaign["state"] == "finished"
    hint.write_text("add#3: value = count\n")
    refused = fuzz(database, "--hint", hint)
    assert refused.returncode == 2 and "hint.txt:1:1: the program has no" in refused.stderr
    assert fuzz(database, "--hint", tmp_path / "gone.txt").returncode == 2
