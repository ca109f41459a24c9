"""The life of a failure, for a person to read and for a script."""

import getpass
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from model.interpreter import replay
from model.minimize import minimize
from model.minimized import described
from model.program_json import from_json
from model.schedule import from_picks_json
from service.reading import columns, pretty
from storage.errors import LifeError
from storage.failures import FailureRecord, StoredFailure, get_failure, list_sightings
from storage.life_tables import OverrideKind
from storage.lives import Note, StatusChange, list_notes, status_history
from storage.minimal_failures import failure_record
from storage.overrides import Override, overrides_of
from storage.programs import get_program
from storage.rechecks import FailureRecheck, StoredRecheck, list_rechecks
from storage.session import Database


@dataclass(frozen=True, slots=True)
class Life:
    """All that was decided, written and found out about a failure."""

    failure: StoredFailure
    statuses: tuple[StatusChange, ...]
    notes: tuple[Note, ...]
    overrides: tuple[Override, ...]
    rechecks: tuple[StoredRecheck, ...]


def person() -> str:
    """Who gives the command, as the system knows them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def load_life(database: Database, failure_id: int) -> Life:
    """Read it. Raises UnknownFailure."""
    with database.read() as session:
        return Life(
            get_failure(session, failure_id),
            status_history(session, failure_id),
            list_notes(session, failure_id),
            overrides_of(session, failure_id),
            list_rechecks(session, failure_id),
        )


def life_lines(life: Life) -> list[str]:
    """One line for everything that happened, in order."""
    failure = life.failure
    happened: list[tuple[datetime, str, str]] = [
        (failure.created_at, "", f"found by campaign {failure.first_campaign_id}")
    ]
    for change in life.statuses:
        target = "" if change.duplicate_of is None else f" of {change.duplicate_of}"
        said = f"{change.status.value}{target}: {change.why}"
        happened.append((change.at, change.actor, said))
    happened += [(note.at, note.actor, f"note: {note.words}") for note in life.notes]
    for each in life.overrides:
        happened.append((each.at, each.actor, f"{override_sentence(each)}: {each.why}"))
        if each.revoked_at is not None:
            undone = f"override {each.override_id} undone"
            happened.append((each.revoked_at, each.revoked_by or "", undone))
    happened += [(r.at, "recheck", f"{r.verdict}: {r.reason}") for r in life.rechecks]
    rows = [
        (f"{at:%Y-%m-%d %H:%M}", actor, said)
        for at, actor, said in sorted(happened, key=lambda each: each[0])
    ]
    status = failure.status.value
    return [f"failure {failure.failure_id}   {status}", "", *columns(rows)]


def override_sentence(override: Override) -> str:
    """`override 3: merged into 1`."""
    what = "merged into" if override.kind is OverrideKind.MERGE else "split off"
    return f"override {override.override_id}: {override.failure_id} {what} {override.other_id}"


def life_object(life: Life) -> dict[str, object]:
    """The same as an object."""
    return {
        "failure": life.failure.failure_id,
        "status": life.failure.status.value,
        "statuses": [
            {
                "status": each.status.value,
                "duplicate_of": each.duplicate_of,
                "at": each.at.isoformat(),
                "who": each.actor,
                "why": each.why,
            }
            for each in life.statuses
        ],
        "notes": [
            {"at": each.at.isoformat(), "who": each.actor, "words": each.words}
            for each in life.notes
        ],
        "overrides": [override_object(each) for each in life.overrides],
        "rechecks": [
            {
                "at": each.at.isoformat(),
                "verdict": each.verdict,
                "reason": each.reason,
                "ir_hash": each.ir_hash,
                "states": each.states,
                "differences": list(each.differences),
            }
            for each in life.rechecks
        ],
    }


def override_object(override: Override) -> dict[str, object]:
    """An override as an object."""
    revoked = override.revoked_at
    return {
        "override": override.override_id,
        "kind": override.kind.value,
        "failure": override.failure_id,
        "other": override.other_id,
        "at": override.at.isoformat(),
        "who": override.actor,
        "why": override.why,
        "undone_at": None if revoked is None else revoked.isoformat(),
        "undone_by": override.revoked_by,
    }


def rechecked_lines(found: Sequence[FailureRecheck], *, with_diff: bool) -> list[str]:
    """One line a failure, and how its program differs."""
    if not found:
        return ["no failure was asked"]
    lines: list[str] = []
    for each in found:
        verdict = "not asked" if each.rechecked is None else each.rechecked.verdict.value
        turned = "" if each.before is each.after else f"   {each.before} -> {each.after}"
        lines += [f"failure {each.failure_id}   {verdict}{turned}   {each.program}"]
        lines += [f"    {each.reason}"]
        if with_diff:
            lines += [f"    {line}" for line in (*each.differences, *each.text_diff)]
        elif each.differences:
            count = len(each.differences)
            lines += [f"    its program differs in {count} parts: --diff shows them"]
    return lines


def rechecked_json(found: Sequence[FailureRecheck]) -> str:
    """The same as a list."""
    return pretty(
        [
            {
                "failure": each.failure_id,
                "program": each.program,
                "ir_hash": each.ir_hash,
                "verdict": None if each.rechecked is None else each.rechecked.verdict.value,
                "reason": each.reason,
                "states": 0 if each.rechecked is None else each.rechecked.states,
                "differences": list(each.differences),
                "text_diff": list(each.text_diff),
                "status_before": each.before.value,
                "status": each.after.value,
            }
            for each in found
        ]
    )


def described_in(database: Database, failure_id: int, ir_hash: str) -> FailureRecord:
    """A failure as one of the programs shows it that it was sighted in: its smallest there.

    Raises UnknownFailure and LifeError. Takes up to some seconds.
    """
    with database.read() as session:
        kept = list_sightings(session, failure_id)
        known = sorted({each.ir_hash for each in kept})
        matching = [name for name in known if name.startswith(ir_hash)]
        if len(matching) != 1:
            shown = ", ".join(name[:12] for name in known) or "none"
            raise LifeError(
                f"{ir_hash!r:.40} names no program that showed failure {failure_id}\n"
                f"    it was sighted in {shown}"
            )
        (name,) = matching
        program = from_json(get_program(session, name).ir)
    sighting = next(each for each in kept if each.ir_hash == name)
    trace = replay(program, from_picks_json(sighting.schedule))
    assert trace.site is not None, "a sighting is an execution that fails"
    minimal = minimize(program, trace)
    record = described(minimal.trace, proof=minimal.proof, states=minimal.states)
    return failure_record(record, ir_hash=name, ordinal=0)
