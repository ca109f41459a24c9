"""A gigantic page sets the counts of its tails to 0, whoever holds one of them.

Result: violation
Result: ok (fixed=on)

7118fc2906e2 "hugetlb: address ref count racing in prep_compound_gigantic_page" (5.14),
mm/hugetlb.c, against find_get_entry() in mm/filemap.c. The store comes from 58a84aa92723 (2011),
which followed the fix of tail page counts. alloc_contig_pages() gives every page with a count of 1;
a stale lookup has raised a tail's to 2; set_page_count(p, 0) forgets both, and the lookup's
put_page() takes the count below 0, or where it sees the new head frees the huge page. The fix is
page_ref_freeze(p, 1); where it fails, a grace period, a second try, and then the pages are given
back. Twin: 4231aba000f5 (powerpc/64s page table fragments).

In our model the second try never fails: the lookup's reference is over before its reader is, so
that a grace period makes the count stable, as the series of 2011 had it.

Left out: the lock of the tree, more than one tail, PG_head, the pool of huge pages.

Found within 50,000 schedules, smallest with 3 preemptions:

                                                          count  count  buddy
    find_get_entry  truncate_and_allocate           slot [HEAD] [TAIL] [TAIL]
    --------------  ---------------------           ---- ------ ------ ------
                                                    TAIL      0      1      0
    rcu_read_lock()
    page = slot  -> TAIL
         <preempted>
                    slot = NONE                     NONE
                    head = head_of_tail
                    dec_and_test(count[put])                         0
                    __put_page(put)                                         1
                    alloc_contig_pages(): take                              0
                        HEAD and TAIL
                    count[HEAD] = 1                           1
                    count[TAIL] = 1                                  1
                         <preempted>
    inc_not_zero(count[page])                                        2
    slot == page
    head = head_of_tail
         <preempted>
                    count[TAIL] = 0                                  0
                    head_of_tail = HEAD
    dec_and_test(count[put])  <-- count leaves its range 0 to 3

The other way ("huge page freed while in use") differs in one place: the lookup reads the tail's
head after it has been set.
"""

from model.language import *
from model.programs.kernel.page_cache import page_cache_lookup

pages = names("HEAD", "TAIL", null="NONE")
HEAD, TAIL, NONE = pages


@program(steps_max=120, fixed=Switch(default=False))
def prep_compound_gigantic_page(p):
    """A gigantic page sets the counts of its tails to 0, whoever holds one of them."""
    p.rcu(grace_periods_max=0)
    slot = p.shared("slot", pages, init=TAIL)
    count = p.array("count", pages, uint(2), init={TAIL: 1})
    head_of_tail = p.shared("head_of_tail", pages, init=NONE)  # TAIL->compound_head
    buddy = p.array("buddy", pages, boolean, init={HEAD: 1})

    @noinline
    def put_page(page):
        """put_page() of TAIL."""
        head = READ_ONCE(head_of_tail)  # compound_head()
        put = page if head == NONE else head
        if atomic_dec_and_test(count[put]):
            with atomic("__put_page(put)"):
                assert put != HEAD, "huge page freed while in use"
                assert buddy[put] == 0, "page freed twice"
                buddy[put] = 1

    p.thread()(page_cache_lookup(pages, slot, count, put_page))

    def prep():
        """prep_compound_gigantic_page()."""
        if p.fixed:
            if atomic_cmpxchg(count[TAIL], 1, 0) != 1:  # page_ref_freeze()
                synchronize_rcu()
                frozen = atomic_cmpxchg(count[TAIL], 1, 0)
                assert frozen == 1, "count unstable a grace period after allocation"
        else:
            atomic_set(count[TAIL], 0)  # set_page_count()
        WRITE_ONCE(head_of_tail, HEAD)  # set_compound_head()

    @p.thread()
    def truncate_and_allocate():
        WRITE_ONCE(slot, NONE)  # __delete_from_page_cache()
        put_page(TAIL)
        with atomic("alloc_contig_pages(): take HEAD and TAIL"):
            wait_event(buddy[HEAD] == 1 and buddy[TAIL] == 1)
            buddy[HEAD] = 0
            buddy[TAIL] = 0
        atomic_set(count[HEAD], 1)  # set_page_refcounted()
        atomic_set(count[TAIL], 1)
        prep()

    @p.at_end
    def the_huge_page_is_held_once():
        assert count[HEAD] == 1 and count[TAIL] == 0, "a count is wrong"
