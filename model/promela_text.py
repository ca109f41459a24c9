"""Names, integers and expressions of the IR as Promela writes them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from model.expressions import (
    Binary,
    Cond,
    Const,
    Elem,
    Expr,
    Instance,
    Interval,
    Local,
    Not,
    ThreadIndex,
    Var,
    interval,
    walk,
)  # fmt: skip
from model.program import Body, IntType, Program

BITS_MAX = 31
TYPES = ((8, "byte"), (15, "short"), (BITS_MAX, "int"))

# What Promela takes for itself, and C, into which Spin copies every name.
RESERVED = frozenset(
    re.findall(
        r"\w+",
        """
    active always assert atomic bit bool break byte chan d_step d_proctype do else empty enabled
    eval eventually false fi for full get_priority goto hidden if implies in init inline int len
    local ltl mtype nempty never next nfull not notrace np_ nr_pr od of pc_value pid printf printm
    priority proctype provided release return run select set_priority short show skip stronguntil
    timeout trace true typedef unless unsigned until weakuntil xr xs
    auto case char const continue default double enum extern float inline long main now
    register restrict signed sizeof static struct switch union void volatile while
    """,
    )
)


class CannotExport(ValueError):
    """The program has something that Promela cannot hold."""


class Names:
    """Gives out names: the wished one where it is free and Promela allows it, else one like it."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)
        self._numbers: dict[str, int] = {}

    def give(self, wished: str) -> str:
        """A name that nobody has yet."""
        plain = re.sub(r"\W", "_", wished, flags=re.ASCII).lstrip("_")
        # A label that starts with one of these words means something to Spin.
        if not re.match(r"[A-Za-z]", plain) or re.match(r"end|progress|accept", plain):
            plain = f"x_{plain}"
        name, number = plain, self._numbers.get(plain, 1)
        while name in self._taken or name in RESERVED:
            name, number = f"{plain}_{number}", number + 1
        self._taken.add(name)
        self._numbers[plain] = number
        return name

    def fork(self) -> Names:
        """For a scope inside this one."""
        return Names(self._taken)


def declaration(
    name: str, kind: IntType, *, length: int | None = None, hidden: bool = False
) -> str:
    """A variable in as few bits as Spin can hold it: only plain ones have less than a byte.

    Raises CannotExport where the type is wider than Promela's integers.
    """
    bits = kind.maximum.bit_length()
    if bits > BITS_MAX:
        raise CannotExport(
            f"{name} has values up to {kind.maximum:,}\n"
            f"    Promela's largest integer has {BITS_MAX} bits and a sign: declare fewer bits"
        )
    if length is None and not hidden:
        return f"bit {name}" if bits <= 1 else f"unsigned {name} : {bits}"
    size = "" if length is None else f"[{length}]"
    fitting = next(word for most, word in TYPES if bits <= most)
    return f"{'hidden ' if hidden else ''}{fitting} {name}{size}"


class Expressions:
    """Writes the expressions of one body; `names` are those of its locals."""

    def __init__(
        self, program: Program, body: Body | None, variables: dict[str, str], names: dict[str, str]
    ) -> None:
        self.program, self.variables, self.names = program, variables, names
        self.kinds = dict(body.locals) if body is not None else {}

    def text(self, expr: Expr, *, checked: bool = True) -> str:
        """An expression, in parentheses where it has operators. Raises CannotExport.

        Where nothing has `checked` the indices, an element outside its array is read as 0, as the
        interpreter does.
        """
        for part in walk(expr):
            low, high = interval(part, self.bounds)
            if low < -(1 << BITS_MAX) or high >= 1 << BITS_MAX:
                raise CannotExport(
                    f"a value between {low:,} and {high:,} on the way\n"
                    f"    Promela computes with {BITS_MAX} bits and a sign: declare fewer bits"
                )
        return self._text(expr, checked)

    def bounds(self, expr: Expr) -> Interval:
        """What a leaf of an expression can be."""
        match expr:
            case Local(name):
                return (0, self.kinds[name].maximum)
            case Var(name) | Elem(name, _):
                return (0, self.program.variable[name].type.maximum)
            case _:
                return (0, len(self.program.threads))

    def place(self, target: Local | Var | Elem, *, checked: bool = True) -> str:
        """What can be assigned to."""
        match target:
            case Local(name):
                return self.names[name]
            case Var(name):
                return self.variables[name]
            case Elem(name, index):
                return f"{self.variables[name]}[{bare(self._text(index, checked))}]"

    def _text(self, expr: Expr, checked: bool) -> str:
        match expr:
            case Const(value):
                return str(value) if value >= 0 else f"({value})"
            case Local() | Var():
                return self.place(expr)
            case Elem():
                return self.place(expr) if checked else self._element(expr)
            case Not(operand):
                return f"!({bare(self._text(operand, checked))})"
            case Cond(test, then, orelse):
                arms = f"{self._text(then, checked)} : {self._text(orelse, checked)}"
                return f"({self._text(test, checked)} -> {arms})"
            case Binary(op, left, right):
                sign = {"and": "&&", "or": "||"}.get(op, op)
                return f"({self._text(left, checked)} {sign} {self._text(right, checked)})"
            case ThreadIndex():
                return "_pid"
            case Instance():
                raise AssertionError("the instance number is folded to the position")

    def _element(self, expr: Elem) -> str:
        low, high = interval(expr.index, self.bounds)
        length = len(self.program.variable[expr.array].init)
        place = self.place(expr, checked=False)
        if low >= length or high < 0:
            return "0"
        at = self._text(expr.index, False)
        tests = [f"{at} >= 0"] * (low < 0) + [f"{at} < {length}"] * (high >= length)
        return f"({' && '.join(tests)} -> {place} : 0)" if tests else place


def bare(text: str) -> str:
    """Without the outermost parentheses, where they enclose everything and no `->`."""
    if not text.startswith("(") or "->" in text:
        return text
    depth = 0
    for position, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if depth == 0:
            return text[1:-1] if position == len(text) - 1 else text
    raise AssertionError(f"unbalanced: {text}")


def comment(text: str) -> str:
    """A text that can stand in a comment."""
    return text.replace("*/", "* /").replace("/*", "/ *").replace("\n", " ")


def quoted(text: str) -> str:
    """A text as printf() takes it."""
    plain = text.replace("\\", "/").replace('"', "'").replace("%", "%%").replace("\n", " ")
    return f'"{plain}\\n"'
