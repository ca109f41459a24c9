"""A comment is handed to kfree_rcu() while new readers can still find it.

Result: violation
Result: ok (fixed=on)

3ca9982a8882 "netfilter: ipset: fix order of kfree_rcu() and rcu_assign_pointer()" (7.2,
CVE-2026-72435, in since 4.2), net/netfilter/ipset/ip_set_core.c: ip_set_init_comment() against
ip_set_put_comment(). A grace period waits for the readers that were there when it began; one that
comes later must not find the old comment any more. The fix unlinks first.

The smallest interleaving has the whole grace period, and the callback, before the reader begins: a
reader that begins while the grace period waits for others would do as well.

Left out: the lock of the writers, of whom there is one.

Found within 5,000 schedules, smallest with 1 preemption:

                                                                        freed
    init_comment  rcu_gp_kthread  rcu_callback  ip_set_put_comment      [OLD]
    ------------  --------------  ------------  ------------------      -----
                                                                            0
    old = comment  -> OLD
    call_rcu(kfree, old)
         <preempted>
                  a grace period starts
                  the grace period ends
                                  a callback is due
                                  kfree(c)                                  1
                                                rcu_read_lock()
                                                found = comment  -> OLD
                                                text[found]
                                          <-- KASAN: use of a freed comment
"""

from model.language import *

comments = names("OLD", "NEW", null="NULL")
OLD, NEW, NULL = comments


@program(steps_max=60, fixed=Switch(default=False))
def ip_set_init_comment(p):
    """A comment is handed to kfree_rcu() while new readers can still find it."""
    p.rcu(grace_periods_max=1, callbacks=1, argument=comments)
    comment = p.shared("comment", comments, init=OLD)
    text = p.array("text", comments, boolean, init={OLD: 1})
    freed = p.ghost_array("freed", comments, boolean)

    @p.thread()
    def ip_set_put_comment():
        rcu_read_lock()
        found = rcu_dereference(comment)
        if found != NULL:
            READ_ONCE(text[found])
            assert freed[found] == 0, "KASAN: use of a freed comment"
        else:
            assert comment == NULL, "a comment is not shown that is there"
        rcu_read_unlock()

    def kfree(old):
        with atomic("kfree(c)"):
            freed[old] = 1

    @p.thread()
    def init_comment():
        old = READ_ONCE(comment)
        if p.fixed:
            rcu_assign_pointer(comment, NULL)
            call_rcu(kfree, old)  # kfree_rcu()
        else:
            call_rcu(kfree, old)  # kfree_rcu()
            rcu_assign_pointer(comment, NULL)
        WRITE_ONCE(text[NEW], 1)
        rcu_assign_pointer(comment, NEW)
