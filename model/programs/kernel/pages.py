"""Page counts in v3.1: get_page(), get_page_unless_zero(), put_page(), the allocator, the split.

A program declares its pages with `page_counts()` and calls what it gets back. Sources, all of v3.1:
include/linux/mm.h (get_page_unless_zero(), get_page()), include/linux/pagemap.h
(page_cache_get_speculative()), mm/swap.c (put_page(), put_compound_page()), mm/page_alloc.c
(free_hot_cold_page(), free_compound_page(), free_pages_check(), check_new_page(), prep_new_page(),
prep_compound_page()), mm/huge_memory.c (__split_huge_page_refcount()).

`refs` is the ledger: the references that somebody really holds. While two pages are one huge page,
a pin of its tail counts at the head too, as in the kernel. A stale lookup's reference is nobody's.
`first_page` and `timestamp` belong to the one page that can be a tail. The names below that look
free are shared variables, which are declared in the functions named `_declare`, or before.
"""

from dataclasses import dataclass
from types import SimpleNamespace

from model.language import *

PG_head, PG_tail = 0, 1


@dataclass(frozen=True)
class Kernel:
    """Which kernel the pages live in: the patches of the series, and what else there was."""

    tail_to_head: bool = False
    """Patch 3."""
    rcu_asserted: bool = False
    """Patch 6."""
    clear_cookie: str = "before"
    """Patch 8: a huge page's cookie is cleared before it is freed; or `after`, or `never`."""
    stable_counts: bool = False
    """Patch 9: somebody counts on the count of a page a grace period after its allocation."""
    tail_pins: str = "count"
    """Where pins of a tail are kept: since 70b50f94 in its `mapcount`."""
    second_test: bool = True
    """PageTail is tested again once the head is read."""
    head_rechecked: bool = False
    """The reader of patch 3 looks once more whether it is the head, and puts it if not."""
    put_head_tests: bool = False
    """As in v3.14: a head that was taken in vain is freed as what it is by now."""
    free_check: bool = True
    """free_pages_check() is heard; otherwise it leaks in silence."""
    debug_vm: bool = False
    """VM_BUG_ON() is compiled in."""


def _declare_huge_page(p, pages, head, tail, *, allocated, cookie):
    """What only pages of a huge page have; the ghost `huge` says that they are one now."""
    *_, none = pages
    set_up = {head: 1 << PG_head, tail: 1 << PG_tail} if allocated else 0
    timestamp = [] if cookie is None else [p.shared("timestamp", cookie)]
    return [
        p.shared("tail_mapcount", uint(2)),
        p.array("flags", pages, uint(2), init=set_up),
        p.shared("first_page", pages, init=head if allocated else none),
        p.shared("mapcount", uint(1), init=int(allocated)),
        p.spinlock("compound_lock"),
        p.ghost("huge", boolean, init=int(allocated)),
        *timestamp,
    ]


def _declare_pages(p, pages, *, init, free, lru, anon, bits):
    """What every page has; the LRU list and mappings where some page has them."""
    variables = [
        p.array("count", pages, uint(bits), init=init),
        p.array("buddy", pages, boolean, init=dict.fromkeys(free, 1)),
        p.ghost_array("refs", pages, uint(bits), init=init),
        p.ghost_array("reused", pages, boolean),  # somebody else has been given the page since
    ]
    if lru:
        variables += [
            p.array("page_lru", pages, boolean, init=dict.fromkeys(lru, 1)),
            p.array("on_list", pages, boolean, init=dict.fromkeys(lru, 1)),
            p.spinlock("lru_lock"),
        ]
    if anon:
        variables += [p.array("mapping", pages, boolean, init=dict.fromkeys(anon, 1))]
    return variables


def page_counts(
    p,
    pages,
    kernel,
    *,
    init,
    free=(),
    lru=(),
    anon=(),
    huge=None,
    allocated=False,
    cookie=None,
    count_bits=3,
    again=False,
):
    """Declare the counts of `pages`, and give them with the functions that work on them.

    `init` are the counts, all of which are held, `free` the pages in the free lists, `lru` those on
    the LRU list, `anon` those that have a mapping until they are freed. `huge` are the head and the
    tail of the pages that can be a huge page, and are one from the start where `allocated`;
    `cookie` is the type of the grace period that it remembers. A count has `count_bits` bits; where
    the pages are a huge page `again` and again, a split resets what the next one begins with.
    """
    compound, cookies = huge is not None, cookie is not None
    lists, mappings = len(lru) > 0, len(anon) > 0
    mapcount_pins = compound and kernel.tail_pins == "mapcount"
    HEAD, TAIL = huge or (0, 0)
    *_, NONE = pages
    variables = _declare_pages(p, pages, init=init, free=free, lru=lru, anon=anon, bits=count_bits)
    if compound:
        variables += _declare_huge_page(p, pages, *huge, allocated=allocated, cookie=cookie)

    # -- getting -----------------------------------------------------------------------------------

    @primitive
    def __get_page_unless_zero(page):
        with atomic():
            return atomic_inc_not_zero(count[page])

    @primitive
    def get_page_unless_zero(page):
        with atomic():
            if kernel.rcu_asserted:
                assert rcu_read_lock_held(), "VM_BUG_ON(!rcu_read_lock_held())"
            return atomic_inc_not_zero(count[page])

    @primitive
    def page_cache_get_speculative(page):
        with atomic():
            if kernel.rcu_asserted:
                assert rcu_read_lock_held(), "VM_BUG_ON(!rcu_read_lock_held())"
            if compound and kernel.debug_vm:
                tail = flags[page] & (1 << PG_tail) != 0
                assert count[page] == 0 or not tail, "VM_BUG_ON(PageTail(page))"
            return atomic_inc_not_zero(count[page])

    @primitive
    def page_freeze_refs(page, expected):
        """Take `expected` references away where there are no others: nobody gets one now."""
        with atomic():
            return atomic_cmpxchg(count[page], expected, 0) == expected

    def get_page(page):
        """One more reference; the caller sees to it that there is one."""
        if not compound:
            atomic_inc(count[page])
            if kernel.debug_vm:
                assert count[page] > 1, "VM_BUG_ON(atomic_read(&page->_count) <= 0)"
        elif mapcount_pins:
            if test_bit(PG_tail, flags[page]):
                head = READ_ONCE(first_page)
                atomic_inc(count[head])
                atomic_inc(tail_mapcount)
            else:
                atomic_inc(count[page])
        else:
            atomic_inc(count[page])
            if test_bit(PG_tail, flags[page]):
                head = READ_ONCE(first_page)
                atomic_inc(count[head])

    # -- freeing -----------------------------------------------------------------------------------

    def free_hot_cold_page(page):
        """free_pages_check(), then the free lists, under zone->lock."""
        with atomic("free_hot_cold_page(page)"):
            assert refs[page] == 0, "page freed while referenced"
            assert buddy[page] == 0, "page freed twice"
            assert count[page] == 0, "page freed with a count"
            if compound:
                assert flags[page] == 0, "compound page freed as a single page"
            if lists:
                assert on_list[page] == 0, "page freed while on the LRU list"
            buddy[page] = 1

    def put_single_page(page):
        """__put_single_page(), __page_cache_release(), free_pages_prepare()."""
        if lists:
            if READ_ONCE(page_lru[page]):
                spin_lock(lru_lock)
                WRITE_ONCE(page_lru[page], 0)
                WRITE_ONCE(on_list[page], 0)  # del_page_from_lru()
                assert lru_lock == 1, "LRU list changed without lru_lock"
                spin_unlock(lru_lock)
        if mappings:
            WRITE_ONCE(mapping[page], 0)
        free_hot_cold_page(page)

    def free_compound_page():
        """__free_pages_ok(): both pages are checked, then freed together under zone->lock."""
        if cookies and kernel.clear_cookie == "before":
            WRITE_ONCE(timestamp, 0)  # page_clear_gp_cookie()
        if atomic_read(count[TAIL]) != 0:
            if kernel.free_check:
                assert False, "bad_page(): huge page freed while its tail has a count"
            return
        with atomic("__free_pages_ok(HEAD)"):
            assert refs[HEAD] == 0, "huge page freed while referenced"
            assert buddy[HEAD] == 0 and buddy[TAIL] == 0, "huge page freed twice"
            if cookies and kernel.clear_cookie != "after":
                assert timestamp == 0, "bad_page(): tail freed with a mapping"
            flags[HEAD] = 0
            flags[TAIL] = 0
            buddy[HEAD] = 1
            buddy[TAIL] = 1
        if cookies and kernel.clear_cookie == "after":
            WRITE_ONCE(timestamp, 0)  # page_clear_gp_cookie()

    def free_smaller_page(page):
        """__free_pages_ok() of HEAD as the head of a smaller compound page, without its tails."""
        with atomic("__free_pages_ok(page) of a smaller order"):
            assert refs[page] == 0, "page freed while referenced"
            assert buddy[page] == 0, "page freed twice"
            assert count[page] == 0, "page freed with a count"
            flags[page] = 0
            buddy[page] = 1

    # -- put_page(), put_compound_page() -----------------------------------------------------------

    def compound_head(page):
        """The head of a page; what it is, if the page is not pinned, nobody knows."""
        if test_bit(PG_tail, flags[page]):
            head = READ_ONCE(first_page)
            return head
        return page

    def compound_trans_head(page):
        """The same, which looks at PageTail again: the head, if there still was one."""
        if test_bit(PG_tail, flags[page]):
            head = READ_ONCE(first_page)
            smp_rmb()
            if kernel.second_test:
                if test_bit(PG_tail, flags[page]):
                    return head
                return page
            return head
        return page

    def get_head_of_tail(page):
        """The pinned head of a tail, or NONE: the split may have run, or run now.

        Patch 3 makes it a reader.
        """
        if kernel.tail_to_head:
            rcu_read_lock()
        head = READ_ONCE(first_page)
        smp_rmb()
        if kernel.second_test:
            if not test_bit(PG_tail, flags[page]):
                head = NONE
            elif not get_page_unless_zero(head):
                head = NONE
            elif kernel.head_rechecked:
                if not test_bit(PG_tail, flags[page]):
                    if atomic_dec_and_test(count[head]):
                        put_former_head(head)
                    head = NONE
        elif not get_page_unless_zero(head):
            head = NONE
        if kernel.tail_to_head:
            rcu_read_unlock()
        return head

    def drop_tail_pin(page):
        """The counter that a pin of a tail takes beside its head's."""
        if mapcount_pins:
            atomic_dec(tail_mapcount)
        else:
            atomic_dec(count[page])

    def put_former_head(page):
        """The last reference on what was the head when it was looked up."""
        if kernel.put_head_tests:
            if test_bit(PG_head, flags[page]):
                free_smaller_page(page)
                return
        put_single_page(page)

    @noinline
    def put_page(page):
        if compound:
            if READ_ONCE(flags[page]) != 0:  # PageCompound()
                if not test_bit(PG_tail, flags[page]):
                    if atomic_dec_and_test(count[page]):
                        if test_bit(PG_head, flags[page]):
                            free_compound_page()
                        else:
                            put_single_page(page)
                    return
                head = get_head_of_tail(page)
                if head != NONE:
                    if test_bit(PG_head, flags[head]):
                        smp_mb()
                        spin_lock(compound_lock)
                        if test_bit(PG_tail, flags[page]):
                            atomic_dec(count[head])
                            drop_tail_pin(page)
                            spin_unlock(compound_lock)
                            if atomic_dec_and_test(count[head]):
                                if test_bit(PG_head, flags[head]):
                                    free_compound_page()
                                else:
                                    put_single_page(head)
                            return
                        spin_unlock(compound_lock)
                    if atomic_dec_and_test(count[head]):  # out_put_head
                        put_former_head(head)
        if atomic_dec_and_test(count[page]):  # out_put_single
            put_single_page(page)

    # -- allocating --------------------------------------------------------------------------------

    def alloc_page(page):
        """alloc_page() that happens to get this page, once it is free."""
        with atomic("__rmqueue(): take the page"):
            wait_event(buddy[page] == 1, may_end_here=True)
            buddy[page] = 0
        if atomic_read(count[page]) != 0:  # check_new_page()
            assert False, "bad_page(): page allocated with a count"
        atomic_set(count[page], 1)  # set_page_refcounted()
        refs[page] = 1
        reused[page] = 1

    def alloc_huge_page():
        """alloc_pages() of HEAD and TAIL: prep_new_page(), prep_compound_page()."""
        with atomic("__rmqueue(): take HEAD and TAIL"):
            wait_event(buddy[HEAD] == 1 and buddy[TAIL] == 1, may_end_here=True)
            buddy[HEAD] = 0
            buddy[TAIL] = 0
        if atomic_read(count[HEAD]) != 0:  # check_new_page()
            assert False, "bad_page(): page allocated with a count"
        if atomic_read(count[TAIL]) != 0:
            assert False, "bad_page(): page allocated with a count"
        atomic_set(count[HEAD], 1)  # set_page_refcounted()
        refs[HEAD] = 1
        huge = 1
        set_bit(PG_head, flags[HEAD])  # __SetPageHead()
        set_bit(PG_tail, flags[TAIL])  # __SetPageTail(), before first_page
        WRITE_ONCE(first_page, HEAD)
        if cookies:
            taken = rcu_get_gp_cookie()  # page_get_gp_cookie()
            WRITE_ONCE(timestamp, taken)

    def own_page(page):
        """Whoever is given the page next, and counts on its count (stable_counts)."""
        alloc_page(page)
        if kernel.stable_counts:
            synchronize_rcu()
            with atomic("count on page_count(page)"):
                assert count[page] == refs[page], "count not stable"
        with atomic("use the page"):
            assert buddy[page] == 0, "page used after it was freed"
            refs[page] -= 1
        put_page(page)

    # -- splitting ---------------------------------------------------------------------------------

    def split_refcount():
        """__split_huge_page_refcount()."""
        spin_lock(compound_lock)
        if mapcount_pins:
            pins = READ_ONCE(tail_mapcount)
            mapped = READ_ONCE(mapcount)
            atomic_add(mapped + pins + 1, count[TAIL])
        else:
            pins = atomic_read(count[TAIL])
            atomic_sub(pins, count[HEAD])
            assert count[HEAD] > 0, "BUG_ON(page_count(head) <= 0)"
            mapped = READ_ONCE(mapcount)
            atomic_add(mapped + 1, count[TAIL])
        huge = 0
        refs[HEAD] -= refs[TAIL]
        refs[TAIL] += mapped + 1
        smp_mb()
        clear_bit(PG_tail, flags[TAIL])
        if cookies:
            assert timestamp == 0, "BUG_ON(page_tail->mapping)"
        smp_wmb()
        if mapcount_pins and again:
            WRITE_ONCE(tail_mapcount, 0)  # page_tail->_mapcount: from now on, mappings
        if mapcount_pins:
            atomic_sub(pins, count[HEAD])
            assert count[HEAD] > 0, "BUG_ON(page_count(head) <= 0)"
        clear_bit(PG_head, flags[HEAD])  # ClearPageCompound()
        assert compound_lock == 1, "huge page split without compound_lock"
        spin_unlock(compound_lock)
        refs[TAIL] -= 1
        put_page(TAIL)

    def split_and_free():
        """Whoever holds the huge page by its mapping and a pin of its head splits and unmaps it."""
        split_refcount()
        WRITE_ONCE(first_page, NONE)  # set_page_private() of the tail: the same word
        refs[HEAD] -= 1
        put_page(HEAD)  # the caller of split_huge_page()
        with atomic("unmap both pages"):
            refs[TAIL] -= 1
            refs[HEAD] -= 1
        put_page(TAIL)
        put_page(HEAD)

    functions = {name: value for name, value in locals().items() if callable(value)}
    return SimpleNamespace(**{variable.name: variable for variable in variables}, **functions)
