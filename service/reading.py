"""Opening a database to read what is there: one that does not exist yet is not made by looking."""

import json
from collections.abc import Sequence

from storage import locations
from storage.session import Database, open_database


def existing_database(location: str) -> Database:
    """Open a database that a campaign has made. Raises StorageError."""
    return open_database(location, create=False)


def pretty(document: object) -> str:
    """JSON as every command prints it."""
    return json.dumps(document, indent=2, ensure_ascii=False)


def option_for(database: str) -> str:
    """What to add to a suggested command so that it reads the same database, or service."""
    if database.startswith(("http://", "https://")):
        return f" --server {database}"
    return locations.option_for(database)


def columns(rows: Sequence[tuple[str, ...]], *, right: frozenset[int] = frozenset()) -> list[str]:
    """Rows below each other in columns two spaces apart; those in `right` are aligned right."""
    if not rows:
        return []
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return [
        "  ".join(
            text.rjust(width) if at in right else text.ljust(width)
            for at, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
