"""A program as its author wrote it, to be compiled with values for its parameters."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import FunctionType
from typing import Any

from model.language.declarations import Declarations
from model.language.errors import LanguageError, ParameterError
from model.language.parameters import Operation, Option, Param, Parameter, Patch, Switch
from model.language.source import SourceFunction, failed_declaration, source_function
from model.program import Program

DECLARING = frozenset({"shared", "array", "ghost", "ghost_array", "spinlock", "mutex"})

__all__ = ["Operation", "Option", "Param", "Patch", "ProgramSource", "Switch", "program"]


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
        """Every parameter's value. Raises ParameterError for one unknown or out of bounds."""
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
        text = source_function(self.function)
        if len(text.parameters) != 1:
            raise text.error(
                text.definition, "a program takes one parameter", "write `def name(p):`"
            )
        _refuse_second_names(text)
        try:
            self.function(declarations)
        except (LanguageError, ParameterError):
            raise
        except Exception as error:
            shown = failed_declaration(error)
            if shown is None:
                raise
            raise shown from None
        declarations._finish()
        return compile_program(self, chosen, declarations)


def _refuse_second_names(text: SourceFunction) -> None:
    """Refuse `s = p.shared("slot", …)`: a variable has one name, so that a body cannot miss it."""
    for node in ast.walk(text.definition):
        match node:
            case ast.Assign(targets, ast.Call(ast.Attribute(_, method), [ast.Constant(name), *_])):
                _refuse_other_targets(text, targets, method, name)
            case ast.AnnAssign(
                target, _, ast.Call(ast.Attribute(_, method), [ast.Constant(name), *_])
            ):
                _refuse_other_targets(text, [target], method, name)


def _refuse_other_targets(
    text: SourceFunction, targets: list[Any], method: str, name: object
) -> None:
    for target in targets:
        if method in DECLARING and isinstance(target, ast.Name) and target.id != name:
            raise text.error(target, f"`{target.id}` is declared as {name!r}", "give it one name")


def program(
    *, steps_max: int = 1000, **parameters: Parameter
) -> Callable[[Callable[[Any], Any]], ProgramSource]:
    """Declare a program: executions longer than `steps_max` steps are an outcome of their own."""

    if not isinstance(steps_max, int) or steps_max < 1:
        raise ParameterError(f"steps_max={steps_max!r}: an execution has at least one step")
    for name, parameter in parameters.items():
        if not isinstance(parameter, (Param, Patch, Option)):
            raise ParameterError(f"{name}={parameter!r}: write Param, Patch, Switch or Option")
        if name.startswith("_") or hasattr(Declarations, name):
            raise ParameterError(f"a parameter cannot be called {name!r}: `p` has it already")

    def declare(function: Callable[[Any], Any]) -> ProgramSource:
        if not isinstance(function, FunctionType):
            raise ParameterError("@program(…) is given no function")
        return ProgramSource(function.__name__, function, steps_max, parameters)

    return declare
