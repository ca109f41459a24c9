"""What several threads do around one huge page, in orders of choice: thp_split's scenario space.

Result: ok
Result: ok (first_3=unmap, splitters=1)
Result: ok (lookups=0, first_3=unmap, splitters=1, second_1=gup, second_2=own)
Result: violation (second_1=gup): huge page freed while referenced
Result: violation (second_1=gup, second_2=split, tail_to_head=on, gp_cookie=on)
Result: ok (first_3=unmap, splitters=1, second_1=gup, second_2=own, second_3=fault, design=70b50f94)

It is there to be fuzzed with its parameters open. Two threads do three operations each, one after
the other; beside them are up to four lookups and up to two splitters, on two to four pages. By
default one lookup meets what thp_split calls reclaim_and_allocate; where that is kept, most of what
is drawn has a huge page to work on:

    gracefuzz fuzz thp_scenario --param first_1=reclaim --param first_2=fault --open all

HEAD is free; TAIL, SECOND and THIRD are order-0 pages of the page cache, at
indices of their own; only HEAD and TAIL can become a huge page, any number of times.

Results hold in our model of v3.1, under sequential consistency. Operations, sources of v3.1 unless
said, in steps of a thread that does nothing else (put_page() with all its branches among them):

    lookup   33  find_get_page() (mm/filemap.c) of any index, then use and put
    reclaim   7  __remove_mapping() (mm/vmscan.c) of any index, once: a page in use stays
    own      31  somebody is given HEAD or TAIL as an order-0 page, once it is free, and puts it
    fault    39  __do_huge_pmd_anonymous_page() (mm/huge_memory.c), once both pages are free
    gup      38  follow_page() (mm/memory.c) of the tail, then use and put; 39 in 70b50f94
    split    52  __split_huge_page_pmd() with split_huge_page() (mm/huge_memory.c); 53 in 70b50f94
    unmap    37  zap_huge_pmd() (mm/huge_memory.c), or zap_pte_range() (mm/memory.c), then the puts

gup, split and unmap are called when something is mapped; where nothing is any more once they hold
the lock, they do nothing. Patch 9 is gp_cookie, patch 3 is tail_to_head; design=70b50f94 is the fix
that went upstream. In it, a split also resets the tail's _mapcount, from which pins were counted
(`page_tail->_mapcount = page->_mapcount`): only a second huge page could see that it was not.

Left out, beside what thp_split leaves out: a page of the page cache stays isolated from the LRU
list between two reclaims; nothing is read into the page cache again.
"""

from model.language import *
from model.programs.kernel.huge_pmd import PMD_HUGE, PMD_NONE, huge_pmd
from model.programs.kernel.pages import Kernel, page_counts

OPERATIONS = ("none", "lookup", "reclaim", "own", "fault", "gup", "split", "unmap")


@program(
    steps_max=511,
    pages=Param(2, 4, default=2),
    lookups=Param(0, 4, default=1),
    splitters=Param(0, 2, default=0),
    first_1=Operation("reclaim", *OPERATIONS),
    first_2=Operation("fault", *OPERATIONS),
    first_3=Operation(*OPERATIONS),
    second_1=Operation(*OPERATIONS),
    second_2=Operation(*OPERATIONS),
    second_3=Operation(*OPERATIONS),
    gp_cookie=Patch(9),
    tail_to_head=Patch(3),
    design=Option("v3.1", "70b50f94"),
)
def thp_scenario(p):
    """Lookups, splitters and two threads with operations of choice, around one huge page."""
    pages = names(*("HEAD", "TAIL", "SECOND", "THIRD")[: p.pages], null="NONE")
    HEAD, TAIL, *others, NONE = pages
    indices = names(*("INDEX_0", "INDEX_1", "INDEX_2")[: p.pages - 1])
    rcu = p.rcu(grace_periods_max=1)
    kernel = Kernel(
        tail_to_head=p.tail_to_head,
        tail_pins="mapcount" if p.design == "70b50f94" else "count",
    )
    mm = page_counts(
        p,
        pages,
        kernel,
        init=dict.fromkeys([TAIL, *others], 2),
        free=[HEAD],
        huge=(HEAD, TAIL),
        cookie=rcu.cookie if p.gp_cookie else None,
        count_bits=4,
        again=True,
    )
    buddy, refs, huge = mm.buddy, mm.refs, mm.huge
    put_page, free_hot_cold_page, own_page = mm.put_page, mm.free_hot_cold_page, mm.own_page
    page_cache_get_speculative, alloc_huge_page = mm.page_cache_get_speculative, mm.alloc_huge_page
    page_freeze_refs = mm.page_freeze_refs
    slot = p.array("slot", indices, pages, init=dict(zip(indices, [TAIL, *others], strict=True)))
    tree_lock = p.spinlock("tree_lock")
    mapping = huge_pmd(p, mm, (HEAD, TAIL), cookies=p.gp_cookie, again=True)
    get_user_pages, unmap = mapping.get_user_pages, mapping.unmap
    split_huge_page_pmd = mapping.split_huge_page_pmd

    def any_index():
        """What somebody looks for in the page cache."""
        index: uint(2) = 0
        if p.pages == 3:
            index = choose(0, 1)
        elif p.pages == 4:
            index = choose(0, 1, 2)
        return index

    def find_get_page():
        index = any_index()
        rcu_read_lock()
        page = rcu_dereference(slot[index])
        while page != NONE:
            if page_cache_get_speculative(page):
                refs[page] += slot[index] == page
                if READ_ONCE(slot[index]) == page:
                    break
                put_page(page)
            page = rcu_dereference(slot[index])
        rcu_read_unlock()
        if page != NONE:
            with atomic("use the page"):
                assert buddy[page] == 0, "found page used after it was freed"
                refs[page] -= 1
            put_page(page)

    def reclaim():
        """__remove_mapping() of an isolated page, which is kept where it is in use."""
        index = any_index()
        spin_lock(tree_lock)
        page = READ_ONCE(slot[index])
        if page == NONE:
            assert slot[index] == NONE, "a page is not reclaimed that is in its slot"
        else:
            if page_freeze_refs(page, 2):
                refs[page] = 0
                WRITE_ONCE(slot[index], NONE)  # __delete_from_page_cache()
                spin_unlock(tree_lock)
                free_hot_cold_page(page)
                return
            assert count[page] != 2, "a page that nobody uses is kept"
        spin_unlock(tree_lock)

    def fault():
        """__do_huge_pmd_anonymous_page()."""
        alloc_huge_page()
        spin_lock(page_table_lock)
        if READ_ONCE(pmd) != PMD_NONE:
            assert pmd != PMD_NONE, "a huge page is not mapped where nothing is"
            spin_unlock(page_table_lock)
            refs[HEAD] -= 1
            put_page(HEAD)
            return
        WRITE_ONCE(mapcount, 1)  # page_add_new_anon_rmap()
        WRITE_ONCE(pmd, PMD_HUGE)  # set_pmd_at()
        spin_unlock(page_table_lock)

    def own():
        """Somebody is given any page that is free."""
        page = choose(HEAD, TAIL)
        own_page(page)

    def operation(kind):
        if kind == "lookup":
            find_get_page()
        elif kind == "reclaim":
            reclaim()
        elif kind == "own":
            own()
        elif kind == "fault":
            fault()
        elif kind == "gup":
            get_user_pages()
        elif kind == "split":
            split_huge_page_pmd()
        elif kind == "unmap":
            unmap()

    if p.lookups:
        p.thread(instances=p.lookups)(find_get_page)
    if p.splitters:
        p.thread(instances=p.splitters)(split_huge_page_pmd)

    if p.first_1 != "none" or p.first_2 != "none" or p.first_3 != "none":

        @p.thread()
        def first():
            operation(p.first_1)
            operation(p.first_2)
            operation(p.first_3)

    if p.second_1 != "none" or p.second_2 != "none" or p.second_3 != "none":

        @p.thread()
        def second():
            operation(p.second_1)
            operation(p.second_2)
            operation(p.second_3)

    @p.at_end
    def no_page_is_lost():
        assert buddy[HEAD] == 1 or refs[HEAD] != 0, "head leaked"
        assert buddy[TAIL] == 1 or refs[TAIL] != 0 or (huge == 1 and refs[HEAD] != 0), "tail leaked"
