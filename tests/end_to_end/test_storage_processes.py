"""Several processes write one database at once; some are killed; the totals stay exact."""

import random
import sqlite3
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from storage.campaigns import CampaignPlan, campaign_totals, start_campaign
from storage.failures import list_failures, list_sightings
from storage.leases import free_leases_before
from storage.programs import ProgramRecord, record_program
from storage.session import open_database

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2011, 8, 19, tzinfo=UTC)

# Does leases `first`, `first + stride`, ...: each records two sightings, then completes with 3
# schedules. The lines it prints are what it was told is stored.
WRITER = """
import sys
from datetime import UTC, datetime
from storage.failures import FailureRecord, SightingRecord, record_sighting
from storage.lease_totals import LeaseTotals
from storage.leases import Completion, begin_lease, complete_lease
from storage.session import open_database

path, campaign_id, first, stride, leases = sys.argv[1], *map(int, sys.argv[2:])
now = datetime.now(UTC)
database = open_database(path)
for block in range(first, first + stride * leases, stride):
    with database.write() as session:
        lease = begin_lease(
            session, campaign_id, first_block=block, blocks=1, worker=f"core {first}", now=now
        )
    for lane in range(2):
        failure = FailureRecord("thp_split", "o", "s", "l", f"f{block % 5}", 1, 2, 2, 9, "[]",
                                "[]", "", "{}", "a1", 2**64)
        sighting = SightingRecord(campaign_id, "a1", block, lane, 1, "[]")
        for _ in range(2):
            with database.write() as session:
                record_sighting(session, failure, sighting, now=now)
    totals = LeaseTotals(3, 2**63, 2, {"ok": 1, "violation": 2}, {"o": 2}, frozenset({"l"}))
    for _ in range(2):
        with database.write() as session:
            if lease is not None:
                complete_lease(session, Completion(lease.key, totals))
    print(block, flush=True)
"""

OPENER = """
import sys, time
from storage.session import open_database
time.sleep(max(0.0, float(sys.argv[2]) - time.time()))
open_database(sys.argv[1]).close()
"""


def start(script, *arguments, log=None):
    out = subprocess.PIPE if log is None else log.open("w")
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        cwd=ROOT,
        stdout=out,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process):
    out, err = process.communicate(timeout=100)
    assert process.returncode == 0, err
    return out.split()


def new_campaign(path):
    program = ProgramRecord("a1", "thp_split", "{}", "{}", "")
    plan = CampaignPlan("a1", "uniform", 1, "1", "{}")
    with open_database(path) as database, database.write() as session:
        record_program(session, program, now=NOW)
        return start_campaign(session, plan, now=NOW)


@pytest.fixture(params=["sqlite", "postgresql"])
def location(request, tmp_path):
    """Where the processes write."""
    if request.param == "sqlite":
        return str(tmp_path / "shared.db")
    return request.getfixturevalue("postgresql_url")


def check_exact(path, campaign_id, *, blocks):
    """Every total follows from the number of blocks that were done; nothing is torn."""
    if "://" not in path:
        with sqlite3.connect(path) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    with open_database(path) as database, database.read() as session:
        totals = campaign_totals(session, campaign_id)
        failures = list_failures(session)
        kept = sum(len(list_sightings(session, each.failure_id)) for each in failures)
    assert totals.blocks_done == blocks
    assert totals.schedules == 3 * blocks
    assert totals.steps == 2**63 * blocks
    assert totals.outcomes == ({"ok": blocks, "violation": 2 * blocks} if blocks else {})
    assert totals.site_counts == ({"o": 2 * blocks} if blocks else {})
    return sum(each.sightings_count for each in failures), kept


@pytest.mark.slow
def test_processes_open_one_new_file_at_once(tmp_path):
    for number in range(2):
        together = time.time() + 3
        openers = [start(OPENER, tmp_path / f"{number}.db", together) for _ in range(4)]
        for opener in openers:
            finish(opener)


@pytest.mark.slow
def test_two_processes_write_one_database_at_once(location):
    campaign_id = new_campaign(location)
    writers = [start(WRITER, location, campaign_id, first, 2, 100) for first in range(2)]
    for writer in writers:
        assert len(finish(writer)) == 100
    assert check_exact(location, campaign_id, blocks=200) == (400, 5 * 64)


@pytest.mark.slow
def test_two_processes_that_do_the_same_work_count_it_once(location):
    campaign_id = new_campaign(location)
    for writer in [start(WRITER, location, campaign_id, 0, 1, 60) for _ in range(2)]:
        finish(writer)
    assert check_exact(location, campaign_id, blocks=60) == (120, 120)


@pytest.mark.slow
def test_killed_writers_leave_the_database_intact_and_the_totals_exact(location, tmp_path):
    """Each is killed at another moment; what it said was stored is; doing it again repairs."""
    path, campaign_id = location, new_campaign(location)
    moments = random.Random(1)
    said: set[str] = set()
    for attempt in range(4):
        logs = [tmp_path / f"{attempt}-{first}" for first in range(2)]
        writers = [
            start(WRITER, path, campaign_id, first, 2, 10_000, log=log)
            for first, log in enumerate(logs)
        ]
        while not all(log.read_text() for log in logs):
            assert all(writer.poll() is None for writer in writers)
            time.sleep(0.01)
        time.sleep(moments.uniform(0.0, 0.4))
        for writer in writers:
            writer.kill()
            writer.wait()
        for log in logs:
            said.update(log.read_text().split())
        with open_database(path) as database, database.read() as session:
            done = campaign_totals(session, campaign_id).blocks_done
        # A writer may be killed after its lease was stored and before it could say so.
        assert len(said) <= done <= len(said) + 2 * (attempt + 1)
        check_exact(path, campaign_id, blocks=done)
        # As a new leader does: what the killed ones held is given out again.
        with open_database(path) as database, database.write() as session:
            free_leases_before(session, 1)
    blocks = max(map(int, said)) + 3
    for writer in [start(WRITER, path, campaign_id, 0, 1, blocks) for _ in range(2)]:
        finish(writer)
    with open_database(path) as database, database.read() as session:
        done = campaign_totals(session, campaign_id).blocks_done
    assert done >= blocks
    sightings, kept = check_exact(path, campaign_id, blocks=done)
    assert sightings == 2 * done and kept == min(5 * 64, 2 * done)
