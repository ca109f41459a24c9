"""`gracefuzz mutate`: the table, the score, the survivors, JSON and the exit codes."""

import json

from service import cli


def test_survivors_are_shown_with_their_lines_and_give_1(capsys):
    assert cli.execute(["mutate", "page_uptodate"]) == 1
    said = capsys.readouterr().out
    assert "mutation score  66.7%, 2 of 3 caught" in said
    survivors = said.partition("\nsurvivors\n")[2].splitlines()
    assert survivors[0] == (
        "  check dropped: do_generic_mapping_read: test_bit(PG_uptodate, flags) (line 55): "
        "branch 1 of 1 is never taken"
    )
    assert "caught: a page that is up to date lacks its content" in said
    assert "nothing: every step, assert and invariant is" in said
    assert "not derived\n  splitting what `with atomic():`" in said


def test_json_says_the_same_every_time(capsys):
    said = []
    for _ in range(2):
        assert cli.execute(["mutate", "page_uptodate", "--json"]) == 1
        said.append(capsys.readouterr().out)
    found = json.loads(said[0])
    assert said[0] == said[1]
    assert found["counts"] == {
        "caught": 2,
        "survived": 1,
        "bounded": 0,
        "equivalent": 2,
        "not reached": 0,
        "not visible": 0,
    }
    assert [each["outcome"] for each in found["mutants"]].count("equivalent") == 2
    assert found["unreached_steps"] == [] and len(found["not_derived"]) == 6


def test_a_program_of_which_all_mutants_are_caught_gives_0(tmp_path, capsys):
    file = tmp_path / "handed_over.py"
    file.write_text(
        "from model.language import *\n"
        "@program(steps_max=9)\n"
        "def handed_over(p):\n"
        '    """A value is ready only when it is written."""\n'
        '    ready, value = p.shared("ready", uint(1)), p.shared("value", uint(1))\n'
        "    @p.thread()\n"
        "    def writer():\n"
        "        WRITE_ONCE(value, 1)\n"
        "        WRITE_ONCE(ready, 1)\n"
        "    @p.thread()\n"
        "    def reader():\n"
        "        wait_event(READ_ONCE(ready) == 1)\n"
        "        now = READ_ONCE(value)\n"
        '        assert now == 1, "ready before it is written"\n'
    )
    assert cli.execute(["mutate", str(file)]) == 0
    assert "100.0%, 2 of 2 caught" in capsys.readouterr().out


def test_nothing_is_said_of_a_program_that_is_too_large(capsys):
    assert cli.execute(["mutate", "thp_split", "--states", "1"]) == 4
    assert "give more with --states" in capsys.readouterr().err
