"""Reclaim takes a clean page out of the page cache while somebody who pinned it writes to it.

Result: ok
Result: violation (dirty=first): dirty page freed
Result: violation (freeze=off): dirty page freed

PAGE is referenced by the page cache, by reclaim, and by the pin of get_user_pages(). Who pinned it
may write to it, sets PG_dirty then, and puts it. Reclaim freezes the count, which fails while the
pin is there, and tests PG_dirty after that: once the pin is gone, the dirt is seen.

The other way round (dirty=first) PG_dirty is tested before the write and the count after the put,
and what was written is lost. The freeze is not for that writer: with a mere look at the count in
its place (freeze=off) the order holds, but a lookup may take the page between the look and the
removal, and write to it.

Sources, all of v3.1: __remove_mapping(), page_freeze_refs(), page_unfreeze_refs() (mm/vmscan.c,
include/linux/pagemap.h), whose comment tells the race; set_page_dirty_lock() by the users of
get_user_pages(); find_get_page() (mm/filemap.c). Left out: writeback, swap, the lock of the page.
"""

from model.language import *
from model.programs.kernel.pages import Kernel, page_counts

pages = names("PAGE", null="NONE")
PAGE, NONE = pages


@program(
    steps_max=200,
    dirty=Option("last", "first"),
    freeze=Switch(default=True),
)
def remove_mapping(p):
    """The count and PG_dirty are tested by reclaim, and changed by a writer, in opposite order."""
    p.rcu(grace_periods_max=0)
    mm = page_counts(p, pages, Kernel(), init={PAGE: 3})
    count, buddy, refs = mm.count, mm.buddy, mm.refs
    page_cache_get_speculative, put_page = mm.page_cache_get_speculative, mm.put_page
    free_hot_cold_page, page_freeze_refs = mm.free_hot_cold_page, mm.page_freeze_refs
    slot = p.shared("slot", pages, init=PAGE)
    content = p.shared("content", boolean)
    dirty = p.shared("dirty", boolean)
    tree_lock = p.spinlock("tree_lock")
    busy = p.ghost("busy", boolean)  # reclaim has found the page in use

    def use_and_put():
        writes = choose(False, True)
        if writes:
            with atomic("write to the page"):
                assert buddy[PAGE] == 0, "page written after it was freed"
                content = 1
            WRITE_ONCE(dirty, 1)  # SetPageDirty()
        with atomic("done with the page"):
            refs[PAGE] -= 1
        put_page(PAGE)

    @p.thread()
    def pinned():
        use_and_put()

    @p.thread()
    def find_get_page():
        rcu_read_lock()
        page = rcu_dereference(slot)
        found: uint(1) = 0
        if page != NONE:
            if page_cache_get_speculative(page):
                if READ_ONCE(slot) == page:
                    refs[page] += 1
                    found = 1
                else:
                    assert slot != page, "a page is put back that is still in its slot"
                    put_page(page)
        else:
            assert slot == NONE, "a page is not found that is in its slot"
        rcu_read_unlock()
        if found:
            use_and_put()

    def freeze_refs():
        """page_freeze_refs(page, 2), or a mere look at the count."""
        if p.freeze:
            return page_freeze_refs(PAGE, 2)
        return atomic_read(count[PAGE]) == 2

    def remove():
        """__remove_mapping(): true where PAGE is frozen, clean, and out of the page cache."""
        if p.dirty == "first":
            if READ_ONCE(dirty):
                return False
        frozen = freeze_refs()
        if not frozen:
            busy = 1
            return False
        if p.dirty == "last":
            if READ_ONCE(dirty):
                if p.freeze:
                    atomic_set(count[PAGE], 2)  # page_unfreeze_refs()
                return False
        WRITE_ONCE(slot, NONE)  # __delete_from_page_cache()
        refs[PAGE] -= 2
        return True

    @p.thread()
    def reclaim():
        spin_lock(tree_lock)
        removed = remove()
        spin_unlock(tree_lock)
        if not removed:
            refs[PAGE] -= 1
            put_page(PAGE)  # putback_lru_page()
        else:
            with atomic("nobody writes to the page any more"):
                assert content == 0, "dirty page freed"
                count[PAGE] = 0
            free_hot_cold_page(PAGE)

    @p.at_end
    def every_reference_is_somebody_s():
        assert count[PAGE] == refs[PAGE], "a reference is left, or lacks"
        assert buddy[PAGE] == (count[PAGE] == 0), "page leaked"
        assert slot == NONE or dirty == 1 or busy == 1, "a clean page that nobody uses is kept"
