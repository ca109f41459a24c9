"""`gracefuzz doctor` as a person calls it, with a Ray that it starts and one that is not there."""

import json

import pytest

from storage.session import open_database
from tests.end_to_end.test_fuzz_command import gracefuzz

pytestmark = [pytest.mark.slow, pytest.mark.timeout(200)]


def test_all_is_well_here(tmp_path):
    database = tmp_path / "found.db"
    open_database(database).close()
    done = gracefuzz("doctor", "--db", database, "--json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["is_fine"]) == (0, True), done.stdout
    names = [check["name"] for check in document["checks"] if check["level"] != "wrong"]
    for name in ("python", "packages", "cpu", "/dev/shm", "sqlite", "database", "writing"):
        assert name in names
    assert {"integrity", "ray auth", "ray"} <= {*names}
    assert any(name.startswith("node ") for name in names)


def test_a_cluster_that_is_not_there_is_wrong_and_has_a_remedy(tmp_path, monkeypatch):
    monkeypatch.setenv("RAY_AUTH_TOKEN", "f" * 64)
    database = tmp_path / "found.db"
    done = gracefuzz("doctor", "--db", database, "--address", "127.0.0.1:1")
    assert done.returncode == 3
    assert "wrong  ray " in done.stdout and "nothing answers there" in done.stdout
    assert "is its head up" in done.stdout
    assert "1 of " in done.stderr and "Traceback" not in done.stderr
    assert not database.exists()


def test_what_is_no_address_is_a_mistake(tmp_path):
    done = gracefuzz("doctor", "--address", "ray://somewhere", "--db", tmp_path / "found.db")
    assert (done.returncode, "is no address of Ray" in done.stderr) == (2, True)
