"""The words a body may use: the kernel's own, each with its ordering and its effect.

Orderings follow Documentation/atomic_t.txt: void RMW operations and loads and stores are relaxed,
RMW operations that return a value are fully ordered unless their suffix says less, and a
conditional RMW operation that fails orders nothing. refcount_t is weaker
(Documentation/core-api/refcount-vs-atomic.rst): its increments are relaxed; its decrements that
test release, and acquire where they reach zero, which is `acq_rel` here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from model.expressions import FALSE, TRUE, Const, Expr, binary, not_


@dataclass(frozen=True, slots=True)
class Effect:
    """What an access does to the old value: its result, what it writes, and when."""

    result: Expr | None = None
    new: Expr | None = None
    when: Expr = TRUE


@dataclass(frozen=True, eq=False)
class Primitive:
    """A word of the language; calling it in Python is an error: bodies are compiled, not executed.

    `form` says how the front end treats it; `operand` is the position of the variable among the
    arguments, and `effect` maps (old value, other arguments) to what happens.
    """

    name: str
    form: str
    ordering: str = "relaxed"
    arguments: int = 0
    operand: int = 0
    effect: Callable[..., Effect] | None = None

    def __call__(self, *_: object, **__: object) -> object:
        raise TypeError(f"{self.name}() belongs in the body of a thread, which gracefuzz compiles")


VOCABULARY: dict[str, Primitive] = {}


def _word(name: str, form: str, **fields: object) -> Primitive:
    VOCABULARY[name] = Primitive(name, form, **fields)  # type: ignore[arg-type]
    return VOCABULARY[name]


def _access(
    name: str, ordering: str, arguments: int, effect: Callable[..., Effect], operand: int = 0
) -> None:
    _word(name, "access", ordering=ordering, arguments=arguments, operand=operand, effect=effect)


def _load(old: Expr) -> Effect:
    return Effect(result=old)


def _store(old: Expr, new: Expr) -> Effect:
    return Effect(new=new)


def _inc_not_zero(old: Expr) -> Effect:
    alive = binary("!=", old, FALSE)
    return Effect(alive, binary("+", old, TRUE), alive)


def _add_unless(old: Expr, amount: Expr, unless: Expr) -> Effect:
    differs = binary("!=", old, unless)
    return Effect(differs, binary("+", old, amount), differs)


def _dec_not_one(old: Expr) -> Effect:
    others = binary("!=", old, TRUE)
    return Effect(others, binary("-", old, TRUE), others)


def _cmpxchg(old: Expr, expected: Expr, new: Expr) -> Effect:
    return Effect(old, new, binary("==", old, expected))


def _bit(nr: Expr) -> Expr:
    assert isinstance(nr, Const), "the front end has refused the rest"
    return Const(1 << nr.value)


def _bit_is_set(nr: Expr, old: Expr) -> Expr:
    return binary("!=", binary("&", old, _bit(nr)), FALSE)


def _set_bit(old: Expr, nr: Expr) -> Expr:
    return binary("|", old, _bit(nr))


def _clear_bit(old: Expr, nr: Expr) -> Expr:
    one = _bit(nr)
    assert isinstance(one, Const)
    return binary("&", old, Const(~one.value))


for _name, _ordering in (
    ("READ_ONCE", "relaxed"),
    ("smp_load_acquire", "acquire"),
    ("rcu_dereference", "consume"),
    ("atomic_read", "relaxed"),
    ("atomic_read_acquire", "acquire"),
    ("data_race", "plain"),
):
    _access(_name, _ordering, 1, _load)
for _name, _ordering in (
    ("WRITE_ONCE", "relaxed"),
    ("smp_store_release", "release"),
    ("rcu_assign_pointer", "release"),
    ("atomic_set", "relaxed"),
    ("atomic_set_release", "release"),
):
    _access(_name, _ordering, 2, _store)
_access("smp_store_mb", "full", 2, _store)

for _name, _op in (("inc", "+"), ("dec", "-")):
    _access(f"atomic_{_name}", "relaxed", 1, lambda old, op=_op: Effect(new=binary(op, old, TRUE)))
for _name, _op in (("add", "+"), ("sub", "-"), ("or", "|"), ("and", "&"), ("xor", "^")):
    _access(
        f"atomic_{_name}",
        "relaxed",
        2,
        lambda old, i, op=_op: Effect(new=binary(op, old, i)),
        operand=1,
    )

for _suffix, _ordering in (
    ("", "full"),
    ("_relaxed", "relaxed"),
    ("_acquire", "acquire"),
    ("_release", "release"),
):
    for _name, _op in (("inc", "+"), ("dec", "-")):
        _access(
            f"atomic_{_name}_return{_suffix}",
            _ordering,
            1,
            lambda old, op=_op: Effect(binary(op, old, TRUE), binary(op, old, TRUE)),
        )
        _access(
            f"atomic_fetch_{_name}{_suffix}",
            _ordering,
            1,
            lambda old, op=_op: Effect(old, binary(op, old, TRUE)),
        )
    for _name, _op in (("add", "+"), ("sub", "-")):
        _access(
            f"atomic_{_name}_return{_suffix}",
            _ordering,
            2,
            lambda old, i, op=_op: Effect(binary(op, old, i), binary(op, old, i)),
            operand=1,
        )
    for _name, _op in (("add", "+"), ("sub", "-"), ("or", "|"), ("and", "&"), ("xor", "^")):
        _access(
            f"atomic_fetch_{_name}{_suffix}",
            _ordering,
            2,
            lambda old, i, op=_op: Effect(old, binary(op, old, i)),
            operand=1,
        )
    for _name in ("xchg", "atomic_xchg"):
        _access(f"{_name}{_suffix}", _ordering, 2, lambda old, new: Effect(old, new))
    for _name in ("cmpxchg", "atomic_cmpxchg"):
        _access(f"{_name}{_suffix}", _ordering, 3, _cmpxchg)

_access(
    "atomic_dec_and_test",
    "full",
    1,
    lambda old: Effect(binary("==", old, TRUE), binary("-", old, TRUE)),
)
_access(
    "atomic_sub_and_test",
    "full",
    2,
    lambda old, i: Effect(binary("==", old, i), binary("-", old, i)),
    operand=1,
)
_access("atomic_inc_not_zero", "full", 1, _inc_not_zero)
_access("atomic_add_unless", "full", 3, _add_unless)
_access("refcount_read", "relaxed", 1, _load)
_access("refcount_set", "relaxed", 2, _store)
_access("refcount_inc", "relaxed", 1, lambda old: Effect(new=binary("+", old, TRUE)))
_access("refcount_inc_not_zero", "relaxed", 1, _inc_not_zero)
_access("refcount_inc_not_zero_acquire", "acquire", 1, _inc_not_zero)
_access(
    "refcount_dec_and_test",
    "acq_rel",
    1,
    lambda old: Effect(binary("==", old, TRUE), binary("-", old, TRUE)),
)
_access("refcount_dec_not_one", "release", 1, _dec_not_one)
_access("set_bit", "relaxed", 2, lambda old, nr: Effect(new=_set_bit(old, nr)), operand=1)
_access("clear_bit", "relaxed", 2, lambda old, nr: Effect(new=_clear_bit(old, nr)), operand=1)
_access(
    "clear_bit_unlock", "release", 2, lambda old, nr: Effect(new=_clear_bit(old, nr)), operand=1
)
_access("test_bit", "relaxed", 2, lambda old, nr: Effect(_bit_is_set(nr, old)), operand=1)
for _name, _ordering in (("test_and_set_bit", "full"), ("test_and_set_bit_lock", "acquire")):
    _access(
        _name,
        _ordering,
        2,
        lambda old, nr: Effect(_bit_is_set(nr, old), _set_bit(old, nr)),
        operand=1,
    )
_access(
    "test_and_clear_bit",
    "full",
    2,
    lambda old, nr: Effect(_bit_is_set(nr, old), _clear_bit(old, nr)),
    operand=1,
)
_access("spin_trylock", "acquire", 1, lambda old: Effect(not_(old), TRUE, not_(old)))
_access("mutex_trylock", "acquire", 1, lambda old: Effect(not_(old), TRUE, not_(old)))

for _name in ("spin_lock", "mutex_lock"):
    _word(_name, _name, ordering="acquire", arguments=1)
for _name in ("spin_unlock", "mutex_unlock"):
    _word(_name, _name, ordering="release", arguments=1)
for _name in (
    "smp_mb",
    "smp_rmb",
    "smp_wmb",
    "barrier",
    "smp_mb__before_atomic",
    "smp_mb__after_atomic",
    "smp_acquire__after_ctrl_dep",
):
    _word(_name, "fence")
for _name, _arguments in (("spin_until", 1), ("wait_event", 1), ("assume", 1), ("cpu_relax", 0)):
    _word(_name, _name, arguments=_arguments)
for _name in ("choose", "spawn", "atomic"):
    _word(_name, _name)
for _name, _arguments in (
    ("rcu_read_lock", 0),
    ("rcu_read_unlock", 0),
    ("synchronize_rcu", 0),
    ("rcu_barrier", 0),
    ("call_rcu", 2),
    ("get_state_synchronize_rcu", 0),
    ("poll_state_synchronize_rcu", 1),
    ("cond_synchronize_rcu", 1),
    ("start_poll_synchronize_rcu", 0),
    ("rcu_read_lock_held", 0),
    ("preempt_disable", 0),
    ("preempt_enable", 0),
    ("local_irq_disable", 0),
    ("local_irq_enable", 0),
    ("_invoke_rcu_callback", 2),
):
    _word(_name, "rcu", arguments=_arguments)
VOCABULARY["rcu_get_gp_cookie"] = VOCABULARY["get_state_synchronize_rcu"]
VOCABULARY["rcu_gp_cookie_elapsed"] = VOCABULARY["poll_state_synchronize_rcu"]
ME = _word("ME", "instance")
THREAD = _word("THREAD", "thread")
globals().update(VOCABULARY)
