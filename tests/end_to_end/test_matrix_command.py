"""`gracefuzz matrix` as a process: its exit codes, its files, a signal, and going on."""

import json
import signal
import time

import pytest

from storage.campaigns import list_campaigns
from storage.session import open_database
from tests.end_to_end.test_verify_command import ROOT, gracefuzz, start

SERIES = f"{ROOT / 'tests' / 'toy_series.py'}:toy"

pytestmark = pytest.mark.slow


def campaigns(database):
    with open_database(database) as opened, opened.read() as session:
        return list_campaigns(session)


def test_a_matrix_is_printed_stored_drawn_and_used_again(tmp_path):
    database, picture = tmp_path / "toy.db", tmp_path / "toy.html"
    first = gracefuzz("matrix", SERIES, "--db", database, "--workers", 2, "--picture", picture)
    assert first.returncode == 1, first.stderr
    assert "VM_BUG_ON(!spin_is_locked(lock))" in first.stdout
    assert f"see one:   gracefuzz failures show 1 --db {database}" in first.stdout
    assert "<svg" in picture.read_text(encoding="utf-8")
    judged = campaigns(database)
    again = gracefuzz("matrix", SERIES, "--db", database, "--json")
    assert again.returncode == 1 and len(campaigns(database)) == len(judged)
    found = json.loads(again.stdout)["rows"][0]["cells"][0]
    failure = gracefuzz("failures", "show", found["failure"], "--db", database)
    assert failure.returncode == 0 and "update lost" in failure.stdout
    replayed = gracefuzz("failures", "replay", found["failure"], "--db", database)
    assert replayed.returncode == 0, replayed.stderr


def test_a_signal_keeps_what_was_judged(tmp_path):
    database = tmp_path / "stopped.db"
    process = start("matrix", SERIES, "--db", database, "--workers", 1)
    until = time.monotonic() + 60
    while not (database.exists() and campaigns(database)):
        assert time.monotonic() < until and process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode in (1, 4), err
    assert "what was is stored, and the same command goes on" in err and "?" in out
    assert all(each.ending for each in campaigns(database))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing"], "no series is called 'nothing'"),
        ([SERIES, "--picture", "matrix.png"], "give a name in .svg or .html"),
        ([SERIES, "--json", "--markdown"], "not both"),
    ],
)
def test_what_is_asked_wrongly_is_said(tmp_path, arguments, said):
    ended = gracefuzz("matrix", *arguments, "--db", tmp_path / "none.db")
    assert ended.returncode == 2
    assert said in ended.stderr
