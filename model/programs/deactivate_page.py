"""A clean page that nobody wants is moved to the end of the inactive list.

Result: ok
Result: ok (get_page=on)
Result: violation (rcu_asserted=on): VM_BUG_ON(!rcu_read_lock_held())
Result: ok (get_page=on, rcu_asserted=on, stable_counts=on)
Result: ok (stable_counts=on)
Result: violation (caller_holds=off, stable_counts=on): count not stable
Result: violation (caller_holds=off, get_page=on): page freed with a count

The caller, invalidate_mapping_pages(), holds PAGE by its pagevec. deactivate_page() takes another
reference for the per-CPU pagevec, which is drained later. Meanwhile PAGE leaves the page cache, and
in the end somebody else is given it.

Patch 4 (get_page) is right, because the only caller holds a reference: it changes nothing but that
the assertion of patch 6 (rcu_asserted) holds. For a caller without one (caller_holds=off)
get_page() would raise a count from 0, and get_page_unless_zero() disturb a stable count
(stable_counts, patch 9).

Sources, all of v3.1: deactivate_page(), lru_deactivate_fn(), lru_add_drain_cpu(), release_pages()
(mm/swap.c); invalidate_mapping_pages(), delete_from_page_cache() (mm/truncate.c, mm/filemap.c).
Left out: PageUnevictable, the lock of the page, a pagevec with more pages.
"""

from model.language import *
from model.programs.kernel.pages import Kernel, page_counts

pages = names("PAGE", null="NONE")
PAGE, NONE = pages


@program(
    steps_max=200,
    get_page=Patch(4),
    rcu_asserted=Patch(6),
    stable_counts=Patch(9),
    caller_holds=Switch(default=True),
)
def deactivate_page(p):
    """A page that is referenced by the caller goes into a pagevec, to be deactivated."""
    p.rcu(grace_periods_max=1)
    kernel = Kernel(rcu_asserted=p.rcu_asserted, stable_counts=p.stable_counts)
    held = 2 if p.caller_holds else 1
    mm = page_counts(p, pages, kernel, init={PAGE: held}, lru=[PAGE])
    buddy, refs = mm.buddy, mm.refs
    page_lru, lru_lock = mm.page_lru, mm.lru_lock
    get_page, get_page_unless_zero, put_page = mm.get_page, mm.get_page_unless_zero, mm.put_page
    own_page = mm.own_page
    slot = p.shared("slot", pages, init=PAGE)
    at_tail = p.shared("at_tail", boolean)
    tree_lock = p.spinlock("tree_lock")

    def take(page):
        if p.get_page:
            get_page(page)
            return True
        return get_page_unless_zero(page)

    def lru_deactivate_fn(page):
        """Called when the per-CPU pagevec is drained; then the page is released."""
        spin_lock(lru_lock)
        if READ_ONCE(page_lru[page]):
            WRITE_ONCE(at_tail, 1)  # list_move_tail()
        else:
            assert page_lru[page] == 0, "a page that is on the list is not moved"
        spin_unlock(lru_lock)
        put_page(page)  # release_pages()

    @p.thread()
    def invalidate_mapping_pages():
        taken = take(PAGE)
        if taken:
            lru_deactivate_fn(PAGE)
        if p.caller_holds:
            with atomic("use the page"):
                assert buddy[PAGE] == 0, "page used after it was freed"
                refs[PAGE] -= 1
            put_page(PAGE)  # pagevec_release()

    @p.thread()
    def truncate():
        spin_lock(tree_lock)
        WRITE_ONCE(slot, NONE)  # __delete_from_page_cache()
        spin_unlock(tree_lock)
        refs[PAGE] -= 1
        put_page(PAGE)  # page_cache_release()

    @p.thread()
    def next_owner():
        own_page(PAGE)

    @p.at_end
    def no_page_is_lost():
        assert buddy[PAGE] == 1, "page leaked"
