"""A sender reads the receiver's stack after it has told the receiver that it may go.

Result: violation
Result: ok (fixed=on)

a11ddb37bf36 "ipc/mqueue, msg, sem: avoid relying on a stack reference past its expiry" (5.13,
CVE-2021-47069), ipc/mqueue.c: __pipelined_op() in do_mq_timedsend() against wq_sleep() in
do_mq_timedreceive(). The same shape in futex requeue-PI (b549113738e8, 6.17, CVE-2025-39977) and in
smp_call_function_mask() (cc7a486cac78, 2008). STATE_READY lets a receiver whose sleep has just
timed out return without the lock; this->task is then read once more, from a stack that is somebody
else's. The fix keeps what was read before the store.

Left out: sleeping (the receiver's timeout is always about to expire), wake_up_q(), signals.

Found within 5,000 schedules, smallest with 2 preemptions:

    receive  do_mq_timedsend                   waiting       state task usage
    -------  ---------------                   -------       ----- ---- -----
                                                     0  STATE_NONE    0     1
    spin_lock(info_lock)
    message != 0
    task = 1                                                          1
    waiting = 1                                      1
    spin_unlock(info_lock)
         <preempted>
             spin_lock(info_lock)
             waiting != 0
             waiting = 0                             0
             task
             refcount_inc(usage)                                            2
             smp_store_release(state,                  STATE_READY
                 STATE_READY)
                  <preempted>
    state == STATE_READY
             task  <-- a stack is read that its owner has left
"""

from model.language import *

states = names("STATE_NONE", "STATE_READY")
STATE_NONE, STATE_READY = states


@program(steps_max=60, fixed=Switch(default=False))
def mqueue_pipelined_send(p):
    """A sender reads the receiver's stack after it has told the receiver that it may go."""
    info_lock = p.spinlock("info_lock")
    waiting = p.shared("waiting", boolean)  # the receiver's entry is on info->e_wait_q[RECV].list
    state = p.shared("state", states)  # ewp->state, on the receiver's stack
    task = p.shared("task", boolean)  # ewp->task, on the receiver's stack
    usage = p.shared("usage", uint(2), init=1)  # the task_struct's
    message = p.shared("message", boolean)
    on_stack = p.ghost("on_stack", boolean)
    received = p.ghost("received", boolean)

    @p.thread()
    def receive():
        spin_lock(info_lock)
        if READ_ONCE(message) != 0:
            spin_unlock(info_lock)
            assert message == 1, "a message is received that nobody sent"
            received = 1
            return
        WRITE_ONCE(task, 1)
        on_stack = 1
        WRITE_ONCE(waiting, 1)
        spin_unlock(info_lock)
        if READ_ONCE(state) == STATE_READY:
            smp_acquire__after_ctrl_dep()
            on_stack = 0
            received = 1
            return
        spin_lock(info_lock)
        if READ_ONCE(state) != STATE_READY:
            WRITE_ONCE(waiting, 0)
            assert message == 0, "a receiver times out beside a message"
        else:
            received = 1
        spin_unlock(info_lock)
        on_stack = 0

    def read_task():
        """this->task, on the receiver's stack."""
        READ_ONCE(task)
        assert on_stack == 1, "a stack is read that its owner has left"

    def pipelined_op():
        """__pipelined_op()."""
        WRITE_ONCE(waiting, 0)  # list_del(&this->list)
        read_task()
        refcount_inc(usage)  # get_task_struct()
        smp_store_release(state, STATE_READY)
        if not p.fixed:
            read_task()  # wake_q_add_safe(wake_q, this->task)

    @p.thread()
    def do_mq_timedsend():
        spin_lock(info_lock)
        if READ_ONCE(waiting) != 0:
            pipelined_op()
            spin_unlock(info_lock)
            refcount_dec_and_test(usage)
        else:
            WRITE_ONCE(message, 1)
            spin_unlock(info_lock)

    @p.at_end
    def nothing_is_lost():
        assert received == 1 or message == 1, "a message is lost"
        assert usage == 1, "a reference to the task_struct is left, or lacks"
