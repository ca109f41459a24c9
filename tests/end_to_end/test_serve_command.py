"""`gracefuzz serve` as a process, and the commands that ask it instead of a database."""

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-c", "from service.cli import main; main()"]
PROGRAM = str(ROOT / "tests" / "lost_update.py")

pytestmark = pytest.mark.slow


def environment(**more):
    kept = {key: os.environ[key] for key in os.environ if not key.startswith("GRACEFUZZ")}
    return {**kept, "PYTHONPATH": str(ROOT), **more}


def gracefuzz(*arguments, **more):
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        env=environment(**more), capture_output=True, text=True, timeout=100,
    )  # fmt: skip


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    path = tmp_path_factory.mktemp("served") / "found.db"
    budget = ["--schedules", "5000", "--workers", "0"]
    assert gracefuzz("fuzz", PROGRAM, *budget, "--db", path).returncode == 1
    return path


@pytest.fixture
def served(database):
    process = subprocess.Popen(
        [*COMMAND, "serve", "--db", str(database), "--port", "0"],
        env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    said = process.stdout.readline()
    assert said.startswith("gracefuzz serves http://127.0.0.1:"), process.stderr.read()
    yield said.split()[2], process
    process.send_signal(signal.SIGTERM)
    _, complaint = process.communicate(timeout=30)
    assert "Traceback" not in complaint
    assert process.returncode in (0, -signal.SIGTERM)


def test_commands_print_the_same_from_a_service_as_from_its_database(database, served):
    address, _ = served
    for command in (
        ["failures", "list"],
        ["failures", "show", 1],
        ["failures", "replay", 1],
        ["campaigns", "list"],
        ["campaigns", "show", 1],
    ):
        for form in ([], ["--json"]):
            local = gracefuzz(*command, *form, "--db", database)
            asked = gracefuzz(*command, *form, "--server", address)
            assert (asked.returncode, asked.stderr) == (local.returncode, local.stderr)
            assert asked.stdout == local.stdout.replace(f"--db {database}", f"--server {address}")
    library = gracefuzz("show", "find_get_page", "--param", "lookups=2")
    asked = gracefuzz("show", "find_get_page", "--param", "lookups=2", GRACEFUZZ_SERVER=address)
    assert asked.stdout == library.stdout


def test_what_a_service_refuses_is_said_as_if_it_were_here(served):
    address, _ = served
    missing = gracefuzz("failures", "show", 99, "--server", address)
    assert missing.returncode == 2 and "no failure has the number 99" in missing.stderr
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        gone = f"http://127.0.0.1:{unused.getsockname()[1]}"
        unreachable = gracefuzz("failures", "list", "--server", gone)
    assert unreachable.returncode == 3 and "cannot reach the service" in unreachable.stderr
    nonsense = gracefuzz("failures", "list", "--server", "nowhere")
    assert nonsense.returncode == 2 and "Traceback" not in nonsense.stderr


def test_a_token_comes_from_the_environment(database, served, tmp_path):
    address, _ = served
    secret = gracefuzz("token", "create", "ci", "--db", database).stdout.strip()
    try:
        refused = gracefuzz("failures", "list", "--server", address)
        assert refused.returncode == 2 and "set GRACEFUZZ_TOKEN" in refused.stderr
        given = gracefuzz("failures", "list", "--server", address, GRACEFUZZ_TOKEN=secret)
        assert given.returncode == 0 and "an addition is lost" in given.stdout
        file = tmp_path / "token"
        file.write_text(f"{secret}\n")
        read = gracefuzz("failures", "list", "--server", address, GRACEFUZZ_TOKEN_FILE=str(file))
        assert read.stdout == given.stdout
    finally:
        assert gracefuzz("token", "revoke", "ci", "--db", database).returncode == 0


def test_a_port_that_is_taken_is_a_sentence(database, served):
    address, _ = served
    second = gracefuzz("serve", "--db", database, "--port", address.rpartition(":")[2])
    assert second.returncode == 3 and "give another --port" in second.stderr
    with urllib.request.urlopen(f"{address}/readyz", timeout=10) as answer:
        assert answer.read() == b"ready\n"
