"""Databases of both kinds, for every test that asks for one."""

import itertools
import os
from collections.abc import Iterator

import pytest

from storage.session import open_database
from tests.postgresql_server import do, shared_server
from workers.postgresql_server import Server, missing

NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Server]:
    """A PostgreSQL server that tests share; those that need it are skipped where there is none."""
    reason = missing()
    if reason is not None:
        pytest.skip(reason)
    with shared_server() as server:
        yield server


@pytest.fixture
def empty_postgresql(postgresql_server: Server) -> Iterator[str]:
    """The URL of a PostgreSQL database without tables."""
    yield from _made(postgresql_server, template="template0")


@pytest.fixture
def another_empty_postgresql(postgresql_server: Server) -> Iterator[str]:
    """The URL of a second one."""
    yield from _made(postgresql_server, template="template0")


@pytest.fixture(scope="session")
def _template(postgresql_server: Server) -> Iterator[str]:
    """The name of a database with our tables and no rows."""
    for url in _made(postgresql_server, template="template0"):
        open_database(url).close()
        yield url.rpartition("/")[2]


@pytest.fixture
def postgresql_url(postgresql_server: Server, _template: str) -> Iterator[str]:
    """The URL of a PostgreSQL database with our tables and no rows."""
    yield from _made(postgresql_server, template=_template)


def _made(server: Server, *, template: str) -> Iterator[str]:
    name = f"test_{os.getpid()}_{next(NUMBERS)}"
    do(server, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    yield server.url(name)
    do(server, f'DROP DATABASE "{name}" WITH (FORCE)')
