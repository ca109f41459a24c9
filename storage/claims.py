"""Which process coordinates a campaign: a lock that the system lets go when the process dies.

A row can say that a campaign is running; it cannot say that the process which wrote that was killed
since. So whoever coordinates a campaign holds a lock on an empty file beside the database, and
whoever reads the row asks for the lock. On a server it is an advisory lock of a connection that
serves nothing else. No clock is needed, and nothing that a kill could skip.
"""

import fcntl
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from storage.campaigns import CampaignSummary
from storage.errors import CampaignBusy, StorageError
from storage.schema import LOCKS, lock_number
from storage.session import Database
from storage.tables import CampaignState

# A reader holds the lock for an instant when it asks whether anybody does.
READERS_SECONDS_MAX = 1.0
LOST = "its coordinator ended without a word; what it had stored is kept"


@dataclass(frozen=True, slots=True)
class Claim:
    """The lock of one campaign, held by this process until it is released, or ends."""

    release: Callable[[], None]


def claim(database: Database, campaign_id: int) -> Claim:
    """Become the coordinator of a campaign.

    Raises `CampaignBusy` where another process is, and `StorageError` where locking is impossible.
    """
    take = _take_on_server if database.is_server else _take_file
    deadline = time.monotonic() + READERS_SECONDS_MAX
    while True:
        release = take(database, campaign_id)
        if release is not None:
            return Claim(release)
        if time.monotonic() > deadline:
            raise CampaignBusy(
                f"campaign {campaign_id} is being executed by another process\n"
                "    wait until it has ended, or stop it with Ctrl-C or SIGTERM"
            )
        time.sleep(0.01)


def is_claimed(database: Database, campaign_id: int) -> bool:
    """Whether some process, this one included, coordinates the campaign now."""
    if database.is_server:
        return _is_taken_on_server(database, campaign_id)
    try:
        descriptor = os.open(_path(database.path, campaign_id), os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def observed(database: Database, campaign: CampaignSummary) -> CampaignSummary:
    """The campaign as it really stands: one that runs without a coordinator was stopped.

    One for the coordinator of all campaigns goes on when that comes back.
    """
    if campaign.plan.is_queued:
        return campaign
    if campaign.state is CampaignState.RUNNING and not is_claimed(database, campaign.campaign_id):
        return replace(campaign, state=CampaignState.STOPPED, ending=LOST)
    return campaign


def _take_on_server(database: Database, campaign_id: int) -> Callable[[], None] | None:
    """The advisory lock, on a connection that is taken out of the pool; None where it is held."""
    number = {"number": lock_number(campaign_id)}
    with database.alone() as engine:
        connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        try:
            query = text("SELECT pg_try_advisory_lock(:number)")
            taken = connection.execute(query, number).scalar_one()
        except BaseException:
            connection.close()
            raise
        if not taken:
            connection.close()
            return None
        connection.detach()

    def release() -> None:
        # Closing the connection lets go; one that the server has closed let go before.
        with suppress(DBAPIError):
            connection.close()

    return release


def _is_taken_on_server(database: Database, campaign_id: int) -> bool:
    query = text(
        "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database "
        "WHERE locktype = 'advisory' AND granted AND datname = current_database() "
        "AND classid = :locks AND objid = :number AND objsubid = 1"
    )
    with database.read() as session:
        found = session.scalar(query, {"locks": LOCKS, "number": campaign_id})
    return bool(found)


def _take_file(database: Database, campaign_id: int) -> Callable[[], None] | None:
    """The lock of a file beside the database; None where it is held."""
    path = _path(database.path, campaign_id)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise StorageError(
            f"cannot use the database {database.name}: {error.strerror} for {path}\n"
            "    give a path in a folder that this user may write"
        ) from error
    with suppress(BlockingIOError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _is_still_at(path, descriptor):

            def release() -> None:
                path.unlink(missing_ok=True)
                os.close(descriptor)

            return release
    os.close(descriptor)
    return None


def _path(database: Path, campaign_id: int) -> Path:
    return database.with_name(f"{database.name}-coordinator-{campaign_id}")


def _is_still_at(path: Path, descriptor: int) -> bool:
    """False where whoever held the lock before has removed the file that was locked here."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False
