"""The fingerprint of a failure: one race has one, whatever parameters and patches showed it.

It names steps by their labels and threads by their body, so that edits elsewhere do not change it.
It is meant for the minimal interleaving: a longer one of the same race has another.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

from model.expressions import Elem, Expr, Instance, ThreadIndex, children, walk
from model.foata import levels, normal_form
from model.interpreter import Event, Trace
from model.program import Assign, Assume, Body, Check, If, Op, Program, Switch

FINGERPRINT_VERSION = 1

StableKey = tuple[str, int, str, int, tuple[int, ...]]


def fingerprint(trace: Trace) -> str:
    """64 hexadecimal digits over the program's name, the oracle site and the stable normal form.

    Equal for equivalent traces, and for traces that differ by a permutation of the instances of
    bodies that do not use their instance number. The trace is one of a failure.
    """
    assert trace.site is not None, "only a failure has a fingerprint"
    site = trace.program.sites[trace.site]
    content = [
        FINGERPRINT_VERSION,
        trace.program.name,
        str(site.oracle),
        site.sentence,
        stable_form(trace),
    ]
    text = json.dumps(content, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def stable_form(trace: Trace) -> tuple[tuple[StableKey, ...], ...]:
    """The Foata normal form over (body, canonical instance, text, ordinal, choices)."""
    names = canonical_threads(trace)

    def key(event: Event) -> StableKey:
        return (*names[event.thread], event.label.text, event.label.ordinal, event.choices)

    return normal_form(trace.events, key)


def canonical_threads(trace: Trace) -> dict[int, tuple[str, int]]:
    """(body, canonical instance) of each thread that takes a step.

    The instances of a body that does not use its instance number are numbered by what they do:
    the sequence of (level, label, choices) of their events, compared in order, which decides the
    normal form completely, so that two instances with the same sequence are interchangeable in it.
    Instances of other bodies keep their number.
    """
    program = trace.program
    doings: dict[int, list[tuple[int, str, int, tuple[int, ...]]]] = {}
    for level, event in zip(levels(trace.events), trace.events, strict=True):
        doing = (level, event.label.text, event.label.ordinal, event.choices)
        doings.setdefault(event.thread, []).append(doing)
    named: dict[int, tuple[str, int]] = {}
    counts: dict[str, int] = {}
    for thread in sorted(doings, key=lambda t: (doings[t], t)):
        body = program.body_of(thread)
        if uses_instance_number(body, program):
            named[thread] = (body.name, program.threads[thread].instance)
        else:
            named[thread] = (body.name, counts.get(body.name, 0))
            counts[body.name] = counts.get(body.name, 0) + 1
    return named


def uses_instance_number(body: Body, program: Program) -> bool:
    """True where what a thread does may depend on which instance of its body it is.

    A thread's position as an index into internal arrays (its read-side nesting) does not count:
    whoever looks at those looks at every thread alike.
    """
    ops = (*body.entry, *(op for step in body.steps for op in step.ops))
    guards = [step.guard for step in body.steps if step.guard is not None]
    return any(_names_itself(expr, program) for expr in (*_expressions(ops), *guards))


def _names_itself(expr: Expr, program: Program) -> bool:
    match expr:
        case Instance() | ThreadIndex():
            return True
        case Elem(name, index) if program.variable[name].internal:
            return any(isinstance(part, Instance) for part in walk(index))
        case _:
            return any(_names_itself(child, program) for child in children(expr))


def _expressions(ops: tuple[Op, ...]) -> Iterator[Expr]:
    for op in ops:
        match op:
            case Assign(target, value):
                yield target
                yield value
            case If(test, then, orelse):
                yield test
                yield from _expressions((*then, *orelse))
            case Switch(local, arms):
                yield local
                yield from _expressions(tuple(op for _, arm in arms for op in arm))
            case Check(_, test) | Assume(test):
                yield test
            case _:
                pass
