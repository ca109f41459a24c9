"""What compiles means what it means in C and in Python: nothing is silently something else."""

# ruff: noqa: B007, F821, F841

import itertools

import pytest

from model.interpreter import Machine
from model.language import LanguageError, noinline, program, uint
from model.program import Oracle, Outcome
from tests.building import HEAD, TAIL, alone, function_from, memory, program_of, texts_of
from tests.exploring import explore

EXPRESSIONS = [
    "i + j", "i - j + 7", "i & j", "i | j", "i ^ j", "2 * i + j", "(i << 1) + j", "(i + j) >> 1",
    "i == j", "i != j", "i < j", "i <= j", "i > j", "i >= j", "not i", "+i", "-i + 7", "~i & 7",
    "i if j else 0", "(i < j and j < 5) + 0", "(i < j or j < 5) + 0", "not (i and j)",
    "1 if i and j else 2", "1 if i or j else 2", "i in (1, j)", "i not in (2, 3)", "i in (5,)",
    "(i ^ 5) & ~j", "any(i == k for k in range(3))", "all(k <= i for k in range(j_max))",
    "i - (i & 1)", "(1 if i else 2) if j else (3 if i else 4)", "True + i", "len(a) + i",
]  # fmt: skip


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_arithmetic_is_python_s(expression):
    text = (
        "def body():\n    i = READ_ONCE(x)\n    j = READ_ONCE(y)\n"
        f"    wide: uint(5) = {expression}\n    WRITE_ONCE(result, wide)\n"
    )

    def declare(p):
        memory(p)
        p.shared("result", uint(5))

    compiled = program_of(function_from(text, j_max=3), declare=declare)
    for i, j in itertools.product(range(8), repeat=2):
        wanted = int(eval(expression, {"i": i, "j": j, "a": [0] * 4, "j_max": 3}))
        assert alone(compiled, x=i, y=j).shared["result"] == [wanted], (i, j)


# -- atomic ----------------------------------------------------------------------------------------


def swaps_in_atomic():
    with atomic():
        z = xchg(x, 1) + xchg(y, 2)


def test_two_operations_of_one_expression_keep_their_own_results():
    machine = alone(program_of(swaps_in_atomic), x=3, y=2)
    assert (machine.shared["z"], machine.shared["x"], machine.shared["y"]) == ([5], [1], [2])


def swap_in_a_list():
    with atomic():
        z = xchg(x, x + 1) in (1, 2, 3)


def test_the_subject_of_in_is_evaluated_once():
    machine = alone(program_of(swap_in_a_list), x=3)
    assert (machine.shared["z"], machine.shared["x"]) == ([1], [4])


def drops_only_if_asked():
    with atomic():
        z = y == 1 and atomic_dec_and_test(x)


def test_an_operation_that_is_not_reached_does_nothing():
    compiled = program_of(drops_only_if_asked)
    assert alone(compiled, x=0, y=0).outcome is Outcome.OK
    assert alone(compiled, x=1, y=1).shared["z"] == [1]
    assert alone(compiled, x=0, y=1).outcome is Outcome.VIOLATION


def drops_the_first_that_can_be_dropped():
    with atomic():
        z = any(atomic_add_unless(a[i], 1, 3) for i in range(4))


def test_any_stops_where_python_s_stops():
    machine = Machine(program_of(drops_the_first_that_can_be_dropped))
    machine.shared["a"] = [3, 1, 1, 3]
    machine.step(0, lambda options: options[0])
    assert machine.shared["a"] == [3, 2, 1, 3]


def spawns_in_atomic_steps(p):
    memory(p)

    @p.thread(child=True)
    def child():
        WRITE_ONCE(y, 1)

    @p.thread()
    def parent():
        with atomic("start"):
            x = 1
            spawn(child)
            z = 1


def test_a_spawn_in_atomic_is_part_of_its_step():
    compiled = program()(spawns_in_atomic_steps).compile()
    assert len(compiled.bodies[1].steps) == 1
    assert explore(compiled).last("x", "y", "z") == {(1, 1, 1)}


def atomic_in_atomic():
    with atomic():
        x = 1
        with atomic():
            y = x
        if y == 1:
            return
    WRITE_ONCE(z, 1)


def test_atomic_in_atomic_is_one_step_and_a_return_leaves_both():
    compiled = program_of(atomic_in_atomic)
    assert len(compiled.bodies[0].steps) == 2
    assert explore(compiled).last("x", "y", "z") == {(1, 1, 0)}


# -- ranges ----------------------------------------------------------------------------------------


def takes_one():
    own = atomic_dec_return(x)
    WRITE_ONCE(y, own)


def wraps():
    own = atomic_dec_return(wrapping)
    WRITE_ONCE(y, own)


def test_leaving_the_range_is_a_violation_unless_the_type_wraps():
    plain = program_of(takes_one)
    machine = alone(plain, x=0)
    assert plain.sites[machine.site].oracle is Oracle.RANGE
    assert plain.sites[machine.site].sentence == "x leaves its range 0 to 7"
    assert alone(program_of(wraps), wrapping=0).shared["y"] == [7]


def indexes():
    own = READ_ONCE(x)
    if own < 4 and READ_ONCE(a[own]) == 0:
        WRITE_ONCE(a[own], 1)
    WRITE_ONCE(a[own], 2)


def test_an_index_is_checked_where_it_is_reached():
    compiled = program_of(indexes)
    assert alone(compiled, x=3).outcome is Outcome.OK
    machine = alone(compiled, x=4)
    assert compiled.sites[machine.site].sentence == "a: index outside 0 to 3"


# -- loops -----------------------------------------------------------------------------------------


def loops():
    for i in range(4):
        if i == 1:
            continue
        if i == 3:
            break
        atomic_add(i + 1, x)
    for i in range(0):
        WRITE_ONCE(y, 7)
    for i in range(3, 1):
        WRITE_ONCE(y, 7)
    for i in range(2):
        for j in range(2):
            if j == 1:
                break
            atomic_inc(z)


def test_loops_break_and_continue_as_python_s():
    machine = alone(program_of(loops))
    assert [machine.shared[name] for name in "xyz"] == [[4], [0], [2]]


def unrolled():
    own = READ_ONCE(y)
    total: uint(3) = 0
    for i in range(4):
        if i == 1:
            continue
        if i == 3:
            break
        total += i + 1
    WRITE_ONCE(x, total)


def test_a_loop_without_steps_is_unrolled_with_the_same_meaning():
    assert texts_of(unrolled) == ["own = READ_ONCE(y)", "WRITE_ONCE(x, total)"]
    assert alone(program_of(unrolled)).shared["x"] == [4]


# -- functions -------------------------------------------------------------------------------------


def minimum(first, second):
    return first if first < second else second


def clamp(value):
    value = minimum(value, 5)
    while value > 3:
        value = value - 1
        WRITE_ONCE(y, value)
    return value


def calls():
    own = READ_ONCE(x)
    value = clamp(own)
    WRITE_ONCE(z, value + clamp_again(own))


def clamp_again(value):
    return minimum(value, 1)


def test_a_function_has_its_own_locals():
    compiled = program_of(calls)
    for x in range(8):
        machine = alone(compiled, x=x)
        assert machine.shared["z"] == [min(x, 3) + min(x, 1)]
        assert machine.shared["x"] == [x]


def two_of_one_name():
    """The outer put() calls the inner one; both have a local of one name."""

    def put(given):
        found = READ_ONCE(x)
        WRITE_ONCE(x, found + given)

    return put


inner_put = two_of_one_name()


def put(given):
    found = READ_ONCE(y)
    inner_put(given)
    WRITE_ONCE(z, found)


def nested_puts():
    put(1)


def test_two_functions_of_one_name_do_not_share_their_locals():
    assert alone(program_of(nested_puts), x=5, y=2).shared["z"] == [2]


@noinline
def add_twice(amount):
    atomic_add(amount, x)
    last = atomic_add_return(amount, x)
    return last


def calls_one_copy():
    own: uint(3) = 1
    first = add_twice(own)
    own = 2
    second = add_twice(own)
    if second == 6:
        own = 0
        add_twice(own)
    WRITE_ONCE(y, first)
    WRITE_ONCE(z, second)


def test_a_noinline_function_is_compiled_once_and_returns_to_each_caller():
    compiled = program_of(calls_one_copy)
    assert len(compiled.bodies[0].steps) == 4
    machine = alone(compiled)
    assert [machine.shared[name] for name in "xyz"] == [[6], [2], [6]]


def shadows(x):
    WRITE_ONCE(y, x)


def passes_a_parameter_named_as_memory():
    own = READ_ONCE(z)
    shadows(own)


def test_a_parameter_shadows_a_shared_variable():
    assert alone(program_of(passes_a_parameter_named_as_memory), x=1, z=5).shared["y"] == [5]


def raises(counter, by):
    atomic_add(by, counter)


def passes_variables():
    raises(x, 1)
    raises(count[HEAD], 2)


def test_a_shared_variable_can_be_passed_and_an_element_cannot():
    with pytest.raises(LanguageError, match="say how it is read"):
        program_of(passes_variables)


@program()
def memory_named_as_locals_of_rcu(p):
    cookie = p.shared("cookie", uint(2))
    elapsed = p.shared("elapsed", uint(2))
    placed = p.shared("placed", uint(2))
    function = p.shared("function", uint(2))
    p.rcu(grace_periods_max=1, callbacks=1)

    def callback(subject):
        WRITE_ONCE(function, subject)

    @p.thread()
    def body():
        call_rcu(callback, 1)
        synchronize_rcu()
        taken = get_state_synchronize_rcu()
        cond_synchronize_rcu(taken)


def test_memory_may_have_the_names_that_rcu_uses_inside():
    found = explore(memory_named_as_locals_of_rcu.compile())
    assert found.outcomes == {Outcome.OK}
    assert found.last("cookie", "elapsed", "placed", "function") == {(0, 0, 0, 1)}


def test_values_keep_their_names():
    compiled = program_of(values_with_names)
    assert compiled.variable["page"].type.show(int(TAIL)) == "TAIL"
    assert compiled.variable["count"].element(int(HEAD)) == "count[HEAD]"
    (kind,) = [kind for name, kind in compiled.bodies[0].locals if name == "found"]
    assert kind.names == ("HEAD", "TAIL", "NONE")


def values_with_names():
    found = READ_ONCE(page)
    if found != NONE_OF_THEM:
        WRITE_ONCE(count[found], 1)


NONE_OF_THEM = 2
