"""Whether a database is fit for use: what `gracefuzz doctor` asks, beside `storage.maintenance`.

Nothing is changed: what is written to see whether it can be is rolled back.
"""

from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import DateTime, delete, func, insert, select

from storage.errors import explained
from storage.ledger_tables import SettingRow
from storage.locations import SqliteFile, locate
from storage.maintenance import engine_at

BROKEN_MAX = 5


def check_writable(location: str | Path) -> None:
    """Write a row and take it back. Raises StorageError where that is refused."""
    place = locate(location)
    now = datetime.now(UTC)
    row = {"name": "doctor", "value": None, "changed_at": now, "changed_by": "doctor"}
    with explained(place.shown), engine_at(place) as engine, engine.connect() as connection:
        connection.execute(delete(SettingRow).where(SettingRow.name == "doctor"))
        connection.execute(insert(SettingRow).values(**row))
        connection.rollback()


def broken_parts(location: str | Path) -> list[str]:
    """What SQLite finds wrong in a file, the first few; reads all of it. A server checks itself."""
    place = locate(location)
    if not isinstance(place, SqliteFile):
        return []
    with explained(place.shown), engine_at(place) as engine:
        reading = engine.execution_options(gracefuzz_begin="BEGIN")
        with reading.connect() as connection:
            said = connection.exec_driver_sql(f"PRAGMA integrity_check({BROKEN_MAX})").scalars()
            found = [line for line in said if line != "ok"]
            loose = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchmany(BROKEN_MAX)
    return found + [f"row {row[1]} of {row[0]} refers to nothing in {row[2]}" for row in loose]


def clock_skew_seconds(location: str | Path) -> float | None:
    """The server's clock minus ours, to some milliseconds; None for a file, which has none."""
    place = locate(location)
    if isinstance(place, SqliteFile):
        return None
    with explained(place.shown), engine_at(place) as engine, engine.connect() as connection:
        asked = select(func.clock_timestamp(type_=DateTime(timezone=True)))
        # The first answer includes connecting.
        connection.execute(asked).scalar_one()
        before = datetime.now(UTC)
        theirs = connection.execute(asked).scalar_one()
        after = datetime.now(UTC)
    return (theirs - before).total_seconds() - (after - before).total_seconds() / 2
