"""Baselines: which failures somebody knows about, by fingerprint, in the database or in a file.

A file stands in a user's repository, so that their CI needs no database of ours.
"""

import json
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from storage.errors import BaselineError
from storage.failures import FailureSummary
from storage.life_tables import BaselineFailureRow, BaselineRow
from storage.tables import FailureStatus

FORMAT, BASELINE_VERSION = "gracefuzz-baseline", 1
NAME_MAX = 100
FINGERPRINT_DIGITS = 64


def in_baseline(failures: Iterable[FailureSummary]) -> tuple[FailureSummary, ...]:
    """Those that a baseline holds: not what is fixed, since that would be new if it came back."""
    return tuple(each for each in failures if each.status is not FailureStatus.FIXED)


def save_baseline(
    session: Session, name: str, fingerprints: Iterable[str], *, actor: str, now: datetime
) -> None:
    """Store a baseline, in place of one of the same name. Raises BaselineError."""
    if not 0 < len(name) <= NAME_MAX or not name.isprintable() or is_file(name):
        raise BaselineError(
            f"{name!r:.60} is no name of a baseline: give a word without dots and slashes"
        )
    row = session.get(BaselineRow, name, with_for_update=True)
    if row is None:
        session.add(BaselineRow(name=name, at=now, actor=actor))
    else:
        row.at, row.actor = now, actor
        theirs = BaselineFailureRow.baseline_name == name
        session.execute(delete(BaselineFailureRow).where(theirs))
    session.flush()
    session.add_all(
        BaselineFailureRow(baseline_name=name, fingerprint=each)
        for each in sorted(set(fingerprints))
    )
    session.flush()


def load_baseline(session: Session, name: str) -> frozenset[str]:
    """The fingerprints of a stored baseline. Raises BaselineError."""
    if session.get(BaselineRow, name) is None:
        known = ", ".join(session.scalars(select(BaselineRow.name).order_by(BaselineRow.name)))
        raise BaselineError(
            f"no baseline is called {name!r:.60}: there is {known or 'none'}\n"
            "    save one with gracefuzz failures baseline, or name a file: ./baseline.json"
        )
    query = select(BaselineFailureRow.fingerprint)
    return frozenset(session.scalars(query.where(BaselineFailureRow.baseline_name == name)))


def is_file(given: str) -> bool:
    """True where what a person types names a file and not a stored baseline."""
    return "/" in given or "." in given


def baseline_text(failures: Iterable[FailureSummary]) -> str:
    """A baseline as a file: sorted, a few lines a failure, so that a diff of it can be read."""
    rows = [
        {
            "fingerprint": each.fingerprint,
            "program": each.program_name,
            "oracle": f"{each.oracle}: {each.sentence}",
            "step": each.step_label,
        }
        for each in sorted(failures, key=lambda each: (each.program_name, each.fingerprint))
    ]
    document = {"format": FORMAT, "version": BASELINE_VERSION, "failures": rows}
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def read_baseline(file: Path) -> frozenset[str]:
    """The fingerprints in a file that `baseline_text` wrote. Raises BaselineError."""
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BaselineError(f"the baseline {file} cannot be read: {error}") from None
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        raise BaselineError(f"{file} is no baseline: gracefuzz failures baseline writes one")
    if told.get("version") != BASELINE_VERSION:
        raise BaselineError(
            f"{file} is a baseline of version {told.get('version')!r:.20}; this gracefuzz reads "
            f"{BASELINE_VERSION}"
        )
    rows = told.get("failures")
    found = (
        [row.get("fingerprint") for row in rows if isinstance(row, dict)]
        if isinstance(rows, list)
        else []
    )
    texts = [each for each in found if isinstance(each, str) and len(each) == FINGERPRINT_DIGITS]
    if not isinstance(rows, list) or len(texts) != len(rows):
        raise BaselineError(f"the baseline {file} is damaged: each failure has a fingerprint")
    return frozenset(texts)
