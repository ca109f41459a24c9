"""Reads that steps share: one port of an array selects the element for whichever step executes.

Reads of an array with a computed index share a port, so that `count[page] + 1` in ten steps is one
adder.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from model.circuit.families import MergedStep
from model.circuit.netlist import TRUE
from model.circuit.values import Port, Scope, Values
from model.circuit.words import Word
from model.expressions import Const, Elem, Expr, Local, Var, walk
from model.program import Assign, Assume, Check, Choose, If, Op
from model.validation import leaves

StepKey = tuple[int, int]
"""The number of a family, and of a merged step in it."""
LineOf = Callable[[Sequence[StepKey], Sequence[StepKey]], int]


def build_ports(
    values: Values, scopes: Sequence[Scope], steps: Sequence[StepKey], line_of: LineOf
) -> dict[StepKey, dict[Elem, tuple[int, Port]]]:
    """For each step its reads with computed indices, each with its port and the port's number.

    The n-th different read of an array in each step goes to port n of the array. `scopes` are those
    of the families, `line_of` gives the line of the lanes that execute one of some steps
    among others, which may be true elsewhere.
    """
    users: dict[tuple[str, int], list[tuple[StepKey, Elem]]] = defaultdict(list)
    for key in steps:
        family, k = key
        seen: dict[str, int] = defaultdict(int)
        for element in _shareable_reads(values.layout.families[family].steps[k]):
            index = values.word(element.index, scopes[family], family)
            if all(bit <= TRUE for bit in index.bits):
                continue
            users[element.array, seen[element.array]].append((key, element))
            seen[element.array] += 1
    port_of: dict[StepKey, dict[Elem, tuple[int, Port]]] = {key: {} for key in steps}
    for number, ((array, _), uses) in enumerate(users.items()):
        keys: dict[Word, list[StepKey]] = defaultdict(list)
        for key, element in uses:
            keys[values.word(element.index, scopes[key[0]], key[0])].append(key)
        among = [key for key, _ in uses]
        port = _port(values, array, {word: line_of(at, among) for word, at in keys.items()})
        for key, element in uses:
            port_of[key][element] = (number, port)
    return port_of


def _port(values: Values, array: str, lines: Mapping[Word, int]) -> Port:
    """The port of an array at the index whose lines are active."""
    length = values.program.variable[array].length
    assert length is not None
    index = values.words.merge(
        [(line, word) for word, line in lines.items()], (length - 1).bit_length()
    )
    return Port(index, values.selected([values.element(array, j) for j in range(length)], index))


def _shareable_reads(step: MergedStep) -> list[Elem]:
    """The array elements a step reads whose index does not depend on what the step itself does."""
    assigned: set[str] = set()
    found: dict[Elem, None] = {}
    for op in leaves(step.ops):
        for expr in _expressions(op):
            for element in walk(expr):
                if isinstance(element, Elem) and not isinstance(element.index, Const):
                    parts = list(walk(element.index))
                    plain = not any(isinstance(e, (Var, Elem)) for e in parts)
                    if plain and not any(
                        isinstance(e, Local) and e.name in assigned for e in parts
                    ):
                        found[element] = None
        if isinstance(op, Assign) and isinstance(op.target, Local):
            assigned.add(op.target.name)
        if isinstance(op, Choose):
            assigned.add(op.target.name)
    late = {
        e for e in found if any(isinstance(x, Local) and x.name in assigned for x in walk(e.index))
    }
    return [element for element in found if element not in late]


def _expressions(op: Op) -> tuple[Expr, ...]:
    match op:
        case Assign(target, value):
            return (value, target)
        case Check(_, test) | Assume(test) | If(test, _, _):
            return (test,)
    return ()
