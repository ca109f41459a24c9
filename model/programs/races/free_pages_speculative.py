"""__free_pages() of a block whose first page a stale lookup holds for a moment.

Result: violation
Result: ok (compound=on)
Result: ok (version=e320d3012d25)
Result: violation (version=e320d3012d25, compound=on)
Result: ok (version=462a8e08e0e6)
Result: ok (version=462a8e08e0e6, compound=on)

e320d3012d25 "mm/page_alloc.c: fix freeing non-compound pages" (5.10), and 462a8e08e0e6 "Fix page
corruption caused by racy check in __free_pages" (6.2, CVE-2023-52739) which fixes that fix,
mm/page_alloc.c: __free_pages() against find_get_entry() in mm/filemap.c and put_page() in
mm/swap.c. P0 was in the page cache and is the first page of a block of order 1 by the time a stale
lookup takes it. If the lookup's put_page() is the last one, it frees P0 alone: P1 is lost.
e320d3012d25 makes whoever is not last free the rest, unless the block is compound; but it looks at
PageHead after it has dropped its reference, when the block may be gone: P1 is freed twice.
462a8e08e0e6 looks before.

Left out: the lock of the tree, higher orders. Nobody waits for a grace period.

Found within 20,000 schedules, smallest with 3 preemptions:

                                                            count buddy buddy
    find_get_entry        truncate_and_allocate        slot  [P0]  [P0]  [P1]
    --------------        ---------------------        ----  ----  ----  ----
                                                         P0     1     0     1
    rcu_read_lock()
    page = slot  -> P0
         <preempted>
                          slot = NONE                  NONE
                          dec_and_test(count[page])             0
                          test_bit(PG_head, flags)
                          free_the_page(page, 0)                      1
                          __rmqueue(): take P0 and P1                 0     0
                          count[P0] = 1                         1
                               <preempted>
    inc_not_zero(count[page])                                   2
    slot == page
         <preempted>
                          dec_and_test(count[P0])               1
    dec_and_test(count[page])                                   0
    test_bit(PG_head, flags)
    free_the_page(page, 0)                                            1
    page = slot  -> NONE
    rcu_read_unlock()  <-- a page is lost

Found within 100,000 schedules (version=e320d3012d25, compound=on), smallest with 4 preemptions:

                                                      count       buddy buddy
    find_get_entry  truncate_and_allocate        slot  [P0] flags  [P0]  [P1]
    --------------  ---------------------        ----  ---- -----  ----  ----
                                                   P0     1     0     0     1
    rcu_read_lock()
    page = slot  -> P0
         <preempted>
                    slot = NONE                  NONE
                    dec_and_test(count[page])             0
                    test_bit(PG_head, flags)
                    free_the_page(page, 0)                            1
                    __rmqueue(): take P0 and P1                       0     0
                    count[P0] = 1                         1
                    set_bit(PG_head, flags)                     1
                         <preempted>
    inc_not_zero(count[page])                             2
    slot == page
         <preempted>
                    dec_and_test(count[P0])               1
                         <preempted>
    dec_and_test(count[page])                             0
    test_bit(PG_head, flags)
    flags = 0                                                   0
    free_the_page(P0, 1)                                              1     1
    page = slot  -> NONE
    rcu_read_unlock()
                    head = test_bit(PG_head, flags)
                    free_the_page(page, 0)  <-- page freed twice
"""

from model.language import *
from model.programs.kernel.page_cache import page_cache_lookup

pages = names("P0", "P1", null="NONE")
P0, P1, NONE = pages

PG_head = 0


@program(
    steps_max=120,
    version=Option("v5.9", "e320d3012d25", "462a8e08e0e6"),
    compound=Switch(default=False),
)
def free_pages_speculative(p):
    """__free_pages() of a block whose first page a stale lookup holds for a moment."""
    p.rcu(grace_periods_max=0)
    slot = p.shared("slot", pages, init=P0)
    count = p.array("count", pages, uint(2), init={P0: 1})
    flags = p.shared("flags", uint(1))  # P0's
    buddy = p.array("buddy", pages, boolean, init={P1: 1})

    def free_page(page):
        """free_unref_page(), or __free_pages_ok() of order 0."""
        with atomic("free_the_page(page, 0)"):
            assert buddy[page] == 0, "page freed twice"
            buddy[page] = 1

    def free_block():
        """__free_pages_ok() of order 1."""
        WRITE_ONCE(flags, 0)  # free_pages_prepare()
        with atomic("free_the_page(P0, 1)"):
            assert buddy[P0] == 0 and buddy[P1] == 0, "page freed twice"
            buddy[P0] = 1
            buddy[P1] = 1

    @noinline
    def put_page(page):
        if atomic_dec_and_test(count[page]):
            if test_bit(PG_head, flags):  # PageCompound(), in __put_page()
                free_block()
            else:
                free_page(page)

    p.thread()(page_cache_lookup(pages, slot, count, put_page))

    def alloc_pages():
        with atomic("__rmqueue(): take P0 and P1"):
            wait_event(buddy[P0] == 1 and buddy[P1] == 1)
            buddy[P0] = 0
            buddy[P1] = 0
        atomic_set(count[P0], 1)  # set_page_refcounted()
        if p.compound:
            set_bit(PG_head, flags)  # prep_compound_page()

    def free_pages():
        """__free_pages(P0, 1)."""
        head: uint(1) = 0
        if p.version == "462a8e08e0e6":
            head = test_bit(PG_head, flags)
        if atomic_dec_and_test(count[P0]):
            free_block()
            return
        if p.version == "v5.9":
            return
        if p.version == "e320d3012d25":
            head = test_bit(PG_head, flags)
        if not head:
            free_page(P1)

    @p.thread()
    def truncate_and_allocate():
        WRITE_ONCE(slot, NONE)  # __delete_from_page_cache()
        put_page(P0)
        alloc_pages()
        free_pages()

    @p.at_end
    def all_pages_are_free():
        assert buddy[P0] == 1 and buddy[P1] == 1, "a page is lost"
