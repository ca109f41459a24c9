"""A portfolio's campaign is exact and can be executed again, whatever was lost on the way."""

from collections import deque
from dataclasses import replace

import pytest

from model.program_json import to_json
from model.schedulers.portfolio import Turn, portfolio_named
from model.schedulers.wanted import settled
from storage.campaigns import campaign_totals
from storage.leases import executed_blocks
from storage.portfolio import turns_of
from tests.unit.workers.test_campaign import Notes, UnreliablePool
from workers.campaign import Coordinator
from workers.choosing import Choosing
from workers.local_pool import LocalPool
from workers.orders import Budget, Order
from workers.progress import Ending
from workers.shards import BlockRange, ShardResult, ShardSpec, run_shard

ARMS = "portfolio:surw+uniform_walk+pct:d=2"
SCHEDULES = 30_000_000


@pytest.fixture(scope="module")
def scheduler(broken):
    return settled(ARMS, broken)


@pytest.fixture(scope="module")
def spec(broken, scheduler):
    return ShardSpec(to_json(broken), 1, scheduler=scheduler)


def order_for(program, scheduler, **budget):
    return Order(program, "source", scheduler, 1, Budget(**budget))


def execute(database, pool, order, *, is_stopping=lambda: False, notes=None):
    return Coordinator(database, pool, order, notes or Notes(), is_stopping).execute()


def record(database, campaign_id):
    with database.read() as session:
        return (
            executed_blocks(session, campaign_id),
            turns_of(session, campaign_id),
            campaign_totals(session, campaign_id),
        )


def by_hand(spec, turns, blocks):
    """What the blocks give, each under the scheduler that has it."""
    total = ShardResult()
    for turn in turns:
        part = range(turn.first_block, min(turn.stop, blocks.stop))
        if part:
            total += run_shard(spec, BlockRange(part.start, len(part), turn.scheduler))
    return total


def check(database, spec, report):
    blocks, turns, totals = record(database, report.campaign_id)
    expected = by_hand(spec, turns, blocks)
    assert totals.blocks_done == len(blocks) == blocks.stop
    assert (totals.schedules, totals.steps) == (expected.schedules, expected.steps)
    assert totals.site_counts == expected.site_hits
    assert totals.coverage.pairs == expected.coverage.pairs
    gains = [turn.gains for turn in turns]
    assert sum(each.schedules for each in gains) == totals.schedules
    assert sum(each.violations for each in gains) == totals.violations
    assert sum(each.pairs for each in gains) == len(totals.coverage.pairs)
    assert dict(report.progress.shares)
    return blocks, turns


def test_totals_are_those_of_the_recorded_turns(database, broken, spec, scheduler):
    order = order_for(broken, scheduler, schedules=SCHEDULES)
    report = execute(database, LocalPool(spec), order)
    _, turns = check(database, spec, report)
    assert {turn.scheduler for turn in turns} == set(portfolio_named(scheduler).arms)


def test_a_lost_range_is_executed_again_by_the_same_scheduler(database, broken, spec, scheduler):
    fate = deque(["blamed", None, None, "waiting", "blamed", *[None] * 4, "blamed"])
    pool = UnreliablePool(spec, fate)
    order = order_for(broken, scheduler, schedules=SCHEDULES)
    check(database, spec, execute(database, pool, order))
    assert not fate


def test_what_is_on_record_is_executed_again_in_the_same_way(database, broken, spec, scheduler):
    """Though its leases come in another order, and its own decisions might be others."""
    first = execute(
        database,
        UnreliablePool(spec, deque([None, "blamed"])),
        order_for(broken, scheduler, schedules=SCHEDULES),
    )
    blocks, turns, totals = record(database, first.campaign_id)
    other = [Turn(t.first_block, t.blocks, turns[-1 - n].scheduler) for n, t in enumerate(turns)]
    for given in (turns, tuple(other)):
        order = order_for(broken, scheduler)
        again = replace(order, blocks=blocks, turns=given, ending=Ending.AGAIN_DONE)
        report = execute(database, LocalPool(spec), again)
        assert report.ending is Ending.AGAIN_DONE
        same_blocks, same_turns = check(database, spec, report)
        assert same_blocks == blocks
        assert [t.scheduler for t in same_turns] == [t.scheduler for t in given]
        if given is turns:
            _, _, same = record(database, report.campaign_id)
            assert (same.schedules, same.site_counts) == (totals.schedules, totals.site_counts)
            assert same.coverage == totals.coverage


class Killed(BaseException):
    pass


def test_after_a_kill_the_record_says_how_to_go_on(database, broken, spec, scheduler):
    """What was decided is on record with its lease, also of blocks that were never completed."""
    memory = []

    def kill(progress):
        if progress.blocks >= 20:
            memory.extend(coordinator._execution.choosing.turns)
            raise Killed

    pool, notes = UnreliablePool(spec, deque()), Notes(at_progress=kill)
    coordinator = Coordinator(
        database, pool, order_for(broken, scheduler, seconds=60), notes, lambda: False
    )
    with pytest.raises(Killed):
        coordinator.execute()
    _, turns, _ = record(database, 1)
    assert list(turns) == memory
    portfolio = portfolio_named(scheduler)
    resumed, undisturbed = (Choosing(portfolio, turns=list(t)) for t in (turns, memory))
    for _ in range(10):
        block = resumed.turns[-1].stop
        assert resumed.turn_of(block) == undisturbed.turn_of(block)
    for turn in turns:
        for block in range(turn.first_block, turn.stop):
            assert resumed.turn_of(block) == turn
