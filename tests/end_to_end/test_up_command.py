"""`gracefuzz up`: one command has the database, the workers and the pages, and ends them all."""

import json
import os
import signal
import subprocess
import time
import urllib.request

import pytest

from tests.end_to_end.test_serve_command import COMMAND, PROGRAM, environment, gracefuzz

pytestmark = pytest.mark.slow


@pytest.fixture
def up(tmp_path):
    database = tmp_path / "new.db"
    process = subprocess.Popen(
        [*COMMAND, "up", "--db", str(database), "--port", "0", "--workers", "0"],
        env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    said = process.stdout.readline()
    assert said.startswith("gracefuzz is up at http://127.0.0.1:"), process.stderr.read()
    yield said.split()[4], database, process
    if process.poll() is None:
        process.kill()
        process.wait()


def until(found, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = found()
        if value:
            return value
        time.sleep(0.1)
    raise AssertionError("it did not come about")


def children_of(process):
    listed = f"/proc/{process.pid}/task"
    found = []
    for task in os.listdir(listed):
        with open(f"{listed}/{task}/children", encoding="ascii") as children:
            found += [int(each) for each in children.read().split()]
    return found


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_campaign_is_executed_shown_and_everything_ends_at_a_signal(up, how):
    address, database, process = up
    made = gracefuzz("campaigns", "create", PROGRAM, "--blocks", "1", "--db", database)
    assert made.returncode == 0, made.stderr

    def finished():
        with urllib.request.urlopen(f"{address}/api/v1/campaigns/1", timeout=20) as answer:
            return json.load(answer)["state"] == "finished"

    until(finished)
    (child,) = children_of(process)
    process.send_signal(how)
    _, complaint = process.communicate(timeout=60)
    assert process.returncode == 0 and "Traceback" not in complaint
    assert not os.path.exists(f"/proc/{child}")


def test_workers_that_die_are_started_again_and_in_the_end_given_up(up):
    _, _, process = up
    seen = set()
    for _ in range(3):
        (child,) = until(lambda: [each for each in children_of(process) if each not in seen])
        seen.add(child)
        os.kill(child, signal.SIGKILL)
    _, complaint = process.communicate(timeout=60)
    assert process.returncode == 3
    assert complaint.count("they are started again") == 2
    assert "the workers ended with signal 9, 3 times in a row" in complaint
