"""A database, and one small program, broken and sound, as most tests of `workers` need."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from model.program import Program
from model.program_json import to_json
from storage.session import Database, open_database
from tests.lost_update import lost_update
from workers.shards import ShardSpec


@pytest.fixture(scope="session")
def broken() -> Program:
    return lost_update.compile()


@pytest.fixture(scope="session")
def sound() -> Program:
    return lost_update.compile(locked="on")


@pytest.fixture(scope="session")
def broken_spec(broken: Program) -> ShardSpec:
    return ShardSpec(to_json(broken), 1)


@pytest.fixture(scope="session")
def sound_spec(sound: Program) -> ShardSpec:
    return ShardSpec(to_json(sound), 1)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with open_database(tmp_path / "found.db") as database:
        yield database
