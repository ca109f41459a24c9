"""One word, one meaning; nothing left for later; nothing that only one machine knows."""

import ast
import re

from tests.repository.tree import PACKAGES, complaints, files, python_files

# The words that the project does not use, since each of them means several things.
UNUSED = ("job", "task", "bug", "manager", "handler", "helper", "util")
UNUSED_WORD = re.compile(rf"(?:{'|'.join(UNUSED)})s?")

# Put together here, so that this file does not complain about itself.
UNFINISHED = re.compile(rf"\b(?:{'TO' 'DO'}|{'FIX' 'ME'}|{'X' * 3})\b")
MACHINE_PATH = re.compile(rf"(?<![\w.])/(?:{'wo' 'rk'}|{'ro' 'ot'})/")


def words_of(name: str) -> list[str]:
    """`LeaseTable_of` is `lease`, `table`, `of`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|_", " ", name)
    return spaced.lower().split()


def unused_words_in(name: str) -> list[str]:
    return [word for word in words_of(name) if UNUSED_WORD.fullmatch(word)]


def ill_named_definitions(source: str) -> list[str]:
    definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    return [
        f"{node.lineno}: `{node.name}`"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, definition) and unused_words_in(node.name)
    ]


def lines_with(pattern: re.Pattern[str], text: str) -> list[str]:
    lines = enumerate(text.splitlines(), start=1)
    return [f"{number}: {line.strip()}" for number, line in lines if pattern.search(line)]


def test_no_module_class_or_function_has_a_name_that_means_several_things():
    paths = python_files(*PACKAGES)
    names = {path: path.with_suffix("").parts for path in paths}
    assert not [str(path) for path in paths if any(map(unused_words_in, names[path]))]
    # A program's functions carry the kernel's published names.
    ours = [path for path in paths if path.parts[:2] != ("model", "programs")]
    assert not complaints(ours, ill_named_definitions)


def test_nothing_is_marked_as_unfinished():
    assert not complaints(files(), lambda text: lines_with(UNFINISHED, text))


def test_no_file_names_a_path_of_one_machine():
    assert not complaints(files(), lambda text: lines_with(MACHINE_PATH, text))


def test_an_ill_named_definition_is_noticed():
    assert ill_named_definitions("class LeaseManager: ...") == ["1: `LeaseManager`"]
    assert ill_named_definitions("class A:\n  def bug_count(self): ...") == ["2: `bug_count`"]
    assert ill_named_definitions("async def io_utils(): ...") == ["1: `io_utils`"]
    assert ill_named_definitions("def debug(): ...\ndef utility(): ...") == []


def test_an_unfinished_mark_and_a_machine_path_are_noticed():
    mark, path = "TO" "DO", "/ro" "ot/x"
    assert lines_with(UNFINISHED, f"a\n# {mark}: later\n") == [f"2: # {mark}: later"]
    assert lines_with(MACHINE_PATH, f"open('{path}')") == [f"1: open('{path}')"]
    assert lines_with(MACHINE_PATH, "https://example.org/ro" "ot/x and .git/wo" "rk/") == []
