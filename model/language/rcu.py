"""RCU in the language: readers that can be preempted, a grace-period thread, callbacks, cookies.

Every primitive (in `rcu_bodies`) is an ordinary function of the language over ordinary shared
variables, so that its steps can be preempted, shown and replaced. The sequence arithmetic is that
of kernel/rcu/rcu.h (v6.14): `gp_seq` keeps the state in its low two bits (0 idle, 1 a grace period
is running); a snapshot taken while a grace period runs asks for the end of the next one, because
the running one may have begun before a reader that is active now was noticed. A grace period waits
for the readers that were active when it began.

What is not modelled: the tree of rcu_nodes, quiescent-state reporting, CPU hotplug, expedited grace
periods. `rcu_read_lock()`, its unlock, and the start and the end of a grace period are a step each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from model.language import rcu_bodies
from model.language.source import misdeclared
from model.language.types import WIDTH_MAX, uint
from model.program import BOOL, IntType

if TYPE_CHECKING:
    from model.language.declarations import Declarations

# Names of shared variables and threads that a program with RCU gets.
RESERVED_PREFIX = "rcu_"


@dataclass(frozen=True, slots=True)
class Rcu:
    """What `p.rcu(…)` declares; `cookie` is the type of a grace-period cookie."""

    cookie: IntType
    grace_periods_max: int
    callbacks: int
    argument: IntType

    @classmethod
    def declare(cls, grace_periods_max: int, callbacks: int, argument: IntType) -> Rcu:
        """RCU whose counter is wide enough for `grace_periods_max`."""
        for number in (grace_periods_max, callbacks):
            if not isinstance(number, int) or number < 0:
                raise misdeclared(
                    f"p.rcu() is given {number!r}", "it takes whole numbers that are not negative"
                )
        width = sequence_width(grace_periods_max)
        if width > WIDTH_MAX:
            raise misdeclared(
                f"{grace_periods_max} grace periods need {width} bits", "declare fewer"
            )
        return cls(uint(width), grace_periods_max, callbacks, argument)


def sequence_width(grace_periods_max: int) -> int:
    """Bits of `gp_seq` such that no cookie is half the range away from it.

    Spontaneous grace periods end by `4 * grace_periods_max`; demanded ones may add as many again
    before the counter is declared too small; a snapshot is at most 8 ahead.
    """
    return (4 * (2 * grace_periods_max + 2) + 8).bit_length() + 1


def declare_rcu(p: Declarations, rcu: Rcu, *, gp_seq_init: int, irq_off_readers: bool) -> None:
    """Add RCU's variables, threads and primitives to a program whose other threads are declared."""
    width = rcu.cookie.width
    half, mask = (1 << (width - 1)) - 1, (1 << width) - 1
    begin = gp_seq_init & mask & ~rcu_bodies.RCU_SEQ_STATE_MASK
    p._internal("rcu_gp_seq", uint(width, wrapping=True), init=begin)
    p._internal("rcu_gp_wanted", uint(2))
    p._internal("rcu_nesting", uint(2), length=p.THREADS)
    p._internal("rcu_holdout", BOOL, length=p.THREADS)
    sequence = rcu_bodies.Sequence(mask, half, begin, 4 * rcu.grace_periods_max, p.THREADS)
    rcu_bodies.bind_readers(p)
    if irq_off_readers:
        rcu_bodies.bind_irq_off_readers(p)
    rcu_bodies.bind_grace_periods(p, sequence)
    if rcu.callbacks:
        p._internal("rcu_cb_function", uint(3), length=rcu.callbacks)
        p._internal("rcu_cb_argument", rcu.argument, length=rcu.callbacks)
        p._internal("rcu_cb_cookie", uint(width), length=rcu.callbacks)
        p._internal("rcu_cb_barrier", BOOL, length=rcu.callbacks * p.THREADS)
        rcu_bodies.bind_callbacks(p, sequence, rcu.callbacks)
