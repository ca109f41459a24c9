"""Does a stored failure still show in today's program? The verdicts, and what each rests on.

The stored schedule is executed first, as far as its labels lead. Where it does not fail as it did,
a search looks for any interleaving of the same signature, with up to one preemption more than the
failure's minimal interleaving has.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from model.interpreter import Trace, replay
from model.minimize import search_for
from model.program import Program
from model.search import THREADS_MAX, Found
from model.signature import Signature, signature_of, site_name
from model.stored_schedule import NotApplicable, reconstruct
from model.trace import Measure

BYTES_MAX = 256 * 2**20


class Verdict(StrEnum):
    """What became of a failure in another version of its program."""

    REPRODUCED = "reproduced"
    FIXED = "fixed"
    NOT_REPRODUCED = "not reproduced"
    NOT_APPLICABLE = "not applicable"
    DIFFERENT = "different failure"


@dataclass(frozen=True, slots=True)
class Sought:
    """What of a failure is looked for: its signature and its minimal interleaving, as stored."""

    signature: Signature
    schedule: str
    preemptions: int


@dataclass(frozen=True, slots=True)
class Rechecked:
    """A verdict with its reason; `trace` is the execution that violates something, if one does.

    `is_gone`: the signature cannot show, or not with up to one preemption more. `states` counts the
    nodes searched, 0 where executing the stored schedule was enough.
    """

    verdict: Verdict
    reason: str
    trace: Trace | None
    is_gone: bool
    states: int


def recheck(program: Program, failure: Sought, *, bytes_max: int = BYTES_MAX) -> Rechecked:
    """Look for a stored failure in a program; takes up to some seconds, within `bytes_max` bytes.

    `fixed` is said of the signature only, and only where nothing of it is left with up to one
    preemption more. `different failure`: the stored schedule violates something else now, and the
    signature was not found. Raises DamagedSchedule.
    """
    gone = _gone(program, failure.signature)
    if gone is not None:
        return Rechecked(Verdict.NOT_APPLICABLE, gone, None, True, 0)
    followed, lost = _followed(program, failure.schedule)
    if followed is not None and _shows(followed, failure.signature):
        reason = "the stored interleaving fails as it did"
        return Rechecked(Verdict.REPRODUCED, reason, followed, False, 0)
    more = failure.preemptions + 1
    below = Measure(more + 1, 0, 0, 0)
    found = search_for(program, failure.signature, below=below, bytes_max=bytes_max)
    if found.trace is not None:
        why = lost or "the stored interleaving does not fail any more"
        reason = f"{why}; another one of the same signature does"
        return Rechecked(Verdict.REPRODUCED, reason, found.trace, False, found.states)
    reason, is_gone = _searched(program, found, more), _is_settled(found, more)
    if lost:
        reason = f"{lost}; {reason}"
    if followed is not None and followed.site is not None:
        other = signature_of(followed)
        reason = f"the stored interleaving violates {other.site} by `{other.step}`; {reason}"
        return Rechecked(Verdict.DIFFERENT, reason, followed, is_gone, found.states)
    verdict = Verdict.FIXED if is_gone else Verdict.NOT_REPRODUCED
    return Rechecked(verdict, reason, None, is_gone, found.states)


def _gone(program: Program, signature: Signature) -> str | None:
    """Why a program cannot show a signature at all; None where it may."""
    if program.name != signature.program:
        return f"the program is {program.name}, the failure is one of {signature.program}"
    sites = {site_name(program, number) for number in range(len(program.sites))}
    if signature.site not in sites:
        return f"{program.title} has no oracle {signature.site}"
    labels = {str(step.label) for body in program.bodies for step in body.steps}
    if signature.step not in labels:
        return f"{program.title} has no step `{signature.step}`"
    return None


def _followed(program: Program, schedule: str) -> tuple[Trace | None, str]:
    """The execution to which the stored schedule leads, or why it leads nowhere."""
    try:
        return replay(program, reconstruct(program, schedule)), ""
    except NotApplicable as error:
        return None, f"the stored interleaving cannot be followed: {error}"


def _shows(trace: Trace, signature: Signature) -> bool:
    return trace.site is not None and bool(trace.events) and signature_of(trace) == signature


def _is_settled(found: Found, preemptions: int) -> bool:
    """True where everything with so many preemptions has been searched."""
    return found.exhausted or (not found.limited and found.reached.preemptions > preemptions)


def _searched(program: Program, found: Found, preemptions: int) -> str:
    if found.exhausted:
        return f"no interleaving at all fails this way ({found.states:,} nodes searched)"
    if len(program.threads) > THREADS_MAX:
        return f"a program of more than {THREADS_MAX} threads is not searched"
    if _is_settled(found, preemptions):
        count = f"{preemptions} preemption{'' if preemptions == 1 else 's'}"
        return f"nothing with up to {count} fails this way ({found.states:,} nodes searched)"
    if found.limited:
        return f"the step limit was met after {found.states:,} nodes"
    at = found.reached.preemptions
    return f"the search met its bound after {found.states:,} nodes, with {at} preemptions"
