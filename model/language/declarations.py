"""The `p` of a program: what declares its shared variables, threads and oracles."""

from __future__ import annotations

import keyword
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import FunctionType
from typing import Any

from model.language.rcu import RESERVED_PREFIX, Rcu, declare_rcu
from model.language.source import misdeclared, source_function
from model.language.types import Names
from model.language.vocabulary import VOCABULARY
from model.program import BOOL, IntType, SharedVariable

Body = Callable[[], Any]


@dataclass(frozen=True, eq=False)
class ThreadHandle:
    """A declared body with its threads."""

    name: str
    function: Body
    instances: int
    daemon: bool
    child: bool


class Declarations:
    """The `p` of a program: its parameters as attributes, and the methods that declare."""

    THREADS: int

    def __init__(self, parameters: Mapping[str, int | str]) -> None:
        self._parameters = dict(parameters)
        self._variables: dict[str, SharedVariable] = {}
        self._handles: list[ThreadHandle] = []
        self._invariants: list[Body] = []
        self._at_end: list[Body] = []
        self._untils: list[Body] = []
        self._primitives: dict[str, Body] = {}
        self._mutexes: set[str] = set()
        self._two_step: set[str] = set()
        self._rcu: Rcu | None = None
        self._rcu_wanted: dict[str, Any] | None = None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in self._parameters:
            raise AttributeError(f"the program has no parameter `{name}`")
        return self._parameters[name]

    def shared(self, name: str, kind: IntType | Names, init: int = 0) -> Any:
        """A variable that every thread sees."""
        return self._declare(name, kind, None, init)

    def array(self, name: str, over: int | Names, kind: IntType | Names, init: Any = 0) -> Any:
        """A shared array over names or a number; `init` is a value, a list, or a dict by index."""
        return self._declare(name, kind, over, init)

    def ghost(self, name: str, kind: IntType | Names, init: int = 0) -> Any:
        """A variable that exists only for the oracles: free to touch inside any step."""
        return self._declare(name, kind, None, init, ghost=True)

    def ghost_array(
        self, name: str, over: int | Names, kind: IntType | Names, init: Any = 0
    ) -> Any:
        """An array that exists only for the oracles."""
        return self._declare(name, kind, over, init, ghost=True)

    def spinlock(self, name: str, over: int | Names | None = None) -> Any:
        """A lock, or one for each named value."""
        return self._declare(name, BOOL, over, 0, lock=True)

    def mutex(self, name: str, *, two_step_unlock: bool = False) -> Any:
        """A lock that sleeps; in two steps, its unlock touches the mutex after giving it up.

        The kernel's does so to wake a waiter.
        """
        self._mutexes.add(name)
        if two_step_unlock:
            self._two_step.add(name)
        return self._declare(name, BOOL, None, 0, lock=True)

    def rcu(
        self,
        *,
        grace_periods_max: int,
        callbacks: int = 0,
        argument: IntType | Names = BOOL,
        gp_seq_init: int = 0,
        irq_off_readers: bool = False,
    ) -> Rcu:
        """RCU with up to `grace_periods_max` grace periods of its own accord, and those asked for.

        `callbacks` is the number of call_rcu() slots, whose argument has the type `argument`;
        `gp_seq_init` starts the sequence elsewhere (near the wrap); `irq_off_readers` is the rule
        since v5.0.
        """
        if self._rcu is not None:
            raise misdeclared("p.rcu() is declared twice", "declare it once")
        if not isinstance(gp_seq_init, int):
            raise misdeclared(f"gp_seq_init={gp_seq_init!r}", "give a whole number")
        kind = _type_of("argument", argument)
        self._rcu = Rcu.declare(grace_periods_max, callbacks, kind)
        self._rcu_wanted = {"gp_seq_init": gp_seq_init, "irq_off_readers": irq_off_readers}
        return self._rcu

    def thread(
        self,
        *given: Any,
        instances: int = 1,
        daemon: bool = False,
        child: bool = False,
    ) -> Callable[[Body], Any]:
        """Declare `instances` threads with this body.

        A daemon never makes a deadlock; a child starts when it is spawned.
        """
        if given:
            raise misdeclared("@p.thread without parentheses", "write `@p.thread()`")
        if not isinstance(instances, int) or instances < 1:
            raise misdeclared(f"instances={instances!r}", "a body has at least one thread")

        def declare(function: Body) -> ThreadHandle:
            text = _function("p.thread()", function)
            taken = {handle.name for handle in self._handles}
            if text.name in taken:
                raise misdeclared(f"two bodies are called {text.name}()", "give each its own name")
            if not text.is_ours and text.name.startswith(RESERVED_PREFIX):
                raise misdeclared(f"{text.name}() is a name of RCU's", "give it another name")
            handle = ThreadHandle(text.name, function, instances, daemon, child)
            self._handles.append(handle)
            return handle

        return declare

    def invariant(self, function: Body) -> Body:
        """Assertions that hold in every state."""
        _function("p.invariant", function)
        self._invariants.append(function)
        return function

    def at_end(self, function: Body) -> Body:
        """Assertions that hold when every thread has ended."""
        _function("p.at_end", function)
        self._at_end.append(function)
        return function

    def _until(self, function: Body) -> Body:
        self._untils.append(function)
        return function

    def _primitive(self, function: Body) -> Body:
        assert function.__name__ in VOCABULARY
        self._primitives[function.__name__] = function
        return function

    def _internal(
        self, name: str, kind: IntType, *, init: int = 0, length: int | None = None
    ) -> Any:
        return self._declare(name, kind, length, init, internal=True)

    def _finish(self) -> None:
        if self._rcu is not None and self._rcu_wanted is not None:
            threads = sum(handle.instances for handle in self._handles)
            self.THREADS = threads + 1 + self._rcu.callbacks
            declare_rcu(self, self._rcu, **self._rcu_wanted)

    def _declare(
        self, name: str, kind: IntType | Names, over: int | Names | None, init: Any, **flags: bool
    ) -> Any:
        internal = flags.get("internal", False)
        if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name):
            raise misdeclared(f"{name!r} is no name", "a shared variable is named as in Python")
        if name in self._variables:
            raise misdeclared(f"`{name}` is declared twice", "give each variable its own name")
        if name in VOCABULARY:
            raise misdeclared(f"`{name}` is a word of the language", "give it another name")
        if name.startswith(RESERVED_PREFIX) and not internal:
            raise misdeclared(f"`{name}` is a name of RCU's", "give it another name")
        of = _type_of(name, kind)
        length = _length(name, over)
        named = tuple(over.type.names[: len(over)]) if isinstance(over, Names) else ()
        values = _initial(name, init, length, of, over)
        variable = SharedVariable(name, of, length, values, element_names=named, **flags)
        self._variables[name] = variable
        return variable


def _function(what: str, given: Any) -> Any:
    """The text of a function that is declared as a body or an oracle."""
    if not isinstance(given, FunctionType):
        raise misdeclared(f"{what} is given no function", "decorate a function with it")
    return source_function(given)


def _type_of(name: str, kind: Any) -> IntType:
    of = kind.type if isinstance(kind, Names) else kind
    if not isinstance(of, IntType):
        raise misdeclared(f"`{name}` has no type", "a type is uint(…), boolean or names(…)")
    return of


def _length(name: str, over: Any) -> int | None:
    if over is None:
        return None
    length = len(over) if isinstance(over, Names) else over
    if not isinstance(length, int) or length < 1:
        raise misdeclared(
            f"`{name}` is an array over {over!r}", "give names(…), or a number of elements"
        )
    return length


def _initial(name: str, init: Any, length: int | None, kind: IntType, over: Any) -> tuple[int, ...]:
    """The initial values, one for each element."""
    if length is None:
        return (_initial_value(name, init, kind),)
    if isinstance(init, Mapping):
        values = [0] * length
        for index, value in init.items():
            if not isinstance(index, int) or not 0 <= index < length:
                raise misdeclared(f"`{name}` has no element {index!r}", f"it has {length}")
            _refuse_other_names(name, index, over.type if isinstance(over, Names) else None)
            values[index] = _initial_value(name, value, kind)
        return tuple(values)
    if isinstance(init, Iterable) and not isinstance(init, str):
        given = list(init)
        if len(given) != length:
            raise misdeclared(
                f"`{name}` has {length} elements, and {len(given)} initial values",
                "give one value for all, a list, or a dict by index",
            )
        return tuple(_initial_value(name, value, kind) for value in given)
    return (_initial_value(name, init, kind),) * length


def _initial_value(name: str, value: Any, kind: IntType) -> int:
    if not isinstance(value, int):
        raise misdeclared(f"`{name}` begins with {value!r}", "an initial value is an integer")
    _refuse_other_names(name, value, kind)
    if not 0 <= value <= kind.maximum:
        raise misdeclared(
            f"`{name}` begins with {int(value)}", f"its type holds 0 to {kind.maximum}"
        )
    return int(value)


def _refuse_other_names(name: str, value: int, kind: IntType | None) -> None:
    of: IntType | None = getattr(value, "type", None)
    if of is not None and kind is not None and kind.names and of.names != kind.names:
        raise misdeclared(
            f"`{name}` is declared with one of {'/'.join(of.names)}",
            f"it is over {'/'.join(kind.names)}",
        )
