"""Every word that accesses memory does what the kernel's does, on every value of three bits."""

import itertools

import pytest

from model.language.vocabulary import VOCABULARY
from model.program import Oracle, Outcome
from tests.building import alone, function_from, program_of, steps_of

ACCESSES = {name: word for name, word in VOCABULARY.items() if word.form == "access"}
SUFFIXES = ("_relaxed", "_acquire", "_release")
OPERATORS = {
    "inc": lambda old, _: old + 1,
    "dec": lambda old, _: old - 1,
    "add": lambda old, i: old + i,
    "sub": lambda old, i: old - i,
    "or": lambda old, i: old | i,
    "and": lambda old, i: old & i,
    "xor": lambda old, i: old ^ i,
}
LOADS = {
    "READ_ONCE", "smp_load_acquire", "rcu_dereference", "atomic_read", "atomic_read_acquire",
    "data_race", "refcount_read",
}  # fmt: skip
STORES = {
    "WRITE_ONCE", "smp_store_release", "rcu_assign_pointer", "atomic_set", "atomic_set_release",
    "smp_store_mb", "refcount_set",
}  # fmt: skip
LOCKS = {"spin_trylock", "mutex_trylock"}


def without_suffix(name: str) -> str:
    for suffix in SUFFIXES:
        if name not in LOADS | STORES:
            name = name.removesuffix(suffix)
    return name


def kernel(name: str, old: int, a: int, b: int) -> tuple[int | None, int | None]:
    """(what is stored, what is returned), None for neither; numbers are not yet cut to a width."""
    name = without_suffix(name)
    if name in LOADS:
        return None, old
    if name in STORES:
        return a, None
    if name.endswith("xchg") and "cmp" not in name:
        return a, old
    if name.endswith("cmpxchg"):
        return (b if old == a else None), old
    if name.endswith("_inc_not_zero"):
        return (old + 1 if old else None), int(old != 0)
    if name == "atomic_add_unless":
        return (old + a if old != b else None), int(old != b)
    if name == "refcount_dec_not_one":
        return (old - 1 if old != 1 else None), int(old != 1)
    if name.endswith(("_dec_and_test", "_sub_and_test")):
        new = old - (1 if "dec" in name else a)
        return new, int(new == 0)
    if name in LOCKS:
        return (None if old else 1), int(not old)
    return bit_operation(name, old, a) if "bit" in name.split("_") else arithmetic(name, old, a)


def bit_operation(name: str, old: int, nr: int) -> tuple[int | None, int | None]:
    was = old >> nr & 1
    new = old | 1 << nr if "set_bit" in name else old & ~(1 << nr) if "clear_bit" in name else None
    return new, (was if name.startswith("test_") else None)


def arithmetic(name: str, old: int, i: int) -> tuple[int | None, int | None]:
    words = name.split("_")
    operate = OPERATORS[next(word for word in words if word in OPERATORS)]
    new = operate(old, i)
    return new, (new if "return" in words else old if "fetch" in words else None)


def call_of(name: str, variable: str, constant: int | None = None) -> str:
    """The call with its operands in the kernel's order; `i` and `j` are locals."""
    word = ACCESSES[name]
    others = [str(constant)] if constant is not None else ["i", "j"]
    others = others[: word.arguments - 1]
    others.insert(word.operand, variable)
    return f"{name}({', '.join(others)})"


def program_for(name: str, variable: str, constant: int | None = None):
    call = call_of(name, variable, constant)
    returns = kernel(name, 0, 0, 0)[1] is not None
    return program_of(
        function_from(
            "def body():\n"
            "    i = READ_ONCE(y)\n"
            "    j = READ_ONCE(z)\n"
            + (f"    r = {call}\n    WRITE_ONCE(a[0], r)\n" if returns else f"    {call}\n"),
        )
    )


def outcome_of(program, variable: str, old: int, a: int, b: int):
    machine = alone(program, **{variable: old, "y": a, "z": b})
    if machine.outcome is Outcome.VIOLATION:
        return program.sites[machine.site].oracle
    return machine.shared[variable][0], machine.shared["a"][0]


def expected(name: str, old: int, a: int, b: int, *, wraps: bool):
    new, result = kernel(name, old, a, b)
    if wraps:
        new = None if new is None else new % 8
        returned = without_suffix(name).endswith("return")
        result = result % 8 if result is not None and returned else result
        if name.endswith("_and_test"):
            result = int(new == 0)
    elif new is not None and not 0 <= new <= 7:
        return Oracle.RANGE
    return (old if new is None else new), (result or 0)


NUMBERS = [name for name in ACCESSES if "bit" not in name.split("_") and name not in LOCKS]
BITS = [name for name in ACCESSES if "bit" in name.split("_")]


@pytest.mark.parametrize("variable", ["x", "wrapping"])
@pytest.mark.parametrize("name", NUMBERS)
def test_a_word_does_what_the_kernel_s_does(name, variable):
    program = program_for(name, variable)
    operands = range(8) if ACCESSES[name].arguments > 1 else [0]
    more = range(8) if ACCESSES[name].arguments > 2 else [0]
    for old, a, b in itertools.product(range(8), operands, more):
        wanted = expected(name, old, a, b, wraps=variable == "wrapping")
        assert outcome_of(program, variable, old, a, b) == wanted, (old, a, b)


@pytest.mark.parametrize("name", BITS)
def test_a_bit_operation_does_what_the_kernel_s_does(name):
    for nr in range(3):
        program = program_for(name, "x", nr)
        for old in range(8):
            assert outcome_of(program, "x", old, 0, 0) == expected(name, old, nr, 0, wraps=False)


@pytest.mark.parametrize(
    ("name", "variable"), [("spin_trylock", "lock"), ("mutex_trylock", "mutex")]
)
def test_a_trylock_takes_a_free_lock_only(name, variable):
    program = program_for(name, variable)
    for old in range(2):
        assert outcome_of(program, variable, old, 0, 0) == expected(name, old, 0, 0, wraps=False)


ORDERINGS = {
    "READ_ONCE": "relaxed", "WRITE_ONCE": "relaxed", "smp_load_acquire": "acquire",
    "smp_store_release": "release", "smp_store_mb": "full", "rcu_dereference": "consume",
    "rcu_assign_pointer": "release", "atomic_read": "relaxed", "atomic_set": "relaxed",
    "atomic_inc": "relaxed", "atomic_add": "relaxed", "atomic_inc_return": "full",
    "atomic_inc_return_relaxed": "relaxed", "atomic_fetch_add_acquire": "acquire",
    "atomic_fetch_or_release": "release", "xchg": "full", "cmpxchg_acquire": "acquire",
    "atomic_dec_and_test": "full", "atomic_inc_not_zero": "full", "set_bit": "relaxed",
    "test_and_set_bit": "full", "test_and_set_bit_lock": "acquire", "clear_bit_unlock": "release",
    "data_race": "plain", "refcount_inc": "relaxed", "refcount_inc_not_zero": "relaxed",
    "refcount_inc_not_zero_acquire": "acquire", "refcount_dec_and_test": "acq_rel",
    "refcount_dec_not_one": "release",
}  # fmt: skip


@pytest.mark.parametrize("name", ORDERINGS)
def test_the_step_records_kind_and_ordering(name):
    """As in Documentation/atomic_t.txt, atomic_bitops.txt, core-api/refcount-vs-atomic.rst."""
    constant = 1 if name in BITS else None
    call = call_of(name, "x", constant)
    text = f"def body():\n    i = READ_ONCE(y)\n    j = READ_ONCE(z)\n    {call}\n"
    (access,) = steps_of(function_from(text))[-1].accesses
    assert (access.kind, access.ordering, access.variable) == (name, ORDERINGS[name], "x")
    assert access.writes == (name not in LOADS | {"test_bit"})
    assert access.reads == (name not in STORES)


def test_the_table_of_this_test_knows_every_word():
    for name in ACCESSES:
        assert kernel(name, 1, 1, 1) != (None, None)
