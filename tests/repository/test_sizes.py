"""Files and functions stay small enough to be read in one go."""

import ast
from pathlib import Path

from tests.repository.tree import complaints, python_files

FILE_LINES_MAX = 500
TEST_FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 70
# One list of all that the language rejects, to be looked up and not read.
REJECTED = Path("tests/errors/rejected.py")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def long_file(source: str, lines_max: int) -> list[str]:
    lines = len(source.splitlines())
    return [f"{lines} lines, at most {lines_max}"] if lines > lines_max else []


def nested_functions(function: Function) -> list[Function]:
    """The outermost functions inside `function`."""
    found: list[Function] = []
    inside: list[ast.AST] = list(function.body)
    while inside:
        node = inside.pop()
        if isinstance(node, Function):
            found.append(node)
        else:
            inside.extend(ast.iter_child_nodes(node))
    return found


def lines_of(function: Function) -> int:
    assert function.end_lineno is not None
    return function.end_lineno - function.lineno + 1


def long_functions(source: str) -> list[str]:
    """A function that only holds others (a program and its threads) is not long by their lines."""
    said = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, Function):
            own = lines_of(node) - sum(map(lines_of, nested_functions(node)))
            if own > FUNCTION_LINES_MAX:
                said.append(f"{node.lineno}: `{node.name}` has {own} lines of its own")
    return said


def test_no_file_is_too_long_to_read():
    product = [path for path in python_files() if path.parts[0] != "tests"]
    tests = [path for path in python_files("tests") if path != REJECTED]
    assert not complaints(product, lambda source: long_file(source, FILE_LINES_MAX))
    assert not complaints(tests, lambda source: long_file(source, TEST_FILE_LINES_MAX))


def test_no_function_is_too_long_to_read():
    assert not complaints(python_files(), long_functions)


def test_a_long_file_is_noticed():
    assert long_file("x\n" * 501, 500) == ["501 lines, at most 500"]
    assert long_file("x\n" * 500, 500) == []


def test_a_long_function_is_noticed_and_a_function_of_functions_is_not():
    seventy = "def f():\n" + "    x = 1\n" * 69
    assert long_functions(seventy) == []
    assert long_functions(seventy + "    x = 1\n") == ["1: `f` has 71 lines of its own"]
    inner = "    def g():\n" + "        x = 1\n" * 60
    assert long_functions("def f():\n" + inner + inner.replace("g", "h")) == []
