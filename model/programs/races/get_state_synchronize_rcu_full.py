"""A grace-period cookie is taken from a counter that runs behind.

Result: violation
Result: violation (version=first)
Result: ok (version=85aad7cc4178)

85aad7cc4178 "rcu: Fix get_state_synchronize_rcu_full() GP-start detection" (6.15), kernel/rcu/:
get_state_synchronize_rcu_full() and poll_state_synchronize_rcu_full() in tree.c, rcu_seq_snap() and
rcu_seq_done_exact() in rcu.h, against rcu_gp_init() and rcu_gp_cleanup(). A grace period starts in
rcu_state.gp_seq, then looks which CPUs are online, then reaches the root's gp_seq. A CPU that comes
online in between is not waited for; a cookie that its reader precedes, taken from the root, sees no
grace period running and asks for the end of this one only.

The fix takes the cookie from rcu_state.gp_seq, and widens the guard band against wrapping from 2 *
RCU_SEQ_STATE_MASK + 1 to 3 * RCU_SEQ_STATE_MASK + 1. version=first is the patch as it was first
sent, without the latter: worse than what it mends, since a cookie taken in the same window then is
so far ahead of the root that the poll takes it for one from before a wrap, at once.

Nothing of this is the RCU of the language: here the steps of RCU itself are what is raced. Left
out: expedited grace periods, the tree (the root is the leaf), the locks of its nodes, the report of
a quiescent state (the grace period waits until the CPU reads nothing), wrapping.

Found within 500,000 schedules, smallest with 3 preemptions:

    gp_kthread  cpu1   updater        state_gp_seq root_gp_seq qsmaskinitnext
    ----------  ----   -------        ------------ ----------- --------------
                                                 0           0              0
    started = state_gp_seq + 1  -> 1
    state_gp_seq = started                       1
    online = qsmaskinitnext  -> 0
    qsmaskinit = online
    qsmask = online
         <preempted>
                qsmaskinitnext = 1                                          1
                nesting = 1
                     <preempted>
                       cookie = rcu_seq_snap(root_gp_seq)  -> 4
                            <preempted>
    root_gp_seq = started                                    1
    qsmask != 0
    root_gp_seq = ended                                      4
    state_gp_seq = ended                         4
    started = state_gp_seq + 1  -> 5
    state_gp_seq = started                       5
    online = qsmaskinitnext  -> 1
    qsmaskinit = online
    qsmask = online
    root_gp_seq = started                                    5
    qsmask != 0
                       seq = root_gp_seq
                       <-- a grace period has passed, and a reader from
                           before it is still there

Counted in steps alone the poll comes at the end of the first grace period; with the fewest
preemptions the grace-period thread goes on until it has to wait for the reader.

Found within 1,000 schedules (version=first), smallest with 2 preemptions:

    gp_kthread  cpu1   updater            state_gp_seq qsmaskinitnext nesting
    ----------  ----   -------            ------------ -------------- -------
                                                     0              0       0
    started = state_gp_seq + 1  -> 1
    state_gp_seq = started                           1
         <preempted>
                qsmaskinitnext = 1                                  1
                nesting = 1                                                 1
                     <preempted>
                       cookie = rcu_seq_snap(state_gp_seq)  -> 8
                       seq = root_gp_seq
                       <-- a grace period has passed, and a reader from
                           before it is still there
"""

from model.language import *

RCU_SEQ_STATE_MASK = 3


@program(steps_max=120, version=Option("v6.14", "first", "85aad7cc4178"))
def get_state_synchronize_rcu_full(p):
    """A grace-period cookie is taken from a counter that runs behind."""
    state_gp_seq = p.shared("state_gp_seq", uint(5))  # rcu_state.gp_seq
    root_gp_seq = p.shared("root_gp_seq", uint(5))  # rcu_get_root()->gp_seq
    qsmaskinitnext = p.shared("qsmaskinitnext", boolean)
    qsmaskinit = p.shared("qsmaskinit", boolean)
    qsmask = p.shared("qsmask", boolean)
    nesting = p.shared("nesting", boolean)
    older = p.ghost("older", boolean)  # a reader that began before the cookie is still there

    guard = (3 if p.version == "85aad7cc4178" else 2) * RCU_SEQ_STATE_MASK + 1

    def rcu_seq_snap(seq):
        return (seq + 2 * RCU_SEQ_STATE_MASK + 1) & ~RCU_SEQ_STATE_MASK

    def rcu_gp_init():
        started = READ_ONCE(state_gp_seq) + 1
        WRITE_ONCE(state_gp_seq, started)  # rcu_seq_start()
        online = READ_ONCE(qsmaskinitnext)
        WRITE_ONCE(qsmaskinit, online)
        WRITE_ONCE(qsmask, online)
        WRITE_ONCE(root_gp_seq, started)
        return started

    @p.thread()
    def gp_kthread():
        for grace_period in range(2):
            started = rcu_gp_init()
            if READ_ONCE(qsmask) != 0:
                wait_event(READ_ONCE(nesting) == 0)  # rcu_gp_fqs_loop()
                WRITE_ONCE(qsmask, 0)
            ended = (started | RCU_SEQ_STATE_MASK) + 1  # rcu_gp_cleanup()
            WRITE_ONCE(root_gp_seq, ended)
            WRITE_ONCE(state_gp_seq, ended)

    @p.thread()
    def cpu1():
        WRITE_ONCE(qsmaskinitnext, 1)  # rcutree_report_cpu_starting()
        WRITE_ONCE(nesting, 1)  # rcu_read_lock()
        WRITE_ONCE(nesting, 0)  # rcu_read_unlock()
        older = 0

    @p.thread()
    def updater():
        if p.version == "v6.14":
            cookie = rcu_seq_snap(READ_ONCE(root_gp_seq))
        else:
            cookie = rcu_seq_snap(READ_ONCE(state_gp_seq))
        older = nesting
        seq = READ_ONCE(root_gp_seq)  # poll_state_synchronize_rcu_full()
        assert not (seq >= cookie or seq + guard < cookie) or older == 0, (
            "a grace period has passed, and a reader from before it is still there"
        )
