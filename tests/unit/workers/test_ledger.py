"""Blocks are given out in order, once, again when lost, and not a fourth time."""

import pytest

from workers.ledger import BlockLedger, LeaseSize
from workers.shards import BlockRange


def test_blocks_are_given_out_in_order_without_gaps():
    ledger = BlockLedger()
    assert [ledger.take_new(size) for size in (1, 4, 2)] == [
        BlockRange(0, 1),
        BlockRange(1, 4),
        BlockRange(5, 2),
    ]


def test_a_ledger_with_an_end_gives_no_more():
    ledger = BlockLedger(next_block=7, stop_block=9)
    assert ledger.take_new(1) == BlockRange(7, 1)
    assert ledger.take_new(50) == BlockRange(8, 1)
    assert ledger.take_new(1) is None


def test_a_lost_range_comes_back_as_it_was():
    ledger = BlockLedger()
    lost = ledger.take_new(3)
    assert not ledger.lose(lost, blamed=True)
    assert ledger.take_again() == lost
    assert ledger.take_again() is None


def test_a_ledger_is_empty_when_nothing_is_left_to_give_out():
    ledger = BlockLedger(next_block=7, stop_block=8)
    assert not ledger.is_empty
    only = ledger.take_new(1)
    assert ledger.is_empty
    ledger.lose(only, blamed=True)
    assert not ledger.is_empty
    assert not BlockLedger().is_empty


def test_a_range_is_quarantined_when_it_killed_three_workers():
    ledger = BlockLedger()
    lost = ledger.take_new(3)
    assert [ledger.lose(lost, blamed=True) for _ in range(3)] == [False, False, True]
    assert ledger.quarantined == [lost]


def test_a_range_that_only_waited_is_not_blamed():
    ledger = BlockLedger()
    lost = ledger.take_new(3)
    assert not any(ledger.lose(lost, blamed=False) for _ in range(10))
    assert ledger.quarantined == []


@pytest.mark.parametrize("lease_seconds", [0.5, 2.0])
@pytest.mark.parametrize("seconds_per_block", [0.001, 0.025, 0.2, 3.0])
def test_leases_come_to_the_length_that_is_asked_for(seconds_per_block, lease_seconds):
    size = LeaseSize(lease_seconds)
    assert size.blocks == 1
    for _ in range(10):
        size.learn(BlockRange(0, size.blocks), seconds=size.blocks * seconds_per_block)
    assert size.blocks == max(1, round(lease_seconds / seconds_per_block))


def test_one_quick_lease_does_not_make_the_next_one_huge():
    size = LeaseSize(0.5)
    size.learn(BlockRange(0, 1), seconds=1e-9)
    assert size.blocks == 4


def test_the_last_lease_fits_into_the_time_that_is_left():
    size = LeaseSize(0.5)
    for _ in range(10):
        size.learn(BlockRange(0, size.blocks), seconds=size.blocks * 0.01)
    assert size.blocks == 50
    assert size.for_seconds(0.1, blocks_ahead=0) == 10
    assert size.for_seconds(0.1, blocks_ahead=4) == 6
    assert size.for_seconds(9.0, blocks_ahead=4) == 50
    # A worker that has nothing always gets a block; one that is busy gets none that is late.
    assert size.for_seconds(0.0, blocks_ahead=0) == 1
    assert size.for_seconds(0.0, blocks_ahead=4) == 0
