"""What is a step, and what is not; how steps are named."""

# ruff: noqa: B007, F821, F841

import pytest

from model.interpreter import Machine
from model.language import LanguageError, Option, Param, ParameterError, Patch, program
from model.program import Outcome
from tests.building import (
    HEAD,
    NONE,
    TAIL,
    alone,
    executed,
    memory,
    program_of,
    steps_of,
    texts_of,
)
from tests.exploring import explore


def with_rcu(p):
    memory(p)
    p.rcu(grace_periods_max=1, callbacks=1)


# -- each rule -------------------------------------------------------------------------------------


def accesses():
    WRITE_ONCE(x, 1)
    own = READ_ONCE(x)
    atomic_inc(y)
    if cmpxchg(z, 0, own) == 0:
        smp_store_release(x, 2)


def local_computation():
    own = READ_ONCE(x)
    own = own ^ 1
    other = own & 1
    if other == 1:
        own = 0
    for i in range(2):
        own = own ^ i
    WRITE_ONCE(x, own)


def barriers():
    smp_mb()
    WRITE_ONCE(x, 1)
    smp_wmb()
    barrier()
    WRITE_ONCE(y, 1)
    smp_mb()


def ghosts():
    WRITE_ONCE(x, 1)
    g = x
    if g == 1:
        g += 1
    WRITE_ONCE(y, 1)


def locks():
    spin_lock(lock)
    spin_unlock(lock)
    mutex_lock(mutex)
    mutex_unlock(mutex)


def readers():
    rcu_read_lock()
    rcu_read_lock()
    rcu_read_unlock()
    rcu_read_unlock()


def waits():
    spin_until(READ_ONCE(x) == 0)
    wait_event(READ_ONCE(y) == 0)


def chooses():
    own = choose(0, 1)
    WRITE_ONCE(x, own)


def chooses_before_a_wait():
    own = choose(0, 1)
    spin_until(READ_ONCE(x) == own)


def chooses_last():
    WRITE_ONCE(x, 1)
    own = choose(0, 1)


def chooses_twice():
    own = choose(0, 1)
    other = choose(0, 1)
    WRITE_ONCE(a[own], other)


def in_atomic():
    with atomic():
        x = 1
        y = x
        if y == 1:
            z = 1
    with atomic("take both"):
        own = x + y


def waits_in_atomic():
    with atomic("take it"):
        spin_until(x == 0)
        x = 1


def asserts():
    WRITE_ONCE(x, 1)
    assert x == 1 and y == 0, "x is 1"


def assumes():
    own = READ_ONCE(x)
    assume(own == 0)
    WRITE_ONCE(y, 1)


def assumes_of_memory():
    assume(READ_ONCE(x) == 0)
    WRITE_ONCE(y, 1)


@pytest.mark.parametrize(
    ("body", "steps"),
    [
        (
            accesses,
            [
                "WRITE_ONCE(x, 1)",
                "own = READ_ONCE(x)",
                "atomic_inc(y)",
                "cmpxchg(z, 0, own) == 0",
                "smp_store_release(x, 2)",
            ],
        ),
        (local_computation, ["own = READ_ONCE(x)", "WRITE_ONCE(x, own)"]),
        (barriers, ["WRITE_ONCE(x, 1)", "WRITE_ONCE(y, 1)"]),
        (
            locks,
            ["spin_lock(lock)", "spin_unlock(lock)", "mutex_lock(mutex)", "mutex_unlock(mutex)"],
        ),
        (readers, ["rcu_read_lock()", "rcu_read_lock()", "rcu_read_unlock()", "rcu_read_unlock()"]),
        (waits, ["spin_until(READ_ONCE(x) == 0)", "wait_event(READ_ONCE(y) == 0)"]),
        (chooses, ["WRITE_ONCE(x, own)"]),
        (chooses_before_a_wait, ["own = choose(0, 1)", "spin_until(READ_ONCE(x) == own)"]),
        (chooses_last, ["WRITE_ONCE(x, 1)", "own = choose(0, 1)"]),
        (chooses_twice, ["WRITE_ONCE(a[own], other)"]),
        (in_atomic, ["x = 1; y = x; if y == 1:     z = 1", "take both"]),
        (waits_in_atomic, ["take it"]),
        (asserts, ["WRITE_ONCE(x, 1)"]),
        (assumes, ["own = READ_ONCE(x)", "WRITE_ONCE(y, 1)"]),
        (assumes_of_memory, ["assume(READ_ONCE(x) == 0)", "WRITE_ONCE(y, 1)"]),
    ],
)
def test_what_is_a_step(body, steps):
    assert texts_of(body, declare=with_rcu) == steps


def test_ghosts_move_with_the_step_before_them():
    program = program_of(ghosts)
    assert len(program.bodies[0].steps) == 2
    assert executed(program, 0).shared["g"] == [2]


def test_a_choice_is_drawn_with_the_step_that_follows():
    machine = executed(program_of(chooses_twice), 0, choices=(1, 1))
    assert machine.outcome is Outcome.OK
    assert machine.shared["a"] == [0, 1, 0, 0]


def test_a_choice_before_a_wait_is_made_before_the_wait():
    program = program_of(chooses_before_a_wait)
    machine = executed(program, 0, choices=(1,))
    assert machine.outcome is Outcome.DEADLOCK
    assert executed(program, 0, 0, choices=(0,)).outcome is Outcome.OK


# -- names of steps --------------------------------------------------------------------------------


def repeats():
    atomic_inc(x)
    atomic_inc(y)
    atomic_inc(x)


def test_equal_texts_are_told_apart_by_their_ordinal():
    labels = [str(step.label) for step in steps_of(repeats)]
    assert labels == [
        "repeats: atomic_inc(x)",
        "repeats: atomic_inc(y)",
        "repeats: atomic_inc(x) #2",
    ]


def put(which):
    if atomic_dec_and_test(count[which]):
        WRITE_ONCE(x, 1)


def puts():
    atomic_inc(count[HEAD])
    put(HEAD)
    put(TAIL)


def test_a_step_knows_the_function_that_it_was_inlined_from():
    assert [(s.label.text, s.label.ordinal, s.function) for s in steps_of(puts)] == [
        ("atomic_inc(count[HEAD])", 0, "puts"),
        ("atomic_dec_and_test(count[which])", 0, "put"),
        ("WRITE_ONCE(x, 1)", 0, "put"),
        ("atomic_dec_and_test(count[which])", 1, "put"),
        ("WRITE_ONCE(x, 1)", 1, "put"),
    ]


def test_the_steps_of_a_primitive_are_named_by_its_call():
    def body():
        synchronize_rcu()

    assert texts_of(body, declare=with_rcu) == [
        "synchronize_rcu()",
        "synchronize_rcu(): a grace period has passed",
    ]


# -- parameters and patches ------------------------------------------------------------------------


@program(rounds=Param(0, 3, default=1), fixed=Patch(9), put=Option("raw", "late"))
def folded(p):
    """What is decided when the program is compiled leaves no trace in it."""
    memory(p)

    @p.thread()
    def body():
        for i in range(p.rounds):
            WRITE_ONCE(x, i)
        if p.fixed and p.put == "late":
            WRITE_ONCE(y, p.rounds)
        elif p.put != "late":
            WRITE_ONCE(z, 1)
        atomic_inc(a[0])


def labels_of(**given):
    return [step.label.text for step in folded.compile(**given).bodies[0].steps]


def test_parameters_and_patches_are_folded():
    assert labels_of() == ["WRITE_ONCE(x, i)", "WRITE_ONCE(z, 1)", "atomic_inc(a[0])"]
    assert labels_of(rounds=0, put="late") == ["atomic_inc(a[0])"]
    late = labels_of(rounds=2, fixed="on", put="late")
    assert late == ["WRITE_ONCE(x, i)", "WRITE_ONCE(y, p.rounds)", "atomic_inc(a[0])"]
    machine = alone(folded.compile(rounds=3, fixed=True, put="late"))
    assert (machine.shared["x"], machine.shared["y"]) == ([2], [3])


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"rounds": 4}, "rounds: 4 is out of bounds: give 0 to 3"),
        ({"rounds": "many"}, "rounds: 'many' is not a number: give 0 to 3"),
        ({"fixed": "maybe"}, "fixed: 'maybe' is neither on nor off"),
        ({"put": "soon"}, "put: 'soon' is not known: give raw or late"),
        ({"speed": 1}, "folded has no parameter 'speed': it has rounds, fixed, put"),
    ],
)
def test_a_parameter_that_does_not_fit_is_refused(given, sentence):
    with pytest.raises(ParameterError) as raised:
        folded.compile(**given)
    assert str(raised.value) == sentence


@pytest.mark.parametrize(
    "declare",
    [
        lambda: Param(2, 1, default=2),
        lambda: Param(0, 1, default="one"),
        lambda: Option(),
        lambda: program(steps_max=0),
        lambda: program(lookups=3),
        lambda: program(shared=Param(0, 1, default=0)),
        lambda: program()(3),
    ],
)
def test_a_wrong_declaration_of_a_program_is_refused(declare):
    with pytest.raises(ParameterError):
        declare()


def test_a_program_that_is_in_no_file_is_refused():
    given = {"program": program, "memory": memory}
    exec("@program()\ndef typed(p):\n    memory(p)\n", given)
    with pytest.raises(LanguageError, match=r"the source of typed\(\) cannot be read"):
        given["typed"].compile()


# -- threads ---------------------------------------------------------------------------------------


def increments():
    atomic_inc(x)


def waits_for_a_one():
    spin_until(READ_ONCE(x) == 1)


def waits_for_a_one_or_ever():
    spin_until(READ_ONCE(x) == 1, may_end_here=True)
    WRITE_ONCE(y, 1)


def test_waiting_for_ever_is_a_deadlock():
    def first():
        atomic_inc(y)

    found = explore(program_of(first, waits_for_a_one))
    assert found.outcomes == {Outcome.DEADLOCK}


def test_waiting_where_it_may_end_is_a_fine_end():
    def first():
        own = choose(0, 1)
        WRITE_ONCE(x, own)

    found = explore(program_of(first, waits_for_a_one_or_ever))
    assert found.outcomes == {Outcome.OK}
    assert found.last("x", "y") == {(0, 0), (1, 1)}


def serves():
    while True:
        with atomic():
            spin_until(x == 1)
            x = 0


def test_a_daemon_makes_no_deadlock_and_is_not_waited_for():
    def declare(p):
        memory(p)
        p.thread(daemon=True)(serves)

    found = explore(program_of(increments, declare=declare))
    assert found.outcomes == {Outcome.OK}


@program()
def family(p):
    memory(p)

    @p.thread(child=True, instances=2)
    def child():
        atomic_inc(a[ME])

    @p.thread()
    def parent():
        WRITE_ONCE(x, 1)
        spawn(child, 0)
        spawn(child, 1)


def test_a_child_starts_when_it_is_spawned():
    machine = Machine(family.compile())
    assert machine.enabled() == (2,)
    for thread in (2, 2):
        machine.step(thread, lambda options: options[0])
    assert machine.enabled() == (0, 2)
    found = explore(family.compile())
    assert found.outcomes == {Outcome.OK}
    assert {values["a"] for values in found.last_values} == {(1, 1, 0, 0)}


@program()
def twins(p):
    memory(p)

    @p.thread(child=True)
    def child():
        atomic_inc(x)

    @p.thread()
    def parent():
        for i in range(2):
            spawn(child)


def test_spawning_a_child_twice_is_a_violation():
    assert explore(twins.compile()).endings == {(Outcome.VIOLATION, "child is spawned twice")}


def discards():
    own = choose(0, 1)
    WRITE_ONCE(x, own)
    assume(own == 1)
    assert x == 1, "assumed"


def test_an_assumption_discards_the_execution():
    found = explore(program_of(discards))
    assert found.endings == {(Outcome.DISCARDED, None), (Outcome.OK, None)}


# -- locks -----------------------------------------------------------------------------------------


def critical():
    spin_lock(lock)
    own = READ_ONCE(x)
    WRITE_ONCE(x, own + 1)
    spin_unlock(lock)


def test_a_spinlock_excludes():
    found = explore(program_of(critical, instances=2))
    assert found.outcomes == {Outcome.OK}
    assert found.last("x") == {(2,)}


def unlocks():
    spin_unlock(lock)


def test_unlocking_what_is_not_held_is_a_violation():
    assert explore(program_of(unlocks)).sentences == {"lock unlocked while not held"}


def mutex_user():
    mutex_lock(last)
    if READ_ONCE(x) == 0:
        WRITE_ONCE(x, 1)
        mutex_unlock(last)
        return
    mutex_unlock(last)
    WRITE_ONCE(y, 1)


def test_a_mutex_unlocked_in_two_steps_is_free_before_the_second():
    def declare(p):
        memory(p)
        p.mutex("last", two_step_unlock=True)

    steps = texts_of(mutex_user, declare=declare)
    assert steps.count("mutex_unlock(last): wake a waiter") == 2
    program = program_of(mutex_user, declare=declare, instances=2)
    between = []

    def watch(before, thread, after):
        standing = after.pcs[thread] >= 0 and program.step_at(thread, after.pcs[thread]).label.text
        if standing == "mutex_unlock(last): wake a waiter":
            between.append(after.shared["last"][0])

    assert explore(program, watch=watch).outcomes == {Outcome.OK}
    assert 0 in between


def test_a_fence_is_kept_in_the_program():
    kinds = [type(op).__name__ for op in steps_of(barriers)[0].ops]
    assert kinds.count("Fence") == 2


def test_null_is_no_index():
    def body():
        own = READ_ONCE(page)
        WRITE_ONCE(count[own], 1)

    program = program_of(body)
    assert explore(program).sentences == {"null pointer: count[NONE]"}
    assert alone(program, page=int(TAIL)).outcome is Outcome.OK
    assert int(NONE) == 2
