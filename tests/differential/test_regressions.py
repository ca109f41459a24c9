"""Programs on which the engines once differed, as small as they come."""

from itertools import chain

from model.circuit.block import Engine
from model.circuit.step_circuit import Stepper
from model.minimize import minimize
from tests.differential.lockstep import Follower, expect_block, expect_steps
from tests.differential.random_programs import compiled

HEAD = """\
from model.language import *


@program(steps_max={steps_max})
def drawn(p):
    x = p.shared("x", uint(3))
"""


def program(*bodies: str, steps_max: int = 20):
    lines = chain.from_iterable(body.splitlines() for body in bodies)
    return compiled(
        HEAD.format(steps_max=steps_max) + "\n".join(f"    {line}" for line in lines) + "\n"
    )


def agree(made) -> None:
    """A block and the steps from every state are the interpreter's."""
    engine = Engine(made)
    result = engine.run_block(root_seed=1, block=0, passes=20)
    expect_block(result, Follower(engine, root_seed=1, block=0, passes=20).expected)
    assert expect_steps(Stepper(made), states_max=500).exhausted


def test_a_child_keeps_what_its_locals_start_with_until_it_is_spawned():
    child = "@p.thread(child=True)\ndef born():\n    a: uint(2) = 3\n    WRITE_ONCE(x, a)\n"
    agree(program(child, "@p.thread()\ndef main():\n    READ_ONCE(x)\n    spawn(born)\n"))


def test_the_step_limit_holds_where_instances_begin_at_different_steps():
    body = """\
@p.thread(instances=2)
def body():
    if ME == 0:
        WRITE_ONCE(x, 1)
        return
    WRITE_ONCE(x, 2)
    WRITE_ONCE(x, 3)
    WRITE_ONCE(x, 4)
"""
    agree(program(body, steps_max=3))


def test_a_thread_may_begin_with_a_counted_loop():
    agree(program("@p.thread()\ndef body():\n    for i in range(2):\n        WRITE_ONCE(x, i)\n"))


def test_a_minimum_beyond_the_step_limit_is_none():
    """Without a preemption the check comes after eleven writes, and the limit is eight."""
    writer = "@p.thread()\ndef writer():\n    WRITE_ONCE(x, 1)\n"
    writer += "    for i in range(10):\n        WRITE_ONCE(x, 1)\n"
    checker = "@p.thread()\ndef checker():\n    now = READ_ONCE(x)\n    assert now == 0, 'seen'\n"
    made = program(writer, checker, steps_max=8)
    engine = Engine(made)
    hits = engine.run_block(root_seed=1, block=0).hits
    minimal = minimize(made, engine.recover(hits, root_seed=1, block=0)[0])
    assert (minimal.preemptions, minimal.steps) == (1, 2)
    assert set(minimal.proof.values()) == {"local (the step limit was met)"}
