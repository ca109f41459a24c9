"""What every route shares: the open database, kept by the application."""

from fastapi import Request

from storage.session import Database


def database_of(request: Request) -> Database:
    """The database that the service was started with."""
    database = request.app.state.database
    assert isinstance(database, Database)
    return database
