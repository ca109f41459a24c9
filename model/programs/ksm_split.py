"""KSM looks for the head of a tail, in order to split the huge page.

Result: ok
Result: ok (tail_to_head=on, rcu_asserted=on)
Result: violation (stable_counts=on): count not stable
Result: violation (tail_to_head=on, stable_counts=on): count not stable
Result: ok (tail_to_head=on, stable_counts=on, recheck=on)
Result: violation (stable_counts=on, recheck=on): count not stable
Result: violation (rcu_asserted=on): VM_BUG_ON(!rcu_read_lock_held())
Result: violation (second_test=off): null pointer: anon[NONE]

HEAD and TAIL are a mapped huge page. KSM holds a pin of TAIL, reads its head without one, takes a
reference on it and splits it; meanwhile somebody else splits and unmaps it, and HEAD is freed and
given to another owner.

As in put_compound_page: the reference is speculative, and needs a reader (tail_to_head, patch 3)
from the moment the head is looked up, if counts are to be stable (stable_counts, patch 9); but it
outlives that reader, so that it may be held on somebody else's page when a grace period has passed.
Looking again whether it is the head, and putting it if not, within the reader (recheck=on) is
enough. The second test of PageTail in compound_trans_head() is needed (second_test=off). As there,
it is not patch 9's split that is misled. The put of KSM's own pin is the mended one of
put_compound_page, so that what is shown is KSM's.

Sources, all of v3.1: page_trans_compound_anon(), page_trans_compound_anon_split() (mm/ksm.c);
compound_trans_head() (include/linux/huge_mm.h); __split_huge_page_refcount() (mm/huge_memory.c).
Left out: that KSM then splits, which thp_split has.
"""

from model.language import *
from model.programs.kernel.pages import Kernel, PG_tail, page_counts

pages = names("HEAD", "TAIL", null="NONE")
HEAD, TAIL, NONE = pages


@program(
    steps_max=200,
    tail_to_head=Patch(3),
    rcu_asserted=Patch(6),
    stable_counts=Patch(9),
    second_test=Switch(default=True),
    recheck=Switch(default=False),
)
def ksm_split(p):
    """KSM takes a reference on the head of a tail while the huge page is split."""
    p.rcu(grace_periods_max=1)
    kernel = Kernel(
        tail_to_head=p.tail_to_head,
        rcu_asserted=p.rcu_asserted,
        stable_counts=p.stable_counts,
        second_test=p.second_test,
        head_rechecked=True,
    )
    held = {HEAD: 3, TAIL: 1}
    mm = page_counts(p, pages, kernel, init=held, huge=(HEAD, TAIL), allocated=True)
    flags, buddy, refs, huge = mm.flags, mm.buddy, mm.refs, mm.huge
    put_page, split_and_free = mm.put_page, mm.split_and_free
    get_page_unless_zero, compound_trans_head = mm.get_page_unless_zero, mm.compound_trans_head
    own_page = mm.own_page
    anon = p.array("anon", pages, boolean, init=1)

    def page_trans_compound_anon(page):
        """The anonymous head of a page of a huge page, or NONE."""
        if READ_ONCE(flags[page]) == 0:  # !PageTransCompound(page)
            assert flags[page] == 0, "a huge page is taken for a single page"
            return NONE
        head = compound_trans_head(page)
        if READ_ONCE(anon[head]) == 0:
            assert anon[head] == 0, "an anonymous page is not split"
            return NONE
        return head

    def page_trans_compound_anon_split(page):
        if p.tail_to_head:
            rcu_read_lock()
        head = page_trans_compound_anon(page)
        if head != NONE:
            if not get_page_unless_zero(head):
                head = NONE
            elif p.recheck:
                if not test_bit(PG_tail, flags[page]):
                    put_page(head)
                    head = NONE
        if p.tail_to_head:
            rcu_read_unlock()
        if head == NONE:
            return
        if READ_ONCE(anon[head]):
            with atomic("split_huge_page(head)"):
                assert buddy[head] == 0, "free page split"
        else:
            assert anon[head] == 0, "an anonymous page is not split"
        put_page(head)

    @p.thread()
    def ksmd():
        page_trans_compound_anon_split(TAIL)
        with atomic("done with the page"):
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
        own_page(HEAD)

    @p.at_end
    def no_page_is_lost():
        assert buddy[HEAD] == 1 and buddy[TAIL] == 1, "page leaked"
