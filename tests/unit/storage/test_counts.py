"""Counts are exact past 2^64 on both databases, also where the database adds them."""

import pytest
from sqlalchemy import select, update

from storage.columns import exact_add, exact_sum
from storage.ledger_tables import EventRow, SettingRow
from storage.tables import CampaignRow, SiteCountRow

LARGE = 2**200 + 7


def test_sql_adds_counts_exactly(database, campaign_id):
    with database.write() as session:
        session.execute(update(CampaignRow).values(steps=2**64 - 1))
        added = exact_add(CampaignRow.steps, 1)
        session.execute(update(CampaignRow).values(steps=added, schedules=added))
        session.execute(update(CampaignRow).values(steps=exact_add(CampaignRow.steps, LARGE)))
    with database.read() as session:
        row = session.get_one(CampaignRow, campaign_id)
        assert (row.schedules, row.steps) == (2**64, 2**64 + LARGE)
        assert session.scalar(select(exact_add(row_steps(), row_steps()))) == 2 * row.steps


def row_steps():
    return CampaignRow.steps


def test_sql_sums_a_column_exactly(database, campaign_id):
    counts = [2**64, LARGE, 0, 10**79]
    with database.write() as session:
        session.add_all(
            SiteCountRow(campaign_id=campaign_id, site=f"site {number}", count=count)
            for number, count in enumerate(counts)
        )
    with database.read() as session:
        assert session.scalar(select(exact_sum(SiteCountRow.count))) == sum(counts)
        none = select(exact_sum(SiteCountRow.count)).where(SiteCountRow.site == "none")
        assert session.scalar(none) == 0


@pytest.mark.parametrize(
    "document", [None, True, 1, "µ\u2028", [], {"b": [1, {"a": None}], "a": 2.5, "counts": "7"}]
)
def test_documents_come_back_as_they_were(database, now, document):
    with database.write() as session:
        session.add(SettingRow(name="x", value=document, changed_at=now, changed_by="me"))
        session.add(EventRow(at=now, actor="me", kind="changed", details=document))
    with database.read() as session:
        assert session.get_one(SettingRow, "x").value == document
        assert session.scalars(select(EventRow)).one().details == document
