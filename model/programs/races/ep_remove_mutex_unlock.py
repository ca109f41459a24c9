"""The last but one reference to an eventpoll is dropped inside the mutex that lives in it.

Result: violation
Result: ok (fixed=on)

8c2e52ebbe88 "eventpoll: don't decrement ep refcount while still holding the ep mutex" (6.16,
CVE-2025-38349), fs/eventpoll.c: eventpoll_release_file(), ep_clear_and_put() and ep_free() against
kernel/locking/mutex.c: __mutex_lock_common(), __mutex_unlock_slowpath(). mutex_unlock() gives the
mutex up first and takes wait_lock afterwards, to wake a waiter. A waiter that gets the mutex in
between without being woken drops the last reference and frees the mutex under its unlock. The fix
drops the reference after the unlock.

The mutex is written out: only the slow path of its unlock touches it after giving it up, so that
the race needs a waiter. Left out: optimistic spinning, hand-off, and the list of waiters, of whom
there is one. Seen without a waiter (an unlock that always touches its mutex last) the race has the
same story and half the steps.

Found within 2,000 schedules, smallest with 2 preemptions:

    ep_clear_and_put  eventpoll_release_file                   refcount owner
    ----------------  ----------------------                   -------- -----
                                                                      2     0
    cmpxchg_acquire(owner, 0, HELD) == 0                                    1
    dispose = refcount_dec_and_test(refcount)  -> 0                   1
         <preempted>
                      cmpxchg_acquire(owner, 0, HELD) == 0
                      spin_lock(wait_lock)
                      was_held = fetch_or_acquire(HELD, owner) & HELD
                      or(MUTEX_FLAG_WAITERS, owner)                         3
                      sleeping = 1
                           <preempted>
    cmpxchg_release(owner, HELD, 0) == HELD
    flags = fetch_and_release(MUTEX_FLAG_WAITERS, owner)                    2
                      was_held = fetch_or_acquire(HELD,                     3
                          owner) & HELD
                      sleeping = 0
                      and(HELD, owner)                                      1
                      spin_unlock(wait_lock)
                      dispose =                                       0
                          refcount_dec_and_test(refcount)
                          -> 1
                      cmpxchg_release(owner, HELD, 0) == HELD               0
                      ep_free(ep)
    spin_lock(wait_lock)  <-- KASAN: use of a freed struct eventpoll
"""

from model.language import *

HELD, MUTEX_FLAG_WAITERS = 1, 2


@program(steps_max=200, fixed=Switch(default=False))
def ep_remove_mutex_unlock(p):
    """The last but one reference to an eventpoll is dropped inside the mutex that lives in it."""
    refcount = p.shared("refcount", uint(2), init=2)
    owner = p.shared("owner", uint(2))  # ep->mtx.owner
    wait_lock = p.spinlock("wait_lock")  # ep->mtx.wait_lock
    sleeping = p.shared("sleeping", boolean)
    freed = p.ghost("freed", boolean)
    holders = p.ghost("holders", uint(2))

    def acquired():
        holders += 1
        assert holders == 1, "two hold the mutex"

    def mutex_is_there():
        assert freed == 0, "KASAN: use of a freed struct eventpoll"

    # -- kernel/locking/mutex.c --------------------------------------------------------------------

    def trylock():
        """__mutex_trylock(): its cmpxchg() loop as the one access that it comes down to."""
        was_held = atomic_fetch_or_acquire(HELD, owner) & HELD
        mutex_is_there()
        return was_held == 0

    def lock():
        """mutex_lock(), __mutex_lock_common()."""
        if atomic_cmpxchg_acquire(owner, 0, HELD) == 0:
            acquired()
            return
        spin_lock(wait_lock)
        if not trylock():
            atomic_or(MUTEX_FLAG_WAITERS, owner)  # __mutex_add_waiter()
            assert wait_lock == 1, "lockdep_assert_held(&lock->wait_lock)"
            WRITE_ONCE(sleeping, 1)  # set_current_state()
            while not trylock():
                spin_unlock(wait_lock)
                wait_event(READ_ONCE(sleeping) == 0)  # schedule()
                WRITE_ONCE(sleeping, 1)
                if trylock():
                    spin_lock(wait_lock)
                    break
                spin_lock(wait_lock)
            WRITE_ONCE(sleeping, 0)
            atomic_and(HELD, owner)  # __mutex_remove_waiter()
            assert wait_lock == 1, "lockdep_assert_held(&lock->wait_lock)"
        acquired()
        spin_unlock(wait_lock)

    def unlock():
        """mutex_unlock(), __mutex_unlock_slowpath()."""
        if atomic_cmpxchg_release(owner, HELD, 0) == HELD:
            holders -= 1
            return
        flags = atomic_fetch_and_release(MUTEX_FLAG_WAITERS, owner)
        holders -= 1
        if flags & MUTEX_FLAG_WAITERS == 0:
            return
        spin_lock(wait_lock)
        mutex_is_there()
        if READ_ONCE(owner) & MUTEX_FLAG_WAITERS != 0:  # !list_empty(&lock->wait_list)
            mutex_is_there()
            WRITE_ONCE(sleeping, 0)  # wake_q_add()
        spin_unlock(wait_lock)
        mutex_is_there()

    # -- fs/eventpoll.c ----------------------------------------------------------------------------

    def put_ep():
        """ep_refcount_dec_and_test() where it was, and where the fix moved it."""
        lock()
        if p.fixed:
            unlock()
            dispose = refcount_dec_and_test(refcount)
        else:
            dispose = refcount_dec_and_test(refcount)
            unlock()
        if dispose:
            with atomic("ep_free(ep)"):
                freed = 1

    @p.thread()
    def eventpoll_release_file():
        put_ep()

    @p.thread()
    def ep_clear_and_put():
        put_ep()

    @p.at_end
    def the_last_reference_frees():
        assert freed == 1, "struct eventpoll leaked"
