"""What kind of violation an execution shows: minimizing keeps it, so that no race becomes another.

It is text, so that it means the same in every program of a name, whatever its parameters.
"""

from __future__ import annotations

from dataclasses import dataclass

from model.interpreter import Trace
from model.program import Program


@dataclass(frozen=True, slots=True, order=True)
class Signature:
    """The program's name, the oracle site, and the label of the step that violated it."""

    program: str
    site: str
    step: str


def site_name(program: Program, site: int) -> str:
    """How an oracle site is called: two sites that say the same are one."""
    return f"{program.sites[site].oracle}: {program.sites[site].sentence}"


def signature_of(trace: Trace) -> Signature:
    """The signature of a trace that ended in a violation or a deadlock."""
    assert trace.site is not None and trace.events, "only a failing execution has a signature"
    label = str(trace.events[-1].label)
    return Signature(trace.program.name, site_name(trace.program, trace.site), label)


def signature_at(program: Program, site: int, thread: int, pc: int) -> Signature:
    """The signature of a violation of a site by a thread's step."""
    label = program.step_at(thread, pc).label
    return Signature(program.name, site_name(program, site), str(label))
