"""A reader of a recycled VMA wakes the waiters of an mm that it keeps alive no longer.

Result: violation
Result: ok (fixed=on)

9bbffee67ffd "mm: fix a UAF when vma->mm is freed after vma->vm_refcnt got dropped" (6.17,
CVE-2025-38554, in since 6.15), include/linux/mmap_lock.h and mm/mmap_lock.c: lock_vma_under_rcu(),
vma_start_read(), vma_refcount_put() against vma_mark_detached(), __vma_enter_locked(). The VMA
comes from a cache that is SLAB_TYPESAFE_BY_RCU: it may belong to another mm by the time its
vm_refcnt is raised. Dropping that reference lets the other mm's munmap() finish and the mm go away
before rcuwait_wake_up() looks at it. The fix looks at vm_mm before anything else and holds a
foreign mm.

The reader wakes only a writer that waits (is_vma_writer_only()): the other munmap() must stand at
its wait before the reference is dropped. Left out: RCU (it keeps the memory a VMA, and nobody waits
for a grace period), mm_lock_seq, how a waiter sleeps, the maple tree; removal from MM1, life and
exit of MM2 are one thread.

Found within 50,000 schedules, smallest with 4 preemptions:

                                                              mm_mt
    lock_vma  munmap_and_reuse                                [MM2] vm_refcnt
    --------  ----------------                                ----- ---------
                                                                  0         1
    mm_mt[MM1] == 0
         <preempted>
              mm_mt[MM1] = 0
              refcount_dec_and_test(vm_refcnt)                              0
              vm_mm = MM2
              mm_mt[MM2] = 1                                      1
              set_release(vm_refcnt, 1)                                     1
              mm_mt[MM2] = 0                                      0
                   <preempted>
    refcount_inc_not_zero_acquire(vm_refcnt)                                2
    vm_mm != MM1
    mm = vm_mm  -> MM2
         <preempted>
              refcount_dec_and_test(vm_refcnt)                              1
              add_unless(vm_refcnt, VMA_LOCK_OFFSET, 0)                     5
              vma_writer_wait[mm] = 1
    left = dec_return_release(vm_refcnt)                                    4
         <preempted>
              wait_event(refcount_read(vm_refcnt) == VMA_LOCK_OFFSET)
              sub_and_test(VMA_LOCK_OFFSET, vm_refcnt)                      0
              dec_and_test(mm_count[mm])
    vma_writer_wait[mm] = 0  <-- KASAN: use of a freed struct mm_struct
"""

from model.language import *

mms = names("MM1", "MM2")
MM1, MM2 = mms

VMA_LOCK_OFFSET = 4


@program(steps_max=120, fixed=Switch(default=False))
def lock_vma_under_rcu(p):
    """A reader of a recycled VMA wakes the waiters of an mm that it keeps alive no longer."""
    mm_mt = p.array("mm_mt", mms, boolean, init={MM1: 1})  # the VMA is in the mm's maple tree
    vm_mm = p.shared("vm_mm", mms, init=MM1)
    vm_refcnt = p.shared("vm_refcnt", uint(3), init=1)
    vma_writer_wait = p.array("vma_writer_wait", mms, boolean)
    mm_count = p.array("mm_count", mms, uint(2), init=1)
    leaving = p.ghost("leaving", boolean)  # munmap() has begun

    def mmdrop(mm):
        atomic_dec_and_test(mm_count[mm])

    def vma_refcount_put():
        mm = READ_ONCE(vm_mm)
        left = atomic_dec_return_release(vm_refcnt)  # __refcount_dec_and_test()
        if left >= VMA_LOCK_OFFSET and left <= VMA_LOCK_OFFSET + 1:  # is_vma_writer_only()
            assert vm_refcnt >= VMA_LOCK_OFFSET, "a writer is woken, and none waits"
            WRITE_ONCE(vma_writer_wait[mm], 0)  # rcuwait_wake_up()
            assert mm_count[mm] != 0, "KASAN: use of a freed struct mm_struct"
        else:
            assert vm_refcnt != VMA_LOCK_OFFSET, "a writer waits, and is not woken"

    @p.thread()
    def lock_vma():
        if READ_ONCE(mm_mt[MM1]) == 0:  # mas_walk()
            assert leaving == 1, "a VMA is not locked that nobody unmaps"
            return
        if not refcount_inc_not_zero_acquire(vm_refcnt):  # vma_start_read()
            return
        if p.fixed:
            mm = READ_ONCE(vm_mm)
            if mm != MM1:
                assert leaving == 1, "a VMA is not locked that nobody unmaps"
                atomic_inc(mm_count[mm])  # mmgrab()
                assert mm_count[mm] > 1, "mmgrab() of a freed struct mm_struct"
                vma_refcount_put()
                mmdrop(mm)
                return
        elif READ_ONCE(vm_mm) != MM1:
            vma_refcount_put()  # vma_end_read()
            return
        with atomic("handle_mm_fault()"):
            assert vm_mm == MM1 and vm_refcnt != 0, "a page fault in a VMA of another mm"
        vma_refcount_put()

    def vma_mark_detached(mm):
        if refcount_dec_and_test(vm_refcnt):
            return
        if not atomic_add_unless(vm_refcnt, VMA_LOCK_OFFSET, 0):  # __vma_enter_locked()
            return
        WRITE_ONCE(vma_writer_wait[mm], 1)  # rcuwait_wait_event()
        wait_event(refcount_read(vm_refcnt) == VMA_LOCK_OFFSET)
        atomic_sub_and_test(VMA_LOCK_OFFSET, vm_refcnt)

    @p.thread()
    def munmap_and_reuse():
        WRITE_ONCE(mm_mt[MM1], 0)
        leaving = 1
        vma_mark_detached(MM1)
        WRITE_ONCE(vm_mm, MM2)  # vm_area_free(), vm_area_alloc(mm2)
        WRITE_ONCE(mm_mt[MM2], 1)
        atomic_set_release(vm_refcnt, 1)  # vma_mark_attached()
        WRITE_ONCE(mm_mt[MM2], 0)  # exit_mmap()
        vma_mark_detached(MM2)
        assert vm_refcnt == 0, "a VMA is freed that a reader holds"
        mmdrop(MM2)

    @p.at_end
    def nothing_is_leaked():
        assert mm_count[MM1] == 1 and mm_count[MM2] == 0, "an mm_struct is leaked"
