"""Totals change exactly once for each lease, whatever is repeated or lost."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import select

from model.class_sample import ClassSample
from model.coverage import Coverage, Shown, StatesSeen
from model.step_pairs import PairKind, StepPair
from storage.campaigns import CampaignPlan, campaign_totals, finish_campaign, start_campaign
from storage.errors import UnknownCampaign
from storage.lease_totals import LeaseTotals
from storage.leases import (
    Completion,
    LeaseKey,
    LeaseWish,
    Loss,
    begin_lease,
    blocks_not_done,
    complete_lease,
    complete_leases,
    free_leases_before,
    give_leases,
    held_leases,
    lose_leases,
    renew_leases,
)
from storage.ledger_tables import LeaseRow, LeaseState
from storage.quarantine import QuarantinedRange, quarantined_ranges
from storage.tables import CampaignRow, CampaignState, StatesSeenRow

TOTALS = LeaseTotals(
    schedules=2**62,
    steps=2**64,
    violations=3,
    outcomes={"ok": 2**62 - 3, "violation": 3},
    site_hits={"count < 0": 3},
    steps_reached=frozenset({"split:1"}),
)


NOW = datetime(2011, 8, 19, tzinfo=UTC)


def begin(database, campaign_id, first_block, blocks=4):
    with database.write() as session:
        return begin_lease(
            session,
            campaign_id,
            first_block=first_block,
            blocks=blocks,
            worker="core 0",
            now=NOW,
        )


def give(database, campaign_id, *blocks_max, **options):
    wishes = [LeaseWish(f"core {number}", most) for number, most in enumerate(blocks_max)]
    with database.write() as session:
        return give_leases(session, campaign_id, wishes, now=NOW, **options)


def complete(database, lease, totals=TOTALS):
    with database.write() as session:
        return complete_lease(session, Completion(lease.key, totals))


def lose(database, *leases, blamed=True, error="signal 11"):
    losses = [Loss(lease.key, blamed, error) for lease in leases]
    with database.write() as session:
        return lose_leases(session, losses, now=NOW)


def totals_of(database, campaign_id):
    with database.read() as session:
        return campaign_totals(session, campaign_id)


def ranges(database):
    with database.read() as session:
        rows = session.scalars(select(LeaseRow).order_by(LeaseRow.first_block))
        return [(row.first_block, row.blocks, row.state) for row in rows]


def balance(database, campaign_id):
    """Every block that was given out is done, or waits, or is quarantined: nothing else."""
    with database.read() as session:
        campaign = session.get_one(CampaignRow, campaign_id)
        quarantined = sum(each.blocks for each in quarantined_ranges(session, campaign_id))
        waiting = blocks_not_done(session, campaign_id)
        assert campaign.next_block == campaign.blocks_done + waiting + quarantined
        return campaign.blocks_done, waiting, quarantined


def test_totals_add_exactly_past_the_range_of_machine_integers(database, campaign_id):
    for first_block in (0, 4, 8):
        assert complete(database, begin(database, campaign_id, first_block))
    totals = totals_of(database, campaign_id)
    assert totals.blocks_done == 12
    assert totals.schedules == 3 * 2**62 > 2**63
    assert totals.steps == 3 * 2**64
    assert totals.violations == 9
    assert totals.outcomes == {"ok": 3 * 2**62 - 9, "violation": 9}
    assert totals.site_counts == {"count < 0": 9}


def test_steps_reached_are_gathered(database, campaign_id):
    for first_block, label in ((0, "split:1"), (4, "split:2"), (8, "split:1")):
        reached = LeaseTotals(1, 1, 0, {"ok": 1}, {}, frozenset({label}))
        complete(database, begin(database, campaign_id, first_block), reached)
    assert totals_of(database, campaign_id).steps_reached == {"split:1", "split:2"}


def test_completing_a_lease_twice_changes_nothing(database, campaign_id):
    lease = begin(database, campaign_id, 0)
    assert complete(database, lease)
    once = totals_of(database, campaign_id)
    assert not complete(database, lease)
    assert totals_of(database, campaign_id) == once


def test_completing_what_was_never_leased_changes_nothing(database, campaign_id):
    with database.write() as session:
        assert not complete_lease(session, Completion(LeaseKey(campaign_id, 0, 1), TOTALS))
    assert totals_of(database, campaign_id).schedules == 0


@pytest.mark.parametrize("first_block", [0, 1, 3, 4, 7])
@pytest.mark.parametrize("done", [False, True])
def test_a_block_is_leased_once(database, campaign_id, first_block, done):
    lease = begin(database, campaign_id, 4, blocks=4)
    if done:
        complete(database, lease)
    assert (begin(database, campaign_id, first_block) is not None) == (first_block == 0)
    balance(database, campaign_id)


def test_a_lease_that_outlives_its_campaign_changes_nothing(database, campaign_id, now):
    lease = begin(database, campaign_id, 0)
    with database.write() as session:
        finish_campaign(session, campaign_id, CampaignState.FINISHED, ending="done", now=now)
    assert not complete(database, lease)
    assert not begin(database, campaign_id, 8) and not give(database, campaign_id, 8)
    assert balance(database, campaign_id) == (0, 4, 0)
    assert ranges(database) == [(0, 4, LeaseState.FREE)]


@pytest.mark.parametrize("seed", range(3))
def test_done_blocks_leave_no_row_in_whatever_order_they_end(database, campaign_id, seed):
    leases = list(give(database, campaign_id, *[4] * 10))
    assert [each.key.first_block for each in leases] == list(range(0, 40, 4))
    random.Random(seed).shuffle(leases)
    for number, lease in enumerate(leases, 1):
        assert complete(database, lease) and not complete(database, lease)
        assert balance(database, campaign_id) == (4 * number, 40 - 4 * number, 0)
    assert ranges(database) == []


def test_a_gap_waits_to_be_executed(database, campaign_id):
    for first_block in (0, 8):
        complete(database, begin(database, campaign_id, first_block))
    assert ranges(database) == [(4, 4, LeaseState.FREE)]
    middle = begin(database, campaign_id, 5, blocks=2)
    assert ranges(database) == [
        (4, 1, LeaseState.FREE),
        (5, 2, LeaseState.HELD),
        (7, 1, LeaseState.FREE),
    ]
    complete(database, middle)
    assert balance(database, campaign_id) == (10, 2, 0)


def test_what_was_let_go_is_given_out_first_and_in_parts(database, campaign_id):
    (lost,) = give(database, campaign_id, 10)
    assert lose(database, lost, blamed=False) == ()
    again = give(database, campaign_id, 4, 8)
    assert [(each.key.first_block, each.blocks) for each in again] == [(0, 4), (10, 8)]
    rest = give(database, campaign_id, 100)
    assert [(each.key.first_block, each.blocks) for each in rest] == [(4, 6)]
    assert not complete(database, lost), "its token is another than that of the new lease"
    assert all(complete(database, each) for each in (*again, *rest))
    assert balance(database, campaign_id) == (18, 0, 0)


def test_no_more_blocks_are_given_than_the_campaign_has(database, campaign_id):
    with database.write() as session:
        session.get_one(CampaignRow, campaign_id).blocks_max = 10
    leases = give(database, campaign_id, 4, 4, 4, 4)
    assert [(each.key.first_block, each.blocks) for each in leases] == [(0, 4), (4, 4), (8, 2)]
    assert give(database, campaign_id, 1) == ()


def test_many_leases_end_at_once_and_each_counts_once(database, campaign_id, now):
    with database.write() as session:
        other = start_campaign(session, CampaignPlan("a1", "uniform", 2, "1", "{}"), now=now)
    leases = [*give(database, campaign_id, *[1] * 30), *give(database, other, *[2] * 20)]
    reports = [Completion(each.key, TOTALS) for each in leases for _ in range(2)]
    random.Random(1).shuffle(reports)
    stale = Completion(LeaseKey(other, 4, 999), TOTALS)
    with database.write() as session:
        assert complete_leases(session, [*reports[:70], stale]) == {
            each.key for each in reports[:70]
        }
    with database.write() as session:
        complete_leases(session, reports)
    for campaign, count in ((campaign_id, 30), (other, 20)):
        totals = totals_of(database, campaign)
        assert totals.steps == count * 2**64 and totals.site_counts == {"count < 0": 3 * count}
        assert totals.outcomes == {"ok": count * (2**62 - 3), "violation": 3 * count}
    assert balance(database, other) == (40, 0, 0)


def test_a_range_that_is_blamed_three_times_is_quarantined(database, campaign_id):
    (poison, _) = give(database, campaign_id, 3, 3)
    for attempt in (1, 2):
        assert lose(database, poison, error=f"signal {attempt}") == ()
        (poison,) = give(database, campaign_id, 3)
        assert poison.attempt == attempt + 1
    # Not to be blamed costs no attempt.
    assert lose(database, poison, blamed=False) == ()
    (poison,) = give(database, campaign_id, 3)
    found = QuarantinedRange(campaign_id, 0, 3, 3, "core 0", "signal 11", NOW)
    assert lose(database, poison) == (found,)
    assert lose(database, poison) == () and not complete(database, poison)
    with database.read() as session:
        assert quarantined_ranges(session, campaign_id) == (found,)
    assert balance(database, campaign_id) == (0, 3, 3)
    assert begin(database, campaign_id, 0, blocks=3) is None


def test_overdue_leases_are_known_unless_they_are_renewed(database, campaign_id):
    soon, late = NOW + timedelta(seconds=9), NOW + timedelta(seconds=99)
    first, second = give(database, campaign_id, 1, 1, deadline=soon)
    with database.write() as session:
        renew_leases(session, [second.key], deadline=late)
    with database.read() as session:
        assert held_leases(session) == held_leases(session, campaign_id=campaign_id)
        assert held_leases(session) == (first, second)
        assert held_leases(session, overdue_at=NOW + timedelta(seconds=10)) == (first,)
        assert held_leases(session, overdue_at=soon) == ()


def test_a_new_leader_lets_go_of_what_those_before_gave_out(database, campaign_id):
    (old,) = give(database, campaign_id, 5, epoch=3)
    (own,) = give(database, campaign_id, 5, epoch=4)
    with database.write() as session:
        free_leases_before(session, 4)
    assert not complete(database, old) and complete(database, own)
    (again,) = give(database, campaign_id, 5, epoch=4)
    assert again.key.first_block == 0 and again.attempt == 1
    assert complete(database, again)
    assert balance(database, campaign_id) == (10, 0, 0)


def test_leases_of_two_campaigns_do_not_meet(database, campaign_id, now):
    plan = CampaignPlan("a1", "uniform", 2, "1", "{}")
    with database.write() as session:
        other = start_campaign(session, plan, now=now)
    lease = begin(database, campaign_id, 0)
    assert begin(database, other, 0)
    complete(database, lease)
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
            lease = begin_lease(
                session, campaign_id, first_block=block, blocks=1, worker="w", now=NOW
            )
            if lease is not None:
                totals = replace(TOTALS, coverage=coverage)
                complete_lease(session, Completion(lease.key, totals))
    with database.read() as session:
        assert campaign_totals(session, campaign_id).coverage == first + second == second + first


def test_states_that_an_earlier_gracefuzz_stored_are_kept(database, campaign_id):
    old, new = StatesSeen.of(np.array([7, 8], np.uint64)), shown(8, 9, block=0)
    with database.write() as session:
        session.add(StatesSeenRow(campaign_id=campaign_id, kept=old.kept))
    with database.read() as session:
        assert campaign_totals(session, campaign_id).coverage == Coverage(states=old)
    complete(database, begin(database, campaign_id, 0), replace(TOTALS, coverage=new))
    with database.read() as session:
        found = campaign_totals(session, campaign_id).coverage
    assert found.states == old + new.states and found.pairs == new.pairs
