"""Checkpoints: plain arrays in a file that is whole or not there.

A checkpoint is written under another name, reaches the disk, and only then gets its own. Its row
names the file and its checksum, so that a file which is not the one that was written is refused.
"""

import hashlib
import os
import secrets
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from storage.errors import StorageError

Arrays = Mapping[str, NDArray[np.generic]]
SUFFIX = ".checkpoint"


class CheckpointError(StorageError):
    """A checkpoint cannot be written, or is not what was written; the message says which."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A file, absolute or seen from the database's folder, and the SHA-256 of its bytes."""

    file: str
    sha256: str


def write_checkpoint(
    folder: Path, campaign_id: int, arrays: Arrays, *, database: Path
) -> Checkpoint:
    """Write the arrays to a new file, and to the disk, before it gets its name.

    Raises `CheckpointError` where the system refuses; what was there before is untouched.
    """
    path = folder.absolute() / f"campaign-{campaign_id}-{secrets.token_hex(4)}{SUFFIX}"
    unfinished = path.with_suffix(".unfinished")
    try:
        folder.mkdir(exist_ok=True)
        with unfinished.open("w+b") as file:
            np.savez(file, allow_pickle=False, **dict(arrays))
            file.flush()
            os.fsync(file.fileno())
            file.seek(0)
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        unfinished.rename(path)
        _to_disk(path.parent)
    except OSError as error:
        raise CheckpointError(
            f"cannot write a checkpoint to {folder}: {error.strerror}\n"
            "    free some space, or give another folder with --checkpoint"
        ) from error
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
    inside = path.is_relative_to(database.parent)
    return Checkpoint(str(path.relative_to(database.parent) if inside else path), sha256)


def read_checkpoint(checkpoint: Checkpoint, *, database: Path) -> dict[str, NDArray[np.generic]]:
    """The arrays of a checkpoint. Raises `CheckpointError` where it is missing or damaged."""
    path = path_of(checkpoint, database=database)
    try:
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != checkpoint.sha256:
                raise CheckpointError(
                    f"the checkpoint {path} is damaged: it is not the file that was written\n"
                    "    restore it from a backup, or verify from the beginning"
                )
            file.seek(0)
            with np.load(file, allow_pickle=False) as arrays:
                return {name: arrays[name] for name in arrays.files}
    except (OSError, zipfile.BadZipFile) as error:
        raise CheckpointError(
            f"cannot read the checkpoint {path}: {getattr(error, 'strerror', None) or error}\n"
            "    put it back where it was, or verify from the beginning"
        ) from error


def remove_checkpoints(folder: Path, campaign_id: int, *, but: Path | None) -> None:
    """Remove a campaign's files but one: what a kill left behind, and what is replaced."""
    for path in folder.glob(f"campaign-{campaign_id}-*"):
        if path.suffix in (SUFFIX, ".unfinished") and path != but:
            with suppress(OSError):
                path.unlink()


def path_of(checkpoint: Checkpoint, *, database: Path) -> Path:
    """Where the file is: it may have moved together with its database."""
    return database.parent / checkpoint.file


def _to_disk(folder: Path) -> None:
    """A new name is on the disk when the folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
