"""`gracefuzz workers` rechecks, removes and tells webhooks as `gracefuzz settings` says."""

import json
import subprocess
import time

import pytest

from storage.errors import UnknownFailure
from storage.failures import get_failure, list_failures
from storage.session import open_database
from storage.tables import FailureStatus
from tests.end_to_end.test_fuzz_command import COMMAND, ROOT, gracefuzz
from tests.unit.storage.test_rechecks import LOCKED, TEXT
from tests.unit.workers.test_webhook import receiver as receiver

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def until(said, *, seconds=200):
    deadline = time.monotonic() + seconds
    while not (found := said()):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return found


def test_a_failure_is_told_rechecked_and_removed_while_the_coordinator_works(tmp_path, receiver):
    database, file = tmp_path / "found.db", tmp_path / "total.py"
    file.write_text(TEXT)

    def command(*words):
        done = gracefuzz(*words, "--db", database)
        assert done.returncode == 0, done.stderr
        return done.stdout

    command("webhook", "add", receiver.url, "--secret-env", "HOOK_SECRET")
    command("settings", "recheck", "--every", "1s", "--source", f"{file}")
    command("campaigns", "create", file, "--blocks", "1")
    process = subprocess.Popen(
        [*COMMAND, "workers", "--workers", "0", "--db", str(database)], cwd=ROOT
    )

    def status():
        with open_database(database) as opened, opened.read() as session:
            try:
                return get_failure(session, 1).status
            except UnknownFailure:
                return None

    try:
        until(lambda: status() is FailureStatus.OPEN)
        until(lambda: receiver.arrived)
        assert json.loads(receiver.arrived[0][1])["event"] == "failure.new"
        file.write_text(LOCKED)
        until(lambda: status() is FailureStatus.FIXED)
        command("settings", "retention", "--every", "1s", "--closed", "0", "--rechecks", "0")
        until(lambda: status() is None)
        process.terminate()
        assert process.wait(timeout=120) == 0
    finally:
        process.kill()
        process.wait()
    with open_database(database) as opened, opened.read() as session:
        assert list_failures(session) == ()
    told = json.loads(command("settings", "show", "--json"))
    assert told["recheck"] == {"every_seconds": 1.0, "sources": [str(file)]}
    assert told["retention"]["closed"] == 0 and told["retention"]["campaigns"] == 90


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["recheck", "--every", "soon"], "'soon' is no duration"),
        (["recheck", "--source", "./gone.py"], "gone.py"),
        (["retention", "--every", "0"], "'0' is no duration"),
    ],
)
def test_a_mistake_gets_a_sentence_and_exit_code_2(tmp_path, words, said):
    done = gracefuzz("settings", *words, "--db", tmp_path / "found.db")
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert said in " ".join(done.stderr.split())
