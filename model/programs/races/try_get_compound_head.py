"""GUP-fast pins the head that a page had a moment ago.

Result: violation
Result: ok (fixed=on)

c24d37322548 "mm/gup: fix try_grab_compound_head() race with split_huge_page()" (5.14), mm/gup.c:
try_get_compound_head() in gup_pte_range(), against a split or a free of the compound page and new
use of both its pages. The pte is the same at both looks, since the page came back to it; the count
that was raised is that of the old head, which is somebody else's page. The fix looks at
compound_head() again once it has the count.

Left out: interrupts, which GUP-fast has off, so that a TLB flush by IPI would wait for it: this is
a machine whose flush does not (or a split, which frees nothing); TLB, page table lock, the
mapping's other page.

With the fewest preemptions the count is raised after TAIL is mapped again; before that, once HEAD
has a new owner, would do as well.

Found within 20,000 schedules, smallest with 1 preemption:

                                                          count  buddy  buddy
    gup_pte_range  zap_and_fault                     pte [HEAD] [HEAD] [TAIL]
    -------------  -------------                     --- ------ ------ ------
                                                    TAIL      1      0      0
    page = pte  -> TAIL
    head = head_of[page]  -> HEAD
         <preempted>
                   pte = NONE                       NONE
                   dec_and_test(count[page])                  0
                   test_bit(PG_head, flags)
                   clear_bit(PG_head, flags)
                   head_of[TAIL] = TAIL
                   __free_pages_ok(HEAD)                             1      1
                   alloc_page() gives HEAD to                        0
                       somebody
                   count[HEAD] = 1                            1
                   alloc_page() gives TAIL                                  0
                   count[TAIL] = 1
                   pte = TAIL                       TAIL
    inc_not_zero(count[head])                                 2
    pte != page  <-- a page is returned, and another one is pinned
"""

from model.language import *

pages = names("HEAD", "TAIL", null="NONE")
HEAD, TAIL, NONE = pages

PG_head = 0


@program(steps_max=120, fixed=Switch(default=False))
def try_get_compound_head(p):
    """GUP-fast pins the head that a page had a moment ago."""
    pte = p.shared("pte", pages, init=TAIL)
    head_of = p.array("head_of", pages, pages, init={HEAD: HEAD, TAIL: HEAD})  # compound_head()
    count = p.array("count", pages, uint(2), init={HEAD: 1})
    flags = p.shared("flags", uint(1), init=1 << PG_head)  # HEAD's
    buddy = p.array("buddy", pages, boolean)
    refs = p.ghost_array("refs", pages, uint(2), init={HEAD: 1})  # who holds one, and is no lookup
    zapping = p.ghost("zapping", boolean)

    def may_fail():
        assert zapping == 1, "GUP-fast fails, and nobody takes the page away"

    def put_page(page):
        if atomic_dec_and_test(count[page]):
            if page == HEAD and test_bit(PG_head, flags):
                clear_bit(PG_head, flags)  # free_pages_prepare()
                WRITE_ONCE(head_of[TAIL], TAIL)  # clear_compound_head()
                with atomic("__free_pages_ok(HEAD)"):
                    buddy[HEAD] = 1
                    buddy[TAIL] = 1
            else:
                with atomic("free_unref_page(page)"):
                    buddy[page] = 1

    @p.thread()
    def gup_pte_range():
        page = READ_ONCE(pte)
        if page == NONE:
            may_fail()
            return
        head = READ_ONCE(head_of[page])
        if not atomic_inc_not_zero(count[head]):
            may_fail()
            return
        if p.fixed:
            if READ_ONCE(head_of[page]) != head:
                may_fail()
                put_page(head)
                return
        if READ_ONCE(pte) != page:
            assert pte != page, "a mapped page is not pinned"
            may_fail()
            put_page(head)
            return
        assert head_of[page] == head, "a page is returned, and another one is pinned"
        refs[head] += 1

    @p.thread()
    def zap_and_fault():
        WRITE_ONCE(pte, NONE)
        zapping = 1
        refs[HEAD] -= 1
        put_page(HEAD)
        with atomic("alloc_page() gives HEAD to somebody"):
            wait_event(buddy[HEAD] == 1, may_end_here=True)
            buddy[HEAD] = 0
        atomic_set(count[HEAD], 1)
        refs[HEAD] += 1
        with atomic("alloc_page() gives TAIL"):
            wait_event(buddy[TAIL] == 1, may_end_here=True)
            buddy[TAIL] = 0
        atomic_set(count[TAIL], 1)
        refs[TAIL] += 1
        WRITE_ONCE(pte, TAIL)

    @p.at_end
    def every_reference_is_somebody_s():
        assert count[HEAD] == refs[HEAD], "a reference to HEAD is left, or lacks"
        assert buddy[HEAD] == (count[HEAD] == 0), "HEAD is free with a count, or leaked"
