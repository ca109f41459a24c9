"""What can go wrong that is not our mistake, said in plain sentences.

Each message says what was given, the rule, and the way out, so that the command line prints it as
it stands. What SQLite reports is translated by its own words, because that is the part of a
database error which the two builds of SQLite that we accept have in common; PostgreSQL has codes,
but for what goes wrong before a connection stands.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, OperationalError


class StorageError(Exception):
    """The database cannot do what was asked; the message is for the person who asked."""


class UnknownProgram(StorageError):
    """No program is stored under this IR hash."""


class UnknownCampaign(StorageError):
    """No campaign has this number."""


class UnknownFailure(StorageError):
    """No failure has this number."""


class LifeError(StorageError):
    """What was asked of a failure does not fit its state."""


class BaselineError(StorageError):
    """There is no such baseline, or it cannot be read."""


class WebhookError(StorageError):
    """A webhook cannot be used as it was given."""


class CampaignBusy(StorageError):
    """Another process coordinates the campaign."""


class NotResumable(StorageError):
    """The campaign cannot go on: it is of another kind or program, or nothing is left to do."""


# What SQLite says -> what it means for this file, and the way out.
_SENTENCES = {
    "disk is full": (
        "the disk is full; nothing of the last transaction was stored",
        "free some space and start again: what was stored before is intact",
    ),
    "disk I/O error": (
        "the disk refused to read or write; nothing of the last transaction was stored",
        "check the disk, its quota and its limits on file size",
    ),
    "readonly database": (
        "the file, or its folder, may not be written",
        "give a path that this user may write, or change the permissions",
    ),
    "unable to open database file": (
        "the file cannot be opened or created",
        "give a path in a folder that this user may write",
    ),
    "database is locked": (
        "another process kept it locked for too long",
        "find the process that holds it open, or give another path",
    ),
    "not a database": (
        "it is a file of another kind, not an SQLite database",
        "give the path of a gracefuzz database, or of a file that does not exist yet",
    ),
    "malformed": (
        "the database is damaged",
        "restore it from a backup, or give the path of a new file",
    ),
}


# The beginning of a SQLSTATE, and the same of PostgreSQL.
_CODES = {
    "53100": (
        "the disk of its server is full; nothing of the last transaction was stored",
        "free some space there and start again: what was stored before is intact",
    ),
    "53300": (
        "its server has no connection left",
        "close what else uses it, or raise max_connections",
    ),
    "25006": (
        "it may not be written: the transaction, or the server, only reads",
        "give a server that is no standby, or change default_transaction_read_only",
    ),
    "42501": (
        "this user may not do that there",
        "ask its owner to GRANT what is missing, or give another user",
    ),
    "55P03": (
        "another process kept its rows locked for too long",
        "find the process that holds them: SELECT * FROM pg_stat_activity",
    ),
    "58": (
        "the disk of its server refused to read or write",
        "see the server's log; what was stored before is intact once it is up again",
    ),
    "40": (
        "another transaction was in the way; nothing of this one was stored",
        "start again: what was stored before is intact",
    ),
}
# What libpq and the server say before a connection stands.
_CONNECTING = {
    "password authentication failed": (
        "its server does not accept this user and password",
        "correct the URL, PGPASSWORD or ~/.pgpass",
    ),
    "no password supplied": (
        "its server asks for a password",
        "give it in PGPASSWORD, in ~/.pgpass or in the URL",
    ),
    "does not exist": (
        "its server has no such database, or no such user",
        "correct the URL, or create it: createdb",
    ),
    "too many clients": _CODES["53300"],
    "remaining connection slots": _CODES["53300"],
    "no pg_hba.conf entry": (
        "its server does not let this user in from here",
        "add a line to its pg_hba.conf, or give another user",
    ),
}
_UNREACHABLE = (
    "its server cannot be reached, or ended the connection",
    "is it up, at this host and port? What was stored before is intact: start again when it is",
)


def sentence_for(error: DBAPIError, name: str) -> str | None:
    """Say what `error` means for the database called `name`; None when that is not to blame."""
    known = _meaning(error)
    if known is None:
        return None
    meaning, way_out = known
    return f"cannot use the database {name}: {meaning}\n    {way_out}"


def _meaning(error: DBAPIError) -> tuple[str, str] | None:
    said = str(error.orig)
    if not hasattr(error.orig, "sqlstate"):
        return next((meant for words, meant in _SENTENCES.items() if words in said), None)
    code = getattr(error.orig, "sqlstate", None) or ""
    meant = next((meant for begin, meant in _CODES.items() if code.startswith(begin)), None)
    if meant is None and isinstance(error, OperationalError):
        # 08: the connection; 57: the server goes down, or is not up yet; 28, 3D: who asked, and
        # for what; 58: its disk. None of these is a mistake in our words to it.
        meant = next((meant for words, meant in _CONNECTING.items() if words in said), _UNREACHABLE)
    return meant


@contextmanager
def explained(name: str) -> Iterator[None]:
    """Turn what a database says of itself, the one called `name`, into a `StorageError`.

    A constraint that does not hold, or SQL that is wrong, is our mistake and passes unchanged.
    """
    try:
        yield
    except DBAPIError as error:
        sentence = sentence_for(error, name)
        if sentence is None:
            raise
        raise StorageError(sentence) from error
