"""A page fault waits for a page that is being migrated.

Result: ok
Result: ok (reader=on, rcu_asserted=on)
Result: violation (rcu_asserted=on): VM_BUG_ON(!rcu_read_lock_held())
Result: ok (stable_counts=on)
Result: violation (pte_locked=off, stable_counts=on): count not stable
Result: violation (reader=on, pte_locked=off, stable_counts=on): count not stable
Result: violation (report_eagain=on): -EAGAIN: the page is referenced by those who wait for it
Result: ok (report_eagain=on, wait=queued)
Result: violation (wait=unreferenced): waiter queued on a free page

OLD is locked, unmapped and isolated, and its page table entry names it as migrating. The migrator
freezes OLD's count, puts NEW in its slot, maps NEW, and lets OLD go; somebody else is given OLD.
The fault takes a reference on OLD under the page table lock, and waits without the lock.

In our model patch 1 (reader) closes no race: under the page table lock the entry stands, and the
migrator holds OLD while it stands, so that the reference is no stale one and OLD is not freed
before it is put; patch 9 (stable_counts) is content without it. Only the assertion of patch 6
(rcu_asserted) asks for it. Without the lock (pte_locked=off) the reference is stale, and the reader
that patch 1 adds does not help, because it ends when the reference is taken.

`wait` is how the fault waits: with a `reference`, as in v3.1; `unreferenced`, as
do_huge_pmd_numa_page did until 3c226c637b69, so that it queues on a page that may be free; `queued`
under the lock, as since v6.14. report_eagain=on counts it as a violation that the waiter's
reference makes the migration fail, which is why v6.14 takes none.

Sources, of v3.1 unless said: migration_entry_wait(), unmap_and_move(), migrate_page_move_mapping(),
remove_migration_ptes() (mm/migrate.c); migration_entry_wait_on_locked() (mm/filemap.c, v6.14). Left
out: the ten attempts of migrate_pages(), and the fault's next attempt.
"""

from model.language import *
from model.programs.kernel.pages import Kernel, page_counts

pages = names("OLD", "NEW", null="NONE")
OLD, NEW, NONE = pages

ptes = names("PTE_MIGRATION", "PTE_PRESENT")
PTE_MIGRATION, PTE_PRESENT = ptes


@program(
    steps_max=200,
    faults=Param(1, 3, default=1),
    reader=Patch(1),
    rcu_asserted=Patch(6),
    stable_counts=Patch(9),
    wait=Option("reference", "unreferenced", "queued"),
    pte_locked=Switch(default=True),
    report_eagain=Switch(default=False),
)
def migration_entry_wait(p):
    """A fault takes a reference on a page that is being migrated, and waits for the end."""
    p.rcu(grace_periods_max=1)
    kernel = Kernel(rcu_asserted=p.rcu_asserted, stable_counts=p.stable_counts)
    mm = page_counts(p, pages, kernel, init={OLD: 2, NEW: 1})
    count, buddy, refs = mm.count, mm.buddy, mm.refs
    get_page, get_page_unless_zero, put_page = mm.get_page, mm.get_page_unless_zero, mm.put_page
    own_page, page_freeze_refs = mm.own_page, mm.page_freeze_refs
    slot = p.shared("slot", pages, init=OLD)
    pte = p.shared("pte", ptes, init=PTE_MIGRATION)
    locked = p.array("locked", pages, boolean, init={OLD: 1, NEW: 1})
    waiters = p.array("waiters", pages, boolean)
    page_table_lock = p.spinlock("page_table_lock")
    tree_lock = p.spinlock("tree_lock")

    def queue_on(page):
        """prepare_to_wait() on the page's queue, whose flag tells unlock_page() to wake."""
        with atomic("set_bit(PG_waiters, flags[page])"):
            assert buddy[page] == 0, "waiter queued on a free page"
            waiters[page] = 1

    @p.thread(instances=p.faults)
    def fault():
        if p.pte_locked:
            spin_lock(page_table_lock)
        entry = READ_ONCE(pte)
        if entry != PTE_MIGRATION:
            if p.pte_locked:
                spin_unlock(page_table_lock)
            assert pte != PTE_MIGRATION, "a fault returns to a migration entry"
            return
        if p.wait == "reference":
            if p.reader:
                rcu_read_lock()
            got = get_page_unless_zero(OLD)
            if p.pte_locked:
                refs[OLD] += got
            if p.reader:
                rcu_read_unlock()
        if p.wait == "queued":
            queue_on(OLD)
        if p.pte_locked:
            spin_unlock(page_table_lock)
        if p.wait == "reference":
            if not got:
                return
        if p.wait == "unreferenced":
            if READ_ONCE(locked[OLD]) == 0:
                return
            queue_on(OLD)
        wait_event(READ_ONCE(locked[OLD]) == 0)  # wait_on_page_locked()
        assert pte != PTE_MIGRATION, "a fault returns to a migration entry"
        if p.wait == "reference":
            if p.pte_locked:
                with atomic("done with the page"):
                    assert buddy[OLD] == 0, "page freed while a fault holds it"
                    refs[OLD] -= 1
            put_page(OLD)

    def move_mapping():
        """migrate_page_move_mapping(): false where somebody else holds OLD, for -EAGAIN."""
        spin_lock(tree_lock)
        if not page_freeze_refs(OLD, 2):
            if p.report_eagain:
                assert False, "-EAGAIN: the page is referenced by those who wait for it"
            spin_unlock(tree_lock)
            return False
        get_page(NEW)
        refs[NEW] += 1
        WRITE_ONCE(slot, NEW)  # radix_tree_replace_slot()
        refs[OLD] -= 1
        atomic_set(count[OLD], 2)  # page_unfreeze_refs()
        atomic_dec(count[OLD])  # __put_page()
        spin_unlock(tree_lock)
        return True

    @p.thread()
    def migrate():
        moved = move_mapping()
        spin_lock(page_table_lock)  # remove_migration_ptes()
        if moved:
            get_page(NEW)
            refs[NEW] += 1
        else:
            get_page(OLD)
            refs[OLD] += 1
        WRITE_ONCE(pte, PTE_PRESENT)
        spin_unlock(page_table_lock)
        WRITE_ONCE(locked[NEW], 0)
        refs[NEW] -= 1
        put_page(NEW)
        WRITE_ONCE(locked[OLD], 0)  # unlock_page(): wakes who waits
        refs[OLD] -= 1
        put_page(OLD)  # putback_lru_page()

    @p.thread()
    def next_owner():
        own_page(OLD)

    @p.at_end
    def no_page_is_lost():
        assert count[OLD] == refs[OLD] and count[NEW] == refs[NEW], "a reference is left, or lacks"
        assert slot == OLD or buddy[OLD] == 1, "page leaked"
        assert slot == NEW or buddy[NEW] == 1, "new page leaked"
