"""A radix tree node is cleared before the readers that may still be in it have left.

Result: violation
Result: ok (fixed=on)

643b52b9c0b4 "radix-tree: fix small lockless radix-tree bug" (2.6.26), lib/radix-tree.c:
radix_tree_shrink(), from radix_tree_delete(), against radix_tree_lookup(). A tree of one node whose
last other item goes away becomes that item alone. The node goes to the slab zeroed, as its
constructor demands, and was zeroed at once; a reader who has come into the node before finds
nothing for an item that was never removed. The fix zeroes it in the RCU callback.

Left out: heights above 1, tags, the lock of the writers, of whom there is one.

Found within 1,000 schedules, smallest with 1 preemption:

                                                                  slots slots
    radix_tree_lookup  radix_tree_delete                    rnode   [0]   [1]
    -----------------  -----------------                    -----   ---   ---
                                                             NODE  ITEM  ITEM
    rcu_read_lock()
    found = rnode
         <preempted>
                       slots[1] = NULL                                   NULL
                       child = slots[0]  -> ITEM
                       rnode = child                         ITEM
                       slots[0] = NULL                             NULL
                       call_rcu(radix_tree_node_rcu_free, 0)
    found = slots[0]  <-- an item is not found that was never removed
"""

from model.language import *

nodes = names("ITEM", "NODE", null="NULL")
ITEM, NODE, NULL = nodes


@program(steps_max=80, fixed=Switch(default=False))
def radix_tree_shrink(p):
    """A radix tree node is cleared before the readers that may still be in it have left."""
    p.rcu(grace_periods_max=1, callbacks=1)
    rnode = p.shared("rnode", nodes, init=NODE)
    slots = p.array("slots", 2, nodes, init=[ITEM, ITEM])
    freed = p.ghost("freed", boolean)

    @p.thread()
    def radix_tree_lookup():
        rcu_read_lock()
        found = rcu_dereference(rnode)
        if found == NODE:  # radix_tree_is_indirect_ptr()
            found = rcu_dereference(slots[0])
            assert freed == 0, "KASAN: use of a freed struct radix_tree_node"
            assert found == ITEM, "an item is not found that was never removed"
        rcu_read_unlock()

    def radix_tree_node_rcu_free(node):
        if p.fixed:
            WRITE_ONCE(slots[0], NULL)
        with atomic("kmem_cache_free(radix_tree_node_cachep, node)"):
            freed = 1

    @p.thread()
    def radix_tree_delete():
        WRITE_ONCE(slots[1], NULL)
        child = READ_ONCE(slots[0])  # radix_tree_shrink()
        WRITE_ONCE(rnode, child)
        if not p.fixed:
            WRITE_ONCE(slots[0], NULL)
        call_rcu(radix_tree_node_rcu_free, 0)
