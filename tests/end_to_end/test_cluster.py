"""Clusters of Ray: nodes that join and are killed, a head that is lost; totals stay exact.

GRACEFUZZ_KILLS says how often; `make faults` says more than the short form.
"""

import json
import os
import random
import signal
import socket
import subprocess
import time
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from model.program_json import to_json
from storage.campaigns import CampaignPlan, campaign_totals, get_campaign
from storage.failures import list_failures
from storage.leadership import leader
from storage.leases import blocks_not_done
from storage.programs import ProgramRecord, record_program
from storage.session import open_database
from storage.steering import blocks_given, change, queue_campaign
from storage.tables import CampaignState
from tests.end_to_end.test_fuzz_command import COMMAND, ROOT
from tests.lost_update import lost_update
from workers.fleet import Fleet
from workers.pool import DoneIn, Lost, WorkIn
from workers.pool_process import Opening, PoolProcess
from workers.ray_environment import settings
from workers.shards import BlockRange, ShardSpec, run_shard

KILLS = int(os.environ.get("GRACEFUZZ_KILLS", "1"))
HEADS = max(1, KILLS // 5)
SECONDS_MAX = 240 + 30 * (KILLS + HEADS)
GONE = "is gone: what it had is executed again"
# Small: several nodes share one machine here. Ray's own patience is for networks.
STORE = {"object_store_memory": 80 * 2**20}
PATIENCE = {
    "RAY_health_check_initial_delay_ms": "500",
    "RAY_health_check_period_ms": "500",
    "RAY_health_check_timeout_ms": "500",
    "RAY_health_check_failure_threshold": "3",
    "RAY_gcs_rpc_server_reconnect_timeout_s": "6",
}

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120 + 2 * SECONDS_MAX)]


@contextmanager
def ray_head(*, port):
    """A cluster with a head that executes nothing; its processes end with the block."""
    # Ray reads the environment when it is imported.
    os.environ.update(settings())
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 0, "include_dashboard": False, "gcs_server_port": port, **STORE}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        yield cluster
    finally:
        cluster.shutdown()


def free_port():
    with socket.socket() as taken:
        taken.bind(("", 0))
        return taken.getsockname()[1]


@pytest.fixture
def port(monkeypatch):
    for name, value in PATIENCE.items():
        monkeypatch.setenv(name, value)
    return free_port()


@pytest.fixture
def location(tmp_path):
    return tmp_path / "cluster.db"


def queue(database):
    """A campaign that goes on until its budget is changed."""
    program = lost_update.compile()
    row = ProgramRecord(program.hash, program.name, "{}", to_json(program), "source")
    plan = CampaignPlan(program.hash, "uniform_walk", 1, "1", json.dumps({"queued": True}))
    with database.write() as session:
        record_program(session, row, now=datetime.now(UTC))
        return queue_campaign(session, plan, actor="a test", now=datetime.now(UTC))


def end_soon(database, number):
    """Give the campaign a budget of some blocks more than are given out."""
    with database.write() as session:
        limits = {"blocks_max": blocks_given(session, number) + 40}
        change(session, number, limits=limits, actor="a test", now=datetime.now(UTC))


def check_undisturbed(database, number):
    """The totals are those of the same blocks, executed here."""
    with database.read() as session:
        summary, totals = get_campaign(session, number), campaign_totals(session, number)
        assert summary.state is CampaignState.FINISHED
        assert blocks_not_done(session, number) == 0
        assert len(list_failures(session)) == 1
    blocks = summary.plan.limits.blocks_max
    expected = run_shard(ShardSpec(to_json(lost_update.compile()), 1), BlockRange(0, blocks))
    assert totals.blocks_done == blocks
    assert (totals.schedules, totals.steps) == (expected.schedules, expected.steps)
    assert totals.site_counts == expected.site_hits


class Coordinated:
    """A coordinator in this process whose pool is a cluster; `story` goes on at every turn."""

    def __init__(self, database, address, story):
        self.sentences = []
        self.pool = PoolProcess(Opening(address, 0), self.sentences.append)
        self.fleet = Fleet(
            database,
            self.pool,
            lambda _number, sentence: self.sentences.append(sentence),
            self.turn,
            "a test",
            is_done_when_idle=True,
        )
        self.story, self.deadline = story(self), time.monotonic() + SECONDS_MAX

    def turn(self):
        assert time.monotonic() < self.deadline, self.sentences
        next(self.story, None)
        return False

    def said(self, words):
        return sum(words in sentence for sentence in self.sentences)

    def execute(self):
        try:
            self.fleet.execute()
        finally:
            self.pool.close()


@pytest.fixture
def short_leases(monkeypatch):
    """Whoever is killed has work, and some is left for the others."""
    monkeypatch.setattr(PoolProcess, "lease_seconds", property(lambda _pool: 0.3))


def coordinator(location, port, *, token):
    """`gracefuzz workers` for a cluster, as a process."""
    return process("workers", location, port, token=token)


def process(command, location, port, *, token):
    """A command for a cluster."""
    words = [command, "--address", f"127.0.0.1:{port}", "--db", str(location)]
    environment = {**os.environ, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token}
    return subprocess.Popen(
        [*COMMAND, *words],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    ("token", "said"),
    [("f" * 64, "nothing answers there"), ("", "there is no token: ")],
    ids=["no head", "no token"],
)
def test_a_cluster_that_cannot_be_joined_is_a_sentence(
    location, tmp_path, monkeypatch, token, said
):
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "none"))
    refused = coordinator(location, free_port(), token=token)
    error = refused.communicate(timeout=60)[1]
    assert (refused.returncode, said in error, "Traceback" in error) == (3, True, False)
    # Whoever waits need not wait for a leader that never was one.
    with open_database(location) as database, database.read() as session:
        found = leader(session)
    assert found is None or found.holder is None


@pytest.mark.skipif("GRACEFUZZ_KILLS" not in os.environ, reason="make faults tests it")
def test_a_driver_that_is_killed_is_followed_by_another():
    sentences = []
    with closing(PoolProcess(Opening("local", 1), sentences.append)) as pool:
        work = WorkIn(ShardSpec(to_json(lost_update.compile()), 1), BlockRange(0, 2), 1)

        def reports():
            deadline = time.monotonic() + SECONDS_MAX
            while not (found := pool.wait(seconds_max=0.1)):
                assert time.monotonic() < deadline
                if pool.takers() and not asked:
                    asked.append(pool.submit(pool.takers()[0], work))
            return found

        asked = []
        assert isinstance(reports()[0], DoneIn)
        asked = []
        while not pool.takers():
            pool.wait(seconds_max=0.1)
        long = replace(work, work=BlockRange(0, 100_000))
        pool.submit(pool.takers()[0], long)
        os.kill(pool.process_id, signal.SIGKILL)
        assert reports() == [Lost(long, "worker 1", "Ray was lost", blamed=False)]
        assert isinstance(reports()[0], DoneIn)
    assert sum("Ray is started again in 1 s" in each for each in sentences) == 1


def test_nodes_come_and_go_and_heads_are_lost_and_each_block_counts_once(
    location, port, short_leases
):
    draw, clusters = random.Random(KILLS), ExitStack()
    with clusters, open_database(location) as database:
        number = queue(database)
        first = clusters.enter_context(ray_head(port=port))
        stranger = coordinator(location, port, token="f" * 64)
        doctor = process("doctor", location, port, token=os.environ["RAY_AUTH_TOKEN"])

        def nodes_come_and_go(coordinated, cluster):
            nodes = [cluster.add_node(num_cpus=1, **STORE)]
            while coordinated.pool.workers < 1:
                yield
            for _ in range(KILLS):
                nodes.append(cluster.add_node(num_cpus=1, **STORE))
                while coordinated.pool.workers < 2:
                    yield
                at = time.monotonic() + draw.uniform(0.0, 1.0)
                while time.monotonic() < at:
                    yield
                gone = coordinated.said(GONE)
                cluster.remove_node(nodes.pop(draw.randrange(2)), allow_graceful=False)
                while coordinated.said(GONE) == gone:
                    yield

        def story(coordinated):
            yield from nodes_come_and_go(coordinated, first)
            head = first.head_node
            for lost in range(1, HEADS + 1):
                head.kill_all_processes(check_alive=False, allow_graceful=False)
                while coordinated.said("is joined again in 1 s") < lost:
                    yield
                later = clusters.enter_context(ray_head(port=port))
                head = later.head_node
                later.add_node(num_cpus=1, **STORE)
                while coordinated.pool.workers < 1:
                    yield
            end_soon(database, number)

        coordinated = Coordinated(database, f"127.0.0.1:{port}", story)
        coordinated.execute()
        assert coordinated.said(GONE) >= KILLS
        seen = doctor.communicate(timeout=60)[0]
        assert ("fine   ray " in seen, "fine   node " in seen) == (True, True), seen
        assert (stranger.wait(timeout=60), "refuses our token" in stranger.stderr.read()) == (
            3,
            True,
        )
        check_undisturbed(database, number)
