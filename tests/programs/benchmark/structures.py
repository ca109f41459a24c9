"""The benchmark programs with a data structure: their published rows cannot be reproduced exactly.

What is published says too little of the stack, the queue, the circular buffer and the queue for
work stealing: each is the classic algorithm with the mistake that its name stands for. SafeStack is
Vyukov's own, access by access.
"""

from model.language import (
    ME,
    READ_ONCE,
    WRITE_ONCE,
    Param,
    atomic,
    atomic_cmpxchg,
    atomic_dec,
    atomic_inc,
    atomic_read,
    boolean,
    cpu_relax,
    names,
    program,
    spin_lock,
    spin_unlock,
    uint,
    xchg,
)

cells = names("FIRST", "SECOND", "THIRD", null="NONE")
FIRST, SECOND, THIRD, NONE = cells


@program(items=Param(1, 3, default=2))
def stack(p):
    """A producer pushes under a lock; the consumer looks whether there is something without it.

    The consumer pops what it saw, although `top` is looked at before the lock is taken: with two
    consumers both may have seen the last element, and one of them pops from an empty stack.
    """
    top = p.shared("top", uint(3))
    lock = p.spinlock("lock")

    @p.thread()
    def push():
        for _ in range(p.items):
            spin_lock(lock)
            old = READ_ONCE(top)
            WRITE_ONCE(top, old + 1)
            spin_unlock(lock)

    @p.thread(instances=2)
    def pop():
        for _ in range(p.items):
            if READ_ONCE(top) > 0:
                spin_lock(lock)
                old = READ_ONCE(top)
                assert old > 0, "popped from an empty stack"
                WRITE_ONCE(top, old - 1)
                spin_unlock(lock)


@program(items=Param(1, 3, default=2))
def queue(p):
    """A queue whose length is a counter of its own, which two sides change without a lock.

    The elements are taken in their order under a lock; `stored` is read and written around it.
    """
    stored = p.shared("stored", uint(3))
    lock = p.spinlock("lock")
    head = p.shared("head", uint(3))
    tail = p.shared("tail", uint(3))

    @p.thread()
    def enqueue():
        for _ in range(p.items):
            spin_lock(lock)
            end = READ_ONCE(tail)
            WRITE_ONCE(tail, end + 1)
            spin_unlock(lock)
            old = READ_ONCE(stored)
            WRITE_ONCE(stored, old + 1)

    @p.thread()
    def dequeue():
        for _ in range(p.items):
            if READ_ONCE(stored) > 0:
                spin_lock(lock)
                first = READ_ONCE(head)
                last = READ_ONCE(tail)
                assert first < last, "dequeued from an empty queue"
                WRITE_ONCE(head, first + 1)
                spin_unlock(lock)
                old = READ_ONCE(stored)
                WRITE_ONCE(stored, old - 1)

    @p.at_end
    def what_is_stored_is_counted():
        assert stored == tail - head, "the length is wrong"


@program(items=Param(1, 4, default=2))
def circular_buffer(p):
    """Two producers put into a ring of four places with an index that is read, then written.

    Both may read the same index: one element overwrites the other, and less has arrived in the end.
    """
    ring = p.array("ring", 4, uint(1))
    first_free = p.shared("first_free", uint(4))

    @p.thread(instances=2)
    def put():
        for _ in range(p.items):
            place = READ_ONCE(first_free)
            WRITE_ONCE(ring[place & 3], 1)
            WRITE_ONCE(first_free, place + 1)

    @p.at_end
    def every_element_has_its_place():
        assert first_free == 2 * p.items, "an element is overwritten"


@program(items=Param(1, 3, default=2), steals=Param(1, 2, default=1))
def work_stealing_queue(p):
    """Cilk's deque (the THE protocol): the owner works at the tail, a thief at the head.

    The owner lowers the tail and then looks at the head; only where they meet it takes the lock.
    The mistake of the benchmark: the thief looks at the tail before it raises the head, so that
    both may take the last element.
    """
    head = p.shared("head", uint(3))
    tail = p.shared("tail", uint(3), init=0)
    taken = p.array("taken", 4, uint(2))
    lock = p.spinlock("lock")

    @p.thread()
    def owner():
        for number in range(p.items):
            WRITE_ONCE(tail, number + 1)
        for _ in range(p.items):
            last = READ_ONCE(tail)
            if last > 0:
                WRITE_ONCE(tail, last - 1)
                if READ_ONCE(head) <= last - 1:
                    with atomic("use the element"):
                        assert taken[last - 1] == 0, "an element is taken twice"
                        taken[last - 1] = 1
                else:
                    WRITE_ONCE(tail, last)
                    spin_lock(lock)
                    if READ_ONCE(head) < last:
                        WRITE_ONCE(tail, last - 1)
                        with atomic("use the element"):
                            assert taken[last - 1] == 0, "an element is taken twice"
                            taken[last - 1] = 1
                    spin_unlock(lock)

    @p.thread()
    def thief():
        for _ in range(p.steals):
            spin_lock(lock)
            first = READ_ONCE(head)
            if first < READ_ONCE(tail):
                WRITE_ONCE(head, first + 1)
                with atomic("use the element"):
                    assert taken[first] == 0, "an element is taken twice"
                    taken[first] = 1
            spin_unlock(lock)


@program(steps_max=300, threads=Param(2, 3, default=3), rounds=Param(1, 2, default=2))
def safe_stack(p):
    """Vyukov's SafeStack: a lock-free stack of the indices of three cells, each owned by one.

    Pop takes the head's `following` away, so that nobody else can pop that cell, and leaves one
    cell in the stack; who holds a cell that has come back meanwhile succeeds all the same. What is
    published says that at least five preemptions are needed. It takes seven here, where a cell is
    used by a write and a read.
    """
    count = p.shared("count", uint(3), init=3)
    head = p.shared("head", cells, init=FIRST)
    following = p.array("following", cells, cells, init=[SECOND, THIRD, NONE])
    value = p.array("value", cells, uint(2))

    def pop():
        while atomic_read(count) > 1:
            popped = atomic_read(head)
            after = xchg(following[popped], NONE)
            if after != NONE:
                if atomic_cmpxchg(head, popped, after) == popped:
                    atomic_dec(count)
                    return popped
                xchg(following[popped], after)
        return NONE

    def push(cell):
        old = atomic_read(head)
        pushed: boolean = 0
        while pushed == 0:
            WRITE_ONCE(following[cell], old)
            found = atomic_cmpxchg(head, old, cell)
            pushed = found == old
            old = found
        atomic_inc(count)

    @p.thread(instances=p.threads)
    def use_cells():
        for _ in range(p.rounds):
            cell = pop()
            while cell == NONE:
                cpu_relax()
                cell = pop()
            WRITE_ONCE(value[cell], ME)
            mine = READ_ONCE(value[cell])
            assert mine == ME, "two threads own one cell"
            push(cell)
