"""Reading a program's source text: the one place in `model` that opens a file."""

from __future__ import annotations

import ast
import linecache
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from types import FrameType, FunctionType, TracebackType
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
        arguments = self.definition.args
        return [argument.arg for argument in (*arguments.posonlyargs, *arguments.args)]

    @property
    def is_ours(self) -> bool:
        """True for a body that comes with the language, such as a primitive of RCU."""
        return _is_ours(self.environment)

    def name_seen_from(self, file: str) -> str:
        """`put_page`, or `pages.put_page` where it stands in another file than `file`."""
        elsewhere = self.file != file and not self.is_ours
        return f"{_shown(self.file).removesuffix('.py')}.{self.name}" if elsewhere else self.name

    def error(self, nodes: ast.AST | list[ast.AST], sentence: str, remedy: str) -> LanguageError:
        """An error at one place, or at several places of one line."""
        at = nodes if isinstance(nodes, list) else [nodes]
        return _error_in(self.file, at, sentence, remedy)


def _error_in(file: str, at: list[ast.AST], sentence: str, remedy: str) -> LanguageError:
    first: int = at[0].lineno  # type: ignore[attr-defined]
    line = linecache.getline(file, first).rstrip("\n")
    same_line = [node for node in at if node.lineno == first]  # type: ignore[attr-defined]
    spans = tuple(_span(node, line) for node in same_line)
    return LanguageError(_shown(file), spans, line, sentence, remedy)


def _is_ours(environment: dict[str, Any]) -> bool:
    return str(environment.get("__name__")).startswith("model.language")


def _shown(file: str) -> str:
    return file.rsplit("/", 1)[-1]


def _span(node: Any, line: str) -> Span:
    ends_here = node.end_lineno == node.lineno
    return _columns(node.lineno, node.col_offset, node.end_col_offset if ends_here else None, line)


def _columns(number: int, first_byte: int, end_byte: int | None, line: str) -> Span:
    """A span from offsets in UTF-8; one that has no end here goes to the end of the line."""
    raw = line.encode()
    start = len(raw[:first_byte].decode())
    end = len(line) if end_byte is None else len(raw[:end_byte].decode())
    return Span(number, start, max(end, start + 1))


@lru_cache(maxsize=256)
def _definitions(file: str, text: str) -> dict[int, ast.AST]:
    """The functions of a file by the line on which they (or their decorators) begin."""
    found: dict[int, ast.AST] = {}
    for node in ast.walk(ast.parse(text, file)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            found[first] = node
        elif isinstance(node, ast.Lambda):
            found.setdefault(node.lineno, node)
    return found


def source_function(function: Callable[..., Any]) -> SourceFunction:
    """The text of a function. Raises LanguageError where there is none (typed at a prompt)."""
    assert isinstance(function, FunctionType)
    code = function.__code__
    file, first = code.co_filename, code.co_firstlineno
    definition = _definitions(file, "".join(linecache.getlines(file))).get(first)
    if isinstance(definition, (ast.AsyncFunctionDef, ast.Lambda)):
        kind = "a lambda" if isinstance(definition, ast.Lambda) else "an async function"
        sentence = f"{kind} cannot be compiled"
        raise _error_in(file, [definition], sentence, "write it with `def`")
    if not isinstance(definition, ast.FunctionDef) or definition.name != code.co_name:
        raise LanguageError(
            _shown(file),
            (Span(first, 0, 1),),
            linecache.getline(file, first).rstrip("\n"),
            f"the source of {function.__name__}() cannot be read",
            "write the program in a file, and load it again when the file has changed",
        )
    cells = zip(code.co_freevars, function.__closure__ or (), strict=True)
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


def misdeclared(sentence: str, remedy: str) -> LanguageError:
    """An error at the author's line that is being executed: a declaration, not a body."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and _is_ours(frame.f_globals):
        frame = frame.f_back
    assert frame is not None, "declarations are made by somebody"
    return _error_at(frame, frame.f_lasti, sentence, remedy)


def failed_declaration(error: Exception) -> LanguageError | None:
    """What Python raised in the author's program, at the innermost line of the author's.

    None where our code raised it by an assertion: that is our mistake, not the author's.
    """
    authored: TracebackType | None = None
    trace = error.__traceback__
    ours = False
    while trace is not None:
        ours = _is_ours(trace.tb_frame.f_globals)
        authored = authored if ours else trace
        trace = trace.tb_next
    if authored is None or (ours and isinstance(error, AssertionError)):
        return None
    sentence = f"{type(error).__name__}: {error}"
    return _error_at(authored.tb_frame, authored.tb_lasti, sentence, "mend what is executed here")


def _error_at(frame: FrameType, instruction: int, sentence: str, remedy: str) -> LanguageError:
    file = frame.f_code.co_filename
    positions = list(frame.f_code.co_positions())[instruction // 2]
    number = positions[0] or frame.f_lineno
    line = linecache.getline(file, number, frame.f_globals).rstrip("\n")
    first_byte = positions[2] or 0
    ends_here = positions[1] == number
    span = _columns(number, first_byte, positions[3] if ends_here else None, line)
    return LanguageError(_shown(file), (span,), line, sentence, remedy)
