"""Folios in v6.14: folio_try_get(), folio_put(), page_folio(): all references are the head's.

Sources, all of v6.14: include/linux/page_ref.h (folio_try_get(), folio_ref_freeze()),
include/linux/page-flags.h (page_folio(), compound_head()), mm/swap.c (__folio_put()), and what
kernel/pages.py names. The tails of a large folio have a count of 0. Their `compound_head` is one
word that says both whether the page is a tail and of which head (since 1d798ca3f164).
"""

from types import SimpleNamespace

from model.language import *
from model.programs.kernel.pages import Kernel, page_counts


def folio_counts(p, pages, *, references, stable_counts=False):
    """A large folio of the two pages, with references, and the functions that work on it."""
    HEAD, TAIL, NONE = pages
    kernel = Kernel(stable_counts=stable_counts)
    mm = page_counts(p, pages, kernel, init={HEAD: references})
    count, buddy, refs = mm.count, mm.buddy, mm.refs
    compound_head = p.array("compound_head", pages, pages, init={HEAD: NONE, TAIL: HEAD})
    large = p.array("large", pages, boolean, init={HEAD: 1})  # PG_head

    @primitive
    def folio_try_get(folio):
        with atomic():
            return atomic_inc_not_zero(count[folio])

    def page_folio(page):
        head = READ_ONCE(compound_head[page])
        if head == NONE:
            return page
        return head

    def free_folio(folio):
        """__folio_put(), free_unref_page(): all its pages are checked and freed together."""
        if READ_ONCE(large[folio]):
            with atomic("__free_pages_ok(HEAD)"):
                assert refs[HEAD] == 0 and refs[TAIL] == 0, "large folio freed while referenced"
                assert buddy[HEAD] == 0 and buddy[TAIL] == 0, "large folio freed twice"
                assert count[HEAD] == 0 and count[TAIL] == 0, "large folio freed with a count"
                compound_head[TAIL] = NONE
                large[HEAD] = 0
                buddy[HEAD] = 1
                buddy[TAIL] = 1
        else:
            mm.free_hot_cold_page(folio)

    @noinline
    def folio_put(folio):
        if atomic_dec_and_test(count[folio]):
            free_folio(folio)

    folios = {
        "compound_head": compound_head,
        "large": large,
        "folio_try_get": folio_try_get,
        "folio_ref_freeze": mm.page_freeze_refs,
        "page_folio": page_folio,
        "folio_put": folio_put,
    }
    return SimpleNamespace(**{**vars(mm), **folios})
