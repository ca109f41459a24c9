"""The source line of a step: in the text stored with its program, or in the kernel's functions.

A step's line counts in the file of its innermost function, and a program stores the text of its own
file only. The functions that programs share are those of this installation; a line outside the
function of that name there belongs to an earlier text and is not shown.
"""

import ast
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import model.programs.kernel

TEXTS_KEPT = 64


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A line of a file; `file` is None where it is the program's own."""

    file: str | None
    text: str


def source_line(source: str, function: str | None, line: int | None) -> SourceLine | None:
    """What stands at `line` of `function`; None where that cannot be told."""
    if function is None or line is None:
        return None
    own = _text_at(_functions(source), function, line)
    if own is not None:
        return SourceLine(None, own)
    for file, text in _kernel().items():
        shared = _text_at(_functions(text), function, line)
        if shared is not None:
            return SourceLine(file, shared)
    return None


def _text_at(functions: dict[str, dict[int, str]], function: str, line: int) -> str | None:
    return functions.get(function, {}).get(line)


@lru_cache(TEXTS_KEPT)
def _functions(source: str) -> dict[str, dict[int, str]]:
    """The lines of each function, by number, without their indentation."""
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return {}
    lines = source.splitlines()
    found: dict[str, dict[int, str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            last = node.end_lineno or node.lineno
            numbered = {n: lines[n - 1].strip() for n in range(node.lineno, last + 1)}
            found.setdefault(node.name, {}).update(numbered)
    return found


@cache
def _kernel() -> dict[str, str]:
    folder = Path(model.programs.kernel.__file__ or "").parent
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.py"))}
