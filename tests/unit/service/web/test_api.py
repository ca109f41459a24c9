"""The API says what the commands print, and every answer fits its description."""

import json

import pytest
from pydantic import TypeAdapter

from service import cli
from service.web import documents


@pytest.mark.parametrize(
    ("path", "described"),
    [
        ("programs", list[documents.ProgramSummary]),
        ("programs/thp_split?param=lookups=2", documents.Program),
        ("failures", documents.FailurePage),
        ("failures/1", documents.Failure),
        ("failures/1/trace", documents.Trace),
        ("failures/1/trace/0", documents.State),
        ("campaigns", list[documents.CampaignSummary]),
        ("campaigns/1", documents.Campaign),
    ],
)
def test_every_answer_fits_its_description(client, path, described):
    answer = client.get(f"/api/v1/{path}")
    assert answer.status_code == 200 and answer.headers["content-type"] == "application/json"
    assert TypeAdapter(described).validate_json(answer.text)


@pytest.mark.parametrize(
    ("path", "command"),
    [
        ("programs", ["programs"]),
        ("programs/find_get_page", ["show", "find_get_page"]),
        ("failures/1", ["failures", "show", "1"]),
        ("failures/1/trace", ["failures", "replay", "1"]),
        ("campaigns/1", ["campaigns", "show", "1"]),
    ],
)
def test_the_api_answers_what_the_command_prints(client, found, capsys, path, command):
    reads = [] if command[0] in ("programs", "show") else ["--db", str(found.path)]
    assert cli.execute([*command, *reads]) == 0
    text = client.get(f"/api/v1/{path}", headers={"Accept": "text/plain"}).text
    printed = capsys.readouterr().out.replace(f" --db {found.path}", " --server http://127.0.0.1")
    assert text == printed
    assert cli.execute([*command, *reads, "--json"]) == 0
    assert client.get(f"/api/v1/{path}").json() == json.loads(capsys.readouterr().out)


def test_a_trace_is_answered_step_by_step(client):
    trace = client.get("/api/v1/failures/1/trace").json()
    states = [
        client.get(f"/api/v1/failures/1/trace/{step}").json()
        for step in range(len(trace["steps"]) + 1)
    ]
    assert all(value["before"] is None for value in states[0]["shared"])
    for step, state in zip(trace["steps"], states[1:], strict=True):
        assert state["step"] == step["step"]
        shown = {v["place"]: v["value"] for v in state["shared"] + state["ghosts"]}
        for change in step["changes"]:
            assert shown.get(change["place"], change["after"]) == change["after"]
    beyond = client.get(f"/api/v1/failures/1/trace/{len(states)}")
    assert beyond.status_code == 404


def test_pages_of_failures_follow_each_other(client):
    whole = client.get("/api/v1/failures").json()
    assert whole["next"] is None and whole["failures"]
    path, seen = "/api/v1/failures?limit=1", []
    while path:
        page = client.get(path).json()
        seen += page["failures"]
        path = page["next"]
    assert seen == whole["failures"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("failures/99", 404),
        ("failures/0", 422),
        ("failures/x", 422),
        ("failures/9223372036854775808", 422),
        ("failures?cursor=abc", 422),
        ("failures?order=sideways", 422),
        ("failures?limit=0", 422),
        ("campaigns/99", 404),
        ("programs/nothing", 404),
        ("programs/thp_split?param=x", 422),
        ("programs/thp_split?param=lookups=9", 422),
        ("programs/..%2F..%2Fetc%2Fpasswd.py", 404),
        ("nothing", 404),
    ],
)
def test_what_is_wrong_is_a_problem_document(client, path, status):
    answer = client.get(f"/api/v1/{path}")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = documents.Problem.model_validate_json(answer.text)
    assert problem.status == status and problem.detail


def test_programs_are_not_uploaded(client):
    answer = client.post("/api/v1/programs", content=b"import os")
    assert answer.status_code == 403 and "installation" in answer.json()["detail"]


def test_an_unchanged_answer_is_not_sent_again(client):
    first = client.get("/api/v1/failures/1")
    again = client.get("/api/v1/failures/1", headers={"If-None-Match": first.headers["etag"]})
    assert again.status_code == 304 and not again.content
    other = client.get("/api/v1/failures/1", headers={"If-None-Match": '"another"'})
    assert other.status_code == 200
