"""What the doctor says of what is wrong; a whole one is in `end_to_end/`."""

import sqlite3
from dataclasses import replace

import pytest

from storage.health import check_writable, clock_skew_seconds
from storage.maintenance import SqliteBuild, downgrade_database
from storage.migrations import REVISIONS
from storage.session import open_database
from workers import doctor
from workers.doctor import Level, database_checks, package_checks, pins, python_check, space_check
from workers.doctor_ray import SeenNode, auth_check, node_checks
from workers.errors import PoolError
from workers.identity import identity


def levels(checks):
    return {check.name: check.level for check in checks}


def test_a_python_that_is_too_old_is_wrong(monkeypatch):
    assert python_check().level is Level.FINE
    monkeypatch.setattr(doctor.platform, "python_version", lambda: "3.9.2")
    assert python_check().level is Level.WRONG


@pytest.mark.parametrize(
    ("requirement", "pinned", "level", "found"),
    [
        ("numpy>=1", {}, Level.FINE, "1 packages in the ranges"),
        ("numpy>=99", {}, Level.WRONG, "and >=99 is needed"),
        ("no-such-package>=1", {}, Level.WRONG, "is missing"),
        ("numpy>=1", {"numpy": "0.1"}, Level.NOTE, "what is tested is 0.1"),
        ("no-such-package>=1; extra == 'dev'", {}, Level.FINE, "0 packages"),
    ],
)
def test_a_package_is_compared_with_its_range_and_its_pin(requirement, pinned, level, found):
    (check,) = package_checks([requirement], pinned)
    assert (check.level, found in check.found) == (level, True)
    assert bool(check.remedy) == (level is not Level.FINE)


def test_pins_are_those_of_the_clone():
    assert pins(doctor.CONSTRAINTS)["numpy"].startswith("2.")
    assert pins(doctor.CONSTRAINTS.with_name("no-such-file")) == {}


def test_a_full_disk_and_a_missing_folder_are_noted(tmp_path):
    assert space_check("disk", tmp_path, bytes_min=1).level is Level.FINE
    assert space_check("disk", tmp_path, bytes_min=2**70).level is Level.NOTE
    assert "No such file" in space_check("disk", tmp_path / "none", bytes_min=1).found


def test_a_cpu_that_is_far_too_slow_is_noted(monkeypatch):
    assert "G steps/s of thp_split" in doctor.cpu_check().found
    monkeypatch.setattr(doctor, "STEPS_A_SECOND_MIN", dict.fromkeys((128, 256, 512), 1e15))
    assert doctor.cpu_check().level is Level.NOTE


def test_a_database_that_is_not_there_is_made_by_a_campaign_and_not_by_the_doctor(tmp_path):
    (_, check) = database_checks(str(tmp_path / "new.db"))
    assert (check.level, "a campaign makes it" in check.found) == (Level.FINE, True)
    assert list(tmp_path.iterdir()) == []
    (_, check) = database_checks(str(tmp_path / "no" / "new.db"))
    assert check.level is Level.WRONG


def test_a_whole_database_is_fine_and_left_as_it_is(tmp_path):
    path = tmp_path / "found.db"
    open_database(path).close()
    before = path.read_bytes()
    found = levels(database_checks(str(path)))
    assert found == dict.fromkeys(("sqlite", "database", "writing", "integrity"), Level.FINE)
    assert path.read_bytes() == before


def test_a_database_of_an_earlier_revision_is_named_with_the_command(tmp_path):
    path = tmp_path / "found.db"
    open_database(path).close()
    downgrade_database(path, REVISIONS[-2])
    check = next(each for each in database_checks(str(path)) if each.name == "database")
    assert check.level is Level.WRONG
    assert f"revision {REVISIONS[-2]}, and {REVISIONS[-1]} is needed" in check.found
    assert check.remedy.endswith(f"gracefuzz db upgrade --db {path}")


def test_a_damaged_file_is_wrong(tmp_path):
    path = tmp_path / "found.db"
    open_database(path).close()
    size = path.stat().st_size
    with open(path, "r+b") as file:
        file.seek(size // 2)
        file.write(b"\xff" * (size // 4))
    checks = list(database_checks(str(path)))
    assert Level.WRONG in levels(checks).values()


def test_a_row_that_refers_to_nothing_is_wrong(tmp_path):
    path = tmp_path / "found.db"
    open_database(path).close()
    connection = sqlite3.connect(path)
    connection.execute(
        "INSERT INTO events (campaign_id, at, actor, kind, details) "
        "VALUES (7, '2026-01-01', 'a test', 'created', '{}')"
    )
    connection.commit()
    connection.close()
    check = next(each for each in database_checks(str(path)) if each.name == "integrity")
    assert (check.level, "refers to nothing in campaigns" in check.found) == (Level.WRONG, True)


def test_an_sqlite_with_the_defect_is_wrong(monkeypatch):
    monkeypatch.setattr(doctor, "sqlite_build", lambda: SqliteBuild("3.40.1", "sqlite3", True))
    assert doctor.sqlite_check().level is Level.WRONG


def test_a_server_is_asked_for_its_clock_and_whether_it_may_be_written(postgresql_url, monkeypatch):
    assert levels(database_checks(postgresql_url)) == dict.fromkeys(
        ("database", "writing", "clock"), Level.FINE
    )
    assert abs(clock_skew_seconds(postgresql_url)) < 5
    check_writable(postgresql_url)
    joined = "&" if "?" in postgresql_url else "?"
    only_read = f"{postgresql_url}{joined}options=-c%20default_transaction_read_only%3Don"
    checks = list(database_checks(only_read))
    assert (checks[-1].name, checks[-1].level) == ("database", Level.WRONG)
    assert "it may not be written" in checks[-1].found
    monkeypatch.setattr(doctor, "clock_skew_seconds", lambda _location: -90.0)
    clock = list(database_checks(postgresql_url))[-1]
    assert (clock.level, "90.000 s behind ours" in clock.found) == (Level.NOTE, True)


def test_a_server_that_is_not_there_is_wrong():
    (check,) = database_checks("postgresql://nobody@127.0.0.1:1/none")
    assert (check.level, "cannot be reached" in check.found) == (Level.WRONG, True)


@pytest.mark.parametrize(
    ("change", "level", "words"),
    [
        ({}, Level.FINE, "4 CPUs"),
        ({"store_bytes": 2**40}, Level.NOTE, "object store 1,048,576 MiB"),
        ({"identity": "No module named 'workers'"}, Level.WRONG, "No module named"),
        ({"identity": replace(identity(), code="another")}, Level.WRONG, "another gracefuzz"),
    ],
)
def test_a_node_has_the_same_gracefuzz(change, level, words):
    node = replace(SeenNode("host", "10.0.0.2", 4, 2**20, identity()), **change)
    (check,) = node_checks(node)
    assert (check.level, words in check.found) == (level, True)
    assert bool(check.remedy) == (level is not Level.FINE)


def test_how_a_cluster_lets_people_in_is_said(monkeypatch):
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    assert auth_check("10.0.0.1:6379").level is Level.FINE
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    assert auth_check("10.0.0.1:6379").level is Level.NOTE
    monkeypatch.setenv("RAY_AUTH_MODE", "sometimes")
    with pytest.raises(PoolError, match="set it to token"):
        auth_check("10.0.0.1:6379")
