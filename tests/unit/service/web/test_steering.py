"""Campaigns made and steered through the service, by scripts and by the forms of pages."""

import re
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from service.web.app import create_app
from storage.access import create_token
from storage.access_tables import Scope
from storage.campaigns import get_campaign, list_campaigns
from storage.session import Database, open_database
from storage.tables import CampaignState, DesiredState
from tests.unit.service.web.test_access import BASE, HTML, NOW, bearer

ALL = "/api/v1/campaigns"
WISH = {"program": "find_get_page", "budget": {"blocks": "5", "time": "2h"}, "weight": 3}


@pytest.fixture
def database(tmp_path) -> Iterator[Database]:
    with open_database(tmp_path / "found.db") as database:
        yield database


@pytest.fixture
def client(database) -> Iterator[TestClient]:
    with TestClient(create_app(database), base_url=BASE, follow_redirects=False) as client:
        yield client


def stored(database, number=1):
    with database.read() as session:
        return get_campaign(session, number)


def test_a_campaign_is_made_once_a_key_as_it_was_asked(client, database):
    key = {"Idempotency-Key": "k1"}
    first = client.post(ALL, json=WISH, headers=key)
    assert first.status_code == 201 and first.json() == {"campaign": 1, "program": "find_get_page"}
    assert client.post(ALL, json=WISH, headers=key).json() == first.json()
    with database.read() as session:
        assert len(list_campaigns(session)) == 1
    plan = stored(database).plan
    assert plan.is_queued and plan.weight == 3
    assert (plan.limits.blocks_max, plan.limits.seconds_max) == (5, 7200)


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({"program": "nothing"}, 404, "no program is called"),
        ({"program": "../etc/passwd"}, 404, "no program is called"),
        ({"parameters": {"nothing": "1"}}, 422, "nothing"),
        ({"scheduler": "best"}, 422, "best"),
        ({"scheduler": "exhaustive:c=9"}, 422, "no request may ask for it"),
        ({"budget": {"blocks": "-1"}}, 422, "is no bound"),
        ({"budget": {"time": "soon"}}, 422, "is no duration"),
        ({"exclude": [99]}, 404, "99"),
        ({"weight": 0}, 422, "weight"),
        ({"parameters": {"x" * 9: "1"} | {f"p{n}": "1" for n in range(40)}}, 422, "parameters"),
    ],
)
def test_what_cannot_be_executed_is_refused_and_not_stored(
    client,
    database,
    change,
    status,
    said,
):
    refused = client.post(ALL, json=WISH | change)
    assert refused.status_code == status and said in refused.json()["detail"]
    with database.read() as session:
        assert list_campaigns(session) == ()


def test_a_request_cannot_compile_a_monster(client):
    wish = {"program": "thp_split", "parameters": {"lookups": "100000000"}}
    refused = client.post(ALL, json=wish)
    assert refused.status_code == 422 and "at most 64" in refused.json()["detail"]
    shown = client.get("/api/v1/programs/thp_split?param=lookups=100000000")
    assert shown.status_code == 422


def test_orders_are_followed_and_compared_with_what_was_seen(client, database):
    client.post(ALL, json=WISH)
    seen = client.get(f"{ALL}/1/orders").headers["ETag"]
    paused = client.post(f"{ALL}/1/pause", headers={"If-Match": seen})
    assert paused.status_code == 200 and paused.json()["wanted"] == "paused"
    late = client.post(f"{ALL}/1/resume", headers={"If-Match": seen})
    assert late.status_code == 412 and stored(database).desired_state is DesiredState.PAUSED
    now = {"If-Match": late.headers["ETag"]}
    changed = client.patch(f"{ALL}/1", json={"budget": {"time": "none"}, "weight": 9}, headers=now)
    assert changed.json()["budget"]["seconds_max"] is None and changed.json()["weight"] == 9
    assert stored(database).plan.limits.blocks_max == 5
    assert client.patch(f"{ALL}/1", json={}).status_code == 422
    assert client.post(f"{ALL}/1/stop").status_code == 200
    assert stored(database).state is CampaignState.STOPPED
    ended = client.post(f"{ALL}/1/resume")
    assert ended.status_code == 409 and "has ended" in ended.json()["detail"]


def test_a_token_for_reading_makes_and_steers_nothing(client, database):
    client.post(ALL, json=WISH)
    with database.write() as session:
        secret = create_token(session, "bob", Scope.READ, now=NOW)
    for path in (ALL, f"{ALL}/1/pause"):
        assert client.post(path, json=WISH, headers=bearer(secret)).status_code == 403
    assert client.patch(f"{ALL}/1", json={"weight": 2}, headers=bearer(secret)).status_code == 403


def test_forms_make_and_steer_without_a_script(client, database):
    shown = client.get("/campaigns/new?program=thp_split", headers=HTML).text
    csrf = re.search(r'name="csrf" value="(\w+)"', shown)[1]
    assert 'value="lookups"' in shown
    given = {
        "csrf": csrf, "program": "find_get_page", "blocks": "7", "time": "", "seed": "4"
    }  # fmt: skip
    made = client.post("/campaigns", data=given)
    assert made.status_code == 303 and made.headers["location"] == "/campaigns/1"
    assert stored(database).plan.root_seed == 4 and stored(database).plan.limits.blocks_max == 7
    assert 'value="pause"' in client.get("/campaigns/1", headers=HTML).text
    client.post("/campaigns/1/order", data={"csrf": csrf, "order": "pause"})
    assert stored(database).desired_state is DesiredState.PAUSED
    assert 'value="resume"' in client.get("/campaigns/1", headers=HTML).text
    client.post("/campaigns/1/change", data={"csrf": csrf, "weight": "5", "blocks": "none"})
    assert stored(database).plan.weight == 5 and stored(database).plan.limits.blocks_max is None


@pytest.mark.parametrize("path", ["/campaigns", "/campaigns/1/order", "/campaigns/1/change"])
def test_a_form_of_another_visit_changes_nothing(client, database, path):
    client.post(ALL, json=WISH)
    given = {"csrf": "0" * 64, "program": "find_get_page", "order": "stop", "weight": "8"}
    assert client.post(path, data=given).status_code == 403
    with database.read() as session:
        assert len(list_campaigns(session)) == 1
    assert stored(database).state is CampaignState.CREATED and stored(database).plan.weight == 3
