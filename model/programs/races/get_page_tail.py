"""get_page() of a tail takes a lock in a head page that nothing keeps from being freed.

Result: violation
Result: ok (fixed=on)

Draft "fix #2" of what became 70b50f94f164 "mm: thp: tail page refcounting fix" (3.2), August 2011,
mm/swap.c: __get_page_tail() against __split_huge_page_refcount() (mm/huge_memory.c) and zap. Pins
of a tail are in its _mapcount. The caller holds a pin of the tail, which is a pin of the head only
until somebody splits: after that, the head may be unmapped and freed before compound_lock(head). It
was found in review, before any release. The fix, and what was merged: get_page_unless_zero(head)
first.

What the pages share with v3.1 is kernel/pages.py. Left out: the steps of the split before its
refcounting, the page table (one thread pins, splits and unmaps in turn), lru_lock.

The smallest interleaving leaves the split in the middle of its refcounting: its compound_lock then
stops __get_page_tail() without a second preemption. Before the split, with two, would do as well.

Found within 2,000 schedules, smallest with 1 preemption:

                                     count  count  buddy                flags
    pin_split_and_unmap  direct_io  [HEAD] [TAIL] [HEAD] tail_mapcount [HEAD]
    -------------------  ---------  ------ ------ ------ ------------- ------
                                         1      0      0             0      1
    test_bit(PG_tail, flags[page])
    head = first_page  -> HEAD
    inc(count[head])                     2
    inc(tail_mapcount)                                               1
    pinned = 1
    spin_lock(compound_lock)
    pins = tail_mapcount  -> 1
    mapped = mapcount  -> 1
    add(mapped + pins + 1,                      3
        count[TAIL])
         <preempted>
                         wait_event(pinned == 1, may_end_here=True)
                         test_bit(PG_tail, flags[page])
                         head = first_page  -> HEAD
                         test_bit(PG_tail, flags[page])
    clear_bit(PG_tail, flags[TAIL])
    sub(pins, count[HEAD])               1
    clear_bit(PG_head,                                                      0
        flags[HEAD])
    spin_unlock(compound_lock)
    flags[page] != 0
    dec_and_test(count[page])                   2
    flags[page] != 0
    dec_and_test(count[page])            0
    free_hot_cold_page(page)                           1
    flags[page] != 0
    dec_and_test(count[page])                   1
                         spin_lock(compound_lock)
                         <-- compound_lock() in a freed page
"""

from model.language import *
from model.programs.kernel.pages import Kernel, PG_tail, page_counts

pages = names("HEAD", "TAIL", null="NONE")
HEAD, TAIL, NONE = pages


@program(steps_max=250, fixed=Switch(default=False))
def get_page_tail(p):
    """get_page() of a tail takes a lock in a head page that nothing keeps from being freed."""
    mm = page_counts(
        p, pages, Kernel(tail_pins="mapcount"), init={HEAD: 1}, huge=(HEAD, TAIL), allocated=True
    )
    count, flags, buddy, refs, huge = mm.count, mm.flags, mm.buddy, mm.refs, mm.huge
    tail_mapcount, first_page, compound_lock = mm.tail_mapcount, mm.first_page, mm.compound_lock
    get_page, put_page, compound_trans_head = mm.get_page, mm.put_page, mm.compound_trans_head
    get_page_unless_zero, split_refcount = mm.get_page_unless_zero, mm.split_refcount
    pinned = p.shared("pinned", boolean)

    def __get_page_tail():
        head = compound_trans_head(TAIL)
        if head == TAIL:
            return False
        if p.fixed:
            if not get_page_unless_zero(head):
                return False
        spin_lock(compound_lock)
        assert buddy[head] == 0, "compound_lock() in a freed page"
        if test_bit(PG_tail, flags[TAIL]):
            if not p.fixed:
                atomic_inc(count[head])
            atomic_inc(tail_mapcount)
            refs[HEAD] += 1
            spin_unlock(compound_lock)
            return True
        spin_unlock(compound_lock)
        if p.fixed:
            put_page(head)
        return False

    def drop_pin():
        with atomic("use the pinned page"):
            assert buddy[TAIL] == 0, "pinned page used after it was freed"
            refs[TAIL] -= 1
            if huge == 1:
                refs[HEAD] -= 1
        put_page(TAIL)

    @p.thread()
    def direct_io():
        wait_event(READ_ONCE(pinned) == 1, may_end_here=True)
        if not __get_page_tail():
            atomic_inc(count[TAIL])
        refs[TAIL] += 1
        drop_pin()
        drop_pin()

    @p.thread()
    def pin_split_and_unmap():
        get_page(TAIL)  # follow_page(), for direct_io
        refs[HEAD] += 1
        refs[TAIL] += 1
        WRITE_ONCE(pinned, 1)
        split_refcount()
        refs[HEAD] -= 1
        put_page(HEAD)
        refs[TAIL] -= 1
        put_page(TAIL)

    @p.at_end
    def no_page_is_lost():
        assert buddy[HEAD] == 1 and buddy[TAIL] == 1, "page leaked"
