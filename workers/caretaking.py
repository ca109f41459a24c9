"""What the coordinator does now and then: rechecks, retention, messages to webhooks.

In threads of their own with their own connections, so that leases never wait for them. Only who
leads does the first two; both are harmless when done twice. Periods are measured by the monotonic
clock from the beginning of this process, which does both once when it begins to lead.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from model.language import LanguageError, ParameterError
from storage.errors import StorageError
from storage.leadership import leader
from storage.rechecks import recheck_stored, sources_in
from storage.retention import removal, remove
from storage.session import Database, Transaction, open_database
from storage.settings import (
    RECHECK,
    RETENTION,
    RecheckRule,
    RetentionRule,
    recheck_rule,
    retention_rule,
)
from storage.sources import SourceError
from workers.adoption import Said, instant
from workers.notifying import notified

PAUSE_SECONDS = 1.0
# A recheck that is under way ends with the failure that it is at.
LAST_SECONDS_MAX = 10.0


@dataclass(slots=True)
class Caretaker:
    """Does what is due, while `holder` leads."""

    database: Database
    holder: str
    said: Said
    is_stopping: Callable[[], bool]
    clock: Callable[[], float] = time.monotonic
    _done_at: dict[str, float] = field(init=False, default_factory=dict)

    def turn(self) -> None:
        """Look at the settings, and do what they ask for by now. Raises StorageError."""
        with self.database.read() as session:
            leads = self._leads(session)
            recheck, retention = recheck_rule(session), retention_rule(session)
        if not leads:
            self._done_at.clear()
            return
        if recheck is not None and self._is_due(RECHECK, recheck.every_seconds):
            self._recheck(recheck)
        if retention is not None and self._is_due(RETENTION, retention.every_seconds):
            self._retain(retention)

    def _is_due(self, name: str, every_seconds: float) -> bool:
        now = self.clock()
        if now - self._done_at.get(name, float("-inf")) < every_seconds:
            return False
        self._done_at[name] = now
        return True

    def _leads(self, session: Transaction) -> bool:
        found = leader(session)
        return found is not None and found.holder == self.holder

    def _must_end(self) -> bool:
        if self.is_stopping():
            return True
        with self.database.read() as session:
            return not self._leads(session)

    def _recheck(self, rule: RecheckRule) -> None:
        """Ask the programs that have changed since they were asked last."""
        try:
            sources = sources_in(rule.sources)
        except (SourceError, LanguageError, ParameterError) as error:
            self.said(None, f"recheck: the library only, since of its sources {error}")
            sources = {}
        for each in recheck_stored(
            self.database,
            sources=sources,
            only_changed=True,
            is_stopping=self._must_end,
        ):
            assert each.rechecked is not None
            verdict = f"{each.rechecked.verdict.value}: {each.reason}"
            self.said(None, f"recheck: failure {each.failure_id} of {each.program} {verdict}")

    def _retain(self, rule: RetentionRule) -> None:
        with self.database.write() as session:
            if not self._leads(session):
                return
            what = removal(session, rule.rules, now=instant())
            remove(session, what)
        if not what.is_empty:
            counts = [f"{len(rows):,} {kind}" for kind, rows in what.by_kind.items() if rows]
            self.said(None, f"retention: removed {', '.join(counts)}")


@contextmanager
def taken_care(location: str, holder: str, said: Said) -> Iterator[None]:
    """Have done what the settings say while the block is executed, and webhooks told."""
    stop = threading.Event()
    caretaker = threading.Thread(
        target=_until, args=(location, holder, said, stop), name="caretaker", daemon=True
    )
    with notified(location, also_later=True):
        caretaker.start()
        try:
            yield
        finally:
            stop.set()
            caretaker.join(LAST_SECONDS_MAX)


def _until(location: str, holder: str, said: Said, stop: threading.Event) -> None:
    with suppress(StorageError), open_database(location) as database:
        caretaker = Caretaker(database, holder, said, stop.is_set)
        while not stop.wait(PAUSE_SECONDS):
            # The coordinator says what is wrong with the database; here it is tried again.
            with suppress(StorageError):
                caretaker.turn()
