"""The text of an exported model: names, integers, what it refuses."""

import pytest

from model.expressions import Binary, Const, Elem, Local, Not, ThreadIndex
from model.language import READ_ONCE, WRITE_ONCE, choose, program, uint
from model.program import IntType
from model.promela import CannotExport, promela
from model.promela_text import Expressions, Names, bare, comment, declaration, quoted
from tests.awkward_names import awkward
from tests.toy_programs import PROGRAMS, stale_lookup


@pytest.mark.parametrize("compiled", [*PROGRAMS, awkward.compile()], ids=lambda each: each.name)
def test_every_step_is_there_with_its_line_and_text(compiled):
    text = promela(compiled)
    for body in compiled.bodies:
        for step in body.steps:
            where = "" if step.function == body.name else f" of {step.function}()"
            assert f":\t/* line {step.line}{where}: {comment(step.label.text)} */" in text
    assert text.count(" proctype ") >= len(compiled.bodies) + 1


def test_the_model_is_a_function_of_the_program():
    assert promela(stale_lookup.compile()) == promela(stale_lookup.compile())


def test_names_are_kept_where_they_may_be():
    names = Names()
    assert names.give("count") == "count"
    assert names.give("count") == "count_1"
    assert names.give("run") == "run_1"
    assert names.give("put_page.page") == "put_page_page"
    assert names.give("_reader") == "reader"
    assert names.give("end_it") == "x_end_it"
    inside = names.fork()
    assert inside.give("count") == "count_2"
    assert names.give("count") == "count_2"


@pytest.mark.parametrize(
    ("width", "length", "hidden", "expected"),
    [
        (1, None, False, "bit x"),
        (2, None, False, "unsigned x : 2"),
        (31, None, False, "unsigned x : 31"),
        (1, 3, False, "byte x[3]"),
        (8, 3, False, "byte x[3]"),
        (9, 3, False, "short x[3]"),
        (16, 3, False, "int x[3]"),
        (1, None, True, "hidden byte x"),
    ],
)
def test_a_variable_takes_few_bits(width, length, hidden, expected):
    assert declaration("x", IntType(width), length=length, hidden=hidden) == expected


def test_a_variable_that_promela_cannot_hold_is_refused():
    @program(steps_max=9)
    def wide(p):
        """A number of 32 bits."""
        x = p.shared("x", uint(32))

        @p.thread()
        def reader():
            READ_ONCE(x)

    with pytest.raises(CannotExport, match="x has values up to 4,294,967,295"):
        promela(wide.compile())


def test_a_value_on_the_way_that_promela_cannot_hold_is_refused():
    @program(steps_max=9)
    def large(p):
        """A product of two numbers of 16 bits is masked to 16 bits."""
        x = p.shared("x", uint(24))

        @p.thread()
        def writer():
            a = READ_ONCE(x)
            WRITE_ONCE(x, a * 256 & 1)

    with pytest.raises(CannotExport, match="on the way"):
        promela(large.compile())


def test_a_step_with_too_many_choices_is_refused(monkeypatch):
    @program(steps_max=9)
    def many(p):
        """A step with 3 choices of 4."""
        x = p.shared("x", uint(8))

        @p.thread()
        def writer():
            total: uint(8) = 0
            for _ in range(3):
                one = choose(0, 1, 2, 3)
                total = total + one
            WRITE_ONCE(x, total)

    monkeypatch.setattr("model.promela_steps.PATHS_MAX", 16)
    with pytest.raises(CannotExport, match="over 16 choices and branches"):
        promela(many.compile())


def test_an_element_outside_its_array_is_read_as_0_where_nothing_has_checked_it():
    compiled = stale_lookup.compile()
    body = compiled.bodies[0]
    write = Expressions(compiled, body, {"count": "count"}, {"page": "page"})
    read = Elem("count", Local("page"))
    assert write.text(read) == "count[page]"
    assert write.text(read, checked=False) == "(page < 2 -> count[page] : 0)"
    below = Elem("count", Binary("-", ThreadIndex(), Const(1)))
    assert write.text(below, checked=False) == ("((_pid - 1) >= 0 -> count[_pid - 1] : 0)")


def test_two_negations_are_not_the_operator_of_a_channel():
    compiled = stale_lookup.compile()
    write = Expressions(compiled, None, {"slot": "slot"}, {})
    assert "!!" not in write.text(Not(Not(ThreadIndex())))


def test_parentheses_are_left_out_only_where_they_enclose_everything():
    assert bare("(a && b)") == "a && b"
    assert bare("(a) && (b)") == "(a) && (b)"
    assert bare("(a -> b : c)") == "(a -> b : c)"
    assert bare("a") == "a"


def test_a_text_of_the_program_ends_no_comment_and_no_string():
    assert comment("a */ b /* c\nd") == "a * / b / * c d"
    assert quoted('100% "sure" \\ here') == "\"100%% 'sure' / here\\n\""
