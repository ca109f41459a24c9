"""kill -9 at random moments: totals equal those of an undisturbed campaign, exactly.

GRACEFUZZ_KILLS says how often each test kills; `make faults` says more than the short form.
"""

import os
import random
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
SECONDS_MAX = 60 + 12 * KILLS
BLOCKS = 10_000 * (1 + KILLS)

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


def check_undisturbed(location, number):
    with open_database(location) as database:
        summary = check_exact(database, number, [BlockRange(0, BLOCKS)])
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
