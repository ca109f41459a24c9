"""Hypothesis' examples in our database, through the interface that Hypothesis has for it.

What Hypothesis says of such a database holds here too: it is a cache. An example that is lost is
found again; one that no longer fails is deleted by Hypothesis itself.
"""

from collections.abc import Iterable

from hypothesis.database import ExampleDatabase

from storage.examples import delete_example, fetch_examples, save_example
from storage.session import Database


class SqlExampleDatabase(ExampleDatabase):
    """Bytes to sets of bytes, each call a transaction of its own. Raises StorageError."""

    def __init__(self, database: Database) -> None:
        super().__init__()
        self._database = database

    def save(self, key: bytes, value: bytes) -> None:
        """Put a value under a key, unless it is there."""
        with self._database.write() as session:
            save_example(session, key, value)

    def fetch(self, key: bytes) -> Iterable[bytes]:
        """All values under a key."""
        with self._database.read() as session:
            return fetch_examples(session, key)

    def delete(self, key: bytes, value: bytes) -> None:
        """Take a value away from a key, if it is there."""
        with self._database.write() as session:
            delete_example(session, key, value)

    def move(self, src: bytes, dest: bytes, value: bytes) -> None:
        """The same as deleting and saving, in one transaction."""
        with self._database.write() as session:
            delete_example(session, src, value)
            save_example(session, dest, value)
