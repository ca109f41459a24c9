"""Turns are stored once, count with their leases, and tell who had a block."""

from model.schedulers.portfolio import Gains, Turn
from storage.portfolio import add_to_turn, begin_turn, scheduler_of_block, turns_of

GAINS = Gains(2, 2**63, 2**65, 3, 512, 4, 5, 6)


def test_turns_come_back_with_what_their_blocks_have_shown(database, campaign_id):
    with database.write() as session:
        for turn in (Turn(0, 1, "surw"), Turn(1, 4, "pos"), Turn(1, 4, "pos")):
            begin_turn(session, campaign_id, turn)
    with database.write() as session:
        add_to_turn(session, campaign_id, first_block=3, gains=GAINS)
    with database.write() as session:
        add_to_turn(session, campaign_id, first_block=1, gains=GAINS)
    with database.read() as session:
        assert turns_of(session, campaign_id) == (
            Turn(0, 1, "surw"),
            Turn(1, 4, "pos", GAINS + GAINS),
        )
        assert turns_of(session, campaign_id + 1) == ()


def test_a_block_has_the_scheduler_of_its_turn(database, campaign_id):
    with database.write() as session:
        begin_turn(session, campaign_id, Turn(0, 1, "surw"))
        begin_turn(session, campaign_id, Turn(1, 4, "pos"))
    with database.read() as session:
        found = [scheduler_of_block(session, campaign_id, n, otherwise="urw") for n in (0, 1, 4)]
        assert found == ["surw", "pos", "pos"]
        assert scheduler_of_block(session, campaign_id + 1, 0, otherwise="urw") == "urw"
