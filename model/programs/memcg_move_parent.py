"""A memory cgroup that goes away moves its pages to its parent.

Result: ok
Result: violation (stable_counts=on): count not stable
Result: violation (rcu_asserted=on): VM_BUG_ON(!rcu_read_lock_held())
Result: violation (get_under_lock=on): page freed with a count
Result: violation (get_under_lock=on, rcu_asserted=on, stable_counts=on): page freed with a count
Result: ok (get_under_lock=on, unless_zero=on)
Result: ok (get_under_lock=on, unless_zero=on, rcu_asserted=on, stable_counts=on)

PAGE is on the LRU list of the cgroup; its last user lets it go, and somebody else is given it. The
mover takes PAGE from the end of the list, a reference on it, and isolates it.

v3.1 takes the reference after it has given up lru_lock: a speculative get outside of any reader, on
a page that may be another one by now. Nobody minds until counts are to be stable a grace period
after an allocation (stable_counts, patch 9), or patch 6 asserts a reader (rcu_asserted).

The first hunk of patch 2 (get_under_lock) takes it under lru_lock by get_page(). In our model of
v3.1 that opens a race: put_page() brings the count to 0 first, and takes lru_lock to leave the list
afterwards, so that a page on the list may have no reference; get_page() raises its count from 0,
and the page is freed with a count.

get_page_unless_zero() under the lock (unless_zero=on) closes both, as __isolate_lru_page() does; it
is the variant that patch 6 leaves alone.

Sources, all of v3.1: mem_cgroup_force_empty_list(), mem_cgroup_move_parent() (mm/memcontrol.c);
isolate_lru_page(), putback_lru_page() (mm/vmscan.c); put_page(), __page_cache_release()
(mm/swap.c). Left out: the charge itself, pagevecs (a page put back is on the list at once), a
cgroup with two pages.

Found within 1,000 schedules (get_under_lock=on), smallest with 2 preemptions:

                                                       count page_lru on_list
    last_user                  force_empty_list       [PAGE]   [PAGE]  [PAGE]
    ---------                  ----------------       ------   ------  ------
                                                           1        1       1
    use the page
    dec_and_test(count[page])                              0
    page_lru[page]
         <preempted>
                               spin_lock(lru_lock)
                               on_list[PAGE] == 0
                               inc(count[page])            1
                               spin_unlock(lru_lock)
                                    <preempted>
    spin_lock(lru_lock)
    page_lru[page] = 0                                              0
    on_list[page] = 0                                                       0
    spin_unlock(lru_lock)
    free_hot_cold_page(page)  <-- page freed while referenced
"""

from model.language import *
from model.programs.kernel.pages import Kernel, page_counts

pages = names("PAGE", null="NONE")
PAGE, NONE = pages


@program(
    steps_max=200,
    get_under_lock=Patch(2),
    rcu_asserted=Patch(6),
    stable_counts=Patch(9),
    unless_zero=Switch(default=False),
)
def memcg_move_parent(p):
    """The mover of a cgroup's pages takes a reference while the last user lets go."""
    p.rcu(grace_periods_max=1)
    kernel = Kernel(rcu_asserted=p.rcu_asserted, stable_counts=p.stable_counts)
    mm = page_counts(p, pages, kernel, init={PAGE: 1}, lru=[PAGE])
    buddy, refs = mm.buddy, mm.refs
    page_lru, on_list, lru_lock = mm.page_lru, mm.on_list, mm.lru_lock
    get_page, get_page_unless_zero, put_page = mm.get_page, mm.get_page_unless_zero, mm.put_page
    __get_page_unless_zero, own_page = mm.__get_page_unless_zero, mm.own_page

    def last_on_list_v31():
        """The page at the end of the list, with a reference, or NONE."""
        spin_lock(lru_lock)
        empty = READ_ONCE(on_list[PAGE]) == 0
        spin_unlock(lru_lock)
        if empty:
            assert on_list[PAGE] == 0, "a page that is on the list is left there"
            return NONE
        if not get_page_unless_zero(PAGE):  # in mem_cgroup_move_parent()
            return NONE
        return PAGE

    def last_on_list_patched():
        """The same with patch 2."""
        spin_lock(lru_lock)
        if READ_ONCE(on_list[PAGE]) == 0:
            assert on_list[PAGE] == 0, "a page that is on the list is left there"
            spin_unlock(lru_lock)
            return NONE
        if p.unless_zero:
            if not __get_page_unless_zero(PAGE):
                spin_unlock(lru_lock)
                return NONE
        else:
            get_page(PAGE)
        refs[PAGE] += 1
        spin_unlock(lru_lock)
        return PAGE

    def isolate_lru_page(page):
        """True where the page is off the list, with one more reference."""
        if READ_ONCE(page_lru[page]) == 0:
            assert page_lru[page] == 0, "a page with PG_lru is not isolated"
            return False
        spin_lock(lru_lock)
        if READ_ONCE(page_lru[page]) == 0:
            assert page_lru[page] == 0, "a page with PG_lru is not isolated"
            spin_unlock(lru_lock)
            return False
        get_page(page)
        WRITE_ONCE(page_lru[page], 0)
        WRITE_ONCE(on_list[page], 0)
        assert lru_lock == 1, "LRU list changed without lru_lock"
        spin_unlock(lru_lock)
        return True

    def putback_lru_page(page):
        spin_lock(lru_lock)
        WRITE_ONCE(page_lru[page], 1)
        WRITE_ONCE(on_list[page], 1)
        assert lru_lock == 1, "LRU list changed without lru_lock"
        spin_unlock(lru_lock)
        put_page(page)

    @p.thread()
    def force_empty_list():
        if p.get_under_lock:
            page = last_on_list_patched()
        else:
            page = last_on_list_v31()
        if page == NONE:
            return
        isolated = isolate_lru_page(page)
        if isolated:
            with atomic("charge the page to the parent"):
                assert buddy[page] == 0, "free page charged to the parent"
            putback_lru_page(page)
        if p.get_under_lock:
            with atomic("done with the page"):
                refs[page] -= 1
        put_page(page)

    @p.thread()
    def last_user():
        with atomic("use the page"):
            assert buddy[PAGE] == 0, "page used after it was freed"
            refs[PAGE] -= 1
        put_page(PAGE)

    @p.thread()
    def next_owner():
        own_page(PAGE)

    @p.at_end
    def no_page_is_lost():
        assert buddy[PAGE] == 1, "page leaked"
