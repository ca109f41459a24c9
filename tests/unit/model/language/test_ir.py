"""The program that compiling gives: hashed by its meaning, carried by JSON and by pickle."""

# ruff: noqa: F821, F841

import json
import pickle

import pytest

from model.language import Param, program
from model.program import Program
from model.program_json import from_json, to_json
from model.validation import ProgramError
from tests.building import function_from, memory, program_of

TEXT = "def body():\n    own = READ_ONCE(x)\n    if own == 0:\n        WRITE_ONCE(y, 1)\n"


@program(readers=Param(1, 2, default=1))
def everything(p):
    memory(p)
    p.rcu(grace_periods_max=1, callbacks=1)

    @p.thread(child=True)
    def child():
        spin_until(READ_ONCE(x) == 1, may_end_here=True)

    def free(subject):
        WRITE_ONCE(y, subject)

    @p.thread(instances=p.readers)
    def reader():
        rcu_read_lock()
        own = choose(0, 1)
        assume(own == 1)
        if own == 1:
            WRITE_ONCE(a[ME], own)
        g = 1
        rcu_read_unlock()
        call_rcu(free, 1)

    @p.thread()
    def parent():
        spawn(child)
        smp_mb()
        assert y <= 1, "y is a truth value"

    @p.invariant
    def bounded():
        assert all(a[i] <= 1 for i in range(4)), "bounded"

    @p.at_end
    def finished():
        assert y == 1, "freed"


@pytest.fixture(scope="module")
def compiled() -> Program:
    return everything.compile()


def test_a_program_survives_json_and_pickle(compiled):
    assert from_json(to_json(compiled)) == compiled
    assert from_json(to_json(compiled)).hash == compiled.hash
    assert pickle.loads(pickle.dumps(compiled)) == compiled


def test_compiling_twice_gives_one_program(compiled):
    assert everything.compile() == compiled


def test_the_hash_does_not_count_lines():
    here, there = program_of(function_from(TEXT)), program_of(function_from("\n\n" + TEXT))
    assert here.bodies[0].steps[0].line + 2 == there.bodies[0].steps[0].line
    assert here != there
    assert here.hash == there.hash


@pytest.mark.parametrize(
    ("old", "new"),
    [("own == 0", "own == 1"), ("WRITE_ONCE(y, 1)", "smp_store_release(y, 1)"), ("y, 1", "y, 2")],
)
def test_the_hash_counts_the_meaning(old, new):
    assert (
        program_of(function_from(TEXT)).hash
        != program_of(function_from(TEXT.replace(old, new))).hash
    )


def test_the_parameters_are_of_the_hash(compiled):
    assert everything.compile(readers=2).hash != compiled.hash


def damaged(compiled, change) -> str:
    document = json.loads(to_json(compiled))
    change(document)
    return json.dumps(document)


def set_at(*path):
    """A change that replaces what stands at a path by its last element."""

    def change(document):
        place = document
        for key in path[:-2]:
            place = place[key]
        place[path[-2]] = path[-1]

    return change


FIRST_STEP = ("program", "bodies", 1, "steps", 0)


@pytest.mark.parametrize(
    "change",
    [
        set_at("version", 2),
        set_at("version", True),
        set_at("program", 3),
        set_at("program", None),
        set_at("program", "variables", 5),
        set_at("program", "variables", 0, 5),
        set_at("program", "variables", 0, "init", [9]),
        set_at("program", "variables", 0, "init", [1.5]),
        set_at("program", "variables", 0, "type", "width", 0),
        set_at("program", "variables", 0, "type", "width", "3"),
        set_at("program", "variables", 0, "name", "y"),
        set_at("program", "name", 7),
        set_at("program", "steps_max", 0),
        set_at("program", "steps_max", True),
        set_at("program", "threads", []),
        set_at("program", "threads", 0, "body", 99),
        set_at("program", "sites", []),
        set_at("program", "sites", 0, "oracle", "unheard of"),
        set_at("program", "bodies", 1, "is", "Nothing"),
        set_at("program", "bodies", 1, "entry", []),
        set_at("program", "bodies", 1, "locals", []),
        set_at(*FIRST_STEP, "ops", []),
        set_at(*FIRST_STEP, "ops", [{"is": "Goto", "step": 99, "yields": False}]),
        set_at(*FIRST_STEP, "ops", [{"is": "Goto", "step": 0}, {"is": "Goto", "step": 0}]),
        set_at(*FIRST_STEP, "guard", {"is": "Local", "name": "nobody's"}),
        set_at(*FIRST_STEP, "guard", {"is": "Var", "name": "nobody's"}),
        set_at(*FIRST_STEP, "guard", {"is": "Const", "value": "1"}),
        set_at(*FIRST_STEP, "guard", {"is": "Const"}),
        set_at(*FIRST_STEP, "guard", {"is": "Program"}),
        set_at(*FIRST_STEP, "accesses", [{"is": "Fence", "kind": "smp_mb"}]),
        lambda document: document["program"].pop("threads"),
        lambda document: document["program"].update(more=1),
    ],
)
def test_damaged_json_is_refused(compiled, change):
    with pytest.raises(ProgramError):
        from_json(damaged(compiled, change))


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", "{", "[" * 100_000, '{"version": 1}'])
def test_what_is_no_program_is_refused(text):
    with pytest.raises(ProgramError):
        from_json(text)
