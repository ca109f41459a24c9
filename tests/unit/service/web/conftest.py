"""A service over a database with one campaign that found something."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from service.cli import execute
from service.web.app import Limits, create_app
from storage.session import Database, open_database

LOST_UPDATE = Path(__file__).parents[3] / "lost_update.py"


@pytest.fixture(scope="session")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    path = tmp_path_factory.mktemp("service") / "found.db"
    budget = ["--schedules", "5000", "--workers", "0"]
    assert execute(["fuzz", str(LOST_UPDATE), *budget, "--db", str(path)]) == 1
    with open_database(path) as database:
        yield database


@pytest.fixture
def client(found: Database) -> Iterator[TestClient]:
    app = create_app(found, limits=Limits(requests_per_second=1e6, burst=10**6))
    with TestClient(app, base_url="http://127.0.0.1") as client:
        yield client
