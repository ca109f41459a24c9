"""A scenario space is fuzzed as its seed says, counted exactly, and remembers what failed."""

import json
from collections import deque

import pytest

from model.program_json import to_json
from model.scenario_space import scenario_space
from storage.campaigns import campaign_totals, get_campaign, list_campaigns
from storage.examples import fetch_examples
from storage.failures import get_failure, list_failures
from storage.programs import get_program
from storage.session import open_database
from storage.tables import CampaignState
from tests.added_up import added_up, fails
from tests.unit.workers.test_campaign import Notes
from workers import trying
from workers.drawing import drawn
from workers.local_pool import LocalPool
from workers.orders import Budget
from workers.pool import Lost, WorkIn
from workers.progress import Ending, Progress
from workers.scenario_progress import ScenarioProgress
from workers.scenarios import Scenarios
from workers.shards import BlockRange, Replayed, ShardSpec, run_shard
from workers.trying import ScenarioOrder
from workers.work import do, report_of

BLOCKS = 1
LOST = "writers=2 plain=on"
SMALL = ("writers=1..2", "plain")


class TwoWorkers:
    """A pool that is ahead of who asks, as Ray's is; `fate` says what becomes of the next work."""

    name = "2 workers"
    workers = 2

    def __init__(self, *fate, loses=BlockRange):
        self.fate, self.loses = deque(fate), loses
        self.queue, self.executed = deque(), []

    def takers(self):
        return [f"worker {number}" for number in range(4)][len(self.queue) :]

    def submit(self, worker, work):
        self.queue.append((worker, work))

    def wait(self, *, seconds_max):
        # The last comes back first: the order in which answers arrive must not matter.
        worker, work = self.queue.pop()
        assert isinstance(work, WorkIn)
        if self.fate and isinstance(work.work, self.loses):
            return [Lost(work, worker, "it was killed", blamed=self.fate.popleft() == "blamed")]
        self.executed.append(work)
        return [report_of(work, worker, do(work.spec, work))]


def space_of(*opened):
    """Four programs, unless others are asked for: a process keeps as many engines."""
    return scenario_space(added_up, {}, opened or SMALL)


def search(database, *, space=None, pool=None, seed=1, notes=None, stopping=None, **options):
    space = space or space_of()
    base = added_up.compile(**dict(space.base))
    progress = ScenarioProgress(space, Progress(base))
    found = Scenarios(
        database,
        pool or LocalPool(ShardSpec(to_json(base), seed)),
        ScenarioOrder(space, "source", "uniform_walk", seed, BLOCKS),
        Budget(**options),
        progress,
        notes or Notes(),
        stopping or (lambda: False),
    )
    return found.execute(), progress


def tried_in(progress):
    return [dict(tried.configuration) for tried in progress.tried]


def test_the_smallest_failing_configuration_is_stored_with_its_own_program(database):
    space = space_of("writers", "plain", "reads=0..1")
    ending, progress = search(database, space=space)
    assert ending is Ending.ALL_TRIED and progress.answered == space.size == 12
    assert progress.failing == sum(fails(tried.configuration) for tried in progress.tried) == 4
    with database.read() as session:
        for failure in progress.totals.failures.values():
            record = get_failure(session, failure.failure_id).record
            stored = json.loads(get_program(session, record.ir_hash).parameters)
            last = record.step_label.partition(":")[0]
            sizes = (stored["writers"], stored["plain"], stored["reads"], record.steps)
            assert sizes == {"_add_plainly": (2, True, 0, 4), "_read": (2, True, 1, 5)}[last]
            assert failure.minimal.is_proved
        assert len(list_failures(session)) == len(progress.totals.failures) == 2


def test_each_configuration_is_a_campaign_that_counts_its_blocks_once(database):
    _, progress = search(database, pool=TwoWorkers("blamed", "waiting", "blamed"))
    with database.read() as session:
        campaigns = list_campaigns(session)
        assert [each.campaign_id for each in campaigns] == [4, 3, 2, 1]
        for tried in progress.tried:
            totals = campaign_totals(session, tried.record.campaign_id)
            expected = run_shard(tried.spec, BlockRange(0, BLOCKS))
            assert (totals.schedules, totals.steps) == (expected.schedules, expected.steps)
            assert totals.site_counts == expected.site_hits and totals.blocks_done == BLOCKS
            campaign = get_campaign(session, tried.record.campaign_id)
            assert campaign.state is CampaignState.FINISHED
            assert json.loads(campaign.plan.budget)["space"] == space_of().name
    assert progress.totals.schedules == sum(each.schedules for each in campaigns)
    assert progress.totals.workers_lost == 2


def test_workers_that_are_ahead_change_nothing(database, tmp_path):
    """The same failures, in the same configurations, though other campaigns came first."""
    _, alone = search(database)
    with open_database(tmp_path / "other.db") as other:
        _, together = search(other, pool=TwoWorkers())
    assert sorted(map(str, tried_in(alone))) == sorted(map(str, tried_in(together)))
    assert [each.where for each in alone.totals.failures.values()] == [
        each.where for each in together.totals.failures.values()
    ] == [LOST]


def test_the_seed_determines_the_order_of_the_configurations(database):
    space = space_of("writers=1..2", "reads=0..1")
    for seed in (5, 6):
        _, progress = search(database, space=space, seed=seed)
        tried = [tried.configuration for tried in progress.tried]
        assert tried == drawn(space, root_seed=seed, round_number=0)


def test_a_second_campaign_tries_first_what_failed_before(database):
    search(database)
    _, progress = search(database, seed=2)
    assert (progress.kept, progress.gone) == (1, 0)
    assert space_of().on(progress.tried[0].configuration) == (("writers", 2), ("plain", True))
    (found,) = progress.totals.failures.values()
    assert not found.is_new


def test_another_space_of_the_program_has_examples_of_its_own(database):
    search(database)
    _, progress = search(database, space=space_of("writers=2..3", "plain"))
    assert progress.kept == 0
    assert [each.where for each in progress.totals.failures.values()] == ["plain=on"]


def test_what_fails_no_more_is_said_and_forgotten(database, monkeypatch):
    search(database)
    mended = {"plain": "off"}
    compiled = trying.compile_source
    monkeypatch.setattr(trying, "compile_source", lambda s, given: compiled(s, {**given, **mended}))
    ending, progress = search(database, seed=2)
    assert ending is Ending.ALL_TRIED and not progress.totals.failures
    assert (progress.kept, progress.gone) == (0, 1)
    with database.read() as session:
        assert fetch_examples(session, space_of().name.encode()) == ()


def test_where_time_ends_nothing_is_forgotten(database):
    search(database)
    with database.read() as session:
        kept = fetch_examples(session, space_of().name.encode())
    ending, progress = search(database, stopping=lambda: True)
    assert ending is Ending.STOPPED and progress.answered == 0 and progress.kept == 0
    with database.read() as session:
        assert fetch_examples(session, space_of().name.encode()) == kept != ()


def test_what_was_not_shrunk_to_the_end_is_minimized_where_it_is_smallest_so_far(database):
    """Stopped as soon as something fails: the failing configuration itself is the smallest."""
    stop = []

    def note(totals):
        if totals.violations:
            stop.append(True)

    notes = Notes(at_progress=note)
    space = space_of("writers=1..3", "plain")
    stopping = {"notes": notes, "stopping": lambda: bool(stop)}
    ending, progress = search(database, space=space, seed=1, **stopping)
    assert ending is Ending.STOPPED and progress.answered < space.size
    (found,) = progress.totals.failures.values()
    failing = [tried for tried in progress.tried if tried.shown]
    smallest = min(failing, key=lambda tried: space.size_of(tried.configuration))
    words = [f"{k}={'on' if v is True else v}" for k, v in space.on(smallest.configuration)]
    assert found.where == " ".join(words)


def test_it_ends_at_the_first_failure_where_asked(database):
    ending, progress = search(database, pool=TwoWorkers(), stop_on_first=True)
    assert ending is Ending.FOUND and len(progress.totals.failures) == 1
    with database.read() as session:
        states = {each.state for each in list_campaigns(session)}
    assert CampaignState.RUNNING not in states


def test_it_ends_when_its_schedules_are_spent(database):
    ending, progress = search(database, schedules=1)
    assert ending is Ending.SCHEDULES_SPENT and progress.answered == 1


def test_a_configuration_that_the_program_refuses_shows_nothing(database):
    space = space_of("reads=0..1", "kind=int,none")
    ending, progress = search(database, space=space)
    assert ending is Ending.ALL_TRIED and progress.refused == 1
    assert progress.answered == space.size == 4 and len(progress.tried) == 3


def test_blocks_that_kill_their_workers_are_put_aside_and_the_rest_goes_on(database):
    notes = Notes()
    pool = TwoWorkers("blamed", "blamed", "blamed")
    pool.takers = lambda: [] if pool.queue else ["worker 0"]
    ending, progress = search(database, pool=pool, notes=notes)
    assert ending is Ending.ALL_TRIED and len(progress.totals.quarantined) == 1
    assert any("gracefuzz fuzz added_up --param writers=1" in said for said in notes.sentences)
    with database.read() as session:
        assert get_campaign(session, 1).state is CampaignState.FAILED


def test_a_violation_that_cannot_be_minimized_is_kept_as_it_was_found(database):
    pool = TwoWorkers("blamed", "blamed", "blamed", loses=Replayed)
    _, progress = search(database, pool=pool)
    (found,) = progress.totals.failures.values()
    assert not found.minimal.is_proved and "not minimized" in str(found.minimal.proof)


def test_an_abort_leaves_no_campaign_that_seems_to_run(database):
    def aborting(totals):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        search(database, pool=TwoWorkers(), notes=Notes(at_progress=aborting))
    with database.read() as session:
        states = {each.state for each in list_campaigns(session)}
    assert states <= {CampaignState.STOPPED, CampaignState.FINISHED}
