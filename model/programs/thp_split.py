"""The race of "Use RCU to stabilize page counts": a stale lookup, a huge page, and its split.

Result: violation
Result: violation (gp_cookie=on)
Result: violation (put=raw)
Result: violation (gp_cookie=on, put=raw_atomic)
Result: ok (gp_cookie=on, put=raw_atomic, free_check=off)
Result: violation (gp_cookie=on, put=raw, free_check=off)
Result: violation (gp_cookie=on, put=raw_atomic, lookup_rcu=off, free_check=off)
Result: violation (gp_cookie=on, put=late)
Result: ok (gp_cookie=on, put=late, free_check=off)
Result: violation (gp_cookie=on, put=late, lookup_rcu=off)
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
__split_huge_page_refcount() (mm/huge_memory.c); unmap zap_huge_pmd(), zap_pte_range(). Patch 9 is
gp_cookie, patch 3 is tail_to_head. design=70b50f94 is the fix that went upstream: pins of a tail
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
        atomic_inc_not_zero(count[page]); rcu_read_unlock(); READ_ONCE(slot) == page; page =
        rcu_dereference(slot); use the page
    reclaim_and_allocate: atomic_cmpxchg(count[TAIL], 2, 0) != 2; WRITE_ONCE(slot, NONE);
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
        flags[page]); test_bit(PG_head, flags[page]); atomic_inc_not_zero(count[head]);
        test_bit(PG_head, flags[head]); atomic_read(count[TAIL]) != 0; free_hot_cold_page(page);
        spin_lock(compound_lock); atomic_dec_and_test(count[head]); __free_pages_ok(HEAD);
        test_bit(PG_tail, flags[page]); free_hot_cold_page(page); atomic_dec(count[head]);
        spin_unlock(compound_lock); atomic_dec(count[page]); spin_unlock(compound_lock);
        atomic_dec_and_test(count[head]); test_bit(PG_head, flags[head]);
        atomic_read(count[TAIL]) != 0; free_hot_cold_page(page); __free_pages_ok(HEAD)
"""

from model.language import *

PG_head, PG_tail = 0, 1

pages = names("HEAD", "TAIL", null="NONE")
HEAD, TAIL, NONE = pages

pmds = names("PMD_NONE", "PMD_HUGE", "PMD_SPLITTING", "PMD_TABLE")
PMD_NONE, PMD_HUGE, PMD_SPLITTING, PMD_TABLE = pmds

REFERENCE: dict[str, int | str] = {}
"""One each: lookup, reclaim with allocation, GUP, split, unmap; two pages; grace-period daemon."""


@program(
    steps_max=255,
    lookups=Param(1, 4, default=1),
    gp_cookie=Patch(9),
    tail_to_head=Patch(3),
    lookup_rcu=Switch(default=True),
    put=Option("compound", "raw", "raw_atomic", "late"),
    design=Option("v3.1", "70b50f94"),
    free_check=Switch(default=True),
    debug_vm=Switch(default=False),
)
def thp_split(p):
    """A stale lookup raises a tail page's count while the huge page is split."""
    rcu = p.rcu(grace_periods_max=1)
    slot = p.shared("slot", pages, init=TAIL)
    count = p.array("count", pages, uint(3), init={TAIL: 2})
    tail_mapcount = p.shared("tail_mapcount", uint(2))
    flags = p.array("flags", pages, uint(2))
    first_page = p.shared("first_page", pages, init=NONE)
    mapcount = p.shared("mapcount", uint(1))
    timestamp = p.shared("timestamp", rcu.cookie)
    buddy = p.array("buddy", pages, boolean, init={HEAD: 1})
    pmd = p.shared("pmd", pmds, init=PMD_NONE)
    page_table_lock = p.spinlock("page_table_lock")
    compound_lock = p.spinlock("compound_lock")
    anon_vma_lock = p.spinlock("anon_vma_lock")

    # The ledger: references that somebody really holds. While the pages are one huge page, a pin of
    # its tail counts at HEAD too, as in the kernel. A stale lookup's reference is nobody's.
    refs = p.ghost_array("refs", pages, uint(3), init={TAIL: 2})

    huge = p.ghost("huge", boolean)

    # -- freeing -----------------------------------------------------------------------------------

    def free_hot_cold_page(page):
        """free_pages_check(), then the free lists, under zone->lock."""
        with atomic("free_hot_cold_page(page)"):
            assert refs[page] == 0, "page freed while referenced"
            assert buddy[page] == 0, "page freed twice"
            assert count[page] == 0, "page freed with a count"
            buddy[page] = 1

    def free_compound_page():
        """__free_pages_ok(): both pages are checked, then freed together under zone->lock."""
        if p.gp_cookie:
            WRITE_ONCE(timestamp, 0)
        if atomic_read(count[TAIL]) != 0:
            if p.free_check:
                assert False, "bad_page(): huge page freed while its tail has a count"
            return
        with atomic("__free_pages_ok(HEAD)"):
            assert refs[HEAD] == 0, "huge page freed while referenced"
            assert buddy[HEAD] == 0 and buddy[TAIL] == 0, "huge page freed twice"
            flags[HEAD] = 0
            flags[TAIL] = 0
            buddy[HEAD] = 1
            buddy[TAIL] = 1

    # -- put_page(), put_compound_page() -----------------------------------------------------------

    def get_head_of_tail(page):
        """The pinned head of a tail, or NONE: the split may have run, or run now.

        Patch 3 makes it a reader.
        """
        if p.tail_to_head:
            rcu_read_lock()
        head = READ_ONCE(first_page)
        smp_rmb()
        if not test_bit(PG_tail, flags[page]):
            head = NONE
        elif not atomic_inc_not_zero(count[head]):
            head = NONE
        if p.tail_to_head:
            rcu_read_unlock()
        return head

    def drop_tail_pin(page):
        """The counter that a pin of a tail takes beside its head's."""
        if p.design == "70b50f94":
            atomic_dec(tail_mapcount)
        else:
            atomic_dec(count[page])

    @noinline
    def put_page(page):
        if READ_ONCE(flags[page]) != 0:  # PageCompound()
            if not test_bit(PG_tail, flags[page]):
                if atomic_dec_and_test(count[page]):
                    if test_bit(PG_head, flags[page]):
                        free_compound_page()
                    else:
                        free_hot_cold_page(page)
                return
            head = get_head_of_tail(page)
            if head != NONE:
                if test_bit(PG_head, flags[head]):
                    smp_mb()
                    spin_lock(compound_lock)
                    if test_bit(PG_tail, flags[page]):
                        atomic_dec(count[head])
                        drop_tail_pin(page)
                        spin_unlock(compound_lock)
                        if atomic_dec_and_test(count[head]):
                            if test_bit(PG_head, flags[head]):
                                free_compound_page()
                            else:
                                free_hot_cold_page(head)
                        return
                    spin_unlock(compound_lock)
                if atomic_dec_and_test(count[head]):  # out_put_head
                    free_hot_cold_page(head)
        if atomic_dec_and_test(count[page]):  # out_put_single
            free_hot_cold_page(page)

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
            if atomic_inc_not_zero(count[page]):  # page_cache_get_speculative()
                refs[page] += slot == page
                if p.debug_vm:
                    assert flags[page] & (1 << PG_tail) == 0, "VM_BUG_ON(PageTail(page))"
                if READ_ONCE(slot) == page:
                    break
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
        while atomic_cmpxchg(count[TAIL], 2, 0) != 2:  # page_freeze_refs(page, 2)
            cpu_relax()
        refs[TAIL] = 0
        WRITE_ONCE(slot, NONE)  # __delete_from_page_cache()
        free_hot_cold_page(TAIL)
        with atomic("__rmqueue(): take HEAD and TAIL"):
            wait_event(buddy[HEAD] == 1 and buddy[TAIL] == 1)
            buddy[HEAD] = 0
            buddy[TAIL] = 0
        if atomic_read(count[HEAD]) != 0:  # check_new_page()
            return
        if atomic_read(count[TAIL]) != 0:
            return
        atomic_set(count[HEAD], 1)  # set_page_refcounted()
        refs[HEAD] = 1
        huge = 1
        set_bit(PG_head, flags[HEAD])  # __SetPageHead()
        set_bit(PG_tail, flags[TAIL])  # __SetPageTail(), before first_page
        WRITE_ONCE(first_page, HEAD)
        if p.gp_cookie:
            cookie = rcu_get_gp_cookie()
            WRITE_ONCE(timestamp, cookie)
        spin_lock(page_table_lock)
        WRITE_ONCE(mapcount, 1)  # page_add_new_anon_rmap()
        WRITE_ONCE(pmd, PMD_HUGE)  # set_pmd_at()
        spin_unlock(page_table_lock)

    # -- the owner of the mapping ------------------------------------------------------------------

    def lock_page_table():
        """The pmd under page_table_lock, once no split is marking it: wait_split_huge_page()."""
        while True:
            spin_lock(page_table_lock)
            entry = READ_ONCE(pmd)
            if entry != PMD_SPLITTING:
                return entry
            spin_unlock(page_table_lock)
            spin_until(READ_ONCE(pmd) != PMD_SPLITTING)

    def get_tail(page):
        """get_page() of what may be a tail, under page_table_lock."""
        if p.design == "70b50f94":
            if test_bit(PG_tail, flags[page]):
                head = READ_ONCE(first_page)
                atomic_inc(count[head])
                atomic_inc(tail_mapcount)
            else:
                atomic_inc(count[page])
        else:
            atomic_inc(count[page])
            if test_bit(PG_tail, flags[page]):
                head = READ_ONCE(first_page)
                atomic_inc(count[head])

    @p.thread()
    def get_user_pages():
        wait_event(READ_ONCE(pmd) != PMD_NONE, may_end_here=True)
        entry = lock_page_table()
        if entry == PMD_NONE:
            spin_unlock(page_table_lock)
            return
        get_tail(TAIL)
        refs[TAIL] += 1
        if huge == 1:
            refs[HEAD] += 1
        spin_unlock(page_table_lock)
        with atomic("use the pinned page"):
            assert buddy[TAIL] == 0, "pinned page used after it was freed"
            refs[TAIL] -= 1
            if huge == 1:
                refs[HEAD] -= 1
        put_page(TAIL)

    @p.thread()
    def unmap():
        wait_event(READ_ONCE(pmd) != PMD_NONE, may_end_here=True)
        entry = lock_page_table()
        if entry == PMD_HUGE:  # zap_huge_pmd()
            WRITE_ONCE(pmd, PMD_NONE)
            WRITE_ONCE(mapcount, 0)  # page_remove_rmap()
            spin_unlock(page_table_lock)
            refs[HEAD] -= 1
        else:  # zap_pte_range()
            WRITE_ONCE(pmd, PMD_NONE)
            spin_unlock(page_table_lock)
            refs[HEAD] -= 1
            refs[TAIL] -= 1
            put_page(TAIL)
        put_page(HEAD)

    # -- the split ---------------------------------------------------------------------------------

    def grace_period_elapsed():
        """page_gp_cookie_elapsed()."""
        cookie = READ_ONCE(timestamp)
        return rcu_gp_cookie_elapsed(cookie)

    def split_refcount():
        """__split_huge_page_refcount()."""
        spin_lock(compound_lock)
        if p.design == "70b50f94":
            pins = READ_ONCE(tail_mapcount)
            mapped = READ_ONCE(mapcount)
            atomic_add(mapped + pins + 1, count[TAIL])
        else:
            pins = atomic_read(count[TAIL])
            atomic_sub(pins, count[HEAD])
            assert count[HEAD] > 0, "BUG_ON(page_count(head) <= 0)"
            mapped = READ_ONCE(mapcount)
            atomic_add(mapped + 1, count[TAIL])
        huge = 0
        refs[HEAD] -= refs[TAIL]
        refs[TAIL] += mapped + 1
        smp_mb()
        clear_bit(PG_tail, flags[TAIL])
        smp_wmb()
        if p.design == "70b50f94":
            atomic_sub(pins, count[HEAD])
            assert count[HEAD] > 0, "BUG_ON(page_count(head) <= 0)"
        clear_bit(PG_head, flags[HEAD])  # ClearPageCompound()
        spin_unlock(compound_lock)
        refs[TAIL] -= 1
        put_page(TAIL)

    def split_huge_page():
        spin_lock(anon_vma_lock)  # page_lock_anon_vma()
        if READ_ONCE(flags[HEAD]) == 0:  # !PageCompound()
            spin_unlock(anon_vma_lock)
            return
        if p.gp_cookie:
            while not grace_period_elapsed():
                spin_unlock(anon_vma_lock)
                synchronize_rcu(may_end_here=p.put == "late")
                spin_lock(anon_vma_lock)
                if READ_ONCE(flags[HEAD]) == 0:
                    spin_unlock(anon_vma_lock)
                    return
            WRITE_ONCE(timestamp, 0)  # page_clear_gp_cookie()
        spin_lock(page_table_lock)  # __split_huge_page_splitting()
        if READ_ONCE(pmd) == PMD_HUGE:
            WRITE_ONCE(pmd, PMD_SPLITTING)
        spin_unlock(page_table_lock)
        split_refcount()
        spin_lock(page_table_lock)  # __split_huge_page_map()
        if READ_ONCE(pmd) == PMD_SPLITTING:
            WRITE_ONCE(pmd, PMD_TABLE)
        spin_unlock(page_table_lock)
        spin_unlock(anon_vma_lock)

    @p.thread()
    def split_huge_page_pmd():
        wait_event(READ_ONCE(pmd) != PMD_NONE, may_end_here=True)
        spin_lock(page_table_lock)
        if READ_ONCE(pmd) != PMD_HUGE:
            spin_unlock(page_table_lock)
            return
        atomic_inc(count[HEAD])  # get_page()
        refs[HEAD] += 1
        spin_unlock(page_table_lock)
        split_huge_page()
        refs[HEAD] -= 1
        put_page(HEAD)
