"""`gracefuzz fuzz` with real Ray actors: killed workers, signals to the group, nothing left."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import pytest

from model.program_json import to_json
from storage.campaigns import campaign_totals
from storage.failures import list_failures
from storage.session import open_database
from tests.lost_update import lost_update
from workers.campaign import Coordinator
from workers.orders import Budget, Order
from workers.pool import Executed
from workers.ray_pool import RayPool
from workers.shards import BlockRange, ShardSpec, run_shard

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = str(ROOT / "tests" / "lost_update.py")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


class Killer:
    """An observer that kills workers by their process ids while their leases are in flight."""

    def __init__(self, pool, *, kills):
        self.pool, self.kills_left, self.sentences = pool, kills, []

    def progressed(self, progress):
        if self.kills_left and progress.failures:
            found = self.pool.process_ids()
            if found:
                self.kills_left -= 1
                os.kill(found[min(found)], signal.SIGKILL)

    def found(self, failure):
        pass

    def said(self, sentence):
        self.sentences.append(sentence)


def test_killed_workers_lose_no_failure_and_the_totals_stay_exact(tmp_path, monkeypatch):
    # Short leases: whoever is killed has work, and some is left for those who take over.
    monkeypatch.setattr(RayPool, "lease_seconds", property(lambda _pool: 0.25))
    program = lost_update.compile()
    spec = ShardSpec(to_json(program), 1)
    pool = RayPool(spec, workers=2)
    try:
        killer = Killer(pool, kills=2)
        with open_database(tmp_path / "found.db") as database:
            order = Order(program, "", "uniform_walk", 1, Budget(schedules=120_000_000))
            report = Coordinator(database, pool, order, killer, lambda: False).execute()
            with database.read() as session:
                totals = campaign_totals(session, report.campaign_id)
                failures = list_failures(session)
    finally:
        pool.close()
    assert killer.kills_left == 0
    assert report.progress.workers_lost >= 2
    assert any("lost block" in sentence for sentence in killer.sentences)
    assert report.progress.quarantined == []
    assert len(failures) == 1
    # Nothing is missing and nothing counts twice: the same blocks, executed here, give the same.
    expected = run_shard(spec, BlockRange(0, totals.blocks_done))
    assert totals.schedules == expected.schedules >= 120_000_000
    assert totals.steps == expected.steps
    assert totals.site_counts == expected.site_hits


def test_a_worker_that_is_stuck_is_ended_and_works_again(monkeypatch):
    monkeypatch.setattr("workers.ray_pool.WORK_SECONDS_MAX", 1.0)
    work = BlockRange(0, 1)
    with closing(RayPool(ShardSpec(to_json(lost_update.compile()), 1), workers=1)) as pool:
        (worker,) = pool.takers()
        # It neither answers nor ends.
        os.kill(pool.process_ids()[worker], signal.SIGSTOP)
        pool.submit(worker, work)
        until = time.monotonic() + 120
        while not (reports := pool.wait(seconds_max=0.2)):
            assert time.monotonic() < until
        (lost,) = reports
        assert (lost.work, lost.blamed) == (work, True)
        assert lost.reason == "no answer within 1 s; the worker was ended"
        monkeypatch.setattr("workers.ray_pool.WORK_SECONDS_MAX", 60.0)
        while not pool.takers():
            pool.wait(seconds_max=0.2)
            assert time.monotonic() < until
        pool.submit(worker, work)
        while not (reports := pool.wait(seconds_max=0.2)):
            assert time.monotonic() < until
        assert isinstance(reports[0], Executed)


def fuzz(database, *arguments):
    script = "from service.cli import main; main()"
    options = ["--db", str(database), "--json", *map(str, arguments)]
    return subprocess.Popen(
        [sys.executable, "-c", script, "fuzz", PROGRAM, *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def processes_of(session_id):
    """The processes that a session still has."""
    listed = subprocess.run(
        ["ps", "-o", "pid=,stat=,args=", "-s", str(session_id)], capture_output=True, text=True
    )
    lines = [line for line in listed.stdout.splitlines() if line.split()[1][0] != "Z"]
    return lines


def ray_folders():
    return {each.parent for each in Path(tempfile.gettempdir()).glob("gracefuzz-*/session_*")}


def test_ctrl_c_to_the_whole_group_keeps_everything_and_leaves_no_process(tmp_path):
    before = ray_folders()
    database = tmp_path / "found.db"
    process = fuzz(database, "--time", "200s", "--workers", 2)
    until = time.monotonic() + 120
    while not database_has_blocks(database):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < until
        time.sleep(0.2)
    # A terminal sends the signal to every process of the group, workers included.
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1, err
    report = json.loads(out)
    with open_database(database) as opened, opened.read() as session:
        totals = campaign_totals(session, 1)
        assert len(list_failures(session)) == len(report["failures"]) == 1
    assert report["schedules"] == str(totals.schedules)
    expected = run_shard(
        ShardSpec(to_json(lost_update.compile()), 1), BlockRange(0, totals.blocks_done)
    )
    assert totals.schedules == expected.schedules
    assert processes_of(process.pid) == []
    assert ray_folders() <= before


def test_a_killed_coordinator_takes_its_workers_along(tmp_path):
    before = ray_folders()
    database = tmp_path / "found.db"
    process = fuzz(database, "--time", "200s", "--workers", 1)
    until = time.monotonic() + 120
    while not database_has_blocks(database):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < until
        time.sleep(0.2)
    process.kill()
    process.communicate()
    until = time.monotonic() + 30
    # Ray's two agents wait a minute for an answer before they end: they do no work.
    while working := [each for each in processes_of(process.pid) if "Agent" not in each]:
        assert time.monotonic() < until, working
        time.sleep(0.2)
    with open_database(database) as opened, opened.read() as session:
        assert len(list_failures(session)) == 1
    # Who is killed cannot tidy up.
    for folder in ray_folders() - before:
        shutil.rmtree(folder, ignore_errors=True)


def database_has_blocks(path):
    if not path.exists():
        return False
    try:
        with open_database(path) as opened, opened.read() as session:
            return campaign_totals(session, 1).blocks_done > 0
    except Exception:
        return False
