"""A process that moves to another memory cgroup takes the charges of its pages along.

Result: ok
Result: ok (get_page=on)
Result: violation (rcu_asserted=on): VM_BUG_ON(!rcu_read_lock_held())
Result: ok (get_page=on, rcu_asserted=on, stable_counts=on)
Result: ok (stable_counts=on)
Result: violation (pte_locked=off, stable_counts=on): count not stable
Result: violation (get_page=on, pte_locked=off): page freed with a count

PAGE is mapped by a present page table entry, which holds a reference. The mover takes another under
the page table lock; somebody unmaps PAGE, and somebody else is given it.

The second hunk of patch 2 (get_page) writes get_page() for get_page_unless_zero() here. That is
right: the entry's reference cannot go while the lock is held, and without the lock (pte_locked=off)
it is wrong. Neither form disturbs a stable count (stable_counts, patch 9); only the assertion of
patch 6 (rcu_asserted) needs the hunk.

Sources, all of v3.1: mc_handle_present_pte(), is_target_pte_for_mc(),
mem_cgroup_move_charge_pte_range() (mm/memcontrol.c); zap_pte_range() (mm/memory.c). Left out: swap
entries, the isolation of the page, and the charge itself.
"""

from model.language import *
from model.programs.kernel.pages import Kernel, page_counts

pages = names("PAGE", null="NONE")
PAGE, NONE = pages


@program(
    steps_max=200,
    get_page=Patch(2),
    rcu_asserted=Patch(6),
    stable_counts=Patch(9),
    pte_locked=Switch(default=True),
)
def memcg_present_pte(p):
    """The mover of a process's charges takes a reference on a mapped page."""
    p.rcu(grace_periods_max=1)
    kernel = Kernel(rcu_asserted=p.rcu_asserted, stable_counts=p.stable_counts)
    mm = page_counts(p, pages, kernel, init={PAGE: 1})
    buddy, refs = mm.buddy, mm.refs
    get_page, get_page_unless_zero, put_page = mm.get_page, mm.get_page_unless_zero, mm.put_page
    own_page = mm.own_page
    pte = p.shared("pte", pages, init=PAGE)
    page_table_lock = p.spinlock("page_table_lock")

    def mc_handle_present_pte():
        """The mapped page with a reference, or NONE."""
        page = READ_ONCE(pte)
        if page == NONE:
            assert pte == NONE or not p.pte_locked, "a mapped page is not moved"
            return NONE
        if p.get_page:
            get_page(page)
        elif not get_page_unless_zero(page):
            return NONE
        return page

    @p.thread()
    def move_charge():
        if p.pte_locked:
            spin_lock(page_table_lock)
            page = mc_handle_present_pte()
            refs[PAGE] += page == PAGE
            spin_unlock(page_table_lock)
        else:
            page = mc_handle_present_pte()
        if page == NONE:
            return
        with atomic("move the charge"):
            assert buddy[page] == 0, "charge of a free page moved"
            refs[page] -= p.pte_locked
        put_page(page)

    @p.thread()
    def unmap():
        spin_lock(page_table_lock)
        WRITE_ONCE(pte, NONE)
        spin_unlock(page_table_lock)
        refs[PAGE] -= 1
        put_page(PAGE)

    @p.thread()
    def next_owner():
        own_page(PAGE)

    @p.at_end
    def no_page_is_lost():
        assert buddy[PAGE] == 1, "page leaked"
