"""The race of "Use RCU to stabilize page counts": a stale lookup, a huge page, and its split.

Result: violation
Result: violation (gp_cookie=on)
Result: violation (tail_to_head=on, rcu_asserted=on, gp_cookie=on): huge page freed while referenced
Result: violation (put=raw)
Result: violation (gp_cookie=on, put=raw_atomic)
Result: violation (debug_vm=on): VM_BUG_ON(PageTail(page))
Result: ok (gp_cookie=on, put=raw_atomic, free_check=off)
Result: violation (gp_cookie=on, put=raw, free_check=off)
Result: violation (gp_cookie=on, put=raw_atomic, lookup_rcu=off, free_check=off)
Result: violation (gp_cookie=on, put=late)
Result: ok (gp_cookie=on, put=late, free_check=off)
Result: violation (gp_cookie=on, put=late, lookup_rcu=off)
Result: violation (rcu_asserted=on, design=70b50f94): VM_BUG_ON(!rcu_read_lock_held())
Result: ok (tail_to_head=on, rcu_asserted=on, design=70b50f94)
Result: ok (design=70b50f94)

Two pages. TAIL is an order-0 page of the page cache, HEAD is free. Reclaim freezes and frees TAIL;
the allocator makes {HEAD, TAIL} a huge page and maps it; get_user_pages() pins its tail; somebody
splits it; somebody unmaps it. A lookup that read the old slot raises TAIL's count whenever that
is not 0.

Results hold in our model of v3.1, under sequential consistency. Sources, all of v3.1 unless said:
lookup find_get_page() and page_cache_get_speculative() (mm/filemap.c, include/linux/pagemap.h);
reclaim __remove_mapping() (mm/vmscan.c); allocation prep_new_page(), prep_compound_page()
(mm/page_alloc.c) and __do_huge_pmd_anonymous_page() (mm/huge_memory.c); GUP follow_page() and
get_page() (mm/memory.c, include/linux/mm.h); put put_page(), put_compound_page() (mm/swap.c),
free_pages_check() (mm/page_alloc.c); split __split_huge_page_pmd(), split_huge_page(),
__split_huge_page_refcount() (mm/huge_memory.c); unmap zap_huge_pmd(), zap_pte_range(). What other
programs do too stands in kernel/pages.py and kernel/huge_pmd.py. Patch 9 is gp_cookie, patch 3 is
tail_to_head, patch 6 is rcu_asserted. design=70b50f94 is the fix that went upstream: pins of a tail
in its _mapcount.

`put` is what a lookup does with the reference it took in vain: `compound` is put_page() as it
stands; `raw` drops only the counter that the get took and then looks whether the page is a tail;
`raw_atomic` does both at once; `late` waits until PageTail is clear. Only `compound` is a kernel
that ever was.

Left out, with the reason: tree_lock and lru_lock (one thread takes them here), dirty pages, memcg,
TLB. Reclaim that finds the page in use tries again later. free_check=off lets free_pages_check()
leak the page in silence, as a kernel does that does not look at its log; debug_vm=on adds the
VM_BUG_ONs.

Steps of the configuration REFERENCE, in order of discovery:
    find_get_page: rcu_read_lock(); page = rcu_dereference(slot);
        page_cache_get_speculative(page); rcu_read_unlock(); READ_ONCE(slot) == page; page =
        rcu_dereference(slot); use the page
    reclaim_and_allocate: page_freeze_refs(TAIL, 2); WRITE_ONCE(slot, NONE);
        free_hot_cold_page(page); __rmqueue(): take HEAD and TAIL; atomic_read(count[HEAD]) !=
        0; atomic_read(count[TAIL]) != 0; atomic_set(count[HEAD], 1); set_bit(PG_head,
        flags[HEAD]); set_bit(PG_tail, flags[TAIL]); WRITE_ONCE(first_page, HEAD);
        spin_lock(page_table_lock); WRITE_ONCE(mapcount, 1); WRITE_ONCE(pmd, PMD_HUGE);
        spin_unlock(page_table_lock)
    get_user_pages: wait_event(READ_ONCE(pmd) != PMD_NONE, may_end_here=True);
        spin_lock(page_table_lock); entry = READ_ONCE(pmd); spin_unlock(page_table_lock);
        atomic_inc(count[page]); spin_unlock(page_table_lock); test_bit(PG_tail, flags[page]);
        spin_until(READ_ONCE(pmd) != PMD_SPLITTING); head = READ_ONCE(first_page);
        spin_unlock(page_table_lock); atomic_inc(count[head]); use the pinned page
    unmap: wait_event(READ_ONCE(pmd) != PMD_NONE, may_end_here=True);
        spin_lock(page_table_lock); entry = READ_ONCE(pmd); WRITE_ONCE(pmd, PMD_NONE);
        WRITE_ONCE(pmd, PMD_NONE); spin_unlock(page_table_lock); WRITE_ONCE(mapcount, 0);
        spin_unlock(page_table_lock); spin_until(READ_ONCE(pmd) != PMD_SPLITTING);
        spin_unlock(page_table_lock)
    split_huge_page_pmd: wait_event(READ_ONCE(pmd) != PMD_NONE, may_end_here=True);
        spin_lock(page_table_lock); READ_ONCE(pmd) != PMD_HUGE; spin_unlock(page_table_lock);
        atomic_inc(count[HEAD]); spin_unlock(page_table_lock); spin_lock(anon_vma_lock);
        READ_ONCE(flags[HEAD]) == 0; spin_unlock(anon_vma_lock); spin_lock(page_table_lock);
        READ_ONCE(pmd) == PMD_HUGE; WRITE_ONCE(pmd, PMD_SPLITTING);
        spin_unlock(page_table_lock); spin_lock(page_table_lock); spin_lock(compound_lock);
        READ_ONCE(pmd) == PMD_SPLITTING; pins = atomic_read(count[TAIL]); WRITE_ONCE(pmd,
        PMD_TABLE); spin_unlock(page_table_lock); atomic_sub(pins, count[HEAD]);
        spin_unlock(anon_vma_lock); mapped = READ_ONCE(mapcount); atomic_add(mapped + 1,
        count[TAIL]); clear_bit(PG_tail, flags[TAIL]); clear_bit(PG_head, flags[HEAD]);
        spin_unlock(compound_lock)
    rcu_gp_kthread: a grace period starts; the grace period ends
    put_page: READ_ONCE(flags[page]) != 0; test_bit(PG_tail, flags[page]);
        atomic_dec_and_test(count[page]); head = READ_ONCE(first_page);
        atomic_dec_and_test(count[page]); free_hot_cold_page(page); test_bit(PG_tail,
        flags[page]); test_bit(PG_head, flags[page]); get_page_unless_zero(head);
        test_bit(PG_head, flags[head]); atomic_read(count[TAIL]) != 0; free_hot_cold_page(page);
        spin_lock(compound_lock); atomic_dec_and_test(count[head]); __free_pages_ok(HEAD);
        test_bit(PG_tail, flags[page]); free_hot_cold_page(page); atomic_dec(count[head]);
        spin_unlock(compound_lock); atomic_dec(count[page]); spin_unlock(compound_lock);
        atomic_dec_and_test(count[head]); test_bit(PG_head, flags[head]);
        atomic_read(count[TAIL]) != 0; free_hot_cold_page(page); __free_pages_ok(HEAD)
"""

from model.language import *
from model.programs.kernel.huge_pmd import PMD_HUGE, huge_pmd
from model.programs.kernel.pages import Kernel, PG_tail, page_counts

pages = names("HEAD", "TAIL", null="NONE")
HEAD, TAIL, NONE = pages

REFERENCE: dict[str, int | str] = {}
"""One each: lookup, reclaim with allocation, GUP, split, unmap; two pages; grace-period daemon."""


@program(
    steps_max=255,
    lookups=Param(1, 4, default=1),
    gp_cookie=Patch(9),
    tail_to_head=Patch(3),
    rcu_asserted=Patch(6),
    lookup_rcu=Switch(default=True),
    put=Option("compound", "raw", "raw_atomic", "late"),
    design=Option("v3.1", "70b50f94"),
    free_check=Switch(default=True),
    debug_vm=Switch(default=False),
)
def thp_split(p):
    """A stale lookup raises a tail page's count while the huge page is split."""
    rcu = p.rcu(grace_periods_max=1)
    kernel = Kernel(
        tail_to_head=p.tail_to_head,
        rcu_asserted=p.rcu_asserted,
        tail_pins="mapcount" if p.design == "70b50f94" else "count",
        free_check=p.free_check,
        debug_vm=p.debug_vm,
    )
    mm = page_counts(
        p,
        pages,
        kernel,
        init={TAIL: 2},
        free=[HEAD],
        huge=(HEAD, TAIL),
        cookie=rcu.cookie if p.gp_cookie else None,
    )
    count, flags, buddy, refs, huge = mm.count, mm.flags, mm.buddy, mm.refs, mm.huge
    mapcount, put_page, alloc_huge_page = mm.mapcount, mm.put_page, mm.alloc_huge_page
    page_cache_get_speculative, page_freeze_refs, free_hot_cold_page = (
        mm.page_cache_get_speculative,
        mm.page_freeze_refs,
        mm.free_hot_cold_page,
    )
    slot = p.shared("slot", pages, init=TAIL)
    mapping = huge_pmd(p, mm, (HEAD, TAIL), cookies=p.gp_cookie, parks=p.put == "late")
    pmd, page_table_lock = mapping.pmd, mapping.page_table_lock

    # -- the page cache ----------------------------------------------------------------------------

    def put_stale(page):
        """What a lookup does that found the slot changed."""
        if p.put == "raw":
            if atomic_dec_and_test(count[page]):
                if not test_bit(PG_tail, flags[page]):
                    free_hot_cold_page(page)
            return
        if p.put == "raw_atomic":
            with atomic("drop the counter that the get took"):
                count[page] -= 1
                last = count[page] == 0 and flags[page] & (1 << PG_tail) == 0
            if last:
                free_hot_cold_page(page)
            return
        if p.put == "late":
            spin_until(not test_bit(PG_tail, flags[page]), may_end_here=True)
        put_page(page)

    @p.thread(instances=p.lookups)
    def find_get_page():
        if p.lookup_rcu:
            rcu_read_lock()
        page = rcu_dereference(slot)
        while page != NONE:
            if page_cache_get_speculative(page):
                refs[page] += slot == page
                if READ_ONCE(slot) == page:
                    break
                assert slot != page, "a page is put back that is still in its slot"
                put_stale(page)
            page = rcu_dereference(slot)
        if p.lookup_rcu:
            rcu_read_unlock()
        if page != NONE:
            with atomic("use the page"):
                assert buddy[page] == 0, "found page used after it was freed"
                refs[page] -= 1
            put_page(page)

    @p.thread()
    def reclaim_and_allocate():
        while not page_freeze_refs(TAIL, 2):
            cpu_relax()
        refs[TAIL] = 0
        WRITE_ONCE(slot, NONE)  # __delete_from_page_cache()
        free_hot_cold_page(TAIL)
        alloc_huge_page()
        spin_lock(page_table_lock)
        WRITE_ONCE(mapcount, 1)  # page_add_new_anon_rmap()
        WRITE_ONCE(pmd, PMD_HUGE)  # set_pmd_at()
        assert page_table_lock == 1, "pmd changed without page_table_lock"
        spin_unlock(page_table_lock)

    p.thread()(mapping.get_user_pages)
    p.thread()(mapping.unmap)
    p.thread()(mapping.split_huge_page_pmd)

    if p.free_check:  # else it leaks in silence

        @p.at_end
        def no_page_is_lost():
            assert buddy[HEAD] == 1 or refs[HEAD] != 0, "head leaked"
            assert buddy[TAIL] == 1 or refs[TAIL] != 0 or (huge == 1 and refs[HEAD] != 0), (
                "tail leaked"
            )
