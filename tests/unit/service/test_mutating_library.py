"""`gracefuzz mutate --all`: a line a program, the survivors, JSON and the exit codes."""

import json

import pytest

from model.library_mutation import Named, Told, library_score, scores, told
from model.mutation import Fate
from service import cli, mutating_library

SMALL = [("page_uptodate", ()), ("page_uptodate", (("fixed", "on"),)), ("usb_kill_urb", ())]


@pytest.fixture
def small_library(monkeypatch):
    monkeypatch.setattr(mutating_library, "configurations", lambda: SMALL)


def test_all_programs_are_shown_with_their_survivors(small_library, capsys):
    assert cli.execute(["mutate", "--all"]) == 1
    said = capsys.readouterr()
    lines = [line.split() for line in said.out.splitlines()]
    assert lines[0][:3] == ["PROGRAM", "CLEAN", "CAUGHT"]
    assert {line[0]: line[1] for line in lines[1:3]} == {"usb_kill_urb": "1", "page_uptodate": "2"}
    assert "survivors of page_uptodate\n  check dropped: do_generic_mapping_read:" in said.out
    assert "3 of 3 configurations" in said.err


def test_json_has_a_score_for_each_and_for_all():
    found = scores(told(each, states_max=1000) for each in SMALL)
    said = json.loads(mutating_library.library_json(found))
    counts = [program["counts"] for program in said["programs"]]
    caught = sum(each["caught"] for each in counts)
    counted = caught + sum(each["survived"] + each["bounded"] for each in counts)
    assert said["score"] == caught / counted
    assert [each["program"] for each in said["programs"]] == ["page_uptodate", "usb_kill_urb"]


@pytest.mark.parametrize("arguments", [[], ["page_uptodate", "--all"], ["--all", "--param", "x=1"]])
def test_a_program_or_all_of_them(arguments, capsys):
    assert cli.execute(["mutate", *arguments]) == 2
    assert "--all" in capsys.readouterr().err


def test_a_mutant_is_caught_where_one_configuration_catches_it():
    def says(**fates: Fate) -> Told:
        names = {Named(1, step, "f", "check dropped", ""): fate for step, fate in fates.items()}
        return Told("thp_split", names, {"line 1: a": fates["a"] is Fate.UNREACHED})

    found = scores(
        [
            says(a=Fate.SURVIVED, b=Fate.EQUIVALENT, c=Fate.UNREACHED),
            says(a=Fate.CAUGHT, b=Fate.SURVIVED, c=Fate.EQUIVALENT),
        ]
    )
    fates = {named.step: fate for named, fate in found[0].fates.items()}
    assert fates == {"a": Fate.CAUGHT, "b": Fate.SURVIVED, "c": Fate.EQUIVALENT}
    assert library_score(found) == 0.5 and found[0].unreached == ()
