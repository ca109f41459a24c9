"""`gracefuzz campaigns create` and `gracefuzz workers` as processes: steered, stopped, exact."""

import json
import signal
import subprocess
import time

import pytest

from model.program_json import to_json
from storage.campaigns import campaign_totals, get_campaign
from storage.failures import list_failures
from storage.leases import blocks_not_done
from storage.session import open_database
from storage.tables import CampaignState
from tests.end_to_end.test_fuzz_command import COMMAND, PROGRAM, ROOT, gracefuzz
from tests.lost_update import lost_update
from workers.shards import BlockRange, ShardSpec, run_shard

pytestmark = pytest.mark.slow


def made(database, *arguments):
    done = gracefuzz("campaigns", "create", PROGRAM, "--db", database, "--json", *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["campaign"]


@pytest.mark.parametrize("workers", ["0", "2"])
def test_two_campaigns_are_executed_and_their_failure_is_stored_once(tmp_path, workers):
    database = tmp_path / "found.db"
    numbers = [made(database, "--blocks", "3", "--seed", seed) for seed in ("1", "2")]
    done = gracefuzz("workers", "--workers", workers, "--until-idle", "--db", database)
    assert done.returncode == 0, done.stderr
    program = to_json(lost_update.compile())
    with open_database(database) as opened, opened.read() as session:
        for seed, number in enumerate(numbers, start=1):
            totals = campaign_totals(session, number)
            expected = run_shard(ShardSpec(program, seed), BlockRange(0, 3))
            assert totals.blocks_done == 3
            assert (totals.schedules, totals.steps) == (expected.schedules, expected.steps)
            assert totals.site_counts == expected.site_hits
            assert get_campaign(session, number).state is CampaignState.FINISHED
        assert len(list_failures(session)) == 1


def test_every_schedule_is_executed_and_the_campaign_ends(tmp_path):
    """Its blocks may be bounded below all there are, and the bound taken away again."""
    database = tmp_path / "found.db"
    whole = made(database, "--scheduler", "exhaustive:c=1")
    bounded = made(database, "--scheduler", "exhaustive:c=1", "--blocks", "1000000")
    done = gracefuzz("workers", "--workers", "0", "--until-idle", "--db", database)
    assert done.returncode == 0, done.stderr
    alone = gracefuzz(
        "fuzz",
        PROGRAM,
        "--scheduler",
        "exhaustive:c=1",
        "--workers",
        "0",
        "--db",
        database,
        "--json",
    )
    expected = json.loads(alone.stdout)
    with open_database(database) as opened, opened.read() as session:
        for number in (whole, bounded):
            summary = get_campaign(session, number)
            assert summary.ending == get_campaign(session, expected["campaign"]).ending
            assert "with at most 1 preemption executed" in summary.ending
            assert str(summary.schedules) == expected["schedules"]


def test_open_parameters_become_campaigns_of_their_own(tmp_path):
    database, file = tmp_path / "found.db", ROOT / "tests" / "added_up.py"
    wish = ["campaigns", "create", file, "--open", "all", "--configurations", "3", "--blocks", "1"]
    done = gracefuzz(*wish, "--db", database, "--json")
    assert done.returncode == 0, done.stderr
    numbers = json.loads(done.stdout)["campaigns"]
    assert len(numbers) == 3
    ended = gracefuzz("workers", "--workers", "0", "--until-idle", "--db", database)
    assert ended.returncode == 0, ended.stderr
    with open_database(database) as opened, opened.read() as session:
        plans = [get_campaign(session, number) for number in numbers]
    assert len({each.plan.program_ir_hash for each in plans}) == 3
    assert all(each.blocks_done == 1 for each in plans)
    refused = gracefuzz("campaigns", "create", file, "--configurations", "3", "--db", database)
    assert refused.returncode == 2
    assert "it needs --open" in " ".join(refused.stderr.split())


@pytest.mark.parametrize("workers", ["0", "1"])
def test_sigterm_leaves_a_campaign_that_goes_on(tmp_path, workers):
    database = tmp_path / "found.db"
    number = made(database)
    process = subprocess.Popen(
        [*COMMAND, "workers", "--workers", workers, "--db", str(database)], cwd=ROOT
    )
    try:
        deadline, blocks = time.monotonic() + 60, 0
        while blocks == 0 and time.monotonic() < deadline:
            time.sleep(0.1)
            with open_database(database) as opened, opened.read() as session:
                blocks = get_campaign(session, number).blocks_done
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
    with open_database(database) as opened, opened.read() as session:
        summary = get_campaign(session, number)
        assert summary.state is CampaignState.RUNNING and summary.blocks_done > 0
        assert blocks_not_done(session, number) == 0
    assert gracefuzz("campaigns", "stop", str(number), "--db", database).returncode == 0
    done = gracefuzz("workers", "--workers", "0", "--until-idle", "--db", database)
    assert done.returncode == 0
    with open_database(database) as opened, opened.read() as session:
        assert get_campaign(session, number).state is CampaignState.STOPPED


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["budget", "7", "--blocks", "10"], "no campaign has the number 7"),
        (["budget", "1"], "say which bound"),
        (["budget", "1", "--blocks", "many"], "'many' is no bound"),
        (["budget", "1", "--time", "soon"], "'soon' is no duration"),
        (["pause", "2"], "has ended"),
    ],
)
def test_a_mistake_gets_a_sentence_and_exit_code_2(tmp_path, arguments, said):
    database = tmp_path / "found.db"
    made(database)
    made(database)
    gracefuzz("campaigns", "stop", "2", "--db", database)
    done = gracefuzz("campaigns", *arguments, "--db", database)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert said in " ".join(done.stderr.split())


def test_what_is_wanted_is_kept(tmp_path):
    database = tmp_path / "found.db"
    number = str(made(database, "--weight", "3"))
    for arguments in (
        ["weight", number, "5", "--priority", "2"],
        ["pause", number],
        ["budget", number, "--blocks", "9", "--time", "2h"],
    ):
        assert gracefuzz("campaigns", *arguments, "--db", database).returncode == 0
    with open_database(database) as opened, opened.read() as session:
        summary = get_campaign(session, int(number))
    assert (summary.plan.weight, summary.plan.priority) == (5, 2)
    assert (summary.plan.limits.blocks_max, summary.plan.limits.seconds_max) == (9, 7200.0)
    assert summary.desired_state.value == "paused"
