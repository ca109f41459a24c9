"""GUP-fast pins a page while khugepaged replaces it, and looks at the pte alone.

Result: violation
Result: ok (fixed=on)

70cbc3cc78a9 "mm: gup: fix the fast GUP race against THP collapse" (6.1), mm/gup.c: gup_pte_range()
against collapse_huge_page() in mm/khugepaged.c. khugepaged takes the page table out of the pmd,
looks for pins, copies, clears the ptes and installs the huge page. GUP-fast that has read the old
pmd pins after that look, and before the pte is cleared: its page is no longer what its address
maps. The fix looks at the pmd again too. A relative: CVE-2025-38085 (huge_pmd_unshare()).

Left out: interrupts, which GUP-fast has off (a TLB flush by IPI would wait for it; this one does
not), locks of the page table, more than one page.

Found within 1,000 schedules, smallest with 2 preemptions:

    gup_pte_range        collapse_huge_page         pmd pte count
    -------------        ------------------         --- --- -----
                                              PMD_TABLE   1     1
    pmd != PMD_TABLE
    pte == 0
         <preempted>
                         pmd = PMD_NONE        PMD_NONE
                         count != 1
                              <preempted>
    inc_not_zero(count)                                         2
    pte == 0
                         pte = 0                          0
                         dec_and_test(count)                    1
                         pmd = PMD_HUGE        PMD_HUGE
                         <-- a page is pinned that its address has lost
"""

from model.language import *

pmds = names("PMD_NONE", "PMD_TABLE", "PMD_HUGE")
PMD_NONE, PMD_TABLE, PMD_HUGE = pmds


@program(steps_max=80, fixed=Switch(default=False))
def gup_fast_collapse(p):
    """GUP-fast pins a page while khugepaged replaces it, and looks at the pte alone."""
    pmd = p.shared("pmd", pmds, init=PMD_TABLE)
    pte = p.shared("pte", boolean, init=1)
    count = p.shared("count", uint(2), init=1)
    pinned = p.ghost("pinned", boolean)
    freed = p.ghost("freed", boolean)
    collapsing = p.ghost("collapsing", boolean)
    taken = p.ghost("taken", boolean)  # GUP-fast had a reference

    def may_fail():
        assert collapsing == 1, "GUP-fast fails, and nobody takes the page away"

    def put_page():
        if atomic_dec_and_test(count):
            freed = 1

    @p.thread()
    def gup_pte_range():
        if READ_ONCE(pmd) != PMD_TABLE:
            may_fail()
            return
        if READ_ONCE(pte) == 0:
            assert pte == 0, "a mapped page is not pinned"
            may_fail()
            return
        if not atomic_inc_not_zero(count):  # try_grab_folio()
            may_fail()
            return
        taken = 1
        if p.fixed:
            if READ_ONCE(pmd) != PMD_TABLE:
                assert pmd != PMD_TABLE, "a mapped page is not pinned"
                may_fail()
                put_page()
                return
        if READ_ONCE(pte) == 0:
            assert pte == 0, "a mapped page is not pinned"
            may_fail()
            put_page()
            return
        pinned = 1

    @p.thread()
    def collapse_huge_page():
        WRITE_ONCE(pmd, PMD_NONE)  # pmdp_collapse_flush()
        collapsing = 1
        if atomic_read(count) != 1:  # __collapse_huge_page_isolate()
            WRITE_ONCE(pmd, PMD_TABLE)
            return
        WRITE_ONCE(pte, 0)  # __collapse_huge_page_copy()
        put_page()
        WRITE_ONCE(pmd, PMD_HUGE)

    @p.invariant
    def what_is_pinned_is_mapped():
        assert pinned == 0 or pmd != PMD_HUGE, "a page is pinned that its address has lost"
        assert pinned == 0 or freed == 0, "a pinned page is freed"
        assert freed == (count == 0), "a page is freed with a count, or not without"

    @p.at_end
    def every_reference_is_somebody_s():
        assert count == pinned + (pmd == PMD_TABLE), "a reference is left, or lacks"
        assert pmd == PMD_HUGE or taken == 1, "khugepaged gives up, and nobody had a reference"
