"""The cookie of a huge page lies where the mapping of its first tail does.

Result: ok
Result: ok (clear_at_free=on, set_cookie=on)
Result: violation (set_cookie=on): bad_page(): tail freed with a mapping
Result: ok (clear_at_free=on)
Result: violation (clear_at_free=on, set_cookie=on, clear=after): mapping of the next owner cleared
Result: violation (clear_at_free=on, set_cookie=on, clear_at_split=off): BUG_ON(page_tail->mapping)
Result: violation (clear_at_free=on, set_cookie=on, recheck=off, splitters=2): page freed twice

A huge page is allocated, which stores a cookie in page[1] (set_cookie, patch 9). Somebody splits it
once a grace period has passed since then; its owner unmaps it, and whoever is given the tail next
has something in its mapping.

Freeing a page demands that its mapping is NULL, and so does the split of its tails. So the cookie
is cleared when the huge page is freed (clear_at_free, patch 8, one line in free_compound_page()),
before it can be given away (clear=after is too late), and when it is split (patch 9). Patch 9
without patch 8 makes every huge page that is freed whole a bad page. After it has waited for a
grace period without the lock, the split looks again whether there is a huge page (recheck).

Sources: page_get_gp_cookie(), page_gp_cookie_elapsed(), page_clear_gp_cookie() of the series
(include/linux/mm.h); free_compound_page(), free_pages_check() (mm/page_alloc.c, v3.1);
split_huge_page(), __split_huge_page_refcount() (mm/huge_memory.c, v3.1, with patch 9). Left out:
pmds, for which the page's mapcount stands.
"""

from model.language import *
from model.programs.kernel.pages import Kernel, page_counts

pages = names("HEAD", "TAIL", null="NONE")
HEAD, TAIL, NONE = pages


@program(
    steps_max=255,
    splitters=Param(1, 2, default=1),
    clear_at_free=Patch(8),
    set_cookie=Patch(9),
    clear=Option("before", "after"),
    clear_at_split=Switch(default=True),
    recheck=Switch(default=True),
)
def compound_cookie(p):
    """A huge page with a cookie is split, or freed whole, and its tail used again."""
    rcu = p.rcu(grace_periods_max=1)
    kernel = Kernel(clear_cookie=p.clear if p.clear_at_free else "never")
    cookie = rcu.cookie if p.set_cookie else None
    free = [HEAD, TAIL]
    mm = page_counts(p, pages, kernel, init=0, free=free, huge=(HEAD, TAIL), cookie=cookie)
    count, flags, buddy, refs = mm.count, mm.flags, mm.buddy, mm.refs
    mapcount, alloc_huge_page, alloc_page = mm.mapcount, mm.alloc_huge_page, mm.alloc_page
    put_page, split_refcount = mm.put_page, mm.split_refcount
    anon_vma_lock = p.spinlock("anon_vma_lock")
    if p.set_cookie:
        timestamp = mm.timestamp

    def grace_period_elapsed():
        """page_gp_cookie_elapsed()."""
        cookie = READ_ONCE(timestamp)
        return rcu_gp_cookie_elapsed(cookie)

    def lock_mapped_huge_page():
        """page_lock_anon_vma(), and PageCompound(); false, and unlocked, where there is none."""
        spin_lock(anon_vma_lock)
        if READ_ONCE(mapcount) == 0:
            assert mapcount == 0, "a mapped huge page is not split"
            spin_unlock(anon_vma_lock)
            return False
        if READ_ONCE(flags[HEAD]) == 0:
            assert flags[HEAD] == 0, "a mapped huge page is not split"
            spin_unlock(anon_vma_lock)
            return False
        return True

    def split_huge_page():
        """Patch 9's, where cookies are set."""
        locked = lock_mapped_huge_page()
        if not locked:
            return
        if p.set_cookie:
            elapsed = grace_period_elapsed()
            while not elapsed:
                spin_unlock(anon_vma_lock)
                synchronize_rcu()
                if p.recheck:
                    locked = lock_mapped_huge_page()
                    if not locked:
                        return
                else:
                    spin_lock(anon_vma_lock)
                elapsed = grace_period_elapsed()
            if p.clear_at_split:
                WRITE_ONCE(timestamp, 0)  # page_clear_gp_cookie()
        split_refcount()
        spin_unlock(anon_vma_lock)

    @p.thread(instances=p.splitters, child=True)
    def split():
        split_huge_page()
        with atomic("done with the page"):
            refs[HEAD] -= 1
        put_page(HEAD)

    def unmap():
        spin_lock(anon_vma_lock)
        WRITE_ONCE(mapcount, 0)
        whole = READ_ONCE(flags[HEAD]) != 0
        refs[HEAD] -= 1
        spin_unlock(anon_vma_lock)
        if not whole:
            with atomic("unmap the tail"):
                refs[TAIL] -= 1
            put_page(TAIL)
        put_page(HEAD)

    @p.thread()
    def own_huge_page():
        alloc_huge_page()
        WRITE_ONCE(mapcount, 1)
        atomic_add(p.splitters, count[HEAD])  # get_page() for each who will split
        refs[HEAD] += p.splitters
        for n in range(p.splitters):
            spawn(split, n)
        unmap()

    @p.thread()
    def own_tail():
        alloc_page(TAIL)
        if p.set_cookie:
            WRITE_ONCE(timestamp, 1)  # page->mapping is the same word
            with atomic("use the mapping"):
                assert timestamp == 1, "mapping of the next owner cleared"
                WRITE_ONCE(timestamp, 0)
        refs[TAIL] -= 1
        put_page(TAIL)

    @p.at_end
    def no_page_is_lost():
        assert buddy[HEAD] == 1 and buddy[TAIL] == 1, "page leaked"
