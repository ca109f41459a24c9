"""Small programs for tests of what works on any trace."""

from model.language import (
    READ_ONCE,
    WRITE_ONCE,
    Param,
    atomic,
    atomic_cmpxchg,
    atomic_dec_and_test,
    atomic_inc,
    atomic_inc_not_zero,
    choose,
    names,
    program,
    rcu_read_lock,
    rcu_read_unlock,
    spin_lock,
    spin_unlock,
    synchronize_rcu,
    uint,
    wait_event,
)
from model.program import Program

pages = names("HEAD", "TAIL", null="NONE")
HEAD, TAIL, NONE = pages


@program(steps_max=200, lookups=Param(1, 3, default=1))
def lookup(p):
    """A lookup takes a reference to a page that reclaim has given away."""
    slot = p.shared("slot", pages, init=TAIL)
    count = p.array("count", pages, uint(3), init={TAIL: 1})

    @p.thread(instances=p.lookups)
    def find_get_page():
        page = READ_ONCE(slot)
        if page != NONE and atomic_inc_not_zero(count[page]):
            assert slot == page, "the page is no longer the one looked up"
            atomic_dec_and_test(count[page])

    @p.thread()
    def reclaim():
        if atomic_cmpxchg(count[TAIL], 1, 0) == 1:
            WRITE_ONCE(slot, NONE)
            WRITE_ONCE(count[TAIL], 1)


