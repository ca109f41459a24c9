"""A waiter and a waker each look before what they wrote is there for the other to see.

Result: ok
Result: ok (fixed=on)
Result: violation (reordered=on)

26fbe9772b8c "USB: core: Fix hang in usb_kill_urb by adding memory barriers" (5.17, CVE-2022-48760),
drivers/usb/core/: usb_kill_urb() in urb.c against __usb_hcd_giveback_urb() in hcd.c. Many have the
same shape (store buffering): a57de0b4336e sock poll (2.6.31), CVE-2023-52982 and CVE-2024-56755
fscache. One raises reject and looks at use_count, the other lowers use_count and looks at reject;
neither RMW is a barrier, so that both may miss what the other wrote, and nobody wakes the waiter.

Needs weak memory: clean under sequential consistency, with barriers and without; hangs under TSO
where RMWs do not drain the store buffer. Until there is a weaker memory model, reordered=on writes
out what a CPU may make of v5.16's giveback: it shows that the oracle, a deadlock, would see it.

Left out: what else giveback does, usb_hcd_unlink_urb(), more than one waiter.

Found within 5,000 schedules (reordered=on), smallest with 1 preemption:

    giveback  kill                             reject use_count queued asleep
    --------  ----                             ------ --------- ------ ------
                                                    0         1      0      0
    rejected = reject  -> 0
         <preempted>
              inc(reject)                           1
              use_count != 0
              spin_lock(wait_lock)
              queued = 1                                             1
              smp_store_mb(asleep, 1)                                       1
              spin_unlock(wait_lock)
              use_count != 0
    dec(use_count)                                            0
              <waits> wait_event(asleep == 0)  <-- no thread can go on
"""

from model.language import *


@program(steps_max=60, fixed=Switch(default=False), reordered=Switch(default=False))
def usb_kill_urb(p):
    """A waiter and a waker each look before what they wrote is there for the other to see."""
    reject = p.shared("reject", uint(1))
    use_count = p.shared("use_count", uint(1), init=1)
    wait_lock = p.spinlock("wait_lock")
    queued = p.shared("queued", boolean)
    asleep = p.shared("asleep", boolean)

    @p.thread()
    def kill():
        atomic_inc(reject)
        if p.fixed:
            smp_mb__after_atomic()
        if atomic_read(use_count) != 0:  # wait_event(), with the barrier of its own
            assert use_count != 0, "usb_kill_urb() sleeps, and the urb is not in use"
            assert reject != 0, "usb_kill_urb() sleeps before the urb is rejected"
            spin_lock(wait_lock)  # prepare_to_wait_event()
            WRITE_ONCE(queued, 1)
            assert wait_lock == 1, "wait queue changed without its lock"
            smp_store_mb(asleep, 1)  # set_current_state()
            spin_unlock(wait_lock)
            if atomic_read(use_count) != 0:
                wait_event(READ_ONCE(asleep) == 0)  # schedule()
        assert use_count == 0, "usb_kill_urb() returns while the urb is in use"
        atomic_dec(reject)

    @p.thread()
    def giveback():
        if p.reordered:
            rejected = atomic_read(reject)
            atomic_dec(use_count)
        else:
            atomic_dec(use_count)
            if p.fixed:
                smp_mb__after_atomic()
            rejected = atomic_read(reject)
        if rejected != 0:
            spin_lock(wait_lock)  # wake_up()
            assert wait_lock == 1, "lockdep_assert_held(&wq_head->lock)"
            if READ_ONCE(queued) != 0:
                WRITE_ONCE(asleep, 0)
            spin_unlock(wait_lock)
