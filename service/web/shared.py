"""What every route shares: the open database, and programs that were read from it before."""

from functools import lru_cache

from fastapi import Request

from model.program import Program
from model.program_json import from_json
from storage.session import Database

PROGRAMS_KEPT = 16


def database_of(request: Request) -> Database:
    """The database that the service was started with."""
    database = request.app.state.database
    assert isinstance(database, Database)
    return database


@lru_cache(PROGRAMS_KEPT)
def program_of(ir: str) -> Program:
    """The program with this IR: a live page asks for the same one every two seconds."""
    return from_json(ir)
