"""The same inputs give the same model results: on every machine, at every time.

The import contracts in `pyproject.toml` follow imports from file to file; this scan reads the text.
It does not see a set that reached a loop through a variable: the differential tests and a second
process with another hash seed are what catches that.
"""

import ast

import pytest

from tests.repository.tree import complaints, python_files

IMPURE_MODULES = {"datetime", "os", "random", "secrets", "time", "uuid"}
IMPURE_ATTRIBUTES = {"environ", "getenv", "urandom"}
SET_MAKERS = {"set", "frozenset"}
KEEPS_ORDER = {"enumerate", "iter", "list", "map", "next", "tuple", "zip"}
FORGETS_ORDER = SET_MAKERS | {"all", "any", "len", "max", "min", "sorted", "sum"}


def imported(node: ast.AST) -> set[str]:
    """The top-level modules that this statement imports, and `random` wherever it hangs."""
    if isinstance(node, ast.Import):
        return {alias.name.partition(".")[0] for alias in node.names}
    if isinstance(node, ast.ImportFrom) and not node.level:
        from_numpy = {alias.name for alias in node.names if node.module == "numpy"}
        return {(node.module or "").partition(".")[0]} | (from_numpy & {"random"})
    return set()


def called(node: ast.AST) -> str:
    is_plain_call = isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    return node.func.id if is_plain_call else ""


def is_set(node: ast.AST) -> bool:
    if isinstance(node, ast.BinOp):
        return is_set(node.left) or is_set(node.right) or of_keys(node)
    return isinstance(node, ast.Set | ast.SetComp) or called(node) in SET_MAKERS


def of_keys(node: ast.AST) -> bool:
    """Do sets of keys meet here? Keys alone are in the order in which they came."""
    views = (node.left, node.right) if isinstance(node, ast.BinOp) else ()
    calls = (view.func for view in views if isinstance(view, ast.Call))
    return any(isinstance(func, ast.Attribute) and func.attr == "keys" for func in calls)


def in_hash_order(node: ast.AST, harmless: set[ast.AST]) -> bool:
    """Does this node walk a set in an order that reaches a result?"""
    if isinstance(node, ast.For):
        return is_set(node.iter)
    if isinstance(node, ast.ListComp | ast.DictComp | ast.GeneratorExp):
        return node not in harmless and any(is_set(part.iter) for part in node.generators)
    if isinstance(node, ast.Call):
        joins = isinstance(node.func, ast.Attribute) and node.func.attr == "join"
        return (joins or called(node) in KEEPS_ORDER) and any(map(is_set, node.args))
    return False


def impurities(source: str) -> list[str]:
    tree = ast.parse(source)
    nodes = list(ast.walk(tree))
    harmless = {part for node in nodes if called(node) in FORGETS_ORDER for part in node.args}
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef)]
    hashers = [function for function in functions if function.name == "__hash__"]
    own_hash = {part for hasher in hashers for part in ast.walk(hasher)}
    said = []
    for node in nodes:
        for module in sorted(imported(node) & IMPURE_MODULES):
            said.append(f"{node.lineno}: imports `{module}`")
        if isinstance(node, ast.Attribute) and node.attr in IMPURE_ATTRIBUTES:
            said.append(f"{node.lineno}: reads `{node.attr}`")
        if called(node) == "hash" and node not in own_hash:
            said.append(f"{node.lineno}: `hash()` differs from process to process")
        if in_hash_order(node, harmless):
            said.append(f"{node.lineno}: walks a set in hash order")
    return said


def test_the_model_has_no_clock_no_chance_no_environment_and_no_hash_order():
    paths = python_files("model")
    assert paths
    assert not complaints(paths, impurities)


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "import os.path",
        "from random import Random",
        "from datetime import datetime",
        "from numpy import random",
        "def f():\n    import uuid",
        "flags = system.environ['FLAGS']",
        "key = hash(program)",
        "for step in {1, 2}: ...",
        "for step in set(a) | b: ...",
        "for name in a.keys() & b.keys(): ...",
        "steps = [step for step in frozenset(a)]",
        "steps = (step for step in {x for x in a})",
        "steps = list(set(a))",
        "text = ', '.join({'a', 'b'})",
    ],
)
def test_an_impurity_is_noticed(source):
    assert len(impurities(source)) == 1


@pytest.mark.parametrize(
    "source",
    [
        "from model.schedule import Schedule",
        "from .time import Tick",
        "for step in sorted(set(a)): ...",
        "found = any(step in b for step in set(a))",
        "steps = {step for step in set(a)}",
        "class A:\n    def __hash__(self): return hash(self.key)",
    ],
)
def test_what_has_no_order_and_no_clock_is_let_through(source):
    assert impurities(source) == []
