"""A CPU still walks a call that another one already fills anew.

Result: violation
Result: ok (fixed=on)

6dc19899958e "kernel/smp.c: fix smp_call_function_many() SMP race" (2.6.38), kernel/smp.c:
smp_call_function_many() against generic_smp_call_function_interrupt(). The queue is walked without
its lock; a CPU that has found the call of another one still on it, looks at cpumask when that call
is over and cpumask has been filled for the next, but refs has not. It lowers refs below 0. The fix
looks at refs before it clears its bit, and publishes refs last.

The order of cpumask and refs matters to weak memory too; this is the half that needs none. Left
out: func and info, more than one call in the queue; an IPI for the call of another CPU is why cpu2
walks the queue at first.

Found within 10,000,000 schedules, smallest with 2 preemptions:

                                                                          ipi
    cpu0   cpu2   cpu1                         locked cpumask refs queued [0]
    ----   ----   ----                         ------ ------- ---- ------ ---
                                                    0       0    0      0   0
    spin_until(locked == 0)
    locked = 1                                      1
    cpumask = mask                                          1
    refs = weight                                                1
    spin_lock(queue_lock)
    queued = 1                                                          1
    spin_unlock(queue_lock)
    ipi[CPU1] = 1                                                           1
           queued == 0
                <preempted>
                  wait_event(ipi[CPU1] == 1)
                  queued == 0
                  test_and_clear_bit(cpu,                   0
                      cpumask)
                  left = dec_return(refs)                        0
                  spin_lock(queue_lock)
                  queued = 0                                            0
                  spin_unlock(queue_lock)
                  locked = 0                        0
    spin_until(locked == 0)
    locked = 1                                      1
    cpumask = mask                                          2
         <preempted>
           test_and_clear_bit(cpu, cpumask)                 0
           left = dec_return(refs)                               3
           <-- WARN_ON(refs < 0)
"""

from model.language import *

CPU1, CPU2 = 0, 1
MINUS_ONE = 3


@program(steps_max=120, fixed=Switch(default=False))
def smp_call_function_many(p):
    """A CPU still walks a call that another one already fills anew."""
    locked = p.shared("locked", boolean)
    cpumask = p.shared("cpumask", uint(2))
    refs = p.shared("refs", uint(2, wrapping=True))
    queued = p.shared("queued", boolean)
    queue_lock = p.spinlock("queue_lock")
    ipi = p.array("ipi", 2, boolean)

    def call(mask, weight):
        """smp_call_function_many() for CPUs of its own cfd_data."""
        spin_until(READ_ONCE(locked) == 0)  # csd_lock()
        WRITE_ONCE(locked, 1)
        WRITE_ONCE(cpumask, mask)
        if p.fixed:
            smp_wmb()
        atomic_set(refs, weight)
        spin_lock(queue_lock)
        WRITE_ONCE(queued, 1)
        assert queue_lock == 1, "call_function.queue changed without its lock"
        spin_unlock(queue_lock)
        if mask & (1 << CPU1):
            WRITE_ONCE(ipi[CPU1], 1)
        if mask & (1 << CPU2):
            WRITE_ONCE(ipi[CPU2], 1)

    def walk(cpu):
        """generic_smp_call_function_interrupt()."""
        if READ_ONCE(queued) == 0:
            return
        if p.fixed:
            if not test_bit(cpu, cpumask):
                return
            smp_rmb()
            if atomic_read(refs) == 0:
                return
        if not test_and_clear_bit(cpu, cpumask):
            return
        left = atomic_dec_return(refs)
        assert left != MINUS_ONE, "WARN_ON(refs < 0)"
        if left == 0:
            spin_lock(queue_lock)
            WRITE_ONCE(queued, 0)
            assert queue_lock == 1, "call_function.queue changed without its lock"
            spin_unlock(queue_lock)
            WRITE_ONCE(locked, 0)

    @p.thread()
    def cpu0():
        call(1 << CPU1, 1)
        call(1 << CPU2, 1)

    @p.thread()
    def cpu1():
        wait_event(READ_ONCE(ipi[CPU1]) == 1)
        walk(CPU1)

    @p.thread()
    def cpu2():
        walk(CPU2)
        wait_event(READ_ONCE(ipi[CPU2]) == 1)
        walk(CPU2)

    @p.at_end
    def every_call_was_made():
        assert cpumask == 0 and refs == 0 and locked == 0, "a call was not made"
