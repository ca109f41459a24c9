"""The bodies of RCU's primitives and threads, in the language itself: compiled, never executed.

The names below that look free are shared variables, declared in `rcu`.
"""

# mypy: ignore-errors
# ruff: noqa: F821, F841

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from model.language.types import uint
from model.language.vocabulary import ME, THREAD, VOCABULARY

RCU_SEQ_STATE_MASK = 3

atomic, wait_event = VOCABULARY["atomic"], VOCABULARY["wait_event"]
_invoke_rcu_callback = VOCABULARY["_invoke_rcu_callback"]


@dataclass(frozen=True, slots=True)
class Sequence:
    """Constants of the sequence arithmetic."""

    mask: int
    half: int
    begin: int
    spontaneous_below: int
    threads: int


def bind_readers(p: Any) -> None:
    """Read-side critical sections nest; the outermost unlock ends them."""

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


def bind_irq_off_readers(p: Any) -> None:
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
    """rcu_seq_snap() and rcu_seq_done_exact() of v6.14, and a request for a grace period."""

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


def bind_grace_periods(p: Any, q: Sequence) -> None:
    """The grace-period thread, those who wait for it, and the cookies."""
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


def bind_callbacks(p: Any, q: Sequence, slots: int) -> None:
    """call_rcu() with `slots` slots, each with its thread, and rcu_barrier()."""
    snap, done, want_grace_period = _arithmetic(q)

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
