"""Totals are exact whatever is lost; what was found is stored once; a campaign ends as asked."""

from collections import deque
from dataclasses import dataclass, field, replace

import pytest

from model.program_json import from_json, to_json
from storage.campaigns import campaign_totals, get_campaign
from storage.disagreements import list_disagreements
from storage.errors import StorageError
from storage.failures import get_failure, list_failures, list_sightings
from storage.minimal_failures import minimal_of
from storage.programs import get_program
from storage.tables import CampaignState
from tests.toy_programs import two_publishers
from workers import minimizing, recording, work
from workers.campaign import Coordinator
from workers.excluding import excluded_pairs
from workers.local_pool import LocalPool
from workers.orders import Budget, Order
from workers.pool import Lost
from workers.progress import Ending, Verdict
from workers.shards import BlockRange, Disagreement, Replayed, ShardSpec, run_shard
from workers.work import do, report_of


@dataclass
class Notes:
    """An observer that remembers; `at_progress` is called each time."""

    sentences: list = field(default_factory=list)
    failures: list = field(default_factory=list)
    at_progress: object = None

    def progressed(self, progress):
        if self.at_progress:
            self.at_progress(progress)

    def found(self, failure):
        self.failures.append(failure)

    def said(self, sentence):
        self.sentences.append(sentence)


@dataclass
class UnreliablePool:
    """Two workers; `fate` says of each range in turn whether it is lost, and blamed."""

    spec: object
    fate: deque
    queue: deque = field(default_factory=deque)
    alter: object = None
    loses: type = BlockRange
    given: list = field(default_factory=list)
    name = "2 workers"
    workers = 2
    lease_seconds: float = 0.5

    def takers(self):
        return [f"worker {n}" for n in range(2)][len(self.queue) :]

    def submit(self, worker, work):
        self.given.append(work)
        self.queue.append((worker, work))

    def wait(self, *, seconds_max):
        if not self.queue:
            return []
        worker, work = self.queue.popleft()
        lost = None
        if isinstance(work, self.loses) and self.fate:
            lost = self.fate.popleft()
        if lost is not None:
            return [Lost(work, worker, "it was killed", blamed=lost == "blamed")]
        result, _ = do(self.spec, work)
        return [report_of(work, worker, (self.alter(result) if self.alter else result, 0.1))]

    def close(self):
        pass


def order_for(program, **budget):
    return Order(program, "source", "uniform_walk", 1, Budget(**budget))


def execute(database, pool, order, *, notes=None, is_stopping=lambda: False):
    return Coordinator(database, pool, order, notes or Notes(), is_stopping).execute()


def stored(database, campaign_id):
    with database.read() as session:
        return get_campaign(session, campaign_id), campaign_totals(session, campaign_id)


def check_exact(database, spec, report):
    """The stored totals are those of the blocks from 0 on, counted once, and what was shown."""
    _, totals = stored(database, report.campaign_id)
    expected = run_shard(spec, BlockRange(0, totals.blocks_done))
    assert totals.schedules == report.progress.schedules == expected.schedules
    assert totals.steps == report.progress.steps == expected.steps
    assert totals.site_counts == report.progress.site_hits == expected.site_hits
    assert totals.outcomes == {k: n for k, n in expected.outcomes.items() if n}
    assert totals.violations == report.progress.violations == expected.violations
    assert totals.steps_reached == report.progress.steps_reached == expected.steps_reached


def test_a_campaign_stores_program_totals_and_one_minimized_failure(database, broken, broken_spec):
    notes = Notes()
    report = execute(
        database, LocalPool(broken_spec), order_for(broken, schedules=3_000_000), notes=notes
    )
    summary, totals = stored(database, report.campaign_id)
    assert report.ending is Ending.SCHEDULES_SPENT
    assert (summary.state, summary.ending) == (CampaignState.FINISHED, report.ending.value)
    assert totals.schedules >= 3_000_000
    check_exact(database, broken_spec, report)
    with database.read() as session:
        (failure,) = list_failures(session)
        record = get_failure(session, failure.failure_id).record
        assert len(list_sightings(session, failure.failure_id)) == failure.sightings_count == 8
        assert from_json(get_program(session, broken.hash).ir) == broken
    assert (record.steps, record.preemptions, record.switches, record.threads) == (4, 1, 2, 2)
    assert [found.failure_id for found in notes.failures] == [failure.failure_id]
    assert report.progress.verdict(only_new=True) is Verdict.VIOLATIONS
    assert report.progress.new_failures == 1
    assert report.progress.known_violations == totals.violations - 1


def test_a_known_failure_is_not_new_in_a_second_campaign(database, broken, broken_spec):
    order = order_for(broken, schedules=1)
    first = execute(database, LocalPool(broken_spec), order)
    second = execute(database, LocalPool(broken_spec), order)
    assert (first.progress.new_failures, second.progress.new_failures) == (1, 0)
    assert second.progress.verdict(only_new=False) is Verdict.VIOLATIONS
    assert second.progress.verdict(only_new=True) is Verdict.CLEAN
    with database.read() as session:
        (failure,) = list_failures(session)
    assert failure.sightings_count == 8


def test_what_was_proved_in_the_same_ir_is_not_minimized_again(
    database, broken, broken_spec, monkeypatch
):
    order = order_for(broken, block=0)
    first = execute(database, LocalPool(broken_spec), order)
    monkeypatch.setattr(work, "minimized", None)
    second = execute(database, LocalPool(broken_spec), order)
    assert list(second.progress.failures) == list(first.progress.failures)


def test_a_clean_campaign_is_clean(database, sound, sound_spec):
    report = execute(database, LocalPool(sound_spec), order_for(sound, schedules=1))
    assert report.progress.verdict(only_new=False) is Verdict.CLEAN
    assert report.progress.blocks == 1


@pytest.mark.parametrize(
    "fate",
    [
        ["blamed", None, "blamed", "waiting"],
        [None, "blamed", "waiting", "blamed"],
        ["blamed", "waiting", "blamed", None, "waiting", "waiting", "blamed"],
    ],
)
def test_lost_workers_change_nothing_in_the_totals(database, broken, broken_spec, fate):
    pool = UnreliablePool(broken_spec, deque(fate))
    report = execute(database, pool, order_for(broken, schedules=5_000_000))
    assert report.progress.workers_lost == fate.count("blamed")
    assert not pool.fate
    check_exact(database, broken_spec, report)
    assert report.progress.quarantined == []


def test_a_range_that_kills_three_workers_is_left_out_and_reported(database, sound, sound_spec):
    notes = Notes()
    pool = UnreliablePool(sound_spec, deque(["blamed"] * 3))
    report = execute(database, pool, order_for(sound, schedules=2_000_000), notes=notes)
    assert report.progress.quarantined == [BlockRange(0, 1)]
    summary, totals = stored(database, report.campaign_id)
    assert totals.schedules >= 2_000_000 and summary.state is CampaignState.FINISHED
    assert summary.ending.endswith("in quarantine, because their workers died of them: block 0")
    assert any("--workers 0 --block 0" in sentence for sentence in notes.sentences)
    assert report.progress.verdict(only_new=False) is Verdict.INFRASTRUCTURE


def test_a_campaign_whose_every_range_kills_ends_as_failed(database, sound, sound_spec):
    pool = UnreliablePool(sound_spec, deque(["blamed"] * 100))
    report = execute(database, pool, order_for(sound, seconds=60.0))
    assert report.ending is Ending.QUARANTINED
    assert stored(database, report.campaign_id)[0].state is CampaignState.FAILED


def test_one_block_is_executed_and_no_other(database, broken, broken_spec):
    report = execute(database, LocalPool(broken_spec), order_for(broken, block=5))
    assert report.ending is Ending.BLOCK_DONE
    alone = run_shard(broken_spec, BlockRange(5, 1))
    assert report.progress.schedules == alone.schedules
    with database.read() as session:
        assert get_failure(session, 1).first_block == 5


def test_a_campaign_ends_when_its_time_is_spent(database, sound, sound_spec):
    now = iter(range(1000))
    coordinator = Coordinator(
        database,
        LocalPool(sound_spec),
        order_for(sound, seconds=20.0),
        Notes(),
        lambda: False,
        clock=lambda: float(next(now)),
    )
    report = coordinator.execute()
    assert report.ending is Ending.TIME_SPENT
    assert report.progress.blocks > 0 and report.seconds >= 20.0


@pytest.mark.parametrize(("lease_seconds", "longest"), [(0.1, 1), (0.4, 4)])
def test_leases_are_as_long_as_the_pool_asks_for(
    database, sound, sound_spec, lease_seconds, longest
):
    pool = UnreliablePool(sound_spec, deque(), lease_seconds=lease_seconds)
    execute(database, pool, order_for(sound), is_stopping=lambda: len(pool.given) > 2)
    # The pool says of every range that it took 0.1 s.
    assert max(work.blocks for work in pool.given) == longest


def test_it_stops_at_the_first_failure_where_that_is_asked(database, broken, broken_spec):
    budget = {"seconds": 600.0, "stop_on_first": True}
    report = execute(database, LocalPool(broken_spec), order_for(broken, **budget))
    assert report.ending is Ending.FOUND and report.progress.blocks == 1


def test_a_stop_is_clean_and_keeps_what_was_found(database, broken, broken_spec):
    seen = []
    notes = Notes(at_progress=seen.append)
    report = execute(
        database,
        UnreliablePool(broken_spec, deque()),
        order_for(broken, seconds=600.0),
        notes=notes,
        is_stopping=lambda: len(seen) > 1,
    )
    assert report.ending is Ending.STOPPED
    assert stored(database, report.campaign_id)[0].state is CampaignState.STOPPED
    check_exact(database, broken_spec, report)
    assert report.progress.verdict(only_new=False) is Verdict.VIOLATIONS


def test_an_abort_leaves_a_campaign_that_says_so(database, broken, broken_spec):
    def abort(progress):
        if progress.blocks:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        execute(
            database,
            LocalPool(broken_spec),
            order_for(broken, seconds=600.0),
            notes=Notes(at_progress=abort),
        )
    summary, totals = stored(database, 1)
    assert (summary.state, summary.ending) == (CampaignState.STOPPED, Ending.ABORTED.value)
    assert totals.violations > 0


def test_a_disagreement_is_stored_said_and_never_called_clean(database, sound, sound_spec):
    def alter(result):
        return replace(result, disagreements=(Disagreement(0, 3, 17, "circuit: a; said b"),))

    notes = Notes()
    pool = UnreliablePool(sound_spec, deque(), alter=alter)
    report = execute(database, pool, order_for(sound, block=0), notes=notes)
    with database.read() as session:
        (stored_disagreement,) = list_disagreements(session)
    assert (stored_disagreement.lane, stored_disagreement.step) == (3, 17)
    assert "the two engines disagree about lane 3 of block 0" in notes.sentences[0]
    assert report.progress.verdict(only_new=False) is Verdict.INFRASTRUCTURE


def test_a_signature_is_minimized_once_and_sighted_a_bounded_number_of_times(
    database, broken, broken_spec, monkeypatch
):
    times = []

    def counted(program, violation, *, excluded):
        times.append(violation.signature)
        return minimizing.minimized(program, violation, excluded=excluded)

    monkeypatch.setattr(work, "minimized", counted)
    monkeypatch.setattr(recording, "SIGHTINGS_PER_SIGNATURE_MAX", 6)
    report = execute(database, LocalPool(broken_spec), order_for(broken, schedules=5_000_000))
    assert len(times) == len(set(times)) == 1
    assert report.progress.violations > 2_000_000
    with database.read() as session:
        assert list_failures(session)[0].sightings_count == 6


def test_an_excluded_failure_is_not_found_even_where_it_is_not_recognized(
    database, broken, broken_spec
):
    execute(database, LocalPool(broken_spec), order_for(broken, block=0))
    order = replace(order_for(broken, block=1), excluded_failures=(1,))
    report = execute(database, LocalPool(broken_spec), order)
    assert report.progress.failures == {} and report.progress.violations > 0
    assert report.progress.verdict(only_new=False) is Verdict.CLEAN


def test_a_race_behind_a_known_one_of_its_signature_gets_a_row_of_its_own(database):
    program = two_publishers.compile()
    text = to_json(program)
    order = order_for(program, schedules=10_000_000)
    execute(database, LocalPool(ShardSpec(text, 1)), order)
    behind = ShardSpec(text, 1, excluded_pairs(database, program, (1,)))
    execute(database, LocalPool(behind), replace(order, excluded_failures=(1,)))
    again = execute(database, LocalPool(ShardSpec(text, 1)), order)
    assert list(again.progress.failures) == [1]
    with database.read() as session:
        first, second = (get_failure(session, number).record for number in (1, 2))
        assert len(list_failures(session)) == 2
    assert minimal_of(first).signature == minimal_of(second).signature
    assert minimal_of(second).is_proved and (first.steps, second.steps) == (3, 4)


def test_a_database_that_fails_ends_the_campaign_with_its_sentence(
    database, broken, broken_spec, monkeypatch
):
    def full(*_arguments, **_names):
        raise StorageError("the disk is full")

    monkeypatch.setattr(recording, "complete_leases", full)
    with pytest.raises(StorageError, match="the disk is full"):
        execute(database, LocalPool(broken_spec), order_for(broken, block=0))
    summary, totals = stored(database, 1)
    assert summary.state is CampaignState.FAILED and totals.schedules == 0
    # What was minimized is stored before its range is counted.
    with database.read() as session:
        assert len(list_failures(session)) == 1


def test_an_exception_in_a_block_loses_the_range_and_not_the_process(
    database, sound, sound_spec, monkeypatch
):
    def break_block_0(spec, blocks):
        if 0 in blocks:
            raise ArithmeticError("block 0")
        return run_shard(spec, blocks)

    monkeypatch.setattr(work, "run_shard", break_block_0)
    notes = Notes()
    report = execute(database, LocalPool(sound_spec), order_for(sound, schedules=10), notes=notes)
    assert report.progress.quarantined == [BlockRange(0, 1)]
    assert notes.sentences[0] == "this process lost block 0: ArithmeticError: block 0"


def test_a_violation_is_minimized_again_when_its_worker_dies(database, broken, broken_spec):
    pool = UnreliablePool(broken_spec, deque(["blamed", "waiting", "blamed"]), loses=Replayed)
    report = execute(database, pool, order_for(broken, block=0))
    (found,) = report.progress.failures.values()
    assert found.minimal.is_proved and report.progress.workers_lost == 2
    check_exact(database, broken_spec, report)


def test_what_cannot_be_minimized_is_kept_as_it_was_found(database, broken, broken_spec):
    pool = UnreliablePool(broken_spec, deque(["blamed"] * 3), loses=Replayed)
    report = execute(database, pool, order_for(broken, block=0))
    (found,) = report.progress.failures.values()
    assert set(found.minimal.proof.values()) == {"local (not minimized: it was killed)"}
    with database.read() as session:
        assert list_failures(session)[0].steps == 4
    check_exact(database, broken_spec, report)


def test_ranges_are_executed_while_a_violation_is_minimized(database, broken, broken_spec):
    """The minimizing is done last, however early it was asked for."""

    class LatePool(UnreliablePool):
        def wait(self, *, seconds_max):
            self.queue = deque(sorted(self.queue, key=lambda each: isinstance(each[1], Replayed)))
            waiting = [isinstance(each[1], Replayed) for each in self.queue]
            self.order.append(waiting[0])
            return super().wait(seconds_max=seconds_max)

    pool = LatePool(broken_spec, deque())
    pool.order = []
    report = execute(database, pool, order_for(broken, schedules=5_000_000))
    assert pool.order == [False, False, True] and len(report.progress.failures) == 1
    check_exact(database, broken_spec, report)
