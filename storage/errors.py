"""What can go wrong that is not our mistake, said in plain sentences.

Each message says what was given, the rule, and the way out, so that the command line prints it as
it stands. What SQLite reports is translated by its own words, because that is the part of a
database error which the two builds of SQLite that we accept have in common.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy.exc import DBAPIError


class StorageError(Exception):
    """The database cannot do what was asked; the message is for the person who asked."""


class UnknownProgram(StorageError):
    """No program is stored under this IR hash."""


class UnknownCampaign(StorageError):
    """No campaign has this number."""


class UnknownFailure(StorageError):
    """No failure has this number."""


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


def sentence_for(error: DBAPIError, path: Path) -> str | None:
    """Say what `error` means for the database at `path`; None when it is no fault of the file."""
    said = str(error.orig)
    for words, (meaning, way_out) in _SENTENCES.items():
        if words in said:
            return f"cannot use the database {path}: {meaning}\n    {way_out}"
    return None


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what SQLite says about the file at `path` into a `StorageError`.

    A constraint that does not hold, or SQL that is wrong, is our mistake and passes unchanged.
    """
    try:
        yield
    except DBAPIError as error:
        sentence = sentence_for(error, path)
        if sentence is None:
            raise
        raise StorageError(sentence) from error
