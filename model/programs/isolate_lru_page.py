"""Reclaim takes a page from the LRU list under lru_lock, without a reference and without RCU.

Result: ok
Result: ok (rcu_asserted=on, stable_counts=on)
Result: violation (rcu_asserted=on, exempt=off): VM_BUG_ON(!rcu_read_lock_held())
Result: violation (get=plain): page freed while referenced
Result: violation (clear=first): page freed while on the LRU list

PAGE is on the LRU list; its last user lets it go, and somebody else is given it. put_page() brings
the count to 0 first, and then leaves the list under lru_lock: whoever holds the lock may find a
page with a count of 0, but not one that has been freed. So the reference is no stale one, the
reader that patch 6 asserts (rcu_asserted) is not needed, and patch 6 has the site exempted: it
calls __get_page_unless_zero(). With stable counts (stable_counts, patch 9) the exemption is
harmless.

Two things are needed. The reference is taken unless the count is 0 (get=plain takes it in any
case), and PageLRU is cleared only after that: cleared first (clear=first), the last put_page() sees
no PageLRU and frees a page that is on the list; so it came in ccaba785821970 (CVE-2026-63813).

Sources, all of v3.1: isolate_pages_global(), isolate_lru_pages(), __isolate_lru_page()
(mm/vmscan.c); put_page(), __page_cache_release() (mm/swap.c). Left out: modes, PageUnevictable,
lumpy reclaim.
"""

from model.language import *
from model.programs.kernel.pages import Kernel, page_counts

pages = names("PAGE", null="NONE")
PAGE, NONE = pages


@program(
    steps_max=200,
    rcu_asserted=Patch(6),
    stable_counts=Patch(9),
    exempt=Switch(default=True),
    get=Option("unless_zero", "plain"),
    clear=Option("last", "first"),
)
def isolate_lru_page(p):
    """Reclaim isolates a page while its last user lets it go."""
    p.rcu(grace_periods_max=1)
    kernel = Kernel(rcu_asserted=p.rcu_asserted, stable_counts=p.stable_counts)
    mm = page_counts(p, pages, kernel, init={PAGE: 1}, lru=[PAGE])
    buddy, refs = mm.buddy, mm.refs
    page_lru, on_list, lru_lock = mm.page_lru, mm.on_list, mm.lru_lock
    get_page, get_page_unless_zero, put_page = mm.get_page, mm.get_page_unless_zero, mm.put_page
    __get_page_unless_zero, own_page = mm.__get_page_unless_zero, mm.own_page

    def take(page):
        if p.get == "plain":
            get_page(page)
            return True
        if p.exempt:
            return __get_page_unless_zero(page)
        return get_page_unless_zero(page)

    @p.thread()
    def isolate_lru_pages():
        spin_lock(lru_lock)
        if READ_ONCE(on_list[PAGE]) == 0:
            assert on_list[PAGE] == 0, "a page that is on the list is left there"
            spin_unlock(lru_lock)
            return
        assert page_lru[PAGE] == 1, "VM_BUG_ON(!PageLRU(page))"
        if p.clear == "first":
            WRITE_ONCE(page_lru[PAGE], 0)
        taken = take(PAGE)  # __isolate_lru_page()
        refs[PAGE] += taken
        if not taken:
            if p.clear == "first":
                WRITE_ONCE(page_lru[PAGE], 1)
            spin_unlock(lru_lock)
            return
        if p.clear == "last":
            WRITE_ONCE(page_lru[PAGE], 0)
        WRITE_ONCE(on_list[PAGE], 0)  # list_move()
        spin_unlock(lru_lock)
        with atomic("reclaim the page"):
            assert buddy[PAGE] == 0, "free page isolated"
            refs[PAGE] -= 1
        put_page(PAGE)

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
