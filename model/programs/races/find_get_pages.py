"""A lookup waits for a slot to change that nobody will ever write again.

Result: violation
Result: ok (fixed=on)

27d20fddc8af "radix-tree: fix RCU bug" (2.6.37), mm/filemap.c: find_get_pages() with
radix_tree_deref_slot() (include/linux/radix-tree.h), against radix_tree_shrink() in
lib/radix-tree.c and removal from the page cache. The lookup has taken a slot of a node; the tree
shrinks, its last item moves to the root, and the node stays as it is until all readers have left.
The page is then removed from the root, with its count frozen at 0: the lookup finds it in the old
slot, cannot get it, and looks again, for ever. Nor can the node go away, since the lookup is a
reader. The fix marks the slot of the node, and a lookup that finds the mark begins at the root.

The lookup's loop is a wait for what would end it, so that going round for ever is a deadlock. Left
out: heights above 1, the other pages of the batch, the lock of the tree.

Found within 2,000 schedules, smallest with 1 preemption:

                                                                  slots
    lookup          remove_both      rcu_gp_kthread         rnode   [1] count
    ------          -----------      --------------         -----   --- -----
                                                             NODE  PAGE     1
    rcu_read_lock()
    slot = rnode  -> NODE
    found = slots[0]
         <preempted>
                    slots[1] = NULL                                NULL
                    rnode = PAGE                             PAGE
                    call_rcu(radix_tree_node_rcu_free, 0)
                    cmpxchg(count, 1, 0) == 1                               0
                    rnode = NULL                             NULL
                                     a grace period starts
    inc_not_zero(count)
    <waits> look again, until the slot or the count changes
    <-- no thread can go on
"""

from model.language import *

nodes = names("PAGE", "NODE", "RETRY", null="NULL")
PAGE, NODE, RETRY, NULL = nodes


@program(steps_max=100, fixed=Switch(default=False))
def find_get_pages(p):
    """A lookup waits for a slot to change that nobody will ever write again."""
    p.rcu(grace_periods_max=0, callbacks=1)
    rnode = p.shared("rnode", nodes, init=NODE)
    slots = p.array("slots", 2, nodes, init=[PAGE, PAGE])
    count = p.shared("count", uint(2), init=1)
    freed = p.ghost("freed", boolean)

    def radix_tree_deref_slot(slot):
        """What the slot holds: the root itself, or the node's."""
        if slot == NODE:
            found = rcu_dereference(slots[0])
            assert freed == 0, "KASAN: use of a freed struct radix_tree_node"
            return found
        return rcu_dereference(rnode)

    def look_again(slot, page):
        """page_cache_get_speculative() has failed; it will until the slot or the count changes."""
        with atomic("look again, until the slot or the count changes"):
            spin_until(count != 0 or (slots[0] if slot == NODE else rnode) != page)

    def get_page_of_tree():
        """One page of find_get_pages(), with a reference, or none."""
        slot = rcu_dereference(rnode)  # radix_tree_gang_lookup_slot()
        while slot != NULL:
            page = radix_tree_deref_slot(slot)
            if page == NULL:
                return NULL
            if page == RETRY:  # radix_tree_deref_retry()
                assert slots[0] == RETRY, "a lookup begins anew where no mark says so"
                slot = rcu_dereference(rnode)
            elif not atomic_inc_not_zero(count):
                look_again(slot, page)
            else:
                assert page == PAGE, "a reference is taken on what is no page"
                assert count > 1, "a reference is taken on a page that is frozen"
                now = radix_tree_deref_slot(slot)
                if now == page:
                    return page
                assert now != page, "a page is put back that is still in its slot"
                atomic_dec(count)
        return NULL

    @p.thread()
    def lookup():
        rcu_read_lock()
        page = get_page_of_tree()
        rcu_read_unlock()
        if page != NULL:
            atomic_dec(count)
        else:
            assert rnode == NULL, "a page is not found that is in the tree"

    def radix_tree_node_rcu_free(node):
        with atomic("kmem_cache_free(radix_tree_node_cachep, node)"):
            freed = 1

    @p.thread()
    def remove_both():
        WRITE_ONCE(slots[1], NULL)  # radix_tree_delete()
        WRITE_ONCE(rnode, PAGE)  # radix_tree_shrink()
        if p.fixed:
            WRITE_ONCE(slots[0], RETRY)
        call_rcu(radix_tree_node_rcu_free, 0)
        if atomic_cmpxchg(count, 1, 0) == 1:  # page_freeze_refs()
            WRITE_ONCE(rnode, NULL)  # radix_tree_delete()

    @p.at_end
    def no_reference_is_left():
        assert count == (rnode != NULL), "a reference is left, or lacks"
