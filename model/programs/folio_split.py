"""How a large folio is split today: its count is frozen, so that nobody can hold it meanwhile.

Result: ok
Result: ok (walk=on)
Result: ok (stable_counts=on)
Result: violation (stable_counts=on, walk=on): count not stable
Result: violation (freeze=off): lookup returned the page at index 0
Result: violation (recheck=off): lookup returned the page at index 0
Result: violation (unfreeze=first, walk=on): page freed while referenced
Result: ok (unfreeze=first)

HEAD and TAIL are one large folio of the page cache, at indices 0 and 1, and referenced by the cache
(twice) and by the one who splits it. A lookup of index 1 takes a reference on the folio that it
finds, and looks whether the entry is still there. The splitter freezes the count, and gives up
where anybody else holds a reference; then it makes TAIL a folio of its own, stores it at index 1,
and gives both their counts. Afterwards both are truncated, and somebody else is given TAIL. With
walk=on somebody comes to TAIL by its page number, and takes a reference on it unless its count is
0.

This is what upstream came to in the end, instead of waiting for a grace period (patch 9) and of
pins that are kept in _mapcount (70b50f94): all references are the head's, the tails' counts are 0,
and a split fails where a reference is not accounted for. Counts are stable a grace period after an
allocation (stable_counts) but for those who come by page number, which nobody counts on any more.
Three things are needed: the freeze, for which a look at the count is not enough (freeze=off); the
second look at the entry (recheck=off); and TAIL's compound_head is cleared before it has a count
(unfreeze=first), for one who comes by page number puts what compound_head says.

Sources, all of v6.14: __folio_split(), __split_unmapped_folio() and what was __split_huge_page()
(mm/huge_memory.c); filemap_get_entry(), folio_try_get() (mm/filemap.c, include/linux/page_ref.h);
truncate_inode_folio(), filemap_remove_folio() (mm/truncate.c, mm/filemap.c). Left out: mappings and
their migration entries, the locks of the folios, flags.
"""

from model.language import *
from model.programs.kernel.folios import folio_counts

pages = names("HEAD", "TAIL", null="NONE")
HEAD, TAIL, NONE = pages


@program(
    steps_max=200,
    lookups=Param(1, 3, default=1),
    stable_counts=Patch(9),
    walk=Switch(default=False),
    freeze=Switch(default=True),
    recheck=Switch(default=True),
    unfreeze=Option("last", "first"),
)
def folio_split(p):
    """A large folio of the page cache is split while it is looked up."""
    p.rcu(grace_periods_max=1)
    mm = folio_counts(p, pages, references=3, stable_counts=p.stable_counts)
    count, buddy, refs, reused = mm.count, mm.buddy, mm.refs, mm.reused
    compound_head, large = mm.compound_head, mm.large
    folio_try_get, page_folio, folio_put = mm.folio_try_get, mm.page_folio, mm.folio_put
    own_page, folio_ref_freeze = mm.own_page, mm.folio_ref_freeze
    entry = p.array("entry", 2, pages, init=HEAD)
    xa_lock = p.spinlock("xa_lock")

    @p.thread(instances=p.lookups)
    def filemap_get_entry():
        rcu_read_lock()
        folio = rcu_dereference(entry[1])
        while folio != NONE:
            if folio_try_get(folio):
                if not p.recheck:
                    break
                if READ_ONCE(entry[1]) == folio:  # xas_reload()
                    refs[folio] += 1
                    break
                assert entry[1] != folio, "a folio is put back that is still in its slot"
                folio_put(folio)
            folio = rcu_dereference(entry[1])
        rcu_read_unlock()
        if folio != NONE:
            with atomic("use the page at index 1"):
                assert reused[TAIL] == 0, "lookup returned a page of somebody else"
                assert folio == TAIL or large[HEAD] == 1, "lookup returned the page at index 0"
                assert buddy[TAIL] == 0, "found page used after it was freed"
                refs[folio] -= p.recheck
            folio_put(folio)

    if p.walk:

        @p.thread()
        def walk():
            if folio_try_get(TAIL):  # get_page_unless_zero()
                folio = page_folio(TAIL)
                folio_put(folio)  # put_page()

    def freeze_refs():
        """folio_ref_freeze(folio, 3), or a mere look at the count."""
        if p.freeze:
            return folio_ref_freeze(HEAD, 3)
        return atomic_read(count[HEAD]) == 3

    def split_tail():
        """__split_huge_page_tail()."""
        if p.unfreeze == "first":
            atomic_set_release(count[TAIL], 2)
        smp_wmb()
        WRITE_ONCE(compound_head[TAIL], NONE)  # clear_compound_head()
        if p.unfreeze == "last":
            atomic_set_release(count[TAIL], 2)  # page_ref_unfreeze()

    def split():
        """True where the folio is split; false is -EAGAIN."""
        spin_lock(xa_lock)
        frozen = freeze_refs()
        if not frozen:
            spin_unlock(xa_lock)
            return False
        split_tail()
        refs[HEAD] -= 1
        refs[TAIL] += 2
        WRITE_ONCE(entry[1], TAIL)
        WRITE_ONCE(large[HEAD], 0)  # ClearPageCompound()
        atomic_set_release(count[HEAD], 2)  # folio_ref_unfreeze()
        spin_unlock(xa_lock)
        with atomic("done with the tail"):
            refs[TAIL] -= 1
        folio_put(TAIL)
        return True

    @p.thread()
    def split_and_truncate():
        done = split()
        spin_lock(xa_lock)  # filemap_remove_folio()
        WRITE_ONCE(entry[0], NONE)
        WRITE_ONCE(entry[1], NONE)
        spin_unlock(xa_lock)
        if done:
            refs[TAIL] -= 1
            folio_put(TAIL)
        else:
            refs[HEAD] -= 1
            folio_put(HEAD)
        with atomic("drop the cache's reference"):
            refs[HEAD] -= 1
        folio_put(HEAD)
        with atomic("done with the folio"):
            refs[HEAD] -= 1
        folio_put(HEAD)

    @p.thread()
    def next_owner():
        own_page(TAIL)

    @p.at_end
    def no_page_is_lost():
        assert buddy[HEAD] == 1 and buddy[TAIL] == 1, "page leaked"
