"""The page cache: a lookup without a lock against the removal of the page that it found.

Result: ok
Result: ok (remove=truncate)
Result: ok (remove=truncate, reinsert=on)
Result: ok (stable_counts=on, rcu_asserted=on)
Result: ok (remove=truncate, stable_counts=on)
Result: violation (recheck=off): lookup returned a page of somebody else
Result: violation (remove=truncate, recheck=off): lookup returned a page of somebody else
Result: violation (freeze=off): page freed while referenced
Result: ok (lookup_rcu=off)
Result: violation (lookup_rcu=off, stable_counts=on): count not stable
Result: violation (remove=truncate, lookup_rcu=off, stable_counts=on): count not stable
Result: violation (lookup_rcu=off, rcu_asserted=on): VM_BUG_ON(!rcu_read_lock_held())

PAGE is in the page cache and used by the thread that removes it: reclaim freezes its count first
and gives up if somebody else holds it; truncation deletes it and drops the cache's reference. Once
free, PAGE is allocated to somebody else. The lookup raises the count of whatever page it read, and
then looks whether the slot still has it.

Sources, all of v3.1: lookup find_get_page(), find_get_pages() (mm/filemap.c; _contig, _tag and
shmem_find_get_pages_and_swap() do the same for each page) and page_cache_get_speculative()
(include/linux/pagemap.h); reclaim __remove_mapping(), page_freeze_refs() (mm/vmscan.c,
include/linux/pagemap.h); truncation truncate_complete_page(), delete_from_page_cache()
(mm/truncate.c, mm/filemap.c). The next owner stands for a huge page of which PAGE is the tail: with
patch 9 (stable_counts) it waits for a grace period after the allocation, and then counts on the
count.

Every lookup here was correct before the series: patch 6 (rcu_asserted) finds its readers in place.
Without them (lookup_rcu=off) nothing breaks until somebody counts on the count: the radix tree's
own nodes, which RCU keeps too, are left out. So are dirty pages and the lock of the page; reinsert
puts PAGE back at the same index, which is harmless, as the comment in pagemap.h says.
"""

from model.language import *
from model.programs.kernel.pages import Kernel, page_counts

pages = names("PAGE", null="NONE")
PAGE, NONE = pages


@program(
    steps_max=200,
    lookups=Param(1, 4, default=1),
    rcu_asserted=Patch(6),
    stable_counts=Patch(9),
    remove=Option("reclaim", "truncate"),
    recheck=Switch(default=True),
    freeze=Switch(default=True),
    reinsert=Switch(default=False),
    lookup_rcu=Switch(default=True),
)
def find_get_page(p):
    """A speculative page cache lookup against reclaim, or truncation, of the page."""
    p.rcu(grace_periods_max=1)
    kernel = Kernel(rcu_asserted=p.rcu_asserted, stable_counts=p.stable_counts)
    mm = page_counts(p, pages, kernel, init={PAGE: 2})
    count, buddy, refs, reused = mm.count, mm.buddy, mm.refs, mm.reused
    alloc_page, get_page = mm.alloc_page, mm.get_page
    page_cache_get_speculative, put_page = mm.page_cache_get_speculative, mm.put_page
    free_hot_cold_page, own_page = mm.free_hot_cold_page, mm.own_page
    page_freeze_refs = mm.page_freeze_refs
    slot = p.shared("slot", pages, init=PAGE)
    tree_lock = p.spinlock("tree_lock")

    @p.thread(instances=p.lookups)
    def find_get_page():
        if p.lookup_rcu:
            rcu_read_lock()
        page = rcu_dereference(slot)
        while page != NONE:
            if page_cache_get_speculative(page):
                if not p.recheck:
                    break
                if READ_ONCE(slot) == page:
                    refs[page] += 1
                    break
                assert slot != page, "a page is put back that is still in its slot"
                put_page(page)
            page = rcu_dereference(slot)
        if p.lookup_rcu:
            rcu_read_unlock()
        if page != NONE:
            with atomic("use the page"):
                assert reused[page] == 0, "lookup returned a page of somebody else"
                assert buddy[page] == 0, "found page used after it was freed"
                refs[page] -= p.recheck
            put_page(page)

    def freeze_refs():
        """page_freeze_refs(page, 2), or a mere look at the count."""
        if p.freeze:
            return page_freeze_refs(PAGE, 2)
        return atomic_read(count[PAGE]) == 2

    def reclaim():
        """shrink_page_list(), __remove_mapping()."""
        spin_lock(tree_lock)
        frozen = freeze_refs()
        if not frozen:
            spin_unlock(tree_lock)
            refs[PAGE] -= 1
            put_page(PAGE)  # keep: putback_lru_page()
            return
        WRITE_ONCE(slot, NONE)  # __delete_from_page_cache()
        refs[PAGE] -= 2
        spin_unlock(tree_lock)
        if not p.freeze:
            atomic_set(count[PAGE], 0)
        free_hot_cold_page(PAGE)

    def truncate():
        """truncate_complete_page(), and pagevec_release() by its caller."""
        spin_lock(tree_lock)
        WRITE_ONCE(slot, NONE)  # __delete_from_page_cache()
        spin_unlock(tree_lock)
        refs[PAGE] -= 1
        put_page(PAGE)  # page_cache_release()
        with atomic("done with the page"):
            refs[PAGE] -= 1
        put_page(PAGE)

    @p.thread()
    def remove():
        if p.remove == "reclaim":
            reclaim()
        else:
            truncate()

    @p.thread()
    def next_owner():
        if p.reinsert:
            alloc_page(PAGE)
            get_page(PAGE)  # add_to_page_cache(), for the same index
            refs[PAGE] += 1
            WRITE_ONCE(slot, PAGE)
            reused[PAGE] = 0
            refs[PAGE] -= 1
            put_page(PAGE)
        else:
            own_page(PAGE)

    @p.at_end
    def no_page_is_lost():
        assert buddy[PAGE] == 1 or slot == PAGE, "page leaked"
