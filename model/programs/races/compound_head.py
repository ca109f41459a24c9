"""A page is a tail at two looks, and was none in between: the pointer that was read is NULL.

Result: violation
Result: ok (fixed=on)

1d798ca3f164 "mm: make compound_head() robust" (4.4), include/linux/mm.h: compound_head_by_tail() in
isolate_migratepages_block() (mm/compaction.c), which holds no reference, against
free_pages_prepare() and prep_compound_page() in mm/page_alloc.c. The second look at PageTail was
meant to show that first_page had been valid (668f9abbd433); between the two looks the page is freed
and becomes a tail again. The fix keeps the flag and the pointer in one word.

Left out: the counts of the pages, which the walker only reads; everything but one tail.

Found within 1,000 schedules, smallest with 3 preemptions:

    isolate_migratepages_block  free_and_allocate          flags first_page
    --------------------------  -----------------          ----- ----------
                                                               1        OLD
    test_bit(PG_tail, flags)
         <preempted>
                                clear_bit(PG_tail, flags)      0
                                first_page = NULL                      NULL
                                     <preempted>
    head = first_page  -> NULL
         <preempted>
                                first_page = NEW                        NEW
                                set_bit(PG_tail, flags)        1
    test_bit(PG_tail, flags)
    count[head]  <-- null pointer: count[NULL]
"""

from model.language import *

heads = names("OLD", "NEW", null="NULL")
OLD, NEW, NULL = heads

PG_tail = 0


@program(steps_max=60, fixed=Switch(default=False))
def compound_head(p):
    """A page is a tail at two looks, and was none in between: the pointer that was read is NULL."""
    flags = p.shared("flags", uint(1), init=1 << PG_tail)
    first_page = p.shared("first_page", heads, init=OLD)
    tagged_head = p.shared("tagged_head", heads, init=OLD)  # page->compound_head with bit 0
    count = p.array("count", heads, uint(2), init={OLD: 1})

    @p.thread()
    def isolate_migratepages_block():
        if p.fixed:
            head = READ_ONCE(tagged_head)
            if head != NULL:  # bit 0 is set
                atomic_read(count[head])
        elif test_bit(PG_tail, flags):
            head = READ_ONCE(first_page)
            smp_rmb()
            if test_bit(PG_tail, flags):
                atomic_read(count[head])  # page_count()

    @p.thread()
    def free_and_allocate():
        if p.fixed:
            WRITE_ONCE(tagged_head, NULL)  # clear_compound_head()
            WRITE_ONCE(tagged_head, NEW)  # set_compound_head()
        else:
            clear_bit(PG_tail, flags)
            WRITE_ONCE(first_page, NULL)
            WRITE_ONCE(first_page, NEW)
            smp_wmb()
            set_bit(PG_tail, flags)
