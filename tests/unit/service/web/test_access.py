"""Who may come in, and by which ways nobody may."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient

from service.cli import execute
from service.web.app import create_app
from storage.access import create_token, has_tokens, revoke_token, token_of_session
from storage.access_tables import Scope
from storage.session import Database, open_database

NOW = datetime(2026, 1, 2, tzinfo=UTC)
BASE = "http://127.0.0.1"
API = "/api/v1/failures"
HTML = {"Accept": "text/html"}


@pytest.fixture
def database(tmp_path) -> Iterator[Database]:
    with open_database(tmp_path / "found.db") as database:
        yield database


@pytest.fixture
def client(database) -> Iterator[TestClient]:
    with TestClient(create_app(database), base_url=BASE, follow_redirects=False) as client:
        yield client


def token(database: Database, scope: Scope, name: str = "alice") -> str:
    with database.write() as session:
        return create_token(session, name, scope, now=NOW)


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def test_anybody_on_this_machine_may_come_in_until_there_is_a_token(client, database):
    assert client.get(API).status_code == 200
    secret = token(database, Scope.READ)
    refused = client.get(API)
    assert refused.status_code == 401 and refused.headers["www-authenticate"] == "Bearer"
    assert client.get(API, headers=bearer(secret)).status_code == 200
    with database.write() as session:
        assert revoke_token(session, "alice", now=NOW) and not has_tokens(session)
    assert client.get(API, headers=bearer(secret)).status_code == 401
    assert client.get(API).status_code == 200


def test_beyond_loopback_nobody_comes_in_without_a_token(database):
    with TestClient(create_app(database, is_open=False), base_url=BASE) as client:
        assert client.get(API).status_code == 401
        assert client.get("/healthz").status_code == client.get("/readyz").status_code == 200


def test_a_foreign_name_for_this_address_is_refused(client, database):
    assert client.get(API, headers={"Host": "rebound.example"}).status_code == 403
    secret = token(database, Scope.READ)
    answer = client.get(API, headers={"Host": "gracefuzz.example", **bearer(secret)})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer " + "x" * 201, "Bearer gracefuzz_no"]
)
def test_a_header_that_names_no_token_is_refused(client, header):
    assert client.get(API, headers={"Authorization": header}).status_code == 401


def test_a_browser_logs_in_with_a_token_and_out_again(client, database):
    secret = token(database, Scope.READ)
    asked = client.get("/failures", headers=HTML)
    assert asked.status_code == 303 and asked.headers["location"] == "/login?next=/failures"
    wrong = client.post("/login", data={"token": "guess", "next": "/failures"}, headers=HTML)
    assert wrong.status_code == 401 and "unknown or was revoked" in wrong.text
    entered = client.post("/login", data={"token": secret, "next": "/failures"})
    assert entered.status_code == 303 and entered.headers["location"] == "/failures"
    cookie = entered.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie
    page = client.get("/failures", headers=HTML)
    assert page.status_code == 200 and "alice" in page.text
    csrf = page.text.split('name="csrf" value="')[1].split('"')[0]
    assert client.post("/logout", data={"csrf": "0" * 64}).status_code == 403
    assert client.post("/logout", data={"csrf": csrf}).status_code == 303
    assert client.get("/failures", headers=HTML).status_code == 303


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_page_of_another_site_changes_nothing(client, database, headers):
    secret = token(database, Scope.ADMIN)
    assert client.post("/login", data={"token": secret}, headers=headers).status_code == 403


@pytest.mark.parametrize("path", ["https://elsewhere.example", "//elsewhere", "/\\elsewhere", ""])
def test_logging_in_never_leads_to_another_site(client, database, path):
    secret = token(database, Scope.READ)
    entered = client.post("/login", data={"token": secret, "next": path})
    assert entered.headers["location"] == "/"


def test_a_visit_ends_by_its_time_and_with_its_token(client, database):
    secret = token(database, Scope.READ)
    cookie = client.post("/login", data={"token": secret}).cookies["gracefuzz_session"]
    now = datetime.now(UTC)
    with database.read() as session:
        assert token_of_session(session, cookie, now=now) is not None
        assert token_of_session(session, cookie, now=now + timedelta(hours=13)) is None
    with database.write() as session:
        revoke_token(session, "alice", now=now)
    with database.read() as session:
        assert token_of_session(session, cookie, now=now) is None


def test_scopes_allow_what_stands_before_them():
    allowed = [[mine.allows(wanted) for wanted in Scope] for mine in Scope]
    assert allowed == [[True, False, False], [True, True, False], [True, True, True]]


def test_the_database_holds_no_secret(client, database):
    secret = token(database, Scope.READ)
    cookie = client.post("/login", data={"token": secret}).cookies["gracefuzz_session"]
    stored = b"".join(
        path.read_bytes() for path in database.path.parent.glob(f"{database.path.name}*")
    )
    assert secret.encode() not in stored and cookie.encode() not in stored
    assert b"alice" in stored


def test_tokens_are_made_listed_and_revoked_by_commands(tmp_path, capsys):
    db = ["--db", str(tmp_path / "found.db")]
    assert execute(["token", "create", "ci", "--scope", "operate", *db]) == 0
    secret = capsys.readouterr().out.strip()
    assert secret.startswith("gracefuzz_") and len(secret) > 50
    assert execute(["token", "create", "ci", *db]) == 2
    assert "give another name" in capsys.readouterr().err
    assert execute(["token", "list", *db]) == 0
    listed = capsys.readouterr().out
    assert "ci" in listed and "operate" in listed and secret not in listed
    assert execute(["token", "revoke", "nobody", *db]) == 2
    assert execute(["token", "revoke", "ci", *db]) == 0
    capsys.readouterr()
    assert execute(["token", "list", *db]) == 0 and "revoked" in capsys.readouterr().out


def test_an_operators_secret_becomes_a_token_once(tmp_path, database, client, capsys):
    secret = "gracefuzz_" + "0123456789abcdef" * 4
    file = tmp_path / "prometheus.read"
    file.write_text(secret + "\n")
    make = ["token", "create", "prometheus", "--secret-file", str(file), "--db", database.name]
    assert execute(make) == 0 and execute(make) == 0
    out = capsys.readouterr().out
    assert out == "the token 'prometheus' is made\nthe token 'prometheus' was made before\n"
    assert client.get("/metrics").status_code == 401
    assert client.get("/metrics", headers=bearer(secret)).status_code == 200
    assert execute([*make, "--scope", "admin"]) == 2
    assert "exists or existed" in capsys.readouterr().err
    file.write_text("gracefuzz_hunter2")
    assert execute(make) == 2
    said = capsys.readouterr().err
    assert "64 hexadecimal digits" in said and "hunter2" not in said


def test_an_address_that_others_reach_needs_a_token(tmp_path, capsys):
    db = ["--db", str(tmp_path / "found.db")]
    assert execute(["serve", "--host", "0.0.0.0", *db]) == 2
    assert "gracefuzz token create" in capsys.readouterr().err
    assert execute(["serve", "--host", "nowhere", *db]) == 2
