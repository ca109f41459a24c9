"""What an author declares: parameters, shared variables, threads, oracles."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import FunctionType
from typing import Any, Literal

from model.language.errors import ParameterError
from model.language.rcu import Rcu, declare_rcu
from model.language.source import source_function
from model.language.types import Names
from model.language.vocabulary import VOCABULARY
from model.program import BOOL, IntType, Program, SharedVariable

Body = Callable[[], Any]


@dataclass(frozen=True, slots=True)
class Param:
    """A number from `low` to `high`."""

    low: int
    high: int
    default: int

    def __init__(self, low: int, high: int, *, default: int) -> None:
        for name, value in (("low", low), ("high", high), ("default", default)):
            object.__setattr__(self, name, value)
        self.accept(default)

    def accept(self, given: int | str) -> int:
        """The value of a given number or text. Raises ParameterError."""
        try:
            value = int(given)
        except ValueError:
            raise ParameterError(
                f"{given!r} is not a number: give {self.low} to {self.high}"
            ) from None
        if not self.low <= value <= self.high:
            raise ParameterError(f"{value} is out of bounds: give {self.low} to {self.high}")
        return value

    @property
    def values(self) -> str:
        """What may be given."""
        return f"{self.low} to {self.high}"


@dataclass(frozen=True, slots=True)
class Patch:
    """Patch `number` of the series: applied or not."""

    number: int
    default: bool = False

    def accept(self, given: int | str) -> bool:
        """The truth value of a given text. Raises ParameterError."""
        known = {"on": True, "off": False, "true": True, "false": False, "1": True, "0": False}
        if str(given).lower() not in known:
            raise ParameterError(f"{given!r} is neither on nor off")
        return known[str(given).lower()]

    @property
    def values(self) -> str:
        """What may be given."""
        return f"on or off (patch {self.number})" if self.number else "on or off"


class Switch(Patch):
    """Something that is on or off and no patch of a series."""

    def __init__(self, *, default: bool) -> None:
        super().__init__(0, default)


@dataclass(frozen=True, slots=True)
class Option:
    """One of several named designs; the first is the default."""

    names: tuple[str, ...]

    def __init__(self, *options: str) -> None:
        object.__setattr__(self, "names", options)

    @property
    def default(self) -> str:
        """The first one."""
        return self.names[0]

    def accept(self, given: int | str) -> str:
        """The given name. Raises ParameterError where it is none of the options."""
        if given not in self.names:
            raise ParameterError(f"{given!r} is not known: give {self.values}")
        return str(given)

    @property
    def values(self) -> str:
        """What may be given."""
        return " or ".join(self.names)


Parameter = Param | Patch | Option


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
        self._two_step: set[str] = set()
        self._rcu: Rcu | None = None
        self._rcu_wanted: dict[str, Any] | None = None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in self._parameters:
            raise AttributeError(
                f"the program has no parameter `{name}`: declare it in @program(…)"
            )
        return self._parameters[name]

    def shared(self, name: str, kind: IntType | Names, init: int = 0) -> Any:
        """A variable that every thread sees."""
        return self._declare(name, kind, None, init)

    def array(self, name: str, over: int | Names, kind: IntType | Names, init: Any = 0) -> Any:
        """A shared array over named values or a number; `init` is one value, a list, or a dict by index."""
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
        """A lock that sleeps; its unlock may touch the mutex once more after giving it up, as the kernel's does."""
        if two_step_unlock:
            self._two_step.add(name)
        return self._declare(name, BOOL, None, 0, lock=True)

    def rcu(
        self, *, grace_periods_max: int, callbacks: int = 0, argument: IntType | Names = BOOL, gp_seq_init: int = 0,
        irq_off_readers: bool = False,
    ) -> Rcu:  # fmt: skip
        """RCU with up to `grace_periods_max` grace periods of its own accord, and those that are asked for.

        `callbacks` is the number of call_rcu() slots, whose argument has the type `argument`; `gp_seq_init`
        starts the sequence elsewhere (near the wrap); `irq_off_readers` is the rule since v5.0. Call it
        after every thread is declared.
        """
        if self._rcu is not None:
            raise ValueError("p.rcu() is declared twice")
        self.THREADS = sum(handle.instances for handle in self._handles) + 1 + callbacks
        kind = argument.type if isinstance(argument, Names) else argument
        self._rcu = Rcu.declare(grace_periods_max, callbacks, kind)
        self._rcu_wanted = {"gp_seq_init": gp_seq_init, "irq_off_readers": irq_off_readers}
        return self._rcu

    def thread(
        self, *, instances: int = 1, daemon: bool = False, child: bool = False
    ) -> Callable[[Body], Any]:
        """Declare `instances` threads with this body. A daemon never makes a deadlock; a child is spawned."""
        if instances < 1:
            raise ValueError(f"instances={instances}: a body has at least one thread")

        def declare(function: Body) -> ThreadHandle:
            handle = ThreadHandle(function.__name__, function, instances, daemon, child)
            self._handles.append(handle)
            return handle

        return declare

    def invariant(self, function: Body) -> Body:
        """Assertions that hold in every state."""
        self._invariants.append(function)
        return function

    def at_end(self, function: Body) -> Body:
        """Assertions that hold when every thread has ended."""
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
            self.THREADS = (
                sum(handle.instances for handle in self._handles) + 1 + self._rcu.callbacks
            )
            declare_rcu(self, self._rcu, **self._rcu_wanted)

    def _declare(
        self, name: str, kind: IntType | Names, over: int | Names | None, init: Any, **flags: bool
    ) -> Any:
        of = kind.type if isinstance(kind, Names) else kind
        if not isinstance(of, IntType):
            raise TypeError(f"{name}: a type is uint(…), boolean or names(…)")
        if name in self._variables or name in VOCABULARY or not name.isidentifier():
            raise ValueError(f"{name!r}: a shared variable needs a name of its own")
        length = None if over is None else len(over) if isinstance(over, Names) else over
        named = tuple(over.type.names[: len(over)]) if isinstance(over, Names) else ()
        variable = SharedVariable(
            name, of, length, _initial(init, length), element_names=named, **flags
        )
        if not all(0 <= value <= of.maximum for value in variable.init):
            raise ValueError(f"{name}: an initial value is outside 0 to {of.maximum}")
        self._variables[name] = variable
        return variable


def _initial(init: Any, length: int | None) -> tuple[int, ...]:
    if length is None:
        return (int(init),)
    if isinstance(init, Mapping):
        values = [0] * length
        for index, value in init.items():
            values[index] = int(value)
        return tuple(values)
    values = [int(v) for v in init] if isinstance(init, Iterable) else [int(init)] * length
    if len(values) != length:
        raise ValueError(f"{len(values)} initial values for {length} elements")
    return tuple(values)


@dataclass(frozen=True, eq=False)
class ProgramSource:
    """A program as its author wrote it: compile it with values for its parameters."""

    name: str
    function: Callable[[Any], Any]
    steps_max: int
    parameters: Mapping[str, Parameter]

    @property
    def sentence(self) -> str:
        """The first line of its docstring."""
        return (self.function.__doc__ or "").strip().split("\n")[0]

    @property
    def file(self) -> str:
        """The file it is written in."""
        assert isinstance(self.function, FunctionType)
        return self.function.__code__.co_filename

    def values(self, given: Mapping[str, int | str]) -> dict[str, int | str]:
        """Every parameter's value. Raises ParameterError for one that is unknown or out of bounds."""
        for name in given:
            if name not in self.parameters:
                known = ", ".join(self.parameters) or "none"
                raise ParameterError(f"{self.name} has no parameter {name!r}: it has {known}")
        chosen: dict[str, int | str] = {}
        for name, parameter in self.parameters.items():
            try:
                chosen[name] = parameter.accept(given[name]) if name in given else parameter.default
            except ParameterError as error:
                raise ParameterError(f"{name}: {error}") from None
        return chosen

    def compile(self, **given: int | str) -> Program:
        """The program with its parameters folded in. Raises LanguageError and ParameterError."""
        from model.language.compiler import compile_program

        chosen = self.values(given)
        declarations = Declarations(chosen)
        check_variable_names(self)
        self.function(declarations)
        declarations._finish()
        return compile_program(self, chosen, declarations)


def check_variable_names(source: ProgramSource) -> None:
    """Refuse `s = p.shared("slot", …)`: a variable has one name, so that a body cannot miss it."""
    text = source_function(source.function)
    declaring: set[Literal["shared"] | str] = {
        "shared",
        "array",
        "ghost",
        "ghost_array",
        "spinlock",
        "mutex",
    }
    for node in ast.walk(text.definition):
        match node:
            case ast.Assign(
                [ast.Name(name)], ast.Call(ast.Attribute(_, method), [ast.Constant(declared), *_])
            ):
                if method in declaring and declared != name:
                    raise text.error(
                        node, f"`{name}` is declared as {declared!r}", "give it one name"
                    )


def program(
    *, steps_max: int = 1000, **parameters: Parameter
) -> Callable[[Callable[[Any], Any]], ProgramSource]:
    """Declare a program: executions longer than `steps_max` steps are an outcome of their own."""

    def declare(function: Callable[[Any], Any]) -> ProgramSource:
        return ProgramSource(function.__name__, function, steps_max, parameters)

    return declare
