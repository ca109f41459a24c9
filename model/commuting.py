"""Two steps in the other order: whether any thread can have told.

A thread executes A, then B; its mutant B, then A. Where A and B do not conflict with one another,
an execution of the mutant `B w1 ... wn A`, the w being steps of other threads, is one of the
program, `w1 ... wp A B wp+1 ... wn`, if B conflicts with none of w1 to wp, and A with none of wp+1
to wn: in it every step reads and writes what it did, and the states before and behind are the same.
There is such a p unless some w conflicts with B, and the same or a later one with A. That is a
cycle of program order and conflicts, as in Shasha and Snir, "Efficient and correct execution of
parallel programs that share memory", TOPLAS 10(2), 1988, of which the two steps are a part.

`watched` is the program with that watched for: between B and A, each step of any thread compares
its accesses (its guard and oracles included) with those of B and A, which B has noted. Accesses
conflict where they are on one place and one writes; where an index is not known beforehand, any
place of the array is taken for it. Two threads between their own B and A at once count as a
difference, since one's steps would be moved to where the other's were to be apart. Between B and A
the thread can always go on, so that there is no end and no deadlock there; of a daemon that is not
so, and nothing is claimed. What an invariant says of the states between is looked at by exploring
the mutant itself. All this is of programs that violate nothing: a violation would end an execution
between the two.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from model.expressions import (
    FALSE,
    TRUE,
    Binary,
    Const,
    Elem,
    Expr,
    Local,
    Var,
    binary,
    cond,
    not_,
    walk,
)
from model.folding import expressions_of
from model.mutant_ops import DIFFERENCE, assigned
from model.program import (
    BOOL,
    Assign,
    Check,
    If,
    IntType,
    Op,
    Program,
    SharedVariable,
    Step,
)
from model.validation import leaves
from model.variants import Locals, Variant

OPEN, SEEN = "swap_open", "swap_seen"
FIRST, SECOND = "swap_first", "swap_second"


@dataclass(frozen=True, slots=True)
class Touch:
    """An access of a step; `index` is None for a scalar, and where it may be any."""

    name: str
    index: Expr | None
    writes: bool


def watched(program: Program) -> Program:
    """The program with every step watched, and the site DIFFERENCE behind its others."""
    site = len(program.sites)
    bodies = tuple(
        replace(body, steps=tuple(_watched(program, step, site) for step in body.steps))
        for body in program.bodies
    )
    return replace(
        program,
        bodies=bodies,
        variables=(*program.variables, *_notes(program)),
        sites=(*program.sites, DIFFERENCE),
    )


def swap_watched(
    program: Program, body: int, steps: Mapping[int, Step], more: Locals
) -> Variant | None:
    """A swap as a variant of the watched program; `steps` are B where A was, then A where B was.

    None where nothing can be claimed.
    """
    (first, b), (second, a) = steps.items()
    if any(thread.daemon and thread.body == body for thread in program.threads):
        return None
    if any(_reads_memory(op) for body in program.bodies for op in leaves(body.entry)):
        return None
    changed = assigned(a.ops) | assigned(b.ops)
    touches_b = [_settled(touch, changed) for touch in touches(b)]
    touches_a = [_settled(touch, changed) for touch in touches(a)]
    site = len(program.sites)
    apart = not_(_any(_conflict(x, y) for x in touches_b for y in touches_a))
    noted = [
        *_noted(program, FIRST, touches_b, note=True),
        *_noted(program, SECOND, touches_a, note=True),
    ]
    forgotten = [
        *_noted(program, FIRST, touches_b, note=False),
        *_noted(program, SECOND, touches_a, note=False),
    ]
    begin = (Check(site, not_(Var(OPEN))), Check(site, apart), Assign(Var(OPEN), TRUE), *noted)
    end = (Assign(Var(OPEN), FALSE), Assign(Var(SEEN), FALSE), *forgotten)
    made = {
        (body, first): replace(b, ops=(*begin, *b.ops)),
        (body, second): replace(a, ops=(*end, *a.ops)),
    }
    return Variant(made, {body: more} if more else {})


def touches(step: Step, *, checks: bool = True) -> tuple[Touch, ...]:
    """All that a step may read or write, by its guard, its operations and, if asked, its checks.

    An index that the step itself may change before it uses it is not known.
    """
    exprs = [] if step.guard is None else [step.guard]
    written: list[Var | Elem] = []
    for op in leaves(step.ops):
        if checks or not isinstance(op, Check):
            exprs += expressions_of(op)
        if isinstance(op, Assign) and not isinstance(op.target, Local):
            written.append(op.target)
    found = [Touch(*_name_index(place), writes=True) for place in written]
    found += [
        Touch(*_name_index(part), writes=False)
        for expr in exprs
        for part in walk(expr)
        if isinstance(part, (Var, Elem))
    ]
    return tuple(dict.fromkeys(_settled(touch, assigned(step.ops)) for touch in found))


def _name_index(place: Var | Elem) -> tuple[str, Expr | None]:
    return (place.name, None) if isinstance(place, Var) else (place.array, place.index)


def _settled(touch: Touch, changed: frozenset[str]) -> Touch:
    """The access, with any index where the one given may be another by the time it is used."""
    if touch.index is None or not any(
        isinstance(part, (Var, Elem)) or (isinstance(part, Local) and part.name in changed)
        for part in walk(touch.index)
    ):
        return touch
    return replace(touch, index=None)


def _reads_memory(op: Op) -> bool:
    return any(isinstance(e, (Var, Elem)) for expr in expressions_of(op) for e in walk(expr))


def _any(tests: Iterator[Expr]) -> Expr:
    hit: Expr = FALSE
    for test in dict.fromkeys(tests):
        hit = binary("or", hit, test)
    return hit


def _conflict(x: Touch, y: Touch) -> Expr:
    """True where two accesses of one moment conflict."""
    if x.name != y.name or not (x.writes or y.writes):
        return FALSE
    if x.index is None or y.index is None:
        return TRUE
    return binary("==", x.index, y.index)


# -- the notes: for each variable, whether B (A) reads it, writes it, and at which index ----------


def _notes(program: Program) -> tuple[SharedVariable, ...]:
    number = len(program.variables)
    longest = max((variable.length or 1 for variable in program.variables), default=1)
    index = IntType(longest.bit_length())
    flag = SharedVariable("", BOOL, None, (0,), internal=True)
    array = replace(flag, length=number, init=(0,) * number)
    made = [replace(flag, name=OPEN), replace(flag, name=SEEN)]
    for step in (FIRST, SECOND):
        made += [replace(array, name=f"{step}_reads"), replace(array, name=f"{step}_writes")]
        made += [replace(array, name=f"{step}_index", type=index)]
    return tuple(made)


def _number(program: Program, name: str) -> Expr:
    return Const(next(n for n, variable in enumerate(program.variables) if variable.name == name))


def _noted(program: Program, step: str, found: Sequence[Touch], *, note: bool) -> list[Op]:
    """Note the accesses of a step, or forget them. An index that is the length means any."""
    ops: list[Op] = []
    by_name: dict[str, list[Touch]] = {}
    for touch in found:
        by_name.setdefault(touch.name, []).append(touch)
    for name, group in by_name.items():
        number, length = _number(program, name), program.variable[name].length
        kinds = {"writes" if touch.writes else "reads" for touch in group}
        ops += [Assign(Elem(f"{step}_{kind}", number), Const(int(note))) for kind in sorted(kinds)]
        if length is not None:
            indices = {touch.index for touch in group}
            (index,) = indices if len(indices) == 1 else (None,)
            value = Const(length) if index is None else _in_range(index, length)
            ops.append(Assign(Elem(f"{step}_index", number), value if note else FALSE))
    return ops


def _in_range(index: Expr, length: int) -> Expr:
    low, high = Binary("<=", FALSE, index), Binary("<", index, Const(length))
    return (
        index if isinstance(index, Const) else cond(binary("and", low, high), index, Const(length))
    )


def _against(program: Program, step: str, touch: Touch) -> Expr:
    """True where an access conflicts with what has been noted of a step."""
    number, length = _number(program, touch.name), program.variable[touch.name].length
    hit: Expr = Elem(f"{step}_writes", number)
    if touch.writes:
        hit = binary("or", hit, Elem(f"{step}_reads", number))
    if touch.index is None or length is None:
        return hit
    noted = Elem(f"{step}_index", number)
    same = binary("or", Binary("==", noted, touch.index), Binary("==", noted, Const(length)))
    return binary("and", hit, same)


def _watched(program: Program, step: Step, site: int) -> Step:
    """A step that looks, between a B and its A, at what it touches."""
    found = touches(step)
    with_b = _any(_against(program, FIRST, touch) for touch in found)
    with_a = _any(_against(program, SECOND, touch) for touch in found)
    ops = (
        If(with_b, (Assign(Var(SEEN), TRUE),), ()),
        Check(site, not_(binary("and", Var(SEEN), with_a))),
    )
    return replace(step, ops=(If(Var(OPEN), ops, ()), *step.ops))
