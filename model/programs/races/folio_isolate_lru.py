"""A folio is isolated by somebody who holds no reference, and freed while on the list.

Result: violation
Result: ok (version=revert)
Result: ok (version=get_first)

ccaba7858219, the revert of "f2fs: remove non-uptodate folio from the page cache in move_data_block"
(7.2, CVE-2026-63813), mm/vmscan.c: folio_isolate_lru() against __folio_put() in mm/swap.c.
folio_isolate_lru() clears PG_lru before it takes its reference, since its callers hold one; f2fs
took from the page cache the reference that they relied on. The last folio_put() then finds PG_lru
clear and frees the folio without taking it from the list. version=revert is the page cache with its
reference. version=get_first is the order of isolate_lru_folios() (and of __isolate_lru_page() in
v3.1), which asks for no reference.

Left out: the split that makes the folio, and the second isolation that finds the stale links.

The last put may also come before PG_lru is cleared, as long as it looks at PG_lru afterwards.

Found within 1,000 schedules, smallest with 1 preemption:

    isolate_and_put_back           free_folio_and_swap_cache  refcount PG_lru
    --------------------           -------------------------  -------- ------
                                                                     1      1
    refcount != 0
    test_and_clear_bit(0, PG_lru)                                           0
         <preempted>
                                   dec_and_test(refcount)            0
                                   test_bit(0, PG_lru)
                                   free_frozen_pages(folio)
                                   <-- folio freed while on a list
"""

from model.language import *


@program(steps_max=80, version=Option("v7.0", "revert", "get_first"))
def folio_isolate_lru(p):
    """A folio is isolated by somebody who holds no reference, and freed while on the list."""
    refcount = p.shared("refcount", uint(2), init=2 if p.version == "revert" else 1)
    PG_lru = p.shared("PG_lru", uint(1), init=1)
    lru = p.shared("lru", boolean, init=1)  # the folio is on the list
    lru_lock = p.spinlock("lru_lock")
    freed = p.ghost("freed", boolean)

    def folio_put():
        """__folio_put(): __page_cache_release(), free_frozen_pages()."""
        if not atomic_dec_and_test(refcount):
            return
        if test_bit(0, PG_lru):
            spin_lock(lru_lock)
            WRITE_ONCE(lru, 0)  # lruvec_del_folio()
            assert lru_lock == 1, "lockdep_assert_held(&lruvec->lru_lock)"
            clear_bit(0, PG_lru)
            spin_unlock(lru_lock)
        with atomic("free_frozen_pages(folio)"):
            assert lru == 0, "folio freed while on a list"
            assert refcount == 0, "folio freed with a count"
            freed = 1

    @p.thread()
    def free_folio_and_swap_cache():
        folio_put()

    def isolate():
        """folio_isolate_lru(), or one round of isolate_lru_folios()."""
        if p.version == "get_first":  # isolate_lru_folios()
            if not atomic_inc_not_zero(refcount):
                return False
            if not test_and_clear_bit(0, PG_lru):
                folio_put()
                return False
        else:
            if not test_and_clear_bit(0, PG_lru):
                return False
            atomic_inc(refcount)  # folio_get()
        spin_lock(lru_lock)
        WRITE_ONCE(lru, 0)  # lruvec_del_folio()
        assert lru_lock == 1, "lockdep_assert_held(&lruvec->lru_lock)"
        spin_unlock(lru_lock)
        return True

    @p.thread()
    def isolate_and_put_back():
        if atomic_read(refcount) != 0 and isolate():
            folio_put()

    @p.at_end
    def every_reference_is_somebody_s():
        assert refcount == (p.version == "revert"), "a reference is left, or lacks"
        assert freed == (refcount == 0), "folio leaked"
        assert lru == 0, "a folio stays on a list"
