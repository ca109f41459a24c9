"""Which failures make the exit code 1: any, or those that are new (`--fail-on new`)."""

from dataclasses import dataclass
from pathlib import Path

from storage.baselines import in_baseline, is_file, load_baseline, read_baseline
from storage.failures import list_failures
from storage.session import Database
from storage.tables import FailureStatus


def known_in(database: Database, baseline: str | None) -> frozenset[str] | None:
    """The fingerprints that a baseline holds, by its name or its file. Raises BaselineError."""
    if baseline is None:
        return None
    if is_file(baseline):
        return read_baseline(Path(baseline).expanduser())
    with database.read() as session:
        return load_baseline(session, baseline)


@dataclass(frozen=True, slots=True)
class KnownBefore:
    """The fingerprints that are not new, asked before anything is executed."""

    fingerprints: frozenset[str]

    @staticmethod
    def of(database: Database, baseline: str | None) -> "KnownBefore":
        """Those of the baseline, or of the database; not what was fixed: that would be new."""
        given = known_in(database, baseline)
        with database.read() as session:
            stored = list_failures(session)
        if given is None:
            return KnownBefore(frozenset(each.fingerprint for each in in_baseline(stored)))
        fixed = {each.fingerprint for each in stored if each.status is FailureStatus.FIXED}
        return KnownBefore(given - fixed)

    def new_numbers(self, database: Database) -> frozenset[int]:
        """The failures of the database that are none of these."""
        with database.read() as session:
            stored = list_failures(session)
        return frozenset(
            each.failure_id for each in stored if each.fingerprint not in self.fingerprints
        )
