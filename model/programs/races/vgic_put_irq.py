"""The last reference to an LPI is dropped before the lock of its table is taken.

Result: violation
Result: ok (fixed=on)
Result: violation (deferred=on)
Result: ok (deferred=on, fixed=on)

cbfe2b24a1ea "KVM: arm64: vgic: Fix race between LPI release and re-registration" (7.2,
CVE-2026-74568), arch/arm64/kvm/vgic/: vgic_put_irq(), vgic_put_irq_norelease() and
vgic_release_deleted_lpis() in vgic.c against vgic_add_lpi() in vgic-its.c. The same shape in 2008:
4dee959723e2, ipt_CLUSTERIP. Between the last put and the lock of dist->lpi_xa the guest maps the
interrupt again. The direct release then erases the new entry. The deferred one, which is left to
whoever finds a dead entry in the table later, finds the new one only, and the old is never freed.

The fix drops the reference inside the lock (the fast path here is that of refcount_dec_and_lock()).
The deferred path cannot take the lock: there, who replaces a dead entry frees it, and the flag
pending_release goes, since the entry may go away as soon as its count is 0.

Left out: the readers of the xarray under RCU.

Found within 1,000 schedules, smallest with 1 preemption:

                                                            refcount refcount
    unmap      vgic_add_lpi                          lpi_xa    [OLD]    [NEW]
    -----      ------------                          ------    -----    -----
                                                        OLD        1        0
    refcount_dec_and_test(refcount[irq])                           0
         <preempted>
               spin_lock(xa_lock)
               irq = lpi_xa  -> OLD
               refcount_inc_not_zero(refcount[irq])
               refcount_set(refcount[NEW], 1)                               1
               lpi_xa = NEW                             NEW
               spin_unlock(xa_lock)
    spin_lock(xa_lock)
    __xa_erase(&dist->lpi_xa, irq->intid)
    <-- the table loses an LPI that is in use

Found within 1,000 schedules (deferred=on), smallest with 1 preemption:

                                                            refcount refcount
    unmap      vgic_add_lpi                          lpi_xa    [OLD]    [NEW]
    -----      ------------                          ------    -----    -----
                                                        OLD        1        0
    refcount_dec_and_test(refcount[irq])                           0
    pending_release[irq] = 1
         <preempted>
               spin_lock(xa_lock)
               irq = lpi_xa  -> OLD
               refcount_inc_not_zero(refcount[irq])
               refcount_set(refcount[NEW], 1)                               1
               lpi_xa = NEW                             NEW
               spin_unlock(xa_lock)
    spin_lock(xa_lock)
    irq = lpi_xa  -> NEW
    dead = pending_release[irq] == 1
    spin_unlock(xa_lock)  <-- an LPI is leaked
"""

from model.language import *

irqs = names("OLD", "NEW", null="NULL")
OLD, NEW, NULL = irqs


@program(steps_max=100, fixed=Switch(default=False), deferred=Switch(default=False))
def vgic_put_irq(p):
    """The last reference to an LPI is dropped before the lock of its table is taken."""
    lpi_xa = p.shared("lpi_xa", irqs, init=OLD)
    refcount = p.array("refcount", irqs, uint(2), init={OLD: 1})
    pending_release = p.array("pending_release", irqs, boolean)
    xa_lock = p.spinlock("xa_lock")
    freed = p.ghost_array("freed", irqs, boolean)
    held = p.ghost("held", boolean)  # vgic_add_lpi() has been given OLD

    def put_last_reference(irq):
        """True with the lock held, where this was the last reference."""
        if p.fixed:  # refcount_dec_and_lock_irqsave()
            if refcount_dec_not_one(refcount[irq]):
                return False
            spin_lock(xa_lock)
            if refcount_dec_and_test(refcount[irq]):
                return True
            spin_unlock(xa_lock)
            return False
        if not refcount_dec_and_test(refcount[irq]):
            return False
        spin_lock(xa_lock)
        return True

    def vgic_release_lpi_locked(irq):
        with atomic("__xa_erase(&dist->lpi_xa, irq->intid)"):
            assert lpi_xa == irq, "the table loses an LPI that is in use"
            assert freed[irq] == 0, "an LPI is freed twice"
            lpi_xa = NULL
            freed[irq] = 1

    def put_irq(irq):
        """vgic_put_irq()."""
        if put_last_reference(irq):
            vgic_release_lpi_locked(irq)
            spin_unlock(xa_lock)

    def put_irq_norelease(irq):
        """vgic_put_irq_norelease()."""
        if refcount_dec_and_test(refcount[irq]):
            if not p.fixed:
                WRITE_ONCE(pending_release[irq], 1)

    def vgic_release_deleted_lpis():
        spin_lock(xa_lock)
        irq = READ_ONCE(lpi_xa)  # xa_for_each()
        if irq != NULL:
            if p.fixed:
                dead = refcount_read(refcount[irq]) == 0
            else:
                dead = READ_ONCE(pending_release[irq]) == 1
            if dead:
                vgic_release_lpi_locked(irq)
        spin_unlock(xa_lock)

    @p.thread()
    def unmap():
        if p.deferred:
            put_irq_norelease(OLD)
            vgic_release_deleted_lpis()
        else:
            put_irq(OLD)

    @p.thread()
    def vgic_add_lpi():
        spin_lock(xa_lock)
        irq = READ_ONCE(lpi_xa)
        if irq == NULL or not refcount_inc_not_zero(refcount[irq]):
            refcount_set(refcount[NEW], 1)  # vgic_add_lpi()'s own
            WRITE_ONCE(lpi_xa, NEW)
            if p.fixed and irq != NULL:
                assert freed[irq] == 0, "an LPI is freed twice"
                freed[irq] = 1
        else:
            held = 1
        spin_unlock(xa_lock)

    @p.invariant
    def what_is_freed_has_no_reference():
        assert freed[OLD] == 0 or refcount[OLD] == 0, "an LPI is freed while it is referenced"

    @p.at_end
    def what_nobody_holds_is_freed():
        assert refcount[OLD] == held, "a reference to an LPI is left, or lacks"
        assert refcount[OLD] != 0 or freed[OLD] == 1, "an LPI is leaked"
