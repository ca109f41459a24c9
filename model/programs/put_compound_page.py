"""put_page() of a tail looks for its head while the huge page is split and the head is given away.

Result: ok
Result: violation (stable_counts=on): count not stable
Result: violation (tail_to_head=on, rcu_asserted=on, stable_counts=on): count not stable
Result: ok (tail_to_head=on, rcu_asserted=on, stable_counts=on, recheck=on)
Result: ok (tail_to_head=on, rcu_asserted=on)
Result: violation (stable_counts=on, recheck=on): count not stable
Result: violation (rcu_asserted=on): VM_BUG_ON(!rcu_read_lock_held())
Result: violation (second_test=off): null pointer: count[NONE]
Result: violation (tail_to_head=on, second_test=off): null pointer: count[NONE]
Result: violation (head_again=compound): compound page freed as a single page
Result: violation (tail_to_head=on, head_again=compound): compound page freed as a single page
Result: ok (head_again=compound, put_head=v3.14)
Result: ok (tail_to_head=on, stable_counts=on, recheck=on, head_again=compound, put_head=v3.14)

HEAD and TAIL are a mapped huge page, TAIL is pinned once. The holder of the pin puts TAIL; the huge
page is split and unmapped; HEAD is freed, and somebody else is given it; TAIL's new user stores
something in page->private, which is the word of page->first_page.

Without patch 3 (tail_to_head) the reference that put_compound_page() takes on the head it read is a
speculative one outside of any reader: HEAD may be somebody else's, whose count is not stable then
(stable_counts, patch 9). In our model patch 3 is not enough: the reader ends when the reference is
taken, and the reference outlives it, and may be held on somebody else's page when a grace period
has passed. A lookup in the page cache looks again at the slot, and puts what it took in vain,
before its reader ends; the same here (recheck=on: PageTail, a third time) makes the count stable.
Whoever counts on the count of a page in HEAD's place is misled, but not the split of patch 9: it
counts on tails, and huge pages are aligned to their size, so that HEAD's place is never a tail's.
The second test of PageTail is needed: without it (second_test=off) what is in page->private is
taken for a page.

There is another race that the series does not touch: HEAD may be allocated again as the head of a
compound page of smaller order (head_again=compound), and the reference that was taken in vain may
be the last one, but v3.1 frees a single page then. put_head=v3.14 looks at PageHead once more
before it frees, as mm/swap.c came to do.

Sources, all of v3.1 unless said: put_page(), put_compound_page(), __put_single_page() (mm/swap.c);
__split_huge_page_refcount() (mm/huge_memory.c); zap_pte_range() (mm/memory.c). Left out: the other
pages of either compound page, and the locks that order split and unmap, which one thread does.

Found within 10,000,000 schedules (tail_to_head=on, stable_counts=on), smallest with 2 preemptions:

                                                          count  count  buddy
    unpin  split_and_unmap  next_owner  rcu_gp_kthread   [HEAD] [TAIL] [HEAD]
    -----  ---------------  ----------  --------------   ------ ------ ------
                                                              3      1      0
    use the pinned page
    flags[page] != 0
    test_bit(PG_tail, flags[page])
    rcu_read_lock()
    head = first_page  -> HEAD
    test_bit(PG_tail, flags[page])
         <preempted>
           spin_lock(compound_lock)
           pins = count[TAIL]  -> 1
           sub(pins, count[HEAD])                             2
           mapped = mapcount  -> 1
           add(mapped + 1, count[TAIL])                              3
           clear_bit(PG_tail, flags[TAIL])
           clear_bit(PG_head, flags[HEAD])
           spin_unlock(compound_lock)
           flags[page] != 0
           dec_and_test(count[page])                                 2
           first_page = NONE
           flags[page] != 0
           dec_and_test(count[page])                          1
           unmap both pages
           flags[page] != 0
           dec_and_test(count[page])                                 1
           flags[page] != 0
           dec_and_test(count[page])                          0
           free_hot_cold_page(page)                                         1
                            __rmqueue(): take the page                      0
                            count[page] != 0
                            count[page] = 1                   1
                            synchronize_rcu()
    get_page_unless_zero(head)                                2
    rcu_read_unlock()
         <preempted>
                                        a grace period starts
                                        the grace period ends
                            synchronize_rcu(): a grace period has passed
                            count on page_count(page)  <-- count not stable

Found within 1,000,000 schedules (head_again=compound), smallest with 3 preemptions:

                                                          count  count  buddy
    unpin  split_and_unmap  next_owner                   [HEAD] [TAIL] [HEAD]
    -----  ---------------  ----------                   ------ ------ ------
                                                              3      1      0
    use the pinned page
    flags[page] != 0
    test_bit(PG_tail, flags[page])
    head = first_page  -> HEAD
    test_bit(PG_tail, flags[page])
         <preempted>
           spin_lock(compound_lock)
           pins = count[TAIL]  -> 1
           sub(pins, count[HEAD])                             2
           mapped = mapcount  -> 1
           add(mapped + 1, count[TAIL])                              3
           clear_bit(PG_tail, flags[TAIL])
           clear_bit(PG_head, flags[HEAD])
           spin_unlock(compound_lock)
           flags[page] != 0
           dec_and_test(count[page])                                 2
           first_page = NONE
           flags[page] != 0
           dec_and_test(count[page])                          1
           unmap both pages
           flags[page] != 0
           dec_and_test(count[page])                                 1
           flags[page] != 0
           dec_and_test(count[page])                          0
           free_hot_cold_page(page)                                         1
                            __rmqueue(): take the page                      0
                            count[page] != 0
                            count[page] = 1                   1
                                 <preempted>
    get_page_unless_zero(head)                                2
    test_bit(PG_head, flags[head])
         <preempted>
                            set_bit(PG_head, flags[HEAD])
                            use the page
                            dec_and_test(count[HEAD])         1
    dec_and_test(count[head])                                 0
    free_hot_cold_page(page)  <-- compound page freed as a single page
"""

from model.language import *
from model.programs.kernel.pages import Kernel, PG_head, page_counts

pages = names("HEAD", "TAIL", null="NONE")
HEAD, TAIL, NONE = pages


@program(
    steps_max=200,
    tail_to_head=Patch(3),
    rcu_asserted=Patch(6),
    stable_counts=Patch(9),
    second_test=Switch(default=True),
    recheck=Switch(default=False),
    head_again=Option("single", "compound"),
    put_head=Option("v3.1", "v3.14"),
)
def put_compound_page(p):
    """The put of a tail against the split, and what HEAD and TAIL are used for next."""
    p.rcu(grace_periods_max=1)
    kernel = Kernel(
        tail_to_head=p.tail_to_head,
        rcu_asserted=p.rcu_asserted,
        stable_counts=p.stable_counts,
        second_test=p.second_test,
        head_rechecked=p.recheck,
        put_head_tests=p.put_head == "v3.14",
    )
    held = {HEAD: 3, TAIL: 1}
    mm = page_counts(p, pages, kernel, init=held, huge=(HEAD, TAIL), allocated=True)
    count, flags, buddy, refs, huge = mm.count, mm.flags, mm.buddy, mm.refs, mm.huge
    put_page, split_and_free = mm.put_page, mm.split_and_free
    own_page, alloc_page, free_smaller_page = mm.own_page, mm.alloc_page, mm.free_smaller_page

    @p.thread()
    def unpin():
        with atomic("use the pinned page"):
            assert buddy[TAIL] == 0, "pinned page used after it was freed"
            refs[TAIL] -= 1
            if huge == 1:
                refs[HEAD] -= 1
        put_page(TAIL)

    @p.thread()
    def split_and_unmap():
        split_and_free()

    @p.thread()
    def next_owner():
        if p.head_again == "single":
            own_page(HEAD)
        else:
            alloc_page(HEAD)
            set_bit(PG_head, flags[HEAD])  # prep_compound_page(), of a smaller order
            if p.stable_counts:
                synchronize_rcu()
                with atomic("count on page_count(page)"):
                    assert count[HEAD] == refs[HEAD], "count not stable"
            with atomic("use the page"):
                refs[HEAD] -= 1
            if atomic_dec_and_test(count[HEAD]):  # put_page()
                free_smaller_page(HEAD)

    @p.at_end
    def no_page_is_lost():
        assert buddy[HEAD] == 1 and buddy[TAIL] == 1, "page leaked"
