"""RCU keeps its promises in every reachable state, and not one promise more.

What is promised: the comments of kernel/rcu (v6.14), Documentation/RCU/Design/Requirements.
"""

# ruff: noqa: B007, F821, F841

import itertools

import pytest

from model.language import Param, Switch, program, rcu_bodies, uint
from model.language.rcu import sequence_width
from model.program import Oracle, Outcome
from tests.building import alone, program_of
from tests.exploring import Exploration, explore

RUNNING = 1

# -- the sequence arithmetic -----------------------------------------------------------------------


def takes_a_cookie():
    cookie = get_state_synchronize_rcu()
    WRITE_ONCE(taken, cookie)


def polls_a_cookie():
    cookie = READ_ONCE(taken)
    if poll_state_synchronize_rcu(cookie):
        WRITE_ONCE(elapsed, 1)


def with_cookie(p):
    rcu = p.rcu(grace_periods_max=0)
    p.shared("taken", rcu.cookie)
    p.shared("elapsed", uint(1))


WIDTH = sequence_width(0)
MASK, HALF = (1 << WIDTH) - 1, (1 << (WIDTH - 1)) - 1
SEQUENCES = [seq for seq in range(MASK + 1) if seq & 3 in (0, RUNNING)]


def rcu_seq_done_exact(seq: int, cookie: int) -> bool:
    """kernel/rcu/rcu.h, v6.14, in arithmetic modulo 2^WIDTH."""
    at_least = (seq - cookie) & MASK <= HALF
    below_guard = (seq - (cookie - 7)) & MASK > HALF
    return at_least or below_guard


def test_a_cookie_asks_for_one_grace_period_when_idle_and_for_two_when_one_runs():
    compiled = program_of(takes_a_cookie, declare=with_cookie)
    for seq in SEQUENCES:
        taken = alone(compiled, rcu_gp_seq=seq).shared["taken"][0]
        ahead = 8 if seq & 3 == RUNNING else 4
        assert taken == ((seq & ~3) + ahead) & MASK


def test_a_cookie_has_elapsed_as_rcu_seq_done_exact_says():
    compiled = program_of(polls_a_cookie, declare=with_cookie)
    for seq, cookie in itertools.product(SEQUENCES, range(0, MASK + 1, 4)):
        elapsed = alone(compiled, rcu_gp_seq=seq, taken=cookie).shared["elapsed"][0]
        assert elapsed == rcu_seq_done_exact(seq, cookie), (seq, cookie)


@pytest.mark.parametrize("grace_periods_max", range(40))
def test_no_cookie_is_half_the_range_away(grace_periods_max):
    """The counter ends at most 4 above the bound that is checked; a snapshot is 8 ahead."""
    half = (1 << (sequence_width(grace_periods_max) - 1)) - 1
    assert 4 * 2 * grace_periods_max + 8 <= half - 8


# -- grace periods ---------------------------------------------------------------------------------


@program(
    steps_max=400,
    readers=Param(1, 2, default=2),
    grace_periods=Param(0, 2, default=1),
    begin=Param(-64, 0, default=0),
    nested=Switch(default=False),
    waits=Switch(default=True),
)
def readers_and_grace_periods(p):
    """Readers note as ghosts what the sequence was when they entered."""
    p.shared("x", uint(2))
    p.ghost_array("entered_at", p.readers, uint(sequence_width(p.grace_periods)))

    @p.thread(instances=p.readers)
    def reader():
        rcu_read_lock()
        entered_at[ME] = rcu_gp_seq
        if p.nested:
            rcu_read_lock()
            rcu_read_unlock()
        READ_ONCE(x)
        rcu_read_unlock()

    if p.waits:

        @p.thread()
        def updater():
            synchronize_rcu()

    p.rcu(grace_periods_max=p.grace_periods, gp_seq_init=p.begin)


def grace_periods_seen(compiled) -> tuple[Exploration, set[str]]:
    """Every execution, and what was seen of grace periods that ended."""
    seen: set[str] = set()
    readers = len(compiled.variable["entered_at"].init)

    def watch(before, thread, after):
        seq, now = before.shared["rcu_gp_seq"][0], after.shared["rcu_gp_seq"][0]
        if seq & 3 == RUNNING and now & 3 == 0:
            for reader in range(readers):
                if before.shared["rcu_nesting"][reader]:
                    later = before.shared["entered_at"][reader] == seq
                    seen.add("a later reader goes on" if later else "an earlier reader goes on")
            seen.add("a grace period ends")

    return explore(compiled, watch=watch), seen


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("begin", [0, -4, -8])
def test_a_grace_period_waits_for_earlier_readers_and_only_for_them(begin, nested):
    compiled = readers_and_grace_periods.compile(begin=begin, nested=nested)
    found, seen = grace_periods_seen(compiled)
    assert found.outcomes == {Outcome.OK}
    assert seen == {"a grace period ends", "a later reader goes on"}


def test_grace_periods_come_by_themselves_and_end_nowhere_else():
    found, seen = grace_periods_seen(
        readers_and_grace_periods.compile(waits=False, grace_periods=2, readers=1)
    )
    assert found.outcomes == {Outcome.OK}
    assert "a grace period ends" in seen
    values = {values["rcu_gp_seq"][0] for values in found.last_values}
    assert {0, 4, 8} <= values
    _, seen = grace_periods_seen(readers_and_grace_periods.compile(waits=False, grace_periods=0))
    assert seen == set()


# -- freeing after a grace period ------------------------------------------------------------------


@program(
    steps_max=400,
    grace_periods=Param(0, 2, default=1),
    begin=Param(-64, 0, default=0),
    how_to_wait=Param(0, 5, default=0),
)
def free_later(p):
    """An updater unlinks an object, waits in one of five ways (or not), and frees it."""
    p.shared("linked", uint(1), init=1)
    p.shared("freed", uint(1))
    p.ghost("frees", uint(2))

    @p.thread()
    def reader():
        rcu_read_lock()
        if READ_ONCE(linked) == 1:
            assert READ_ONCE(freed) == 0, "used before"
            READ_ONCE(freed)
            assert freed == 0, "used after it was freed"
        rcu_read_unlock()

    def free(subject):
        with atomic("free"):
            freed = subject
            frees += 1

    @p.thread()
    def updater():
        WRITE_ONCE(linked, 0)
        if p.how_to_wait == 1:
            synchronize_rcu()
        if p.how_to_wait == 2:
            cookie = get_state_synchronize_rcu()
            cond_synchronize_rcu(cookie)
        if p.how_to_wait == 3:
            cookie = start_poll_synchronize_rcu()
            while not poll_state_synchronize_rcu(cookie):
                cpu_relax()
        if p.how_to_wait == 4:
            cookie = rcu_get_gp_cookie()
            if not rcu_gp_cookie_elapsed(cookie):
                return
        if p.how_to_wait == 5:
            call_rcu(free, 1)
            return
        free(1)

    p.rcu(grace_periods_max=p.grace_periods, gp_seq_init=p.begin, callbacks=1)


def compiled_waiting(how_to_wait: int, **given):
    return free_later.compile(how_to_wait=how_to_wait, **given)


def test_without_a_grace_period_the_reader_uses_what_was_freed():
    assert "used after it was freed" in explore(compiled_waiting(0)).sentences


@pytest.mark.parametrize("begin", [0, -4, -8, -12])
@pytest.mark.parametrize("how_to_wait", [1, 2, 3, 4, 5])
def test_after_a_grace_period_no_reader_has_what_was_freed(how_to_wait, begin):
    found = explore(compiled_waiting(how_to_wait, begin=begin, grace_periods=2))
    assert found.outcomes == {Outcome.OK}
    assert (1,) in found.last("freed")


@pytest.mark.parametrize("how_to_wait", [1, 2, 3, 4, 5])
def test_a_grace_period_that_runs_already_does_not_count(how_to_wait, monkeypatch):
    """With a snapshot of +4 while one runs, a reader is missed: every way of waiting shows it."""
    arithmetic = rcu_bodies._arithmetic

    def wrong_arithmetic(q):
        _, done, want = arithmetic(q)

        def wrong_snap(seq):
            return (seq + 4) & (q.mask & ~3)

        return wrong_snap, done, want

    monkeypatch.setattr(rcu_bodies, "_arithmetic", wrong_arithmetic)
    found = explore(compiled_waiting(how_to_wait, grace_periods=2))
    assert "used after it was freed" in found.sentences


# -- callbacks -------------------------------------------------------------------------------------


@pytest.mark.parametrize("grace_periods", [0, 1])
def test_a_callback_is_executed_once_before_the_end(grace_periods):
    found = explore(compiled_waiting(5, grace_periods=grace_periods))
    assert found.outcomes == {Outcome.OK}
    assert found.last("freed", "frees") == {(1, 1)}


@program(steps_max=400, queued=Switch(default=True), reads=Switch(default=False))
def barrier(p):
    """rcu_barrier() waits for the callbacks that were queued before."""
    p.shared("freed", uint(1))
    p.shared("inside", uint(1))

    def free(subject):
        WRITE_ONCE(freed, subject)

    @p.thread()
    def updater():
        if p.queued:
            call_rcu(free, 1)
        rcu_barrier()
        assert not p.queued or freed == 1, "the callback has not been executed"
        assert rcu_gp_seq != 0, "no grace period was needed"

    if p.reads:

        @p.thread()
        def reader():
            rcu_read_lock()
            spin_until(READ_ONCE(inside) == 1)
            rcu_read_unlock()

    p.rcu(grace_periods_max=0, callbacks=1)


def test_rcu_barrier_waits_for_queued_callbacks():
    assert explore(barrier.compile()).outcomes == {Outcome.OK}


def test_rcu_barrier_does_not_wait_for_a_grace_period():
    assert explore(barrier.compile(queued=False)).sentences == {"no grace period was needed"}


def test_a_reader_that_never_ends_holds_up_callbacks_and_whoever_waits_for_them():
    assert explore(barrier.compile(reads=True)).outcomes == {Outcome.DEADLOCK}


@program(steps_max=400, callbacks=Param(1, 2, default=1))
def two_callbacks(p):
    """One thread queues two callbacks."""
    p.shared("x", uint(2))

    def add(subject):
        atomic_add(subject, x)

    @p.thread()
    def updater():
        call_rcu(add, 1)
        call_rcu(add, 1)

    @p.at_end
    def finished():
        assert x == 2, "a callback is missing at the end"

    p.rcu(grace_periods_max=0, callbacks=p.callbacks)


def test_too_few_callback_slots_are_a_violation_of_range():
    compiled = two_callbacks.compile()
    found = explore(compiled)
    assert "call_rcu() finds every callback slot in use" in found.sentences
    (site,) = [site for site in compiled.sites if "slot in use" in site.sentence]
    assert site.oracle is Oracle.RANGE
    assert explore(two_callbacks.compile(callbacks=2)).endings == {(Outcome.OK, None)}


@program(steps_max=400, grace_periods=Param(0, 4, default=0))
def waits_often(p):
    p.shared("x", uint(2))

    @p.thread()
    def updater():
        for i in range(8):
            synchronize_rcu()

    p.rcu(grace_periods_max=p.grace_periods)


def test_too_few_grace_periods_are_a_violation_of_range():
    compiled = waits_often.compile()
    assert explore(compiled).endings == {(Outcome.VIOLATION, "grace_periods_max is too small")}
    (site,) = [site for site in compiled.sites if "too small" in site.sentence]
    assert site.oracle is Oracle.RANGE
    assert explore(waits_often.compile(grace_periods=4)).outcomes == {Outcome.OK}


# -- misuse ----------------------------------------------------------------------------------------


def unlocks_twice():
    rcu_read_lock()
    rcu_read_unlock()
    rcu_read_unlock()


def synchronizes_inside():
    rcu_read_lock()
    synchronize_rcu()
    rcu_read_unlock()


def synchronizes_inside_on_a_condition():
    cookie = get_state_synchronize_rcu()
    rcu_read_lock()
    cond_synchronize_rcu(cookie)
    rcu_read_unlock()


def waits_for_callbacks_inside():
    rcu_read_lock()
    rcu_barrier()
    rcu_read_unlock()


def sleeps_inside():
    rcu_read_lock()
    wait_event(READ_ONCE(x) == 1)
    rcu_read_unlock()


def takes_a_mutex_inside():
    rcu_read_lock()
    mutex_lock(mutex)
    mutex_unlock(mutex)
    rcu_read_unlock()


def ends_inside():
    rcu_read_lock()
    if READ_ONCE(x) == 0:
        return
    rcu_read_unlock()


def enables_what_is_enabled():
    preempt_enable()


def synchronizes_with_interrupts_off():
    local_irq_disable()
    synchronize_rcu()
    local_irq_enable()


def with_everything(p):
    p.shared("x", uint(2))
    p.mutex("mutex")
    p.spinlock("lock")
    p.rcu(grace_periods_max=1, callbacks=1, irq_off_readers=True)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (unlocks_twice, "rcu_read_unlock() without rcu_read_lock()"),
        (synchronizes_inside, "synchronize_rcu() inside a read-side critical section"),
        (
            synchronizes_inside_on_a_condition,
            "cond_synchronize_rcu() inside a read-side critical section",
        ),
        (waits_for_callbacks_inside, "rcu_barrier() inside a read-side critical section"),
        (sleeps_inside, "wait_event() inside a read-side critical section"),
        (takes_a_mutex_inside, "mutex_lock() inside a read-side critical section"),
        (ends_inside, "ends_inside ends inside a read-side critical section"),
        (enables_what_is_enabled, "preempt_enable() without preempt_disable()"),
        (
            synchronizes_with_interrupts_off,
            "synchronize_rcu() inside a read-side critical section",
        ),
    ],
)
def test_misuse_is_a_violation(body, sentence):
    compiled = program_of(body, declare=with_everything)
    assert explore(compiled).endings == {(Outcome.VIOLATION, sentence)}
    (site,) = [site for site in compiled.sites if site.sentence == sentence]
    assert site.oracle is Oracle.RCU


def spins_inside():
    rcu_read_lock()
    rcu_read_lock()
    spin_lock(lock)
    assert rcu_read_lock_held(), "a reader"
    spin_unlock(lock)
    rcu_read_unlock()
    if rcu_read_lock_held():
        rcu_read_unlock()


def test_spinning_inside_a_reader_is_legal_and_sections_nest():
    compiled = program_of(spins_inside, declare=with_everything, instances=2)
    assert explore(compiled).endings == {(Outcome.OK, None)}


def nests_too_deep():
    rcu_read_lock()
    rcu_read_lock()
    rcu_read_lock()
    rcu_read_lock()


def test_more_than_three_nested_sections_are_a_violation_of_range():
    found = explore(program_of(nests_too_deep, declare=with_everything))
    assert found.sentences == {"rcu_nesting leaves its range 0 to 3"}


def waits_for_ever():
    synchronize_rcu(may_end_here=True)


def never_leaves():
    rcu_read_lock()
    spin_until(READ_ONCE(x) == 1, may_end_here=True)
    rcu_read_unlock()


def test_waiting_for_a_grace_period_for_ever_can_be_a_fine_end():
    compiled = program_of(waits_for_ever, never_leaves, declare=with_everything)
    assert explore(compiled).endings == {(Outcome.OK, None)}
