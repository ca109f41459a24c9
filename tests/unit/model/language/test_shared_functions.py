"""A program uses functions of another file: they bring their variables, their steps and errors."""

from pathlib import Path

import pytest

from model.explore import explore
from model.language import (
    READ_ONCE,
    LanguageError,
    Switch,
    program,
    rcu_read_lock,
    rcu_read_unlock,
    uint,
)
from model.program import Oracle
from tests.unit.model.language import shared_functions
from tests.unit.model.language.shared_functions import counter


@program()
def two_add(p):
    shared = counter(p, uint(4), 1)
    add = shared.add
    total = shared.total

    @p.thread(instances=2)
    def adder():
        add(2)

    @p.at_end
    def every_addition_counts():
        assert total == 6, "an addition is lost"


@program(reader=Switch(default=True))
def adds_inside_a_reader(p):
    p.rcu(grace_periods_max=0)
    shared = counter(p, uint(4), 1)

    @p.thread()
    def adder():
        seen = READ_ONCE(shared.total)
        if p.reader:
            rcu_read_lock()
        shared.add_inside_a_reader(seen + 3)
        if p.reader:
            rcu_read_unlock()


@program()
def forgets(p):
    shared = counter(p, uint(4), 1)

    @p.thread()
    def thread():
        shared.forget()


def test_a_function_of_another_file_brings_its_variables_its_constants_and_its_name():
    compiled = two_add.compile()
    assert [(s.label.text, s.function) for s in compiled.bodies[0].steps] == [
        ("seen = READ_ONCE(total)", "shared_functions.add"),
        ("WRITE_ONCE(total, seen + amount + step)", "shared_functions.add"),
    ]
    (site,) = explore(compiled, states_max=100).sites
    assert compiled.sites[site].sentence == "an addition is lost"


def test_a_primitive_is_named_by_its_call():
    texts = [s.label.text for s in adds_inside_a_reader.compile().bodies[0].steps]
    assert texts[2] == "shared.add_inside_a_reader(seen + 3)"


def test_an_assertion_that_asks_for_a_reader_is_an_oracle_of_rcu_misuse():
    compiled = adds_inside_a_reader.compile(reader="off")
    (site,) = explore(compiled, states_max=100).sites
    assert compiled.sites[site].oracle == Oracle.RCU
    assert not explore(adds_inside_a_reader.compile(), states_max=100).sites


def test_an_error_in_a_function_of_another_file_is_shown_there():
    with pytest.raises(LanguageError) as raised:
        forgets.compile()
    lines = Path(shared_functions.__file__).read_text(encoding="utf-8").split("\n")
    number = next(n for n, line in enumerate(lines, start=1) if "nothing)" in line)
    assert str(raised.value) == (
        f"shared_functions.py:{number}:27: `nothing` is not known here\n"
        "            WRITE_ONCE(total, nothing)\n"
        "                              ^~~~~~~\n"
        "    declare it, import it from model.language, or assign it"
    )
