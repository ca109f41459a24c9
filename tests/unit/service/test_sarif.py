"""Failures as SARIF: valid by what the schema requires, and every step where it stands."""

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from model.program_json import from_json
from service import cli
from service.failures import load_failure
from service.sarif import FINGERPRINT_KEY, sarif
from storage.session import open_database
from tests.lost_update import lost_update
from tests.stored_failures import store_failures
from tests.toy_series import add_up

ESSENTIALS = json.loads((Path(__file__).parent / "sarif_essentials.json").read_text())


@pytest.fixture
def found(tmp_path):
    with open_database(tmp_path / "found.db") as database:
        numbers = store_failures(database, lost_update) + store_failures(database, add_up)
        return [load_failure(database, number) for number in numbers]


def checked(text):
    told = json.loads(text)
    jsonschema.validate(told, ESSENTIALS)
    (execution,) = told["runs"]
    for result in execution["results"]:
        rule = execution["tool"]["driver"]["rules"][result["ruleIndex"]]
        assert rule["id"] == result["ruleId"]
        place = result["locations"][0]["physicalLocation"]["artifactLocation"]
        assert execution["artifacts"][place["index"]]["location"]["uri"] == place["uri"]
    return execution["results"]


def test_each_failure_is_a_result_with_its_fingerprint(found):
    results = checked(sarif(found))
    prints = [each["partialFingerprints"][FINGERPRINT_KEY] for each in results]
    assert prints == [each.failure.record.fingerprint for each in found]
    assert {each["ruleId"] for each in results} == {"gracefuzz/at_end"}
    assert results[0]["message"]["text"] == (
        "an addition is lost: lost_update (writers=2, locked=off), after 4 steps with 1 preemption"
    )
    assert all("suppressions" not in each and "baselineState" not in each for each in results)


def test_the_interleaving_is_a_code_flow_in_the_order_in_which_it_was_executed(found):
    first = found[0]
    (flow,) = checked(sarif([first]))[0]["codeFlows"]
    steps = [
        (each["executionOrder"], thread["id"], each["location"]["message"]["text"])
        for thread in flow["threadFlows"]
        for each in thread["locations"]
    ]
    events = json.loads(first.failure.record.interleaving)["events"]
    assert len(steps) == len(events) == first.failure.record.steps
    for (number, thread, text), event in zip(sorted(steps), events, strict=True):
        assert events[number - 1] is event and thread == event["thread"]
        assert text.startswith(event["step"].partition(": ")[2])
    assert sorted(steps)[-1][2].endswith("  <-- an addition is lost")


def test_a_line_is_given_where_it_is_one_of_the_programs_file(found):
    lines = Path(lost_update.file).read_text().splitlines()
    (flow,) = checked(sarif(found[:1]))[0]["codeFlows"]
    for thread in flow["threadFlows"]:
        for each in thread["locations"]:
            region = each["location"]["physicalLocation"]["region"]
            text = each["location"]["message"]["text"].split("  ")[0]
            assert text in lines[region["startLine"] - 1]


def test_a_step_of_another_file_has_no_line(tmp_path):
    from model.program import Label
    from storage.sources import find_source, text_of

    source = find_source("thp_split")
    program = source.compile()
    from service.sarif import _Steps

    steps = _Steps(program, text_of(source), "thp_split.py", 0)
    elsewhere = Label("reclaim_and_allocate", "free_hot_cold_page(page)")
    own = Label("reclaim_and_allocate", "WRITE_ONCE(slot, NONE)")
    assert "region" not in steps.location(str(elsewhere))["physicalLocation"]
    line = steps.location(str(own))["physicalLocation"]["region"]["startLine"]
    assert "WRITE_ONCE(slot, NONE)" in text_of(source).splitlines()[line - 1]


@pytest.mark.parametrize(
    ("status", "key"),
    [("invalid", "suppressions"), ("duplicate", "suppressions"), ("fixed", "baselineState")],
)
def test_what_need_not_be_looked_at_is_marked(found, status, key):
    class Said:
        value = status

    failure = replace(found[0].failure, status=Said)
    (result,) = checked(sarif([replace(found[0], failure=failure)]))
    assert key in result and result["properties"]["status"] == status


def test_every_oracle_of_a_program_has_a_rule(found):
    rules = {rule["id"] for rule in json.loads(sarif([]))["runs"][0]["tool"]["driver"]["rules"]}
    sites = from_json(found[0].program.ir).sites
    assert {f"gracefuzz/{type(sites[0].oracle)(each)}" for each in type(sites[0].oracle)} == rules


def test_the_command_writes_it_to_a_new_file(tmp_path, found, capsys):
    file = tmp_path / "found.sarif"
    wish = ["failures", "export", "--format", "sarif", "--db", str(tmp_path / "found.db")]
    assert cli.execute([*wish, "--output", str(file)]) == 0
    assert len(checked(file.read_text())) == len(found)
    assert cli.execute([*wish, "--output", str(file)]) == 2
    assert "exists" in capsys.readouterr().err
    assert cli.execute(wish) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(file.read_text())


def test_the_schema_notices_what_is_wrong(found):
    told = json.loads(sarif(found))
    del told["runs"][0]["results"][0]["message"]
    with pytest.raises(jsonschema.ValidationError, match="message"):
        jsonschema.validate(told, ESSENTIALS)
