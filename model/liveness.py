"""Which locals matter at each step of a body: backward liveness over the steps.

A local that is not live is forgotten, so equal states look equal; a local that is live on entry
would be read before it is assigned, which the front end refuses.
"""

from __future__ import annotations

from model.expressions import Expr, Local, children
from model.program import END, UNBORN, Assign, Assume, Body, Check, Choose, Goto, If, Op, Switch

Live = frozenset[str]
NONE: Live = frozenset()


def used(expr: Expr) -> Live:
    """The locals that an expression reads."""
    found, waiting = set[str](), [expr]
    while waiting:
        each = waiting.pop()
        if isinstance(each, Local):
            found.add(each.name)
        waiting += children(each)
    return frozenset(found)


def live_before(ops: tuple[Op, ...], after: Live, at: dict[int, Live]) -> Live:
    """The locals read before they are overwritten in `ops`; `at` holds those of each step."""
    live = after
    for op in reversed(ops):
        match op:
            case Goto(step, _):
                live = at.get(step, NONE)
            case Assign(Local(name), value):
                live = (live - {name}) | used(value)
            case Assign(target, value):
                live = live | used(target) | used(value)
            case Choose(target, _):
                live = live - {target.name}
            case Check(_, test) | Assume(test):
                live = live | used(test)
            case Switch(local, arms):
                after_arms = (live_before(arm, live, at) for _, arm in arms)
                live = frozenset({local.name}).union(*after_arms)
            case If(test, then, orelse):
                live = live_before(then, live, at) | live_before(orelse, live, at) | used(test)
    return live


def liveness(body: Body) -> dict[int, Live]:
    """For each step, END and UNBORN: the locals that some path reads before it overwrites them."""
    at: dict[int, Live] = {END: NONE, UNBORN: NONE, **dict.fromkeys(range(len(body.steps)), NONE)}
    changed = True
    while changed:
        changed = False
        for number in reversed(range(len(body.steps))):
            step = body.steps[number]
            live = live_before(step.ops, NONE, at) | (
                used(step.guard) if step.guard is not None else NONE
            )
            if live != at[number]:
                at[number], changed = live, True
    return at
