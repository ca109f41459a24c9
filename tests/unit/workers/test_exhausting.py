"""A campaign of every schedule ends by itself, with a count that does not depend on its way."""

from collections import deque
from dataclasses import replace

import pytest
import typer

from model import exhaustive_engine
from model.program_json import to_json
from storage.campaigns import campaign_totals, get_campaign
from storage.failures import list_failures
from tests.programs.schedulers_4_4.small_programs import reorder, token_ring
from tests.unit.workers.test_campaign import Notes, UnreliablePool
from workers import shards
from workers.campaign import Coordinator
from workers.fuzzing import exhausting
from workers.local_pool import LocalPool
from workers.orders import Budget, Order
from workers.progress import Ending, Verdict
from workers.shards import ShardSpec


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(exhaustive_engine, "WIDTH", 50)
    monkeypatch.setattr(exhaustive_engine, "BLOCK_STEPS", 400)
    shards.exhaustive_engine_of.cache_clear()
    yield
    shards.exhaustive_engine_of.cache_clear()


def order_for(program, c, **budget):
    return exhausting(Order(program, "source", f"exhaustive:c={c}", 1, Budget(**budget)))


def execute(database, pool, order):
    return Coordinator(database, pool, order, Notes(), lambda: False).execute()


def spec_of(order):
    return ShardSpec(to_json(order.program), 1, scheduler=order.scheduler)


@pytest.mark.parametrize("fate", [(), ("blamed", None, None, "waiting", None, "blamed")])
def test_a_campaign_ends_when_every_schedule_was_executed(database, fate):
    order = order_for(reorder.compile(setters=3), 2)
    report = execute(database, UnreliablePool(spec_of(order), deque(fate)), order)
    assert report.ending is Ending.ALL_SCHEDULES
    assert report.sentence == (
        "all 1,341 schedules with at most 2 preemptions executed: 15 violate"
    )
    assert report.progress.blocks == len(order.blocks) > 3
    with database.read() as session:
        totals = campaign_totals(session, report.campaign_id)
        assert get_campaign(session, report.campaign_id).ending == report.sentence
        (failure,) = list_failures(session)
    assert (totals.schedules, totals.violations) == (1341, 15)
    assert failure.preemptions == 1


def test_clean_is_said_of_what_was_executed(database):
    order = order_for(reorder.compile(setters=3), 0)
    report = execute(database, LocalPool(spec_of(order)), order)
    assert report.sentence == "all 24 schedules with at most 0 preemptions executed: clean"
    assert report.progress.verdict(only_new=False) is Verdict.CLEAN


def test_one_preemption_is_one(database):
    order = order_for(token_ring.compile(), 1)
    report = execute(database, LocalPool(spec_of(order)), order)
    assert report.sentence == "all 82 schedules with at most 1 preemption executed: 19 violate"


def test_what_is_not_all_is_not_called_all(database):
    order = order_for(reorder.compile(setters=3), 2)
    lost = UnreliablePool(spec_of(order), deque(["blamed"] * 3))
    lost.workers = 1
    report = execute(database, lost, replace(order, blocks=range(1)))
    assert report.ending is Ending.QUARANTINED
    assert report.progress.verdict(only_new=False) is Verdict.INFRASTRUCTURE


def test_a_block_that_there_is_not_is_refused(database):
    order = order_for(reorder.compile(setters=3), 2, block=0)
    assert execute(database, LocalPool(spec_of(order)), order).ending is Ending.BLOCK_DONE
    with pytest.raises(typer.BadParameter, match="there is no block 4000"):
        order_for(reorder.compile(setters=3), 2, block=4000)
