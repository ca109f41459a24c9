"""Reading a program's source text: the one place in `model` that opens a file."""

from __future__ import annotations

import ast
import linecache
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from types import FunctionType
from typing import Any

from model.language.errors import LanguageError, Span


@dataclass(frozen=True, eq=False)
class SourceFunction:
    """A Python function as text: its definition, and what its free names mean."""

    name: str
    file: str
    definition: ast.FunctionDef
    environment: dict[str, Any]

    @property
    def parameters(self) -> list[str]:
        """Names of the parameters, in order."""
        return [argument.arg for argument in self.definition.args.args]

    def error(self, nodes: ast.AST | list[ast.AST], sentence: str, remedy: str) -> LanguageError:
        """An error at one place, or at several places of one line."""
        at = nodes if isinstance(nodes, list) else [nodes]
        first = at[0].lineno  # type: ignore[attr-defined]
        line = linecache.getline(self.file, first).rstrip("\n")
        spans = tuple(self._span(node, line) for node in at if node.lineno == first)  # type: ignore[attr-defined]
        return LanguageError(self.file.rsplit("/", 1)[-1], spans, line, sentence, remedy)

    @staticmethod
    def _span(node: Any, line: str) -> Span:
        raw = line.encode()
        start = len(raw[: node.col_offset].decode())
        end = (
            len(raw[: node.end_col_offset].decode())
            if node.end_lineno == node.lineno
            else len(line)
        )
        return Span(node.lineno, start, max(end, start + 1))


@lru_cache(maxsize=256)
def _definitions(file: str) -> dict[int, ast.FunctionDef]:
    tree = ast.parse("".join(linecache.getlines(file)), file)
    found: dict[int, ast.FunctionDef] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            found[first] = node
    return found


def source_function(function: Callable[..., Any]) -> SourceFunction:
    """The text of a function. Raises OSError where there is none (typed at a prompt)."""
    assert isinstance(function, FunctionType)
    file = function.__code__.co_filename
    definition = _definitions(file).get(function.__code__.co_firstlineno)
    if definition is None:
        raise OSError(
            f"{file}: the source of {function.__name__}() cannot be read: write the program in a file"
        )
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    environment = {
        **function.__globals__,
        **{name: cell.cell_contents for name, cell in cells if _filled(cell)},
    }
    return SourceFunction(function.__name__, file, definition, environment)


def _filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True
