"""A program is found by what a person types; what is wrong with a file is said with its line."""

from pathlib import Path

import pytest

from model.language import LanguageError, ParameterError
from model.series import SeriesError
from storage.sources import (
    SourceError,
    compile_source,
    find_series,
    find_source,
    parameters_of,
    text_of,
)

FINE = """
from model.language import READ_ONCE, program, uint

@program()
def first(p):
    \"\"\"Reads once.\"\"\"
    slot = p.shared("slot", uint(2))

    @p.thread()
    def read():
        READ_ONCE(slot)
"""


def written(tmp_path, text):
    path = tmp_path / "mine.py"
    path.write_text(text)
    return path


def test_a_file_with_one_program_needs_no_name(tmp_path):
    path = written(tmp_path, FINE)
    source = find_source(str(path))
    assert (source.name, source.sentence) == ("first", "Reads once.")
    assert compile_source(source, {}).name == "first"
    assert text_of(source) == FINE


def test_a_program_of_a_file_is_found_by_name(tmp_path):
    path = written(tmp_path, FINE + FINE.replace("first", "second"))
    assert find_source(f"{path}:second").name == "second"
    with pytest.raises(SourceError, match=r"has 2 programs: it has first, second\n    declare one"):
        find_source(str(path))
    with pytest.raises(SourceError, match="has no program called 'third'"):
        find_source(f"{path}:third")


def test_a_file_may_import_its_neighbour(tmp_path):
    (tmp_path / "neighbour_of_mine.py").write_text("WIDTH = 3\n")
    text = "from neighbour_of_mine import WIDTH\n" + FINE.replace("uint(2)", "uint(WIDTH)")
    compiled = compile_source(find_source(str(written(tmp_path, text))), {})
    assert compiled.variable["slot"].type.width == 3


def test_a_file_that_was_edited_is_read_again(tmp_path):
    path = written(tmp_path, FINE)
    before = compile_source(find_source(str(path)), {})
    written(tmp_path, FINE.replace("uint(2)", "uint(3)") + "        READ_ONCE(slot)\n")
    after = compile_source(find_source(str(path)), {})
    assert len(before.bodies[0].steps) == 1 and len(after.bodies[0].steps) == 2


def test_a_name_that_is_not_in_the_library_is_answered_with_those_that_are():
    with pytest.raises(
        SourceError, match=r"no program is called 'nope': the library has .*thp_split"
    ):
        find_source("nope")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SourceError, match=r"there is no file .*/gone.py"):
        find_source(str(tmp_path / "gone.py"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def x(:\n", r"mine.py:1: not Python: "),
        ("x = 1\nimport nothing_called_so\n", r"mine.py:2: ModuleNotFoundError: No module"),
        ("x = [][3]\n", r"mine.py:1: IndexError: "),
    ],
)
def test_what_a_file_raises_is_said_with_its_line(tmp_path, text, said):
    with pytest.raises(SourceError, match=said):
        find_source(str(written(tmp_path, text)))


@pytest.mark.parametrize(
    "line", ['p.shared("slot", uint(2), init=9)', 'p.shared("1", uint(2))', "p.missing"]
)
def test_what_a_declaration_raises_is_the_authors_mistake(tmp_path, line):
    text = FINE.replace('    slot = p.shared("slot", uint(2))', f"    slot = {line}")
    with pytest.raises((SourceError, LanguageError), match=r"mine.py:7"):
        compile_source(find_source(str(written(tmp_path, text))), {})


def test_an_unknown_parameter_stays_one(tmp_path):
    source = find_source(str(written(tmp_path, FINE)))
    with pytest.raises(ParameterError):
        compile_source(source, {"pages": 3})


def test_parameters_have_a_name_and_a_value():
    assert parameters_of(["a=1", "b=x=y", "c="]) == {"a": "1", "b": "x=y", "c": ""}
    for wrong, said in ((["a"], "NAME=VALUE"), (["=1"], "NAME=VALUE"), (["a=1", "a=2"], "twice")):
        with pytest.raises(SourceError, match=said):
            parameters_of(wrong)


def test_a_path_may_have_spaces_and_an_imported_program_does_not_count(tmp_path, monkeypatch):
    folder = tmp_path / "my protocols"
    folder.mkdir()
    (folder / "neighbour of mine.py").write_text(FINE)
    (folder / "neighbour_b.py").write_text(FINE.replace("first", "borrowed"))
    text = "from neighbour_b import borrowed\n" + FINE.replace("first", "own")
    (folder / "own.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    assert find_source("my protocols/neighbour of mine.py").name == "first"
    assert find_source("./my protocols/own.py").name == "own"
    assert find_source("./my protocols/own.py:borrowed").name == "borrowed"


def test_a_dataclass_with_postponed_annotations_may_stand_beside_a_program(tmp_path):
    head = "from __future__ import annotations\nfrom dataclasses import dataclass\n"
    text = head + FINE + "\n@dataclass\nclass Sizes:\n    pages: int = 2\n"
    assert find_source(str(written(tmp_path, text))).name == "first"


def test_a_syntax_error_is_shown_with_its_caret(tmp_path):
    with pytest.raises(SourceError) as refused:
        find_source(str(written(tmp_path, "x = 1\ny = (2 +* 3)\n")))
    place, line, caret, *_ = str(refused.value).splitlines()
    assert place.endswith("mine.py:2: not Python: invalid syntax")
    assert line[caret.index("^")] == "*"


def test_a_file_that_exits_is_answered_with_its_line(tmp_path):
    with pytest.raises(SourceError, match=r"mine\.py:2: SystemExit: 3"):
        find_source(str(written(tmp_path, "import sys\nsys.exit(3)\n")))


def test_a_series_of_a_file_is_found_by_its_name():
    file = Path(__file__).parents[2] / "toy_series.py"
    assert find_series(f"{file}:toy").title == "A total is locked"
    with pytest.raises(SourceError, match=r"has 2 series: it has closed, toy\n    declare one"):
        find_series(str(file))


def test_an_unknown_series_is_answered_with_those_that_are_known():
    with pytest.raises(SourceError, match="the library has use-rcu-to-stabilize-page-counts"):
        find_series("use-locks")


def test_what_a_series_says_wrongly_is_said_as_it_is(tmp_path):
    text = "from model.series import Series\nmine = Series('mine', '', programs=[], patches=[])\n"
    with pytest.raises(SeriesError, match="number them 1, 2, 3"):
        find_series(str(written(tmp_path, text)))
