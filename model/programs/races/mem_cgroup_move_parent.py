"""memcg takes a page from an LRU list while its last user waits for the lock of that list.

Result: violation
Result: ok (get=v3.1)
Result: ok (get=get_page_unless_zero)

Patch 2 of "Use RCU to stabilize page counts", first part, mm/memcontrol.c:
mem_cgroup_force_empty_list() and mem_cgroup_move_parent() against put_page() in mm/swap.c. A
finding in our model of v3.1; the patch was not merged. v3.1 finds a page under lru_lock, drops the
lock and takes a reference unless there is none. The patch takes it under the lock by get_page(),
but the lock does not keep the count above 0: whoever drops the last reference needs it only
afterwards, to take the page from the list. The count goes from 0 to 1, and the page is freed by
both. With get_page_unless_zero() under the lock, as __isolate_lru_page() has it, it is clean.

Left out: pagevecs (putback_lru_page() adds the page at once), charges, re-use of the freed page.

Found within 2,000 schedules, smallest with 2 preemptions:

    last_user                 mem_cgroup_force_empty_list  count PageLRU lru
    ---------                 ---------------------------  ----- ------- ---
                                                               1       1   1
    dec_and_test(count)                                        0
    PageLRU != 0
         <preempted>
                              spin_lock(lru_lock)
                              lru == 0
                              inc(count)                       1
                              spin_unlock(lru_lock)
                                   <preempted>
    spin_lock(lru_lock)
    PageLRU = 0                                                        0
    lru = 0                                                                0
    spin_unlock(lru_lock)
    free_hot_cold_page(page)  <-- bad_page(): page freed with a count

With one preemption less, and 26 steps, memcg does all its work in the place of the second one, and
the page is freed twice.
"""

from model.language import *


@program(steps_max=120, get=Option("patch2", "v3.1", "get_page_unless_zero"))
def mem_cgroup_move_parent(p):
    """memcg takes a page from an LRU list while its last user waits for the lock of that list."""
    count = p.shared("count", uint(2), init=1)
    PageLRU = p.shared("PageLRU", boolean, init=1)
    lru = p.shared("lru", boolean, init=1)  # the page is on the list
    lru_lock = p.spinlock("lru_lock")
    freed = p.ghost("freed", boolean)

    def put_page():
        """__put_single_page(): __page_cache_release(), free_hot_cold_page()."""
        if not atomic_dec_and_test(count):
            return
        if READ_ONCE(PageLRU) != 0:
            spin_lock(lru_lock)
            WRITE_ONCE(PageLRU, 0)
            WRITE_ONCE(lru, 0)  # del_page_from_lru()
            spin_unlock(lru_lock)
        with atomic("free_hot_cold_page(page)"):
            assert count == 0, "bad_page(): page freed with a count"
            assert freed == 0, "page freed twice"
            assert lru == 0, "page freed while on a list"
            freed = 1

    @p.thread()
    def last_user():
        put_page()

    def get_from_list():
        """mem_cgroup_force_empty_list(): one page of the list, with a reference."""
        spin_lock(lru_lock)
        if READ_ONCE(lru) == 0:  # list_empty()
            spin_unlock(lru_lock)
            return False
        if p.get == "patch2":
            atomic_inc(count)  # get_page()
            spin_unlock(lru_lock)
            return True
        if p.get == "get_page_unless_zero":
            got = atomic_inc_not_zero(count)
            spin_unlock(lru_lock)
            return got
        spin_unlock(lru_lock)
        return atomic_inc_not_zero(count)  # in mem_cgroup_move_parent()

    @p.thread()
    def mem_cgroup_force_empty_list():
        if not get_from_list():
            return
        if READ_ONCE(PageLRU) != 0:  # isolate_lru_page()
            spin_lock(lru_lock)
            if READ_ONCE(PageLRU) != 0:
                atomic_inc(count)  # get_page()
                WRITE_ONCE(PageLRU, 0)
                WRITE_ONCE(lru, 0)
                spin_unlock(lru_lock)
                spin_lock(lru_lock)  # putback_lru_page(), ____pagevec_lru_add_fn()
                WRITE_ONCE(PageLRU, 1)
                WRITE_ONCE(lru, 1)
                spin_unlock(lru_lock)
                put_page()
            else:
                spin_unlock(lru_lock)
        put_page()
