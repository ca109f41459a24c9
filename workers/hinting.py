"""`gracefuzz fuzz --hint FILE`: what an interleaving that its author wrote down shows.

The hint is followed, then executions around it are tried. What violates is minimized and printed;
it belongs to no block, so it is no row of the database. Where nothing violates, the campaign goes
on as without a hint.
"""

import json
from pathlib import Path

from model.around import search_around
from model.circuit.step_circuit import Stepper
from model.hint import read_hint
from model.hint_path import Followed, follow
from model.interpreter import Trace
from model.program import Outcome, Program
from model.signature import signature_of
from storage.sources import SourceError
from workers.minimizing import Minimized, minimized
from workers.shards import Replayed


def show_hint(program: Program, file: Path, *, root_seed: int, as_json: bool) -> bool:
    """Follow a hint and say on stdout what it shows; True where there is a violation.

    With JSON, nothing is printed without a violation: the campaign's object will be.
    Raises LanguageError at the line of the hint that cannot be followed, SourceError without one.
    """
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
        around = search_around(Stepper(program), prefix, root_seed=root_seed)
        violating = around.violations
        what = "a violation" if violating else "no violation"
        lines.append(f"around it: {around.executions:,} executions, {what}")
    failures = [_minimized(program, trace) for trace in violating]
    if failures and as_json:
        print(json.dumps(_object(followed, failures), indent=2))
    elif failures or not as_json:
        print("\n".join([*lines, *map(_shown, failures)]))
    return bool(failures)


def _minimized(program: Program, trace: Trace) -> Minimized:
    number = len(trace.events) - 1
    return minimized(program, Replayed(signature_of(trace), 0, 0, number, trace.schedule, 0))


def _ending(followed: Followed) -> str:
    match followed.trace.outcome:
        case None:
            return "the hint itself violates nothing so far"
        case Outcome.OK:
            return "the hint itself comes to the end, and violates nothing"
        case other:
            return f"the hint itself violates nothing, and ends: {other.value}"


def _shown(failure: Minimized) -> str:
    proof = "proved" if failure.is_proved else "local"
    preemptions = f"{failure.preemptions} preemption{'' if failure.preemptions == 1 else 's'}"
    return (
        f"\n{failure.oracle}: {failure.sentence}   {failure.steps} steps  {preemptions}  "
        f"minimal: {proof}\n\n{failure.diagram}"
    )


def _object(followed: Followed, failures: list[Minimized]) -> dict[str, object]:
    return {
        "hint": {
            "steps_followed": followed.matched,
            "steps_filled_in": followed.filled,
            "violates": followed.trace.site is not None,
        },
        "failures": [
            {
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
            for each in failures
        ],
    }


def _count(steps: int) -> str:
    return f"{steps} step{'' if steps == 1 else 's'}"
