"""The handling of broken memory comes to a page by its number, and takes its head.

Result: violation: null pointer: count[NONE]
Result: violation (head=retested): somebody else's page taken for the head
Result: ok (head=retested, recheck=on)
Result: violation (head=retested, recheck=on, stable_counts=on): count not stable
Result: ok (head=retested, recheck=on, stable_counts=on, reader=on)
Result: ok (head=retested, recheck=on, rcu_asserted=on)
Result: violation (head=retested, rcu_asserted=on, exempt=off): VM_BUG_ON(!rcu_read_lock_held())
Result: ok (head=retested, recheck=on, rcu_asserted=on, exempt=off, reader=on)
Result: ok (head=retested, recheck=on, site=unpoison)
Result: violation (head=retested, recheck=on, site=inject): page freed while referenced

HEAD and TAIL are a mapped huge page of which the number of TAIL is given. The walker looks up
TAIL's head, takes a reference on it unless its count is 0, works on it, and puts it. Meanwhile the
huge page is split and unmapped, HEAD is freed and given to somebody else, and TAIL's new user
stores something in page->private, which is the word of page->first_page.

In our model v3.1 is wrong in three ways, none of which the series touches. compound_head() tests
PageTail once, and takes what is in page->private for a page. The reference may land on a page that
has become somebody else's: today's get_hwpoison_page() looks again whether it is the head
(recheck). And hwpoison_inject() hands its reference to __memory_failure(), which looks up the head
once more and puts that one (site=inject): after a split in between, this is another page.

Patch 6 exempts these sites (exempt): they call __get_page_unless_zero() and are no readers. So a
count is not stable for them when counts are to be (stable_counts, patch 9; not the count of a huge
page's tail, in whose place HEAD cannot come); as a reader (reader=on), which Andi Kleen asked of
hwpoison-inject on the list, it is.

Sources, all of v3.1 as far as it is known to us: __memory_failure(), unpoison_memory(),
get_any_page() (mm/memory-failure.c); hwpoison_inject() (mm/hwpoison-inject.c); compound_head()
(include/linux/mm.h), compound_trans_head() (include/linux/huge_mm.h). Left out: all that is done to
the page.

Found within 1,000 schedules (head=retested, recheck=on, site=inject), smallest with 2 preemptions:

                                          count  count  flags  flags poisoned
    walk   split_and_unmap               [HEAD] [TAIL] [HEAD] [TAIL]   [HEAD]
    ----   ---------------               ------ ------ ------ ------   ------
                                              2      0      1      2        0
    test_bit(PG_tail, flags[page])
    head = first_page  -> HEAD
    test_bit(PG_tail, flags[page])
    __get_page_unless_zero(page)              3
    test_bit(PG_tail, flags[page])
    head = first_page  -> HEAD
    test_bit(PG_tail, flags[page])
    work on the page                                                        1
         <preempted>
           spin_lock(compound_lock)
           pins = count[TAIL]  -> 0
           sub(pins, count[HEAD])
           mapped = mapcount  -> 1
           add(mapped + 1, count[TAIL])              2
           clear_bit(PG_tail,                                      0
               flags[TAIL])
           clear_bit(PG_head,                               0
               flags[HEAD])
           spin_unlock(compound_lock)
           flags[page] != 0
                <preempted>
    test_bit(PG_tail, flags[page])
    flags[page] != 0
    dec_and_test(count[page])                        1
           dec_and_test(count[page])                 0
           free_hot_cold_page(page)  <-- page freed while referenced
"""

from model.language import *
from model.programs.kernel.pages import Kernel, page_counts

pages = names("HEAD", "TAIL", null="NONE")
HEAD, TAIL, NONE = pages


@program(
    steps_max=200,
    rcu_asserted=Patch(6),
    stable_counts=Patch(9),
    site=Option("memory_failure", "unpoison", "inject"),
    head=Option("plain", "retested"),
    exempt=Switch(default=True),
    reader=Switch(default=False),
    recheck=Switch(default=False),
)
def hwpoison(p):
    """A walker by page number takes a reference on the head of a huge page that is split."""
    p.rcu(grace_periods_max=1)
    kernel = Kernel(rcu_asserted=p.rcu_asserted, stable_counts=p.stable_counts)
    held = {HEAD: 2}
    mm = page_counts(p, pages, kernel, init=held, huge=(HEAD, TAIL), allocated=True)
    buddy, refs, reused = mm.buddy, mm.refs, mm.reused
    put_page, split_and_free = mm.put_page, mm.split_and_free
    get_page_unless_zero, __get_page_unless_zero = (
        mm.get_page_unless_zero,
        mm.__get_page_unless_zero,
    )
    compound_head, compound_trans_head = mm.compound_head, mm.compound_trans_head
    own_page = mm.own_page
    poisoned = p.array("poisoned", pages, boolean, init={HEAD: p.site == "unpoison"})

    def head_of(page):
        if p.head == "plain":
            return compound_head(page)
        return compound_trans_head(page)

    def take(page):
        if p.exempt:
            return __get_page_unless_zero(page)
        return get_page_unless_zero(page)

    def take_head(page):
        """The head of a page, with a reference, or NONE."""
        if p.reader:
            rcu_read_lock()
        head = head_of(page)
        taken = take(head)
        if p.recheck:
            if taken:
                again = head_of(page)
                if again != head:
                    put_page(head)
                    taken = False
        if p.reader:
            rcu_read_unlock()
        if not taken:
            return NONE
        return head

    @p.thread()
    def walk():
        head = take_head(TAIL)
        if head == NONE:
            return
        with atomic("work on the page"):
            assert reused[head] == 0, "somebody else's page taken for the head"
            poisoned[head] = p.site != "unpoison"
        if p.site == "inject":
            again = head_of(TAIL)  # __memory_failure(pfn, 18, MF_COUNT_INCREASED)
            put_page(again)
        else:
            put_page(head)

    @p.thread()
    def split_and_unmap():
        split_and_free()

    @p.thread()
    def next_owner():
        own_page(HEAD)

    @p.at_end
    def no_page_is_lost():
        assert buddy[HEAD] == 1 and buddy[TAIL] == 1, "page leaked"
