"""Memory that is to be taken out is walked by page numbers, and emptied.

Result: violation: huge page freed while referenced
Result: violation (tail_to_head=on): huge page freed while referenced
Result: violation (tail_to_head=on, rcu_asserted=on): huge page freed while referenced
Result: violation (reader=on): bad_page(): huge page freed while its tail has a count
Result: violation (rcu_asserted=on): VM_BUG_ON(!rcu_read_lock_held())
Result: violation (tail_to_head=on, rcu_asserted=on, exempt=off): VM_BUG_ON(!rcu_read_lock_held())
Result: ok (design=70b50f94)
Result: ok (take=head)
Result: ok (pinned=off)

HEAD and TAIL are a mapped huge page, of which TAIL is pinned by get_user_pages(). The walker takes
a reference on whatever page has the number, unless its count is 0; a page that is not on the LRU
list, such as a tail, it puts again. The pin is put, and the huge page unmapped.

In our model of v3.1 this walker does what the stale lookup of thp_split does, and needs neither a
split, nor an allocation, nor a stale pointer for it: the get raises the count of the tail alone,
and put_page() of a tail lowers the head's too. So the huge page is freed while it is mapped. A
reader (reader=on) changes nothing, and nor does any patch of the series: patch 6 (rcu_asserted)
exempts this site (exempt), and is content where patch 3 (tail_to_head) makes the put a reader.
Without a pin (pinned=off) the tail's count is 0, and all is well. 70b50f94 closes it, for tails
have a count of 0 since then; so does taking the head (take=head).

Sources, all of v3.1: do_migrate_range() (mm/memory_hotplug.c); isolate_lru_page() (mm/vmscan.c);
put_compound_page() (mm/swap.c). Left out: the migration of pages that are on the list, and
lock_memory_hotplug() with MIGRATE_ISOLATE, which keep free pages from being allocated.

Found within 1,000,000 schedules (tail_to_head=on), smallest with 1 preemption:

                                                                 count  count
    get_user_pages              do_migrate_range                [HEAD] [TAIL]
    --------------              ----------------                ------ ------
                                                                     1      0
    spin_lock(page_table_lock)
    pmd == 0
    inc(count[page])                                                        1
    test_bit(PG_tail, flags[page])
    head = first_page  -> HEAD
    inc(count[head])                                                 2
    spin_unlock(page_table_lock)
    use the pinned page
    flags[page] != 0
    test_bit(PG_tail, flags[page])
    rcu_read_lock()
    head = first_page  -> HEAD
    test_bit(PG_tail, flags[page])
    get_page_unless_zero(head)                                       3
    rcu_read_unlock()
    test_bit(PG_head, flags[head])
         <preempted>
                                __get_page_unless_zero(page)                2
                                flags[page] != 0
                                test_bit(PG_tail, flags[page])
                                rcu_read_lock()
                                head = first_page  -> HEAD
                                test_bit(PG_tail, flags[page])
                                get_page_unless_zero(head)           4
                                rcu_read_unlock()
                                test_bit(PG_head, flags[head])
                                spin_lock(compound_lock)
                                test_bit(PG_tail, flags[page])
                                dec(count[head])                     3
                                dec(count[page])                            1
                                spin_unlock(compound_lock)
                                dec_and_test(count[head])            2
    spin_lock(compound_lock)
    test_bit(PG_tail, flags[page])
    dec(count[head])                                                 1
    dec(count[page])                                                        0
    spin_unlock(compound_lock)
    dec_and_test(count[head])                                        0
    test_bit(PG_head, flags[head])
    count[TAIL] != 0
    __free_pages_ok(HEAD)  <-- huge page freed while referenced
"""

from model.language import *
from model.programs.kernel.pages import Kernel, page_counts

pages = names("HEAD", "TAIL", null="NONE")
HEAD, TAIL, NONE = pages


@program(
    steps_max=200,
    tail_to_head=Patch(3),
    rcu_asserted=Patch(6),
    design=Option("v3.1", "70b50f94"),
    take=Option("page", "head"),
    pinned=Switch(default=True),
    exempt=Switch(default=True),
    reader=Switch(default=False),
)
def memory_hotplug(p):
    """A walker by page number takes and puts a reference on a pinned tail."""
    p.rcu(grace_periods_max=0)
    kernel = Kernel(
        tail_to_head=p.tail_to_head,
        rcu_asserted=p.rcu_asserted,
        tail_pins="mapcount" if p.design == "70b50f94" else "count",
    )
    mm = page_counts(p, pages, kernel, init={HEAD: 1}, huge=(HEAD, TAIL), allocated=True)
    flags, buddy, refs = mm.flags, mm.buddy, mm.refs
    get_page, put_page, compound_trans_head = mm.get_page, mm.put_page, mm.compound_trans_head
    get_page_unless_zero, __get_page_unless_zero = (
        mm.get_page_unless_zero,
        mm.__get_page_unless_zero,
    )
    pmd = p.shared("pmd", boolean, init=1)
    page_table_lock = p.spinlock("page_table_lock")

    def reference(page):
        if p.exempt:
            return __get_page_unless_zero(page)
        return get_page_unless_zero(page)

    @p.thread()
    def do_migrate_range():
        if p.reader:
            rcu_read_lock()
        page = TAIL
        if p.take == "head":
            page = compound_trans_head(TAIL)
        taken = reference(page)
        if p.reader:
            rcu_read_unlock()
        if taken:
            put_page(page)  # isolate_lru_page() finds it is not on the list

    if p.pinned:

        @p.thread()
        def get_user_pages():
            spin_lock(page_table_lock)
            if READ_ONCE(pmd) == 0:
                assert pmd == 0, "a mapped page is not pinned"
                spin_unlock(page_table_lock)
                return
            get_page(TAIL)
            refs[TAIL] += 1
            refs[HEAD] += 1
            spin_unlock(page_table_lock)
            with atomic("use the pinned page"):
                assert buddy[TAIL] == 0, "pinned page used after it was freed"
                refs[TAIL] -= 1
                refs[HEAD] -= 1
            put_page(TAIL)

    @p.thread()
    def unmap():
        spin_lock(page_table_lock)
        WRITE_ONCE(pmd, 0)
        spin_unlock(page_table_lock)
        refs[HEAD] -= 1
        put_page(HEAD)

    @p.at_end
    def no_page_is_lost():
        assert buddy[HEAD] == 1 and buddy[TAIL] == 1, "page leaked"
