"""kill -9 at random moments: totals equal those of an undisturbed campaign, exactly.

GRACEFUZZ_KILLS says how often each test kills; `make faults` says more than the short form.
"""

import os
import random
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from storage.campaigns import get_campaign
from storage.leadership import leader
from storage.session import open_database
from storage.tables import CampaignState
from tests.unit.workers.test_fleet import check_exact, queue
from workers.postgresql_server import missing, own_server
from workers.shards import BlockRange

KILLS = int(os.environ.get("GRACEFUZZ_KILLS", "3"))
SECONDS_MAX = 60 + 20 * KILLS
# How long the server is away; a minute in the long form.
AWAY_SECONDS = 3 if KILLS < 10 else 60
BLOCKS = 10_000 * (1 + KILLS)
SOME_BLOCKS = 10_000

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60 + SECONDS_MAX)]


def coordinator(location, seed):
    folder = Path(__file__).parents[2]
    command = [sys.executable, "-m", "tests.end_to_end.simulated_coordinator", str(location)]
    return subprocess.Popen(
        [*command, str(seed)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        stderr=subprocess.DEVNULL,
    )


def blocks_done(location, number):
    with open_database(location) as database, database.read() as session:
        return get_campaign(session, number).blocks_done


def wait_for_progress(location, number, *, more_than, deadline):
    """Until something was stored, or the campaign has ended."""
    while (done := blocks_done(location, number)) <= more_than and done < BLOCKS:
        assert time.monotonic() < deadline, f"{done} blocks, and no more"
        time.sleep(0.05)
    return done


def check_undisturbed(location, number, *, blocks=BLOCKS):
    with open_database(location) as database:
        summary = check_exact(database, number, [BlockRange(0, blocks)])
        assert summary.state is CampaignState.FINISHED


def kill_again_and_again(location, number, *, kill):
    """`kill` a coordinator at random moments while it works, then let it end."""
    draw, deadline = random.Random(KILLS), time.monotonic() + SECONDS_MAX
    done, killed = 0, 0
    process = coordinator(location, 0)
    try:
        while killed < KILLS:
            done = wait_for_progress(location, number, more_than=done, deadline=deadline)
            assert done < BLOCKS, f"it ended after {killed} kills: give it more blocks"
            time.sleep(draw.uniform(0.0, 0.4))
            process = kill(process, killed + 1)
            killed += 1
            # What was stored before the kill does not show that the next one works.
            done = blocks_done(location, number)
        assert process.wait(timeout=max(1.0, deadline - time.monotonic())) == 0
    finally:
        process.kill()
        process.wait()


def test_kills_of_the_coordinator_change_nothing(tmp_path):
    location = tmp_path / "killed.db"
    with open_database(location) as database:
        number = queue(database, blocks_max=BLOCKS)

    def kill(process, seed):
        process.kill()
        process.wait()
        return coordinator(location, seed)

    kill_again_and_again(location, number, kill=kill)
    check_undisturbed(location, number)
    with open_database(location) as database, database.read() as session:
        assert leader(session).epoch > KILLS


def test_kills_of_the_database_server_change_nothing():
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    with own_server() as server:
        location = server.url("postgres")
        with open_database(location) as database:
            number = queue(database, blocks_max=BLOCKS)

        def kill(process, _seed):
            # As if its machine had lost its power; the coordinator goes on when it is back.
            server.stop(mode="immediate")
            server.start()
            return process

        kill_again_and_again(location, number, kill=kill)
        check_undisturbed(location, number)


def test_a_server_that_is_away_for_long_costs_what_was_in_flight_only():
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    with own_server() as server:
        location = server.url("postgres")
        with open_database(location) as database:
            number = queue(database, blocks_max=SOME_BLOCKS)
        process = coordinator(location, 0)
        try:
            deadline = time.monotonic() + SECONDS_MAX
            wait_for_progress(location, number, more_than=0, deadline=deadline)
            server.stop()
            time.sleep(AWAY_SECONDS)
            assert process.poll() is None
            server.start()
            assert process.wait(timeout=SECONDS_MAX) == 0
        finally:
            process.kill()
            process.wait()
        check_undisturbed(location, number, blocks=SOME_BLOCKS)


def test_a_full_disk_costs_what_was_in_flight_only(tmp_path):
    """As where a file may not grow; the coordinator waits, and goes on when there is room again."""
    location = tmp_path / "full.db"
    with open_database(location) as database:
        number = queue(database, blocks_max=SOME_BLOCKS)
    process = coordinator(location, 0)
    try:
        deadline = time.monotonic() + SECONDS_MAX
        wait_for_progress(location, number, more_than=0, deadline=deadline)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
        # What was being written when the disk became full may still arrive.
        time.sleep(1.0)
        before = blocks_done(location, number)
        time.sleep(AWAY_SECONDS)
        assert process.poll() is None
        assert blocks_done(location, number) == before < SOME_BLOCKS
        endless = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, endless)
        assert process.wait(timeout=SECONDS_MAX) == 0
    finally:
        process.kill()
        process.wait()
    check_undisturbed(location, number, blocks=SOME_BLOCKS)


def test_two_coordinators_at_once_count_each_block_once(tmp_path):
    location = tmp_path / "two.db"
    with open_database(location) as database:
        number = queue(database, blocks_max=BLOCKS)
    both = [coordinator(location, seed) for seed in range(2)]
    try:
        assert [each.wait(timeout=SECONDS_MAX) for each in both] == [0, 0]
    finally:
        for each in both:
            each.kill()
    check_undisturbed(location, number)
