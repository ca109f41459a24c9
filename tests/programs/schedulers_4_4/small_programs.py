"""Small programs of the schedule-bounding literature (SCTBench).

The event model of the published counts: reads, writes, lock, unlock and the creation of a thread
are events; the main thread creates the others one after the other; a start, a join and an assertion
are no events; `and` reads its right side only where the left one holds; an execution ends at the
failure.
"""

# The programs are near-C: `and` of two reads is two statements, and oracles are written as such.
# ruff: noqa: SIM102, B011, F823, F841

from model.language import (
    ME,
    READ_ONCE,
    WRITE_ONCE,
    Param,
    atomic,
    boolean,
    program,
    spawn,
    spin_lock,
    spin_unlock,
    uint,
)


@program()
def lazy01(p):
    """Two additions and a check that assumes that they have not both happened."""
    total = p.shared("total", uint(2))
    lock = p.spinlock("lock")

    @p.thread(child=True)
    def add_one():
        spin_lock(lock)
        old = READ_ONCE(total)
        WRITE_ONCE(total, old + 1)
        spin_unlock(lock)

    @p.thread(child=True)
    def add_two():
        spin_lock(lock)
        old = READ_ONCE(total)
        WRITE_ONCE(total, old + 2)
        spin_unlock(lock)

    @p.thread(child=True)
    def check():
        spin_lock(lock)
        now = READ_ONCE(total)
        assert now < 3, "both have added"
        spin_unlock(lock)

    @p.thread()
    def main():
        spawn(add_one)
        spawn(add_two)
        spawn(check)


@program()
def account(p):
    """A deposit, a withdrawal, and a check that expects the wrong balance when both are done."""
    balance = p.shared("balance", uint(4, wrapping=True), init=1)
    deposited = p.shared("deposited", boolean)
    withdrawn = p.shared("withdrawn", boolean)
    lock = p.spinlock("lock")

    @p.thread(child=True)
    def check():
        spin_lock(lock)
        if READ_ONCE(deposited):
            if READ_ONCE(withdrawn):
                now = READ_ONCE(balance)
                assert now == 11, "the balance is not 1 - 2 - 4"
        spin_unlock(lock)

    @p.thread(child=True)
    def deposit():
        spin_lock(lock)
        old = READ_ONCE(balance)
        WRITE_ONCE(balance, old + 2)
        WRITE_ONCE(deposited, 1)
        spin_unlock(lock)

    @p.thread(child=True)
    def withdraw():
        spin_lock(lock)
        old = READ_ONCE(balance)
        WRITE_ONCE(balance, old - 4)
        WRITE_ONCE(withdrawn, 1)
        spin_unlock(lock)

    @p.thread()
    def main():
        spawn(check)
        spawn(deposit)
        spawn(withdraw)


@program()
def bluetooth_driver(p):
    """A driver is stopped between the check of its stopping flag and the use of it."""
    stopping = p.shared("stopping", boolean)
    stopped = p.shared("stopped", boolean)
    event = p.shared("event", boolean)
    pending = p.shared("pending", uint(2, wrapping=True), init=1)
    lock = p.spinlock("lock")

    def increment():
        spin_lock(lock)
        old = READ_ONCE(pending)
        WRITE_ONCE(pending, old + 1)
        spin_unlock(lock)

    def decrement():
        spin_lock(lock)
        old = READ_ONCE(pending)
        WRITE_ONCE(pending, old - 1)
        left = READ_ONCE(pending)
        spin_unlock(lock)
        if left == 0:
            WRITE_ONCE(event, 1)

    @p.thread(child=True)
    def stop():
        WRITE_ONCE(stopping, 1)
        decrement()
        if READ_ONCE(event):
            WRITE_ONCE(stopped, 1)

    @p.thread()
    def main():
        spawn(stop)
        if not READ_ONCE(stopping):
            increment()
            gone = READ_ONCE(stopped)
            assert not gone, "the driver is used after it was stopped"
        decrement()


@program(writers=Param(1, 99, default=1))
def twostage(p):
    """Two values are set under two locks; a reader between the stages sees only the first."""
    first = p.shared("first", uint(2))
    second = p.shared("second", uint(2))
    first_lock = p.spinlock("first_lock")
    second_lock = p.spinlock("second_lock")

    @p.thread(child=True, instances=p.writers)
    def write():
        spin_lock(first_lock)
        WRITE_ONCE(first, 1)
        spin_unlock(first_lock)
        spin_lock(second_lock)
        value = READ_ONCE(first)
        WRITE_ONCE(second, value + 1)
        spin_unlock(second_lock)

    @p.thread(child=True)
    def read():
        spin_lock(first_lock)
        if READ_ONCE(first) == 0:
            spin_unlock(first_lock)
            return
        one = READ_ONCE(first)
        spin_unlock(first_lock)
        spin_lock(second_lock)
        two = READ_ONCE(second)
        spin_unlock(second_lock)
        assert two == one + 1, "the second stage has not happened"

    @p.thread()
    def main():
        for number in range(p.writers):
            spawn(write, number)
        spawn(read)


@program(setters=Param(2, 126, default=2), checkers=Param(1, 10, default=1))
def reorder(p):
    """Setters write a, then b (1 for -1); the checker expects none or both of the writes."""
    a = p.shared("a", boolean)
    b = p.shared("b", boolean)

    @p.thread(child=True, instances=p.setters)
    def set_both():
        WRITE_ONCE(a, 1)
        WRITE_ONCE(b, 1)

    @p.thread(child=True, instances=p.checkers)
    def check():
        if READ_ONCE(a) == 0:
            if READ_ONCE(b) == 0:
                return
        if READ_ONCE(a) == 1:
            if READ_ONCE(b) == 1:
                return
        assert False, "one write without the other"

    @p.thread()
    def main():
        for number in range(p.setters):
            spawn(set_both, number)
        for number in range(p.checkers):
            spawn(check, number)


@program()
def deadlock01(p):
    """Two locks in opposite orders, around a counter."""
    counter = p.shared("counter", uint(2, wrapping=True))
    a = p.spinlock("a")
    b = p.spinlock("b")

    @p.thread(child=True)
    def ahead():
        spin_lock(a)
        spin_lock(b)
        old = READ_ONCE(counter)
        WRITE_ONCE(counter, old + 1)
        spin_unlock(b)
        spin_unlock(a)

    @p.thread(child=True)
    def back():
        spin_lock(b)
        spin_lock(a)
        old = READ_ONCE(counter)
        WRITE_ONCE(counter, old - 1)
        spin_unlock(a)
        spin_unlock(b)

    @p.thread()
    def main():
        spawn(ahead)
        spawn(back)


@program()
def token_ring(p):
    """Three threads pass a value round; the checker assumes that they did so in order.

    The published counts come out where taking the lock and what is done under it are one event.
    """
    x1 = p.shared("x1", uint(2), init=1)
    x2 = p.shared("x2", uint(2), init=2)
    x3 = p.shared("x3", uint(2), init=1)
    done = p.array("done", 3, boolean)
    lock = p.spinlock("lock")

    @p.thread(child=True)
    def first():
        with atomic("spin_lock(lock), and pass on"):
            spin_lock(lock)
            x1 = x3 + 1 & 3
            done[0] = 1
        spin_unlock(lock)

    @p.thread(child=True)
    def second():
        with atomic("spin_lock(lock), and pass on"):
            spin_lock(lock)
            x2 = x1
            done[1] = 1
        spin_unlock(lock)

    @p.thread(child=True)
    def third():
        with atomic("spin_lock(lock), and pass on"):
            spin_lock(lock)
            x3 = x2
            done[2] = 1
        spin_unlock(lock)

    @p.thread(child=True)
    def check():
        with atomic("spin_lock(lock), and check"):
            spin_lock(lock)
            if all(done[i] for i in range(3)):
                assert x1 == x2 and x2 == x3, "the values differ"
        spin_unlock(lock)

    @p.thread()
    def main():
        spawn(first)
        spawn(second)
        spawn(third)
        spawn(check)


@program()
def carter01(p):
    """Two classes of users exclude each other by a lock that is taken while a mutex is held."""
    users = p.array("users", 2, uint(2))
    m = p.spinlock("m")
    other = p.spinlock("other")

    def use(kind):
        spin_lock(m)
        before = READ_ONCE(users[kind])
        WRITE_ONCE(users[kind], before + 1)
        if READ_ONCE(users[kind]) == 1:
            spin_lock(other)
        spin_unlock(m)
        spin_lock(m)
        left = READ_ONCE(users[kind])
        WRITE_ONCE(users[kind], left - 1)
        if READ_ONCE(users[kind]) == 0:
            spin_unlock(other)
        spin_unlock(m)

    @p.thread(child=True, instances=2)
    def user():
        use(ME)

    @p.thread()
    def main():
        spawn(user, 0)
        spawn(user, 1)


@program(threads=Param(2, 3, default=2), additions=Param(1, 2, default=1))
def lost_update(p):
    """Threads add one to a counter, each by a read and a write."""
    counter = p.shared("counter", uint(3))

    @p.thread(child=True, instances=p.threads)
    def add():
        for _ in range(p.additions):
            old = READ_ONCE(counter)
            WRITE_ONCE(counter, old + 1)

    @p.thread()
    def main():
        for number in range(p.threads):
            spawn(add, number)

    @p.at_end
    def every_addition_counts():
        assert counter == p.threads * p.additions, "an addition is lost"


@program(depth=Param(2, 4, default=2))
def in_turns(p):
    """Two threads raise a level in turns; it is reached by one order of depth + 1 steps only."""
    level = p.shared("level", uint(3))

    @p.thread(instances=2)
    def raise_in_turn():
        for number in range(p.depth + 1):
            with atomic("raise the level, if it is my turn"):
                if number & 1 == ME and level == number:
                    level = number + 1

    @p.at_end
    def not_all_turns_were_taken():
        assert level <= p.depth, "every turn was taken in order"
