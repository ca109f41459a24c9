"""Discovery curves: dense in the beginning, bounded for ever, exact past 2^63."""

from itertools import pairwise

from storage.campaigns import campaign_totals
from storage.curves import GROWTH, curve_of, note_point
from storage.tables import CampaignRow


def execute_to(database, campaign_id, blocks, *, now):
    """As if so many blocks were done by now, of 2^60 schedules each."""
    with database.write() as session:
        row = session.get_one(CampaignRow, campaign_id)
        row.next_block = row.blocks_done = blocks
        row.schedules, row.steps, row.violations = blocks << 60, blocks << 64, blocks
        session.flush()
        return note_point(session, campaign_id, now=now)


def test_each_point_is_a_sixteenth_further_than_the_last(database, campaign_id, now):
    for blocks in range(1, 200):
        execute_to(database, campaign_id, blocks, now=now)
    with database.read() as session:
        points = curve_of(session, campaign_id)
        assert campaign_totals(session, campaign_id).curve == points
    numbers = [point.blocks for point in points]
    assert numbers[: 2 * GROWTH] == list(range(1, 2 * GROWTH + 1))
    assert all(b == a + max(1, a // GROWTH) for a, b in pairwise(numbers))
    assert [(p.schedules, p.steps, p.violations) for p in points] == [
        (n << 60, n << 64, n) for n in numbers
    ]
    assert points[-1].schedules > 2**63


def test_a_campaign_of_2_to_the_63_blocks_has_few_points(database, campaign_id, now):
    blocks, points = 1, 0
    while blocks < 2**63:
        points += execute_to(database, campaign_id, blocks, now=now)
        blocks += max(1, blocks // GROWTH)
    assert points < 800
    with database.read() as session:
        assert len(curve_of(session, campaign_id)) == points
