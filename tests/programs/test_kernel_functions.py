"""What the kernel has once, the programs of the series have once: in `model/programs/kernel/`."""

import ast
from pathlib import Path

from model.programs.kernel import folios, pages


def functions_in(file: str) -> set[str]:
    """The names of all functions that a file defines, at any depth."""
    tree = ast.parse(Path(file).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_no_program_of_the_series_has_its_own_version_of_a_shared_function():
    assert isinstance(pages.__file__, str) and isinstance(folios.__file__, str)
    programs = sorted(Path(pages.__file__).parents[1].glob("*.py"))
    shared = functions_in(pages.__file__) | functions_in(folios.__file__)
    assert {"get_page_unless_zero", "put_page", "alloc_page", "split_refcount"} <= shared
    again = {str(path): functions_in(str(path)) & shared for path in programs}
    assert len(programs) > 15 and not {path: names for path, names in again.items() if names}


def test_no_program_of_the_series_freezes_a_count_by_itself():
    assert isinstance(pages.__file__, str)
    programs = sorted(Path(pages.__file__).parents[1].glob("*.py"))
    text = {path.name: path.read_text(encoding="utf-8") for path in programs}
    assert [name for name in text if "atomic_cmpxchg(count[" in text[name]] == []
    assert len([name for name in text if "page_freeze_refs(" in text[name]]) >= 5
