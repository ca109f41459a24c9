"""Totals change exactly once for each lease, whatever is repeated or lost."""

import random
from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy import select

from model.class_sample import ClassSample
from model.coverage import Coverage, Shown, StatesSeen
from model.step_pairs import PairKind, StepPair
from storage.campaigns import CampaignPlan, campaign_totals, finish_campaign, start_campaign
from storage.errors import UnknownCampaign
from storage.leases import LeaseTotals, begin_lease, complete_lease
from storage.tables import CampaignState, LeaseRow, LeaseState, StatesSeenRow

TOTALS = LeaseTotals(
    schedules=2**62,
    steps=2**64,
    violations=3,
    outcomes={"ok": 2**62 - 3, "violation": 3},
    site_hits={"count < 0": 3},
    steps_reached=frozenset({"split:1"}),
)


def begin(database, campaign_id, first_block, blocks=4):
    with database.write() as session:
        return begin_lease(
            session, campaign_id, first_block=first_block, blocks=blocks, worker="core 0"
        )


def complete(database, campaign_id, first_block, totals=TOTALS):
    with database.write() as session:
        return complete_lease(session, campaign_id, first_block=first_block, totals=totals)


def totals_of(database, campaign_id):
    with database.read() as session:
        return campaign_totals(session, campaign_id)


def ranges(database):
    with database.read() as session:
        rows = session.scalars(select(LeaseRow).order_by(LeaseRow.first_block))
        return [(row.first_block, row.blocks, row.state) for row in rows]


def test_totals_add_exactly_past_the_range_of_machine_integers(database, campaign_id):
    for first_block in (0, 4, 8):
        assert begin(database, campaign_id, first_block)
        assert complete(database, campaign_id, first_block)
    totals = totals_of(database, campaign_id)
    assert totals.blocks_done == 12
    assert totals.schedules == 3 * 2**62 > 2**63
    assert totals.steps == 3 * 2**64
    assert totals.violations == 9
    assert totals.outcomes == {"ok": 3 * 2**62 - 9, "violation": 9}
    assert totals.site_counts == {"count < 0": 9}


def test_steps_reached_are_gathered(database, campaign_id):
    for first_block, label in ((0, "split:1"), (4, "split:2"), (8, "split:1")):
        begin(database, campaign_id, first_block)
        reached = LeaseTotals(1, 1, 0, {"ok": 1}, {}, frozenset({label}))
        complete(database, campaign_id, first_block, reached)
    assert totals_of(database, campaign_id).steps_reached == {"split:1", "split:2"}


def test_completing_a_lease_twice_changes_nothing(database, campaign_id):
    begin(database, campaign_id, 0)
    assert complete(database, campaign_id, 0)
    once = totals_of(database, campaign_id)
    assert not complete(database, campaign_id, 0)
    assert totals_of(database, campaign_id) == once


def test_completing_what_was_never_leased_changes_nothing(database, campaign_id):
    assert not complete(database, campaign_id, 0)
    assert totals_of(database, campaign_id).schedules == 0


@pytest.mark.parametrize("first_block", [0, 1, 3, 4, 7])
@pytest.mark.parametrize("done", [False, True])
def test_a_block_is_leased_once(database, campaign_id, first_block, done):
    begin(database, campaign_id, 4, blocks=4)
    if done:
        complete(database, campaign_id, 4)
    assert begin(database, campaign_id, first_block) == (first_block == 0)


def test_a_lease_that_outlives_its_campaign_changes_nothing(database, campaign_id, now):
    begin(database, campaign_id, 0)
    with database.write() as session:
        finish_campaign(session, campaign_id, CampaignState.FINISHED, ending="done", now=now)
    assert not complete(database, campaign_id, 0)
    assert not begin(database, campaign_id, 8)
    assert totals_of(database, campaign_id).blocks_done == 0
    assert ranges(database) == []


@pytest.mark.parametrize("seed", range(5))
def test_done_ranges_become_one_row_in_whatever_order_they_end(database, campaign_id, seed):
    first_blocks = list(range(0, 40, 4))
    for first_block in first_blocks:
        begin(database, campaign_id, first_block)
    random.Random(seed).shuffle(first_blocks)
    for first_block in first_blocks:
        assert complete(database, campaign_id, first_block)
        assert not complete(database, campaign_id, first_block)
    assert ranges(database) == [(0, 40, LeaseState.DONE)]
    assert totals_of(database, campaign_id).blocks_done == 40


def test_a_gap_stays_a_gap(database, campaign_id):
    for first_block in (0, 8):
        begin(database, campaign_id, first_block)
        complete(database, campaign_id, first_block)
    assert ranges(database) == [(0, 4, LeaseState.DONE), (8, 4, LeaseState.DONE)]
    assert begin(database, campaign_id, 4)


def test_leases_of_two_campaigns_do_not_meet(database, campaign_id, now):
    plan = CampaignPlan("a1", "uniform", 2, "1", "{}")
    with database.write() as session:
        other = start_campaign(session, plan, now=now)
    assert begin(database, campaign_id, 0) and begin(database, other, 0)
    complete(database, campaign_id, 0)
    assert totals_of(database, other).schedules == 0


def test_an_unknown_campaign_is_named(database):
    with pytest.raises(UnknownCampaign):
        begin(database, 7, 0)


def shown(*numbers: int, block: int) -> Coverage:
    """Executions that have shown these numbers: each a class, a pair and a state."""
    hashes = np.array(numbers, np.uint64)
    pairs = {StepPair(PairKind.OVERWRITES, (0, n), (1, 2)): Shown(2**70, block) for n in numbers}
    classes, states = ClassSample.of(hashes, block=block), StatesSeen.of(hashes)
    return Coverage(len(numbers), frozenset(), pairs, classes, states)


def test_coverage_is_added_once_with_the_lease_that_showed_it(database, campaign_id):
    first, second = shown(1, 2, 3, block=0), shown(3, 4, block=1)
    for block, coverage in ((0, first), (1, second), (1, shown(9, block=1))):
        with database.write() as session:
            begin_lease(session, campaign_id, first_block=block, blocks=1, worker="w")
            complete_lease(
                session,
                campaign_id,
                first_block=block,
                totals=replace(TOTALS, coverage=coverage),
            )
    with database.read() as session:
        assert campaign_totals(session, campaign_id).coverage == first + second == second + first


def test_states_that_an_earlier_gracefuzz_stored_are_kept(database, campaign_id):
    old, new = StatesSeen.of(np.array([7, 8], np.uint64)), shown(8, 9, block=0)
    with database.write() as session:
        session.add(StatesSeenRow(campaign_id=campaign_id, kept=old.kept))
    with database.read() as session:
        assert campaign_totals(session, campaign_id).coverage == Coverage(states=old)
    begin(database, campaign_id, 0)
    with database.write() as session:
        complete_lease(session, campaign_id, first_block=0, totals=replace(TOTALS, coverage=new))
    with database.read() as session:
        found = campaign_totals(session, campaign_id).coverage
    assert found.states == old + new.states and found.pairs == new.pairs
