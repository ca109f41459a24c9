"""A database with one program and one running campaign, as most tests of `storage` need."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from storage.campaigns import CampaignPlan, start_campaign
from storage.programs import ProgramRecord, record_program
from storage.session import Database, open_database

PROGRAM = ProgramRecord(
    ir_hash="a1", name="thp_split", parameters="{}", ir='{"version": 1}', source="@program()"
)
PLAN = CampaignPlan(
    program_ir_hash="a1",
    scheduler="uniform",
    root_seed=1,
    engine_revision="1",
    budget='{"schedules": "1000"}',
)


@pytest.fixture
def now() -> datetime:
    return datetime(2011, 8, 19, 7, 48, 59, 123456, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "postgresql"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a database with our tables is, or will be: every test here is one of both kinds."""
    if request.param == "sqlite":
        return str(tmp_path / "found.db")
    return str(request.getfixturevalue("postgresql_url"))


@pytest.fixture
def database(location: str) -> Iterator[Database]:
    with open_database(location) as database:
        yield database


@pytest.fixture
def campaign_id(database: Database, now: datetime) -> int:
    with database.write() as session:
        record_program(session, PROGRAM, now=now)
        return start_campaign(session, PLAN, now=now)
