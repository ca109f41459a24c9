"""The runbook's upkeep, as it is written there, on both databases and with data."""

import json
import subprocess
from pathlib import Path

import pytest

from service.cli import execute
from storage.session import open_database
from tests.deploy.tools import DEPLOY
from tests.repository.tree import ROOT
from workers.postgresql_server import binaries

pytestmark = pytest.mark.slow
GUIDE = (DEPLOY / "README.md").read_text()


@pytest.fixture(params=["sqlite", "postgresql"])
def location(request, tmp_path):
    """A database in which a campaign has found something."""
    if request.param == "sqlite":
        where = str(tmp_path / "gracefuzz.db")
    else:
        where = request.getfixturevalue("postgresql_url")
    budget = ["--schedules", "3000", "--workers", "0", "--db", where]
    assert execute(["fuzz", str(ROOT / "tests" / "lost_update.py"), *budget]) == 1
    return where


def told(capsys, *arguments):
    capsys.readouterr()
    assert execute([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def stored(capsys, location):
    """What a person would miss: failures with their interleavings, campaigns with their totals."""
    return (
        told(capsys, "failures", "show", "1", "--db", location),
        told(capsys, "campaigns", "show", "1", "--db", location),
    )


def restore(location: str, backup: Path) -> None:
    """The words of the runbook, as commands."""
    if location.startswith("postgresql"):
        assert "pg_restore --clean --if-exists --dbname URL FILE" in GUIDE
        folder = binaries()
        assert folder is not None
        command = [folder / "pg_restore", "--clean", "--if-exists", "--dbname", location, backup]
        subprocess.run(command, check=True, capture_output=True)
        return
    assert "put the file in place of the old one (and remove `-wal` and\n`-shm` beside it)" in GUIDE
    Path(location).write_bytes(backup.read_bytes())
    for ending in ("-wal", "-shm"):
        Path(location + ending).unlink(missing_ok=True)


def test_what_is_lost_after_a_backup_is_restored(location, tmp_path, capsys):
    before = stored(capsys, location)
    backup = tmp_path / "monday"
    assert execute(["db", "backup", str(backup), "--db", location]) == 0
    assert execute(["failures", "note", "1", "too late", "--db", location]) == 0
    assert execute(["failures", "status", "1", "invalid", "--why", "x", "--db", location]) == 0
    assert stored(capsys, location) != before
    restore(location, backup)
    assert execute(["db", "current", "--db", location]) == 0
    assert stored(capsys, location) == before
    # And it is a database that works, not only one that can be read.
    assert execute(["failures", "replay", "1", "--db", location]) == 0
    assert execute(["failures", "note", "1", "after the restore", "--db", location]) == 0


def test_rolling_back_and_upgrading_keep_what_was_found(location, capsys):
    before = stored(capsys, location)
    assert execute(["db", "downgrade", "0008", "--yes", "--db", location]) == 0
    capsys.readouterr()
    assert execute(["db", "current", "--db", location]) == 3
    assert execute(["db", "upgrade", "--db", location]) == 0
    after = stored(capsys, location)
    for kept in ("fingerprint", "sentence", "schedule", "proof"):
        assert after[0][kept] == before[0][kept]
    assert after[1]["schedules"] == before[1]["schedules"] != "0"


def test_a_revoked_token_is_replaced_by_a_second_name(tmp_path, capsys):
    where = str(tmp_path / "tokens.db")
    for name, digit in (("prometheus", "a"), ("prometheus-2", "b")):
        (tmp_path / name).write_text("gracefuzz_" + digit * 64)
        make = ["token", "create", name, "--secret-file", str(tmp_path / name), "--db", where]
        assert execute(make) == 0
    assert execute(["token", "revoke", "prometheus", "--db", where]) == 0
    valid = {
        each["name"]
        for each in told(capsys, "token", "list", "--db", where)
        if not each["revoked_at"]
    }
    assert valid == {"prometheus-2"}
    with open_database(where) as database:
        assert not database.is_server
