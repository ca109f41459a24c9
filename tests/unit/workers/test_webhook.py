"""Webhooks: signed, retried, never lost, never in the way of fuzzing; a server on loopback."""

import json
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from service import cli
from storage.errors import WebhookError
from storage.outbox import Webhook, set_webhooks
from storage.session import open_database
from tests.lost_update import lost_update
from tests.stored_failures import store_failures
from workers import notifying
from workers.notifying import deliver_due, notified, waiting
from workers.webhook import Message, check_url, is_genuine, secret_from, send, signature

SECRET = "0123456789abcdef-secret"
EXPECTED = "a86913487558107306044fd5ee47a00cfcbe35d5a258cc0d3ebda03c4fe1a311"
LATER = timedelta(days=1)


class Receiver:
    """What arrived, and what is answered to it."""

    def __init__(self):
        self.arrived, self.answers, self.server = [], [], None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_address[1]}/hook"


@contextmanager
def receiving():
    receiver = Receiver()

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.arrived.append((dict(self.headers), body))
            code = receiver.answers.pop(0) if receiver.answers else 204
            self.send_response(code)
            if code in (301, 302, 307, 308):
                self.send_header("Location", f"{receiver.url}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_GET = do_POST  # noqa: N815

        def log_message(self, *_said):
            pass

    receiver.server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=receiver.server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.server.shutdown()
        receiver.server.server_close()
        thread.join()


@pytest.fixture
def receiver(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    with receiving() as found:
        yield found


@pytest.fixture
def path(tmp_path):
    return tmp_path / "found.db"


def told_to(database, receiver):
    hook = Webhook(receiver.url, "HOOK_SECRET", None)
    with database.write() as session:
        set_webhooks(session, (hook,), actor="operator", now=datetime.now(UTC))


def delivered(database, after=timedelta(0)):
    return deliver_due(database, now=datetime.now(UTC) + after)


def genuine(arrived, secret=SECRET, late=0):
    headers, body = arrived
    now = int(headers["X-Gracefuzz-Timestamp"]) + late
    return is_genuine(secret.encode(), headers, body, now_seconds=now)


def test_a_new_failure_is_told_and_signed(path, receiver):
    with open_database(path) as database:
        told_to(database, receiver)
        (number, *_rest) = store_failures(database, lost_update)
        assert delivered(database) == len(_rest) + 1 and waiting(database) == ()
        assert delivered(database, LATER) == 0
    headers, body = receiver.arrived[0]
    assert genuine((headers, body))
    told = json.loads(body)
    assert told["event"] == headers["X-Gracefuzz-Event"] == "failure.new"
    assert str(told["delivery"]) == headers["X-Gracefuzz-Delivery"] and told["version"] == 1
    failure = told["failure"]
    assert failure["failure"] == number and failure["program"] == "lost_update"
    assert failure["sentence"] == "an addition is lost" and "<preempted>" in failure["diagram"]
    assert failure["parameters"] == {"writers": 2, "locked": False}


def test_what_was_changed_or_is_old_is_not_genuine(path, receiver):
    with open_database(path) as database:
        told_to(database, receiver)
        store_failures(database, lost_update)
        delivered(database)
    headers, body = receiver.arrived[0]
    assert not genuine((headers, body + b" "))
    assert not genuine((headers, body), secret="another secret, as long")
    assert genuine((headers, body), late=299) and not genuine((headers, body), late=301)
    later = {**headers, "X-Gracefuzz-Timestamp": str(int(headers["X-Gracefuzz-Timestamp"]) + 1)}
    assert not genuine((later, body))
    for told in ("", "x", "١٢٣", "9" * 40):
        spoilt = {**headers, "X-Gracefuzz-Timestamp": told}
        assert not is_genuine(SECRET.encode(), spoilt, body, now_seconds=0)


def test_the_signature_is_the_published_construction():
    """HMAC-SHA256 of `TIMESTAMP.BODY`, as any receiver computes it: checked against OpenSSL."""
    made = signature(b"key-key-key-key-", timestamp=1313740139, body=b'{"a": 1}')
    assert made == "sha256=" + EXPECTED


def test_a_refused_message_is_tried_again_until_it_is_taken(path, receiver):
    receiver.answers += [500, 404, 204]
    with open_database(path) as database:
        told_to(database, receiver)
        store_failures(database, lost_update)
        count = len(waiting(database))
        receiver.answers[:] = [500] * count + [302] * count
        assert delivered(database) == 0
        assert {each.error for each in waiting(database)} == {"it answered 500"}
        assert delivered(database) == 0 and len(receiver.arrived) == count
        assert delivered(database, LATER) == 0
        assert {each.error for each in waiting(database)} == {"it answered 302"}
        assert delivered(database, 2 * LATER) == count and waiting(database) == ()
    numbers = [json.loads(body)["delivery"] for _, body in receiver.arrived]
    assert numbers == numbers[:count] * 3, "a message keeps its number, and is never redirected"


def test_a_message_waits_while_nobody_listens(path, receiver, monkeypatch):
    gone = receiver.url.replace("/hook", "")
    with open_database(path) as database:
        with receiving() as other:
            told_to(database, other)
        store_failures(database, lost_update)
        assert delivered(database) == 0
        assert all("cannot be reached" in each.error for each in waiting(database))
        monkeypatch.delenv("HOOK_SECRET")
        assert delivered(database, LATER) == 0
        assert all("$HOOK_SECRET is not set" in each.error for each in waiting(database))
    assert gone and receiver.arrived == []


def test_beside_a_campaign_messages_are_sent_and_a_slow_receiver_is_not_waited_for(
    path, receiver, monkeypatch
):
    monkeypatch.setattr(notifying, "PAUSE_SECONDS", 0.05)
    with open_database(path) as database:
        told_to(database, receiver)
        arrived = threading.Event()
        with notified(str(path)):
            store_failures(database, lost_update)
            while not receiver.arrived:
                arrived.wait(0.05)
        assert waiting(database) == ()


def test_without_a_webhook_no_thread_is_started(path):
    open_database(path).close()
    before = threading.active_count()
    with notified(str(path)):
        assert threading.active_count() == before


def test_a_secret_comes_from_the_environment_or_a_file(tmp_path, monkeypatch):
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    assert secret_from(variable=None, file=str(file)) == SECRET.encode()
    monkeypatch.setenv("S", "short")
    for variable, path, said in (
        ("S", None, "is shorter than 16 bytes"),
        ("NONE_SUCH", None, "is not set"),
        (None, str(tmp_path / "none"), "cannot be read"),
    ):
        with pytest.raises(WebhookError, match=said):
            secret_from(variable=variable, file=path)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://a/",
        "file:///etc/passwd",
        "http://",
        "http://a:b@c/",
        "x",
        "http://a:99999/",
        "http://a/\n",
    ],
)
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(WebhookError):
        check_url(url)


def test_nothing_is_sent_where_nobody_answers(receiver):
    with receiving() as other:
        url = other.url
    said = send(Message(url, "failure.new", 1, b"{}"), SECRET.encode(), now_seconds=0)
    assert said is not None and said.startswith("it cannot be reached")


def test_the_commands_add_list_deliver_and_remove(path, receiver, capsys):
    wish = ["--db", str(path), "--json"]
    assert cli.execute(["webhook", "add", receiver.url, *wish]) == 2
    assert cli.execute(["webhook", "add", receiver.url, "--secret-env", "NONE_SUCH", *wish]) == 2
    assert "is not set" in capsys.readouterr().err
    assert cli.execute(["webhook", "add", receiver.url, "--secret-env", "HOOK_SECRET", *wish]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["webhooks"][0]["url"] == receiver.url and SECRET not in json.dumps(told)
    with open_database(path) as database:
        count = len(store_failures(database, lost_update))
    assert SECRET.encode() not in path.read_bytes()
    receiver.answers[:] = [503] * count
    assert cli.execute(["webhook", "deliver", *wish]) == 1
    assert len(json.loads(capsys.readouterr().out)["waiting"]) == count
    assert cli.execute(["webhook", "deliver", *wish]) == 0
    assert json.loads(capsys.readouterr().out)["waiting"] == []
    assert cli.execute(["webhook", "list", "--db", str(path)]) == 0
    assert capsys.readouterr().out == f"{receiver.url}  secret in $HOOK_SECRET\n"
    assert cli.execute(["webhook", "remove", receiver.url, *wish]) == 0
    assert cli.execute(["webhook", "remove", receiver.url, *wish]) == 2
