"""The lookup of the page cache in v5.x: find_get_entry() of mm/filemap.c."""

from model.language import *


def page_cache_lookup(pages, slot, count, put_page):
    """Give the thread that looks up `slot` by find_get_entry(), and drops what it found.

    The last of `pages` is none; `count` holds their counts.
    """
    *_, NONE = pages

    def find_get_entry():
        rcu_read_lock()
        page = rcu_dereference(slot)  # xas_load()
        while page != NONE:
            if atomic_inc_not_zero(count[page]):  # page_cache_get_speculative()
                if READ_ONCE(slot) == page:  # xas_reload()
                    break
                assert slot != page, "a page is put back that is still in its slot"
                put_page(page)
            page = rcu_dereference(slot)
        rcu_read_unlock()
        if page != NONE:
            put_page(page)

    return find_get_entry
