"""A huge page mapped by a pmd, in v3.1: get_user_pages(), the unmapping, the split of pmd and page.

A program declares the pmd with `huge_pmd()`, after its pages, and calls what it gets back. Sources,
all of v3.1: mm/memory.c (follow_page(), zap_pte_range()), mm/huge_memory.c (zap_huge_pmd(),
__split_huge_page_pmd(), split_huge_page(), __split_huge_page_splitting(), __split_huge_page_map()),
include/linux/huge_mm.h (wait_split_huge_page()). The names that look free are shared variables,
declared here or by `page_counts()`.
"""

from types import SimpleNamespace

from model.language import *

pmds = names("PMD_NONE", "PMD_HUGE", "PMD_SPLITTING", "PMD_TABLE")
PMD_NONE, PMD_HUGE, PMD_SPLITTING, PMD_TABLE = pmds


def huge_pmd(p, mm, pages, *, cookies=False, parks=False, again=False):
    """Declare the pmd that can map `pages`, a head and its tail, and give what works on it.

    `mm` are the functions of `page_counts()`. With `cookies`, a split waits for the grace period
    that the huge page remembers; where it `parks`, waiting for ever is a fine end. `again`: the
    pmd may be mapped, split and unmapped by several, so that each looks whether it still is.
    """
    HEAD, TAIL = pages
    get_page, put_page, split_refcount = mm.get_page, mm.put_page, mm.split_refcount
    pmd = p.shared("pmd", pmds, init=PMD_NONE)
    page_table_lock = p.spinlock("page_table_lock")
    anon_vma_lock = p.spinlock("anon_vma_lock")

    def lock_page_table():
        """The pmd under page_table_lock, once no split is marking it: wait_split_huge_page()."""
        while True:
            spin_lock(page_table_lock)
            entry = READ_ONCE(pmd)
            if entry != PMD_SPLITTING:
                return entry
            spin_unlock(page_table_lock)
            spin_until(READ_ONCE(pmd) != PMD_SPLITTING)

    def get_user_pages():
        wait_event(READ_ONCE(pmd) != PMD_NONE, may_end_here=True)
        entry = lock_page_table()
        if entry == PMD_NONE:
            assert pmd == PMD_NONE, "a mapped page is not pinned"
            spin_unlock(page_table_lock)
            return
        get_page(TAIL)
        refs[TAIL] += 1
        if huge == 1:
            refs[HEAD] += 1
        spin_unlock(page_table_lock)
        with atomic("use the pinned page"):
            assert buddy[TAIL] == 0, "pinned page used after it was freed"
            refs[TAIL] -= 1
            if huge == 1:
                refs[HEAD] -= 1
        put_page(TAIL)

    def unmap():
        wait_event(READ_ONCE(pmd) != PMD_NONE, may_end_here=True)
        entry = lock_page_table()
        if again:
            if entry == PMD_NONE:
                assert pmd == PMD_NONE, "a mapped page is not unmapped"
                spin_unlock(page_table_lock)
                return
        if entry == PMD_HUGE:  # zap_huge_pmd()
            assert pmd == PMD_HUGE, "VM_BUG_ON(!pmd_trans_huge(*pmd))"
            WRITE_ONCE(pmd, PMD_NONE)
            WRITE_ONCE(mapcount, 0)  # page_remove_rmap()
            assert page_table_lock == 1, "pmd changed without page_table_lock"
            spin_unlock(page_table_lock)
            refs[HEAD] -= 1
        else:  # zap_pte_range()
            assert pmd == PMD_TABLE, "pmd_bad(*pmd)"
            WRITE_ONCE(pmd, PMD_NONE)
            spin_unlock(page_table_lock)
            refs[HEAD] -= 1
            refs[TAIL] -= 1
            put_page(TAIL)
        put_page(HEAD)

    def grace_period_elapsed():
        """page_gp_cookie_elapsed()."""
        cookie = READ_ONCE(timestamp)
        return rcu_gp_cookie_elapsed(cookie)

    def split_huge_page():
        spin_lock(anon_vma_lock)  # page_lock_anon_vma()
        if READ_ONCE(flags[HEAD]) == 0:  # !PageCompound()
            assert flags[HEAD] == 0, "a huge page is not split"
            spin_unlock(anon_vma_lock)
            return
        if cookies:
            while not grace_period_elapsed():
                spin_unlock(anon_vma_lock)
                synchronize_rcu(may_end_here=parks)
                spin_lock(anon_vma_lock)
                if READ_ONCE(flags[HEAD]) == 0:
                    assert flags[HEAD] == 0, "a huge page is not split"
                    spin_unlock(anon_vma_lock)
                    return
            WRITE_ONCE(timestamp, 0)  # page_clear_gp_cookie()
        spin_lock(page_table_lock)  # __split_huge_page_splitting()
        if READ_ONCE(pmd) == PMD_HUGE:
            WRITE_ONCE(pmd, PMD_SPLITTING)
        spin_unlock(page_table_lock)
        split_refcount()
        spin_lock(page_table_lock)  # __split_huge_page_map()
        if READ_ONCE(pmd) == PMD_SPLITTING:
            WRITE_ONCE(pmd, PMD_TABLE)
        spin_unlock(page_table_lock)
        spin_unlock(anon_vma_lock)

    def split_huge_page_pmd():
        wait_event(READ_ONCE(pmd) != PMD_NONE, may_end_here=True)
        spin_lock(page_table_lock)
        if READ_ONCE(pmd) != PMD_HUGE:
            assert pmd != PMD_HUGE, "a huge pmd is not split"
            spin_unlock(page_table_lock)
            return
        atomic_inc(count[HEAD])  # get_page()
        refs[HEAD] += 1
        spin_unlock(page_table_lock)
        split_huge_page()
        refs[HEAD] -= 1
        put_page(HEAD)

    functions = {name: value for name, value in locals().items() if callable(value)}
    return SimpleNamespace(pmd=pmd, page_table_lock=page_table_lock, **functions)
