"""Functions that programs of other files use, with the variables that they are declared with."""

# mypy: ignore-errors
# ruff: noqa: F821

from types import SimpleNamespace

from model.language import READ_ONCE, WRITE_ONCE, atomic, atomic_add, primitive, rcu_read_lock_held


def counter(p, kind, step):
    """A counter, and what counts on it in steps of `step`."""
    total = p.shared("total", kind)

    def add(amount):
        seen = READ_ONCE(total)
        WRITE_ONCE(total, seen + amount + step)

    @primitive
    def add_inside_a_reader(amount):
        with atomic():
            assert rcu_read_lock_held(), "added outside a read-side critical section"
            atomic_add(amount, total)

    def forget():
        WRITE_ONCE(total, nothing)

    return SimpleNamespace(
        total=total, add=add, add_inside_a_reader=add_inside_a_reader, forget=forget
    )
