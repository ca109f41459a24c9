"""`gracefuzz fuzz --again`: what a campaign has executed, once more."""

from dataclasses import replace

import typer

from model.program import Program
from storage.campaigns import CampaignSummary, get_campaign
from storage.leases import executed_blocks
from storage.portfolio import turns_of
from storage.session import Database, open_database
from storage.tables import CampaignKind
from workers.orders import Order
from workers.progress import Ending
from workers.starting import Wish


def wish_again(wish: Wish, program: Program) -> Wish:
    """The wish with what the earlier campaign settled: scheduler, seed, failures passed over.

    Raises UnknownCampaign, and BadParameter where that campaign was of something else.
    """
    assert wish.again is not None
    with open_database(wish.database) as database:
        earlier = _campaign(database, wish.again, program)
    return replace(
        wish,
        scheduler=earlier.plan.scheduler,
        seed=earlier.plan.root_seed,
        excluded_failures=earlier.plan.excluded_failures,
        seconds=None,
    )


def order_again(order: Order, database: Database, campaign_id: int) -> Order:
    """To execute the same blocks, each by the scheduler that had it. Raises as `wish_again`."""
    _campaign(database, campaign_id, order.program)
    with database.read() as session:
        blocks, turns = executed_blocks(session, campaign_id), turns_of(session, campaign_id)
    if not blocks:
        raise typer.BadParameter(f"campaign {campaign_id} has executed nothing")
    return replace(order, blocks=blocks, turns=turns, ending=Ending.AGAIN_DONE)


def _campaign(database: Database, campaign_id: int, program: Program) -> CampaignSummary:
    with database.read() as session:
        earlier = get_campaign(session, campaign_id)
    if earlier.plan.kind is not CampaignKind.FUZZ:
        raise typer.BadParameter(f"campaign {campaign_id} does not fuzz: it cannot be done again")
    if earlier.plan.program_ir_hash != program.hash:
        raise typer.BadParameter(
            f"campaign {campaign_id} was of {earlier.program_name}, in other steps than these\n"
            "    give its parameters, and the source as it was"
        )
    return earlier
