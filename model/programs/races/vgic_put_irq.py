"""The last reference to an LPI is dropped before the lock of its table is taken.

Result: violation
Result: ok (fixed=on)

cbfe2b24a1ea "KVM: arm64: vgic: Fix race between LPI release and re-registration" (7.2,
CVE-2026-74568), arch/arm64/kvm/vgic/: vgic_put_irq() and vgic_release_lpi_locked() in vgic.c
against vgic_add_lpi() in vgic-its.c. The same shape in 2008: 4dee959723e2, ipt_CLUSTERIP. Between
the last vgic_put_irq() and the lock of dist->lpi_xa the guest maps the interrupt again; the entry
that is erased then is the new one. The fix drops the reference inside the lock; the fast path here
is that of refcount_dec_and_lock().

Left out: the readers of the xarray under RCU, and the deferred release (vgic_put_irq_norelease()),
which the same commit mends in another way.

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
"""

from model.language import *

irqs = names("OLD", "NEW", null="NULL")
OLD, NEW, NULL = irqs


@program(steps_max=100, fixed=Switch(default=False))
def vgic_put_irq(p):
    """The last reference to an LPI is dropped before the lock of its table is taken."""
    lpi_xa = p.shared("lpi_xa", irqs, init=OLD)
    refcount = p.array("refcount", irqs, uint(2), init={OLD: 1})
    xa_lock = p.spinlock("xa_lock")

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

    def put_irq(irq):
        """vgic_put_irq()."""
        if put_last_reference(irq):
            with atomic("__xa_erase(&dist->lpi_xa, irq->intid)"):
                assert lpi_xa == irq, "the table loses an LPI that is in use"
                lpi_xa = NULL
            spin_unlock(xa_lock)

    @p.thread()
    def unmap():
        put_irq(OLD)

    @p.thread()
    def vgic_add_lpi():
        spin_lock(xa_lock)
        irq = READ_ONCE(lpi_xa)
        if irq == NULL or not refcount_inc_not_zero(refcount[irq]):
            irq = NEW
            refcount_set(refcount[NEW], 1)
            WRITE_ONCE(lpi_xa, NEW)
        spin_unlock(xa_lock)
