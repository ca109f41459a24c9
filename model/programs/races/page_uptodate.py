"""A page is said to be up to date before its content is there for every CPU to see.

Result: ok
Result: ok (fixed=on)
Result: violation (reordered=on)

0ed361dec369 "mm: fix PageUptodate data race" (2.6.25), include/linux/page-flags.h:
SetPageUptodate() and PageUptodate(), between a filesystem that fills a page and
do_generic_mapping_read() in mm/filemap.c. Many have the same shape (message passing):
CVE-2024-36489 tls_init(), CVE-2025-71159, CVE-2025-40042, 668f9abbd433 (PageTail and first_page),
CVE-2026-31466.

Needs weak memory: clean under sequential consistency and under TSO, with barriers and without; the
stores must be seen in another order (PSO), or the loads be executed in another order. Until there
is a weaker memory model, reordered=on writes out what a CPU may make of v2.6.24: it shows that the
oracle would see it.

Found within 1,000 schedules (reordered=on), smallest with 1 preemption:

    read_page                    do_generic_mapping_read       flags
    ---------                    -----------------------       -----
                                                                   0
    set_bit(PG_uptodate, flags)                                    1
         <preempted>
                                 test_bit(PG_uptodate, flags)
                                 read = READ_ONCE(content)
                                 <-- a page that is up to date lacks its
                                     content
"""

from model.language import *

PG_uptodate = 0


@program(steps_max=40, fixed=Switch(default=False), reordered=Switch(default=False))
def page_uptodate(p):
    """A page is said to be up to date before its content is there for every CPU to see."""
    content = p.shared("content", boolean)
    flags = p.shared("flags", uint(1))

    @p.thread()
    def read_page():
        if p.reordered:
            set_bit(PG_uptodate, flags)
            WRITE_ONCE(content, 1)
            return
        WRITE_ONCE(content, 1)
        if p.fixed:
            smp_wmb()
        set_bit(PG_uptodate, flags)  # SetPageUptodate()

    @p.thread()
    def do_generic_mapping_read():
        if not test_bit(PG_uptodate, flags):
            return
        if p.fixed:
            smp_rmb()
        read = READ_ONCE(content)
        assert read == 1, "a page that is up to date lacks its content"
