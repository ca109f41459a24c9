"""A checkpoint is whole or not there, and what is not what was written is refused."""

import resource
import shutil

import numpy as np
import pytest

from storage.checkpoints import (
    CheckpointError,
    path_of,
    read_checkpoint,
    remove_checkpoints,
    write_checkpoint,
)

ARRAYS = {"table": np.arange(5000, dtype=np.uint64).reshape(-1, 2), "numbers": np.array([1, 2])}


@pytest.fixture
def location(tmp_path):
    """Checkpoints are files, whatever the database."""
    return str(tmp_path / "found.db")


def write(folder, database, arrays=None):
    return write_checkpoint(folder, 7, arrays or ARRAYS, database=database.path)


def test_what_is_read_is_what_was_written(database, tmp_path):
    checkpoint = write(tmp_path / "new", database)
    read = read_checkpoint(checkpoint, database=database.path)
    assert read.keys() == ARRAYS.keys()
    assert all((read[name] == array).all() for name, array in ARRAYS.items())
    assert [path.suffix for path in (tmp_path / "new").iterdir()] == [".checkpoint"]


def test_a_checkpoint_moves_with_its_database(database, tmp_path):
    checkpoint = write(tmp_path / "kept", database)
    moved = tmp_path / "elsewhere"
    shutil.copytree(tmp_path / "kept", moved / "kept")
    assert path_of(checkpoint, database=moved / "found.db").parent == moved / "kept"
    assert read_checkpoint(checkpoint, database=moved / "found.db").keys() == ARRAYS.keys()


def test_a_damaged_checkpoint_is_refused(database, tmp_path):
    checkpoint = write(tmp_path / "kept", database)
    path = path_of(checkpoint, database=database.path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="is damaged: it is not the file that was written"):
        read_checkpoint(checkpoint, database=database.path)
    path.unlink()
    with pytest.raises(CheckpointError, match=r"cannot read the checkpoint .*No such file"):
        read_checkpoint(checkpoint, database=database.path)


def test_a_disk_that_refuses_leaves_nothing_behind_and_what_was_there(database, tmp_path):
    before = write(tmp_path / "kept", database)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        with pytest.raises(CheckpointError, match=r"cannot write a checkpoint to .*File too large"):
            write(tmp_path / "kept", database)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list((tmp_path / "kept").iterdir()) == [path_of(before, database=database.path)]
    assert read_checkpoint(before, database=database.path).keys() == ARRAYS.keys()


def test_what_a_kill_left_behind_is_removed_with_what_is_replaced(database, tmp_path):
    folder = tmp_path / "kept"
    kept = write(folder, database)
    write(folder, database)
    (folder / "campaign-7-00.unfinished").touch()
    others = [folder / "campaign-70-00.checkpoint", folder / "notes.txt"]
    for path in others:
        path.touch()
    path = path_of(kept, database=database.path)
    remove_checkpoints(folder, 7, but=path)
    assert sorted(folder.iterdir()) == sorted([path, *others])
