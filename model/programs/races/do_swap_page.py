"""Two swap-ins that bypass the swap cache: one maps what the other has replaced.

Result: violation
Result: ok (fixed=on)

13ddaf26be32 "mm/swap: fix race when skipping swapcache" (6.8, CVE-2024-26759), mm/memory.c:
do_swap_page() for a device with SWP_SYNCHRONOUS_IO, against another fault on the same entry and
shrink_folio_list() in mm/vmscan.c. Both faults read the entry; one maps its page, user space stores
into it, and reclaim swaps it out again, into the same entry: pte_same() then compares equal, and
the other fault maps the page that lacks the store. The fix takes SWAP_HAS_CACHE by
swapcache_prepare() before it reads, which keeps the entry from being used again.

Left out: the folio lock, the cluster lock (swap_map is changed by one access each), the way through
the swap cache (a fault that finds the folio there is taken up later), a fault that is repeated.

Found within 50,000 schedules, smallest with 1 preemption:

                                                                      content
    fault#1  fault#2  shrink_folio_list       pte swap_map swap_cache [PAGE1]
    -------  -------  -----------------       --- -------- ---------- -------
                                               S1        1       NONE       0
    pte == S1
    swap_cache != NONE
    swap_map & COUNT == 0
    read = content[S1]  -> 0
    content[page] = read
         <preempted>
             pte == S1
             swap_cache != NONE
             swap_map & COUNT == 0
             read = content[S1]  -> 0
             content[page] = read
             spin_lock(ptl)
             pte == S1
             and(SWAP_HAS_CACHE, swap_map)               0
             pte = page                     PAGE1
             spin_unlock(ptl)
             user space stores, where the                                   2
                 page is there
                      page = pte  -> PAGE1
                      cmpxchg(swap_map,                  2
                          FREE,
                          SWAP_HAS_CACHE)
                          != FREE
                      swap_cache = page                         PAGE1
                      spin_lock(ptl)
                      or(COUNT, swap_map)                3
                      pte = S1                 S1
                      spin_unlock(ptl)
                      written = content[page]  -> 2
                      content[S1] = written
                      swap_cache = NONE                          NONE
                      and(COUNT, swap_map)               1
    spin_lock(ptl)
    pte == S1
    and(SWAP_HAS_CACHE, swap_map)                        0
    pte = page                              PAGE0
    <-- a page is mapped that lacks what was stored
"""

from model.language import *

places = names("PAGE0", "PAGE1", "S1", null="NONE")
PAGE0, PAGE1, S1, NONE = places

FREE, COUNT, SWAP_HAS_CACHE = 0, 1, 2


@program(steps_max=250, fixed=Switch(default=False))
def do_swap_page(p):
    """Two swap-ins that bypass the swap cache: one maps what the other has replaced."""
    pte = p.shared("pte", places, init=S1)
    swap_map = p.shared("swap_map", uint(2), init=COUNT)
    swap_cache = p.shared("swap_cache", places, init=NONE)
    content = p.array("content", places, uint(2))
    ptl = p.spinlock("ptl")
    stored = p.ghost("stored", uint(2))  # what user space has stored
    swapped_out = p.ghost("swapped_out", boolean)

    def swap_in(page):
        """do_swap_page() where SWP_SYNCHRONOUS_IO lets it bypass the swap cache."""
        if READ_ONCE(swap_cache) != NONE:  # swap_cache_get_folio()
            return
        if READ_ONCE(swap_map) & COUNT == 0:  # __swap_count(entry) == 1
            return
        if p.fixed:
            if cmpxchg(swap_map, COUNT, COUNT | SWAP_HAS_CACHE) != COUNT:  # swapcache_prepare()
                return
        read = READ_ONCE(content[S1])  # swap_read_folio()
        WRITE_ONCE(content[page], read)
        spin_lock(ptl)
        if READ_ONCE(pte) == S1:  # pte_same()
            atomic_and(SWAP_HAS_CACHE, swap_map)  # swap_free()
            WRITE_ONCE(pte, page)
            assert content[page] == stored, "a page is mapped that lacks what was stored"
        spin_unlock(ptl)
        if p.fixed:
            atomic_and(COUNT, swap_map)  # swapcache_clear()

    @p.thread(instances=2)
    def fault():
        page = PAGE0 if ME == 0 else PAGE1
        if READ_ONCE(pte) == S1:
            swap_in(page)
        with atomic("user space stores, where the page is there"):
            at = pte
            if at != S1:
                content[at] |= ME + 1
                stored |= ME + 1

    @p.thread()
    def shrink_folio_list():
        page = READ_ONCE(pte)
        if page == S1:
            assert pte == S1, "a mapped page is not swapped out"
            return
        if cmpxchg(swap_map, FREE, SWAP_HAS_CACHE) != FREE:  # folio_alloc_swap()
            return
        WRITE_ONCE(swap_cache, page)
        spin_lock(ptl)  # try_to_unmap_one()
        atomic_or(COUNT, swap_map)  # swap_duplicate()
        WRITE_ONCE(pte, S1)
        swapped_out = 1
        spin_unlock(ptl)
        written = READ_ONCE(content[page])  # pageout()
        WRITE_ONCE(content[S1], written)
        WRITE_ONCE(swap_cache, NONE)  # __remove_mapping()
        atomic_and(COUNT, swap_map)

    @p.at_end
    def what_was_stored_is_there():
        assert pte != S1 or swapped_out == 1, "nobody maps what two fault on"
        assert content[pte] == stored, "what user space has stored is lost"
        assert swap_map == (COUNT if pte == S1 else FREE), "a swap entry is leaked, or lost"
