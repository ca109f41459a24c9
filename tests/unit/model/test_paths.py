"""The paths of a step: exactly one is taken, and it leads where the interpreter goes."""

import pytest

from model.expressions import Const, Local
from model.folding import fold_ops
from model.interpreter import Machine, local_type
from model.paths import paths, without_dead_stores
from model.program import Assign, Check, Choose, If
from model.validation import leaves
from tests.exploring import explore
from tests.toy_programs import PROGRAMS


def paths_of(program, thread: int, pc: int):
    numbers = Const(thread), Const(program.threads[thread].instance)

    def type_of(target):
        if isinstance(target, Local):
            return local_type(program, thread, target.name)
        name = getattr(target, "name", None) or target.array
        return program.variable[name].type

    return list(paths(fold_ops(program.step_at(thread, pc).ops, *numbers), type_of))


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda each: each.name)
def test_a_step_takes_the_path_whose_condition_holds_before_it(program):
    known = {}

    def watch(before: Machine, thread: int, after: Machine) -> None:
        pc = before.pcs[thread]
        if (thread, pc) not in known:
            known[thread, pc] = paths_of(program, thread, pc)
        taken = [path for path in known[thread, pc] if before.evaluate(path.when, thread)]
        chooses = any(isinstance(op, Choose) for op in leaves(program.step_at(thread, pc).ops))
        assert chooses or len(taken) == 1
        if after.outcome is None:
            assert after.pcs[thread] in {path.target for path in taken}

    explore(program, watch=watch)
    assert len(known) > 1


def test_what_nobody_reads_is_not_stored():
    a, b, one = Local("a"), Local("b"), Const(1)
    ops = (
        Assign(a, one),
        Assign(b, a),
        If(b, (Assign(a, b),), (Assign(a, one),)),
        Check(1, b),
    )
    assert without_dead_stores(ops, frozenset()) == (Assign(a, one), Assign(b, a), Check(1, b))
    assert without_dead_stores(ops, frozenset({"a"})) == ops
