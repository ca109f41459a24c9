"""The IR: a protocol as bodies of indivisible steps over shared variables; frozen and hashed.

The front end makes it, both engines consume it, JSON carries it to workers and into the database.
The memory model is a parameter of an execution: each step keeps the kind and ordering of its
accesses.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

from model.expressions import Elem, Expr, Local, Var

if TYPE_CHECKING:
    from model.footprint import Footprint

FORMAT_VERSION = 1
END = -1
UNBORN = -2


@dataclass(frozen=True, slots=True)
class IntType:
    """An unsigned integer of `width` bits, or one of `names` (with `null`, the last is null)."""

    width: int
    wrapping: bool = False
    names: tuple[str, ...] = ()
    null: bool = False

    @property
    def maximum(self) -> int:
        """The largest value that may be stored."""
        return len(self.names) - 1 if self.names else (1 << self.width) - 1

    def show(self, value: int) -> str:
        """The value as a person reads it."""
        return self.names[value] if 0 <= value < len(self.names) else str(value)


BOOL = IntType(1)


@dataclass(frozen=True, slots=True)
class SharedVariable:
    """A variable every thread sees (`length` is None for a scalar); ghosts are for oracles only."""

    name: str
    type: IntType
    length: int | None
    init: tuple[int, ...]
    ghost: bool = False
    lock: bool = False
    internal: bool = False
    element_names: tuple[str, ...] = ()

    def element(self, index: int) -> str:
        """`count[TAIL]` or the bare name of a scalar."""
        if self.length is None:
            return self.name
        named = self.element_names[index] if index < len(self.element_names) else str(index)
        return f"{self.name}[{named}]"


@dataclass(frozen=True, slots=True)
class Access:
    """One access to shared memory: the primitive, its ordering, and what it touches."""

    kind: str
    ordering: str
    variable: str
    index: Expr | None
    reads: bool
    writes: bool


@dataclass(frozen=True, slots=True)
class Assign:
    """Store a value that an earlier check has found to be in range (or that wraps)."""

    target: Local | Var | Elem
    value: Expr


@dataclass(frozen=True, slots=True)
class If:
    """One of two sequences."""

    test: Expr
    then: tuple[Op, ...]
    orelse: tuple[Op, ...]


@dataclass(frozen=True, slots=True)
class Switch:
    """Go on with the arm of a local's value: the way back from a function with several callers."""

    local: Local
    arms: tuple[tuple[int, tuple[Op, ...]], ...]


@dataclass(frozen=True, slots=True)
class Check:
    """A violation of oracle site `site` where `test` is 0."""

    site: int
    test: Expr


@dataclass(frozen=True, slots=True)
class Assume:
    """The execution is discarded where `test` is 0."""

    test: Expr


@dataclass(frozen=True, slots=True)
class Choose:
    """Nondeterminism: one of `options`, each as likely as the others."""

    target: Local
    options: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Spawn:
    """Start the child at position `thread`; a violation of `site` where it has started before."""

    thread: int
    site: int


@dataclass(frozen=True, slots=True)
class Fence:
    """A memory barrier; it does nothing under sequential consistency and is no step."""

    kind: str


@dataclass(frozen=True, slots=True)
class Goto:
    """The next step (or END); `yields` marks a cpu_relax(): leaving here is no preemption."""

    step: int
    yields: bool = False


Op = Assign | If | Switch | Check | Assume | Choose | Spawn | Fence | Goto


@dataclass(frozen=True, slots=True, order=True)
class Label:
    """A step by body, source text and ordinal among equal texts: it survives edits elsewhere."""

    body: str
    text: str
    ordinal: int = 0

    def __str__(self) -> str:
        return f"{self.body}: {self.text}" + (f" #{self.ordinal + 1}" if self.ordinal else "")


@dataclass(frozen=True, slots=True)
class Step:
    """One indivisible step: enabled while `guard` holds; `ops` end in a Goto on every path.

    `may_end` says that waiting here for ever is a fine end. `function` is the innermost inlined
    one.
    """

    label: Label
    guard: Expr | None
    may_end: bool
    ops: tuple[Op, ...]
    accesses: tuple[Access, ...]
    function: str
    line: int


@dataclass(frozen=True, slots=True)
class Body:
    """Code of threads: `entry` sets up the locals and goes to the first step, as no step."""

    name: str
    locals: tuple[tuple[str, IntType], ...]
    entry: tuple[Op, ...]
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Thread:
    """A modelled thread. A daemon never makes a deadlock; a child starts when it is spawned."""

    name: str
    body: int
    instance: int
    daemon: bool = False
    child: bool = False


class Oracle(StrEnum):
    """What can be wrong. The value is the word shown and stored."""

    DEADLOCK = "deadlock"
    ASSERT = "assert"
    INVARIANT = "invariant"
    AT_END = "at_end"
    RANGE = "range"
    INDEX = "index"
    LOCK = "lock"
    RCU = "rcu"


class Outcome(StrEnum):
    """How an execution ends: a closed set. A limit is never a pass."""

    OK = "ok"
    VIOLATION = "violation"
    DEADLOCK = "deadlock"
    STEP_LIMIT = "step_limit"
    DISCARDED = "discarded"


@dataclass(frozen=True, slots=True)
class Site:
    """One oracle at one place, with its sentence."""

    oracle: Oracle
    sentence: str


DEADLOCK_SITE = 0


@dataclass(frozen=True)
class Program:
    """A protocol with its parameters folded in.

    `until` are conditions that must hold before a quiescent state is the end (callbacks done).
    `sites[0]` is the deadlock. An execution of more than `steps_max` steps hits the step limit.
    """

    name: str
    parameters: tuple[tuple[str, int | str], ...]
    steps_max: int
    variables: tuple[SharedVariable, ...]
    bodies: tuple[Body, ...]
    threads: tuple[Thread, ...]
    sites: tuple[Site, ...]
    invariants: tuple[Op, ...] = ()
    at_end: tuple[Op, ...] = ()
    until: tuple[Expr, ...] = ()

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the meaning: line numbers do not count."""
        from model.program_json import digest

        return digest(self)

    @cached_property
    def json(self) -> str:
        """The program as one line of JSON, made once."""
        from model.program_json import to_json

        return to_json(self)

    @cached_property
    def folded_hash(self) -> str:
        """The hash without the parameters: equal where different values fold to the same steps."""
        return replace(self, parameters=()).hash

    @cached_property
    def live(self) -> tuple[dict[int, frozenset[str]], ...]:
        """For each body and step: the locals whose value still matters before the step."""
        from model.liveness import liveness

        return tuple(liveness(body) for body in self.bodies)

    @cached_property
    def footprint(self) -> Footprint:
        """What the oracles and the end of an execution look at."""
        from model.footprint import footprint

        return footprint(self)

    @cached_property
    def variable(self) -> dict[str, SharedVariable]:
        """Shared variables by name."""
        return {v.name: v for v in self.variables}

    def body_of(self, thread: int) -> Body:
        """The body that a thread executes."""
        return self.bodies[self.threads[thread].body]

    def step_at(self, thread: int, pc: int) -> Step:
        """The step at which a thread stands."""
        return self.body_of(thread).steps[pc]

    @cached_property
    def title(self) -> str:
        """`thp_split (gp_cookie=off, lookups=1)`."""
        shown = ", ".join(f"{k}={show_parameter(v)}" for k, v in self.parameters)
        return f"{self.name} ({shown})" if shown else self.name


def show_parameter(value: int | str) -> str:
    """`on`, `off`, a number or a name."""
    return ("on" if value else "off") if isinstance(value, bool) else str(value)
