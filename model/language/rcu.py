"""RCU in the language: readers that can be preempted, a grace-period thread, callbacks, cookies.

Every primitive below is an ordinary function of the language over ordinary shared variables, so that its
steps can be preempted, shown and replaced. The sequence arithmetic is that of kernel/rcu/rcu.h (v6.14):
`gp_seq` keeps the state in its low two bits (0 idle, 1 a grace period is running); a snapshot taken while
a grace period runs asks for the end of the next one, because the running one may have begun before a
reader that is active now was noticed. A grace period waits for the readers that were active when it began.

What is not modelled: the tree of rcu_nodes, quiescent-state reporting, CPU hotplug, expedited grace
periods. `rcu_read_lock()`, its unlock, and the start and the end of a grace period are one step each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from model.language.types import uint
from model.language.vocabulary import ME, THREAD, VOCABULARY
from model.program import BOOL, IntType

if TYPE_CHECKING:
    from model.language.declare import Declarations

RCU_SEQ_STATE_MASK = 3

atomic, wait_event = VOCABULARY["atomic"], VOCABULARY["wait_event"]
_invoke_rcu_callback = VOCABULARY["_invoke_rcu_callback"]


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
        if grace_periods_max < 0 or callbacks < 0:
            raise ValueError("p.rcu() takes numbers from 0")
        return cls(uint(sequence_width(grace_periods_max)), grace_periods_max, callbacks, argument)


def sequence_width(grace_periods_max: int) -> int:
    """Bits of `gp_seq` such that no cookie is half the range away from it.

    Spontaneous grace periods end by `4 * grace_periods_max`; demanded ones may add as many again before
    the counter is declared too small; a snapshot is at most 8 ahead.
    """
    return (4 * (2 * grace_periods_max + 2) + 8).bit_length() + 1


def declare_rcu(p: Declarations, rcu: Rcu, *, gp_seq_init: int, irq_off_readers: bool) -> None:
    """Add RCU's variables, threads and primitives to a program whose other threads are all declared."""
    width = rcu.cookie.width
    half, mask = (1 << (width - 1)) - 1, (1 << width) - 1
    begin = gp_seq_init & mask & ~RCU_SEQ_STATE_MASK
    p._internal("rcu_gp_seq", uint(width, wrapping=True), init=begin)
    p._internal("rcu_gp_wanted", uint(2))
    p._internal("rcu_nesting", uint(2), length=p.THREADS)
    p._internal("rcu_holdout", BOOL, length=p.THREADS)
    sequence = Sequence(mask, half, begin, 4 * rcu.grace_periods_max, p.THREADS)
    _bind_readers(p)
    if irq_off_readers:
        _bind_irq_off_readers(p)
    _bind_grace_periods(p, sequence)
    if rcu.callbacks:
        _bind_callbacks(p, sequence, rcu.callbacks, rcu.argument)


@dataclass(frozen=True, slots=True)
class Sequence:
    """Constants of the sequence arithmetic."""

    mask: int
    half: int
    begin: int
    spontaneous_below: int
    threads: int


# The names below that look free are shared variables: these functions are compiled, never called.
# mypy: disable-error-code="no-untyped-def,no-untyped-call"
# ruff: noqa: F821, F841


def _bind_readers(p: Declarations) -> None:
    @p._primitive
    def rcu_read_lock():
        with atomic():
            rcu_nesting[THREAD] += 1

    @p._primitive
    def rcu_read_unlock():
        with atomic():
            assert rcu_nesting[THREAD] != 0, "rcu_read_unlock() without rcu_read_lock()"
            rcu_nesting[THREAD] -= 1
            if rcu_nesting[THREAD] == 0:
                rcu_holdout[THREAD] = 0

    @p._primitive
    def rcu_read_lock_held():
        return rcu_nesting[THREAD] != 0


def _bind_irq_off_readers(p: Declarations) -> None:
    """Since v5.0 regions with preemption or interrupts off are read-side critical sections."""

    @p._primitive
    def preempt_disable():
        with atomic():
            rcu_nesting[THREAD] += 1

    @p._primitive
    def preempt_enable():
        with atomic():
            assert rcu_nesting[THREAD] != 0, "preempt_enable() without preempt_disable()"
            rcu_nesting[THREAD] -= 1
            if rcu_nesting[THREAD] == 0:
                rcu_holdout[THREAD] = 0

    @p._primitive
    def local_irq_disable():
        with atomic():
            rcu_nesting[THREAD] += 1

    @p._primitive
    def local_irq_enable():
        with atomic():
            assert rcu_nesting[THREAD] != 0, "local_irq_enable() without local_irq_disable()"
            rcu_nesting[THREAD] -= 1
            if rcu_nesting[THREAD] == 0:
                rcu_holdout[THREAD] = 0


def _arithmetic(q: Sequence):
    """rcu_seq_snap() and rcu_seq_done_exact() of v6.14, and what a caller asks of the grace-period thread."""

    def snap(seq):
        return (seq + 2 * RCU_SEQ_STATE_MASK + 1) & (q.mask & ~RCU_SEQ_STATE_MASK)

    def done(seq, cookie):
        return ((seq - cookie) & q.mask) <= q.half or (
            (seq - cookie + 2 * RCU_SEQ_STATE_MASK + 1) & q.mask
        ) > q.half

    def want_grace_period():
        if rcu_gp_seq & RCU_SEQ_STATE_MASK != 0:
            rcu_gp_wanted = 2
        elif rcu_gp_wanted == 0:
            rcu_gp_wanted = 1

    return snap, done, want_grace_period


def _bind_grace_periods(p: Declarations, q: Sequence) -> None:
    snap, done, want_grace_period = _arithmetic(q)

    @p.thread(daemon=True)
    def rcu_gp_kthread():
        while True:
            with atomic("a grace period starts"):
                wait_event(
                    rcu_gp_wanted != 0 or ((rcu_gp_seq - q.begin) & q.mask) < q.spontaneous_below
                )
                assert ((rcu_gp_seq - q.begin) & q.mask) < q.half - 8, (
                    "range: grace_periods_max is too small"
                )
                rcu_gp_seq = rcu_gp_seq + 1
                for thread in range(q.threads):
                    rcu_holdout[thread] = rcu_nesting[thread] != 0
            with atomic("the grace period ends"):
                wait_event(not any(rcu_holdout[thread] for thread in range(q.threads)))
                rcu_gp_seq = (rcu_gp_seq | RCU_SEQ_STATE_MASK) + 1
                rcu_gp_wanted = rcu_gp_wanted - 1 if rcu_gp_wanted != 0 else 0

    @p._primitive
    def get_state_synchronize_rcu():
        with atomic():
            return snap(rcu_gp_seq)

    @p._primitive
    def start_poll_synchronize_rcu():
        with atomic():
            want_grace_period()
            return snap(rcu_gp_seq)

    @p._primitive
    def poll_state_synchronize_rcu(cookie):
        with atomic():
            return done(rcu_gp_seq, cookie)

    @p._primitive
    def synchronize_rcu():
        with atomic():
            assert rcu_nesting[THREAD] == 0, "synchronize_rcu() inside a read-side critical section"
            want_grace_period()
            cookie = snap(rcu_gp_seq)
        with atomic("a grace period has passed"):
            wait_event(done(rcu_gp_seq, cookie))

    @p._primitive
    def cond_synchronize_rcu(cookie):
        with atomic():
            assert rcu_nesting[THREAD] == 0, (
                "cond_synchronize_rcu() inside a read-side critical section"
            )
            elapsed = done(rcu_gp_seq, cookie)
        if not elapsed:
            synchronize_rcu()


def _bind_callbacks(p: Declarations, q: Sequence, slots: int, argument: IntType) -> None:
    snap, done, want_grace_period = _arithmetic(q)
    p._internal("rcu_cb_function", uint(3), length=slots)
    p._internal("rcu_cb_argument", argument, length=slots)
    p._internal("rcu_cb_cookie", uint(q.mask.bit_length()), length=slots)
    p._internal("rcu_cb_barrier", BOOL, length=slots * q.threads)

    @p._until
    def callbacks_done():
        return not any(rcu_cb_function[slot] != 0 for slot in range(slots))

    @p.thread(instances=slots, daemon=True)
    def rcu_callback():
        while True:
            with atomic("a callback is due"):
                wait_event(rcu_cb_function[ME] != 0 and done(rcu_gp_seq, rcu_cb_cookie[ME]))
                function = rcu_cb_function[ME]
                subject = rcu_cb_argument[ME]
            _invoke_rcu_callback(function, subject)
            with atomic("the callback has returned"):
                rcu_cb_function[ME] = 0
                for thread in range(q.threads):
                    rcu_cb_barrier[ME * q.threads + thread] = 0

    @p._primitive
    def call_rcu(function, subject):
        with atomic():
            placed: uint(1) = 0
            for slot in range(slots):
                if placed == 0 and rcu_cb_function[slot] == 0:
                    rcu_cb_function[slot] = function
                    rcu_cb_argument[slot] = subject
                    rcu_cb_cookie[slot] = snap(rcu_gp_seq)
                    placed = 1
            assert placed == 1, "range: call_rcu() finds every callback slot in use"
            want_grace_period()

    @p._primitive
    def rcu_barrier():
        with atomic():
            assert rcu_nesting[THREAD] == 0, "rcu_barrier() inside a read-side critical section"
            for slot in range(slots):
                rcu_cb_barrier[slot * q.threads + THREAD] = rcu_cb_function[slot] != 0
        with atomic("the queued callbacks have returned"):
            wait_event(not any(rcu_cb_barrier[slot * q.threads + THREAD] for slot in range(slots)))
