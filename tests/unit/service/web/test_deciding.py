"""What people decide through the service: once, by whom they are, and from our own pages only."""

import re
import shutil
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from service.web.app import create_app
from storage.access import create_token
from storage.access_tables import Scope
from storage.session import Database, open_database
from tests.unit.service.web.test_access import BASE, HTML, NOW, bearer

STATUS, NOTES, LIFE = (f"/api/v1/failures/1/{end}" for end in ("status", "notes", "life"))
FIXED = {"status": "fixed", "why": "patch 9 is applied"}


@pytest.fixture
def database(found: Database, tmp_path) -> Iterator[Database]:
    """A copy: what is decided in one test is not there in the next."""
    with found.write():
        copy = shutil.copy(found.path, tmp_path / "copy.db")
    with open_database(copy) as database:
        yield database


@pytest.fixture
def client(database: Database) -> Iterator[TestClient]:
    with TestClient(create_app(database), base_url=BASE, follow_redirects=False) as client:
        yield client


def test_a_status_and_a_note_are_kept_with_who_and_why(client, database):
    with database.write() as session:
        secret = create_token(session, "alice", Scope.OPERATE, now=NOW)
    assert client.post(STATUS, json=FIXED, headers=bearer(secret)).json() == {"changed": True}
    assert client.post(STATUS, json=FIXED, headers=bearer(secret)).json() == {"changed": False}
    written = client.post(NOTES, json={"words": "seen on 3.1"}, headers=bearer(secret))
    assert written.status_code == 201
    life = client.get(LIFE, headers=bearer(secret)).json()
    assert life["status"] == "fixed"
    (change,), (note,) = life["statuses"], life["notes"]
    assert (change["who"], change["why"]) == ("alice", "patch 9 is applied")
    assert (note["who"], note["words"]) == ("alice", "seen on 3.1")


def test_a_token_for_reading_decides_nothing(client, database):
    with database.write() as session:
        secret = create_token(session, "bob", Scope.READ, now=NOW)
    refused = client.post(STATUS, json=FIXED, headers=bearer(secret))
    assert refused.status_code == 403 and "this needs operate" in refused.json()["detail"]
    assert client.post(STATUS, json=FIXED).status_code == 401
    assert client.get(LIFE, headers=bearer(secret)).json()["statuses"] == []


def test_the_same_key_does_it_once_and_another_request_is_refused(client):
    key = {"Idempotency-Key": "k1"}
    first = client.post(NOTES, json={"words": "once"}, headers=key)
    again = client.post(NOTES, json={"words": "once"}, headers=key)
    assert (first.status_code, first.json()) == (again.status_code, again.json()) == (
        201, {"changed": True},
    )  # fmt: skip
    assert len(client.get(LIFE).json()["notes"]) == 1
    other = client.post(NOTES, json={"words": "twice"}, headers=key)
    assert other.status_code == 422 and "another request" in other.json()["detail"]


@pytest.mark.parametrize(
    ("document", "status"),
    [
        ({"status": "fixed", "why": " "}, 422),
        ({"status": "gone", "why": "x"}, 422),
        ({"status": "duplicate", "why": "x"}, 422),
        ({"status": "duplicate", "why": "x", "duplicate_of": 1}, 422),
        ({"status": "duplicate", "why": "x", "duplicate_of": 99}, 404),
        ({"status": "fixed", "why": "x", "duplicate_of": 1}, 422),
        ({"status": "fixed", "why": "x", "more": 1}, 422),
        ({"status": "fixed", "why": "\x00"}, 422),
        ([], 422),
    ],
)
def test_what_makes_no_sense_changes_nothing(client, document, status):
    refused = client.post(STATUS, json=document)
    assert refused.status_code == status
    assert refused.headers["content-type"] == "application/problem+json"
    assert client.get(LIFE).json()["statuses"] == []


def test_a_page_decides_with_the_secret_of_its_visit_only(client):
    page = client.get("/failures/1", headers=HTML).text
    csrf = re.search(r'name="csrf" value="([0-9a-f]+)"', page)[1]
    form = {**FIXED, "csrf": csrf}
    assert client.post("/failures/1/status", data={**form, "csrf": "0"}).status_code == 403
    elsewhere = {"Origin": "https://elsewhere.example"}
    assert client.post("/failures/1/status", data=form, headers=elsewhere).status_code == 403
    assert (
        client.post("/api/v1/failures/1/status", json=FIXED, headers=elsewhere).status_code == 403
    )
    assert client.get(LIFE).json()["statuses"] == []
    done = client.post("/failures/1/status", data=form)
    assert done.status_code == 303 and done.headers["location"] == "/failures/1#life"
    noted = client.post("/failures/1/notes", data={"csrf": csrf, "words": "<b>look</b>"})
    assert noted.status_code == 303
    page = client.get("/failures/1", headers=HTML).text
    assert "patch 9 is applied" in page and "&lt;b&gt;look&lt;/b&gt;" in page
