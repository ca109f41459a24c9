"""Which process coordinates a campaign: a lock that the system lets go when the process dies.

A row can say that a campaign is running; it cannot say that the process which wrote that was killed
since. So whoever coordinates a campaign holds a lock on an empty file beside the database, and
whoever reads the row asks for the lock. No clock is needed, and nothing that a kill could skip.
"""

import fcntl
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

from storage.campaigns import CampaignSummary
from storage.errors import CampaignBusy, StorageError
from storage.tables import CampaignState

# A reader holds the lock for an instant when it asks whether anybody does.
READERS_SECONDS_MAX = 1.0
LOST = "its coordinator ended without a word; what it had stored is kept"


@dataclass(frozen=True, slots=True)
class Claim:
    """The lock of one campaign, held by this process until it is released, or ends."""

    path: Path
    _descriptor: int

    def release(self) -> None:
        """Let go and remove the file, once."""
        self.path.unlink(missing_ok=True)
        os.close(self._descriptor)


def claim(database: Path, campaign_id: int) -> Claim:
    """Become the coordinator of a campaign.

    Raises `CampaignBusy` where another process is, and `StorageError` where locking is impossible.
    """
    path = _path(database, campaign_id)
    deadline = time.monotonic() + READERS_SECONDS_MAX
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise StorageError(
                f"cannot use the database {database}: {error.strerror} for {path}\n"
                "    give a path in a folder that this user may write"
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_still_at(path, descriptor):
                return Claim(path, descriptor)
            os.close(descriptor)
        except BlockingIOError as error:
            os.close(descriptor)
            if time.monotonic() > deadline:
                raise CampaignBusy(
                    f"campaign {campaign_id} is being executed by another process\n"
                    "    wait until it has ended, or stop it with Ctrl-C or SIGTERM"
                ) from error
            time.sleep(0.01)


def is_claimed(database: Path, campaign_id: int) -> bool:
    """Whether some process, this one included, coordinates the campaign now."""
    try:
        descriptor = os.open(_path(database, campaign_id), os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def observed(database: Path, campaign: CampaignSummary) -> CampaignSummary:
    """The campaign as it really stands: one that runs without a coordinator was interrupted."""
    if campaign.state is CampaignState.RUNNING and not is_claimed(database, campaign.campaign_id):
        return replace(campaign, state=CampaignState.INTERRUPTED, ending=LOST)
    return campaign


def _path(database: Path, campaign_id: int) -> Path:
    return database.with_name(f"{database.name}-coordinator-{campaign_id}")


def _is_still_at(path: Path, descriptor: int) -> bool:
    """False where whoever held the lock before has removed the file that was locked here."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False
