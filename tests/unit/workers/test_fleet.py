"""Many campaigns, one coordinator: exact totals, fair shares, one leader, wishes followed."""

import json
import random
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from model.program_json import to_json
from storage.campaigns import CampaignLimits, CampaignPlan, campaign_totals, get_campaign
from storage.errors import StorageError
from storage.leadership import NotLeading, lead, leader, write_as
from storage.leases import blocks_not_done
from storage.programs import ProgramRecord, record_program
from storage.quarantine import quarantined_ranges
from storage.session import Database, open_database
from storage.steering import change, queue_campaign, want
from storage.tables import CampaignState, DesiredState
from tests.toy_programs import two_publishers
from workers.fleet import Fleet
from workers.recording import CampaignRecord
from workers.shards import BlockRange
from workers.simulated_pool import SimulatedPool, simulated_result

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Time:
    """A clock that goes on when somebody sleeps, and a little whenever it is read."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        self.now += 1e-6
        return self.now

    def sleep(self, seconds):
        self.now += seconds


@pytest.fixture
def location(tmp_path):
    return tmp_path / "fleet.db"


@pytest.fixture
def database(location):
    with open_database(location) as database:
        yield database


def queue(database, *, weight=1, priority=0, **limits):
    """A campaign of the toy program that waits for a coordinator."""
    program = two_publishers.compile()
    row = ProgramRecord(program.hash, program.name, "{}", to_json(program), "source")
    plan = CampaignPlan(
        program.hash,
        "uniform_walk",
        1,
        "1",
        json.dumps({"queued": True}),
        limits=CampaignLimits(**limits),
        weight=weight,
        priority=priority,
    )
    with database.write() as session:
        record_program(session, row, now=NOW)
        return queue_campaign(session, plan, actor="a test", now=NOW)


def fleet(database, *, workers=8, stop=lambda: False, holder="one", time=None, **pool):
    time = time or Time()
    simulated = SimulatedPool(
        workers, (0.5, 3.0), clock=time, sleep=time.sleep, lease_seconds=2.0, **pool
    )
    return Fleet(
        database,
        simulated,
        lambda _number, _sentence: None,
        stop,
        holder,
        is_done_when_idle=True,
        clock=time,
        sleep=time.sleep,
    )


def check_exact(database, number, blocks):
    """The totals are those of each block of these ranges, once."""
    with database.read() as session:
        totals, summary = campaign_totals(session, number), get_campaign(session, number)
        left = blocks_not_done(session, number)
    expected = [simulated_result(each) for each in blocks]
    assert left == 0
    assert totals.blocks_done == sum(each.blocks for each in blocks)
    assert totals.schedules == sum(each.schedules for each in expected)
    assert totals.steps == sum(each.steps for each in expected)
    assert totals.violations == sum(each.violations for each in expected)
    return summary


@pytest.mark.parametrize("seed", range(3))
def test_totals_are_exact_whatever_is_lost_repeated_and_reordered(database, seed):
    number = queue(database, blocks_max=500)
    fleet(database, seed=seed, lost=0.2, repeated=0.3).execute()
    summary = check_exact(database, number, [BlockRange(0, 500)])
    assert summary.state is CampaignState.FINISHED


class Killed(BaseException):
    """What no code of ours catches."""


@pytest.mark.parametrize("seed", range(3))
def test_totals_are_exact_when_coordinators_die_again_and_again(location, seed):
    with open_database(location) as database:
        number = queue(database, blocks_max=600)
    deaths, time = 0, Time()

    def due(at):
        def dies():
            if time.now >= at:
                raise Killed
            return False

        return dies

    while True:
        with open_database(location) as database:
            dying = due(time.now + 6.0 + seed / 3)
            try:
                fleet(
                    database, seed=seed + deaths, stop=dying, holder=f"{deaths}", time=time
                ).execute()
            except Killed:
                deaths += 1
                continue
            break
    assert deaths >= 3
    with open_database(location) as database:
        check_exact(database, number, [BlockRange(0, 600)])


@pytest.mark.slow
def test_campaigns_share_the_workers_by_weight(database):
    time = Time()
    numbers = [queue(database, weight=weight) for weight in (1, 2, 5)]
    fleet(database, workers=16, stop=lambda: time.now > 60, time=time).execute()
    with database.read() as session:
        done = [get_campaign(session, number).blocks_done for number in numbers]
    shares = [blocks / sum(done) for blocks in done]
    assert shares == pytest.approx([1 / 8, 2 / 8, 5 / 8], rel=0.15)


def test_a_higher_priority_is_served_first(database):
    time = Time()
    low, high = queue(database), queue(database, priority=1)
    fleet(database, stop=lambda: time.now > 10, time=time).execute()
    with database.read() as session:
        assert get_campaign(session, low).blocks_done == 0
        assert get_campaign(session, high).blocks_done > 0


def test_a_range_that_kills_is_quarantined_and_the_campaign_goes_on(database):
    number = queue(database, blocks_max=300)
    fleet(database, fatal=lambda blocks: 40 in blocks).execute()
    with database.read() as session:
        (bad,) = quarantined_ranges(session, number)
    assert bad.attempts == 3 and bad.first_block <= 40 < bad.first_block + bad.blocks
    assert bad.error == "it was killed by a block"
    ranges = [BlockRange(bad.first_block + bad.blocks, 300 - bad.first_block - bad.blocks)]
    if bad.first_block:
        ranges.append(BlockRange(0, bad.first_block))
    summary = check_exact(database, number, ranges)
    assert "quarantine" in summary.ending


def test_a_campaign_pauses_goes_on_and_stops_as_people_want(database):
    time, number = Time(), queue(database)
    wishes = [
        (10, DesiredState.PAUSED),
        (20, DesiredState.RUNNING),
        (30, DesiredState.STOPPED),
    ]
    seen = []

    def steer():
        if wishes and time.now >= wishes[0][0]:
            _, wanted = wishes.pop(0)
            with database.write() as session:
                seen.append(get_campaign(session, number).blocks_done)
                want(session, number, wanted, actor="a test", now=NOW)
        return False

    fleet(database, stop=steer, time=time).execute()
    with database.read() as session:
        summary = get_campaign(session, number)
    assert summary.state is CampaignState.STOPPED
    at_pause, at_resume, at_stop = seen
    # What was in flight at the pause has ended; then nothing more was given out.
    assert 0 < at_pause <= at_resume < at_stop <= summary.blocks_done
    assert at_resume - at_pause < (at_stop - at_resume)
    assert summary.active_seconds == pytest.approx(20, abs=4)


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"schedules_max": 20_000}, "its schedules were spent"),
        ({"steps_max": 200_000}, "its steps were spent"),
        ({"violations_max": 30}, "it has shown as many violations as were asked for"),
        ({"seconds_max": 10.0}, "its time was spent"),
        ({"saturation_blocks": 100}, "its last blocks covered nothing new"),
    ],
)
def test_each_bound_of_a_budget_ends_a_campaign(database, limits, said):
    number = queue(database, **limits)
    fleet(database).execute()
    with database.read() as session:
        summary = get_campaign(session, number)
    assert (summary.state, summary.ending) == (CampaignState.FINISHED, said)
    check_exact(database, number, [BlockRange(0, summary.blocks_done)])


def test_a_budget_may_be_changed_while_a_campaign_works(database):
    time, number = Time(), queue(database, blocks_max=10**6)
    changed = []

    def steer():
        if time.now > 8 and not changed:
            changed.append(True)
            with database.write() as session:
                limits = {"blocks_max": 400}
                change(session, number, limits=limits, actor="a test", now=NOW)
        return False

    fleet(database, stop=steer, time=time).execute()
    with database.read() as session:
        done = get_campaign(session, number).blocks_done
    assert 400 <= done < 2_000


def test_a_stop_lets_what_is_in_flight_end_and_leaves_no_lease(database):
    time, number = Time(), queue(database)
    fleet(database, stop=lambda: time.now > 12, time=time).execute()
    with database.read() as session:
        done = get_campaign(session, number).blocks_done
        assert leader(session).holder is None
        assert blocks_not_done(session, number) == 0
    check_exact(database, number, [BlockRange(0, done)])


def test_a_silent_worker_is_given_up_and_its_late_report_changes_nothing(database):
    number, time = queue(database, blocks_max=200), Time()
    slow = fleet(database, time=time)
    slow.stuck_seconds = 2.5
    slow.execute()
    with database.read() as session:
        given_up = quarantined_ranges(session, number)
        done = get_campaign(session, number).blocks_done
    assert done + sum(each.blocks for each in given_up) == 200


def test_only_one_of_two_coordinators_leads(database):
    time = Time()
    with database.write() as session:
        epoch = lead(session, "another", instead_of=None, now=NOW)
    queue(database, blocks_max=50)
    second = fleet(database, stop=lambda: time.now > 4, time=time)
    second.execute()
    with database.read() as session:
        assert leader(session).holder == "another"
        assert get_campaign(session, 1).state is CampaignState.CREATED
    # The other one has not beaten since: it is taken to be dead, and can store nothing any more.
    fleet(database, time=time).execute()
    check_exact(database, 1, [BlockRange(0, 50)])
    with pytest.raises(NotLeading), write_as(database, epoch):
        pass


def test_a_database_that_goes_away_costs_what_was_in_flight_only(database, monkeypatch):
    number, time = queue(database, blocks_max=400), Time()
    whole = Database.write

    @contextmanager
    def failing(self):
        if 3 < time.now < 13:
            raise StorageError("its server cannot be reached")
        with whole(self) as session:
            yield session

    monkeypatch.setattr(Database, "write", failing)
    sentences = []
    coordinator = fleet(database, time=time)
    coordinator.said = lambda _number, sentence: sentences.append(sentence)
    coordinator.execute()
    check_exact(database, number, [BlockRange(0, 400)])
    assert sentences.count("its server cannot be reached") == 1


def test_a_clock_that_jumps_decides_nothing(database, monkeypatch):
    """People read the time of the machine; a coordinator goes by the monotonic clock alone."""
    draw = random.Random(1)

    def jumping(*_):
        return NOW + timedelta(days=draw.uniform(-20_000, 20_000))

    for name in ("fleet", "adoption"):
        monkeypatch.setattr(f"workers.{name}.instant", jumping)
    monkeypatch.setattr(CampaignRecord, "now", jumping)
    number = queue(database, seconds_max=20.0)
    time = Time()
    fleet(database, time=time, lost=0.1, repeated=0.2).execute()
    with database.read() as session:
        summary = get_campaign(session, number)
    assert summary.ending == "its time was spent"
    assert summary.active_seconds == pytest.approx(20, abs=4)
    assert 20 <= time.now < 30
    check_exact(database, number, [BlockRange(0, summary.blocks_done)])


def test_the_ledger_grows_with_work_in_flight_only(database):
    time, number = Time(), queue(database)
    rows = []

    def watch():
        with database.read() as session:
            rows.append(blocks_not_done(session, number))
        return time.now > 30

    fleet(database, stop=watch, time=time).execute()
    assert max(rows[len(rows) // 2 :]) <= 3 * max(rows[: len(rows) // 2])
    assert all(later - before < 10**4 for before, later in pairwise(rows))
