"""`gracefuzz fuzz --hint FILE`: what an interleaving that its author wrote down shows.

The hint is followed, then executions around it are tried. What violates is minimized, printed and
stored, in a campaign of its own whose scheduler is the hint: it has no blocks. Where nothing
violates, the campaign goes on as without a hint.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from model.around import search_around
from model.circuit.step_circuit import Stepper
from model.hint import read_hint
from model.hint_path import Followed, follow
from model.interpreter import Trace
from model.program import Outcome, Program
from storage.campaigns import HINT
from storage.locations import option_for, without_secrets
from storage.session import open_database
from storage.sources import SourceError
from storage.tables import CampaignState
from workers.minimizer import Minimizer, MinimizerFailed
from workers.minimizing import Minimized, as_found, minimized
from workers.recording import CampaignRecord
from workers.shards import Replayed, replayed_of


@dataclass(frozen=True, slots=True)
class HintWish:
    """The file of a hint, and where what it shows is stored; `source` is the program's text."""

    file: Path
    database: str
    source: str
    root_seed: int
    as_json: bool


@dataclass(frozen=True, slots=True)
class Found:
    """A stored failure; `is_new` says that it was not stored before."""

    failure_id: int
    is_new: bool
    minimal: Minimized


def show_hint(program: Program, wish: HintWish, minimizer: Minimizer | None = None) -> bool:
    """Follow a hint, store and say on stdout what it shows; True where there is a violation.

    What is found is minimized by `minimizer`, or by this process where there is none.

    With JSON, nothing is printed without a violation: the campaign's object will be.
    Raises LanguageError at the line of the hint that cannot be followed, SourceError without one,
    and StorageError.
    """
    file = wish.file
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"cannot read the hint {file}: {error}") from None
    hint = read_hint(program, text, file=str(file))
    followed = follow(program, hint)
    lines = [f"hint: {_count(followed.matched)} followed, {followed.filled} filled in"]
    violating: tuple[Trace, ...] = ()
    if followed.trace.site is not None:
        violating = (followed.trace,)
        rest = hint.wanted[followed.matched :]
        before = f" before its line {rest[0].line}" if rest else ""
        lines.append(f"the hint itself violates an oracle{before}")
    else:
        lines.append(_ending(followed))
        # Of an execution that has ended, all but the last step can be left.
        events = len(followed.trace.events)
        prefix = followed.trace.schedule[: events - (followed.trace.outcome is not None)]
        around = search_around(Stepper(program), prefix, root_seed=wish.root_seed)
        violating = around.violations
        what = "a violation" if violating else "no violation"
        lines.append(f"around it: {around.executions:,} executions, {what}")
    found = _stored(program, wish, [replayed_of(trace) for trace in violating], minimizer)
    if found and wish.as_json:
        print(json.dumps(_object(wish, followed, found), indent=2))
    elif found or not wish.as_json:
        print("\n".join([*lines, *(_shown(each, database=wish.database) for each in found)]))
    return bool(found)


def _stored(
    program: Program, wish: HintWish, violations: list[Replayed], minimizer: Minimizer | None
) -> list[Found]:
    """Minimize each violation and store it, in a campaign that ends with them."""
    if not violations:
        return []
    with open_database(wish.database) as database:
        record = CampaignRecord.start(
            database,
            program,
            source=wish.source,
            scheduler=HINT,
            root_seed=wish.root_seed,
            budget=json.dumps({"hint": wish.file.name}),
        )
        found = []
        for violation in violations:
            minimal = _minimal(program, violation, minimizer)
            row = record.sight(violation, minimal, ordinal=0)
            found.append(Found(row.failure_id, row.is_new_failure, minimal))
        record.finish(CampaignState.FINISHED, ending="its hint violates an oracle")
    return found


def _minimal(program: Program, violation: Replayed, minimizer: Minimizer | None) -> Minimized:
    """As it was found, where minimizing it fails: better long than lost."""
    if minimizer is None:
        return minimized(program, violation)
    try:
        return minimizer.minimized(violation, ())
    except MinimizerFailed as error:
        return as_found(program, violation, reason=str(error))


def _ending(followed: Followed) -> str:
    match followed.trace.outcome:
        case None:
            return "the hint itself violates nothing so far"
        case Outcome.OK:
            return "the hint itself comes to the end, and violates nothing"
        case other:
            return f"the hint itself violates nothing, and ends: {other.value}"


def _shown(found: Found, *, database: str) -> str:
    failure, number = found.minimal, found.failure_id
    known = "stored as" if found.is_new else "known as"
    proof = "proved" if failure.is_proved else "local"
    preemptions = f"{failure.preemptions} preemption{'' if failure.preemptions == 1 else 's'}"
    return (
        f"\n{failure.oracle}: {failure.sentence}   {failure.steps} steps  {preemptions}  "
        f"minimal: {proof}\n\n{failure.diagram}\n"
        f"{known} failure {number}: gracefuzz failures show {number}{option_for(database)}"
    )


def _object(wish: HintWish, followed: Followed, found: list[Found]) -> dict[str, object]:
    return {
        "database": without_secrets(wish.database),
        "hint": {
            "steps_followed": followed.matched,
            "steps_filled_in": followed.filled,
            "violates": followed.trace.site is not None,
        },
        "failures": [
            {
                "failure": number,
                "new": is_new,
                "fingerprint": each.fingerprint,
                "oracle": each.oracle,
                "sentence": each.sentence,
                "step": each.signature.step,
                "preemptions": each.preemptions,
                "switches": each.switches,
                "threads": each.threads,
                "steps": each.steps,
                "proof": dict(each.proof),
                "schedule": json.loads(each.schedule),
                "diagram": each.diagram,
            }
            for number, is_new, each in ((f.failure_id, f.is_new, f.minimal) for f in found)
        ],
    }


def _count(steps: int) -> str:
    return f"{steps} step{'' if steps == 1 else 's'}"
