"""KVM maps a huge page for a guest: it lets the pinned tail go, and takes the head instead.

Result: ok
Result: ok (get_page=on)
Result: violation (rcu_asserted=on): VM_BUG_ON(!rcu_read_lock_held())
Result: violation (tail_to_head=on, rcu_asserted=on): VM_BUG_ON(!rcu_read_lock_held())
Result: ok (tail_to_head=on, get_page=on, rcu_asserted=on)
Result: violation (retry=off): BUG() in transparent_hugepage_adjust()
Result: violation (get_page=on, retry=off): huge page freed while referenced
Result: violation (mmu_locked=off): BUG() in transparent_hugepage_adjust()

HEAD and TAIL are a huge page that is mapped by the host. The guest faults on TAIL's address: KVM
pins TAIL by get_user_pages(), takes mmu_lock, asks whether an invalidation has come in between,
puts the tail and gets the head. The host unmaps the huge page, between the start and the end of an
invalidation.

Patch 5 (get_page) is right: while mmu_lock is held and mmu_notifier_retry() has found nothing, the
unmapping waits at its start, and its reference keeps HEAD's count above 0. Without the retry
(retry=off), or without the lock (mmu_locked=off), HEAD may be free between the put and the get:
v3.1 says BUG(), get_page() raises the count from 0. The assertion of patch 6 (rcu_asserted) needs
patch 3 too (tail_to_head), for the put of the tail.

Sources, all of v3.1: tdp_page_fault(), transparent_hugepage_adjust(), mmu_notifier_retry()
(arch/x86/kvm/mmu.c, include/linux/kvm_host.h); kvm_mmu_notifier_invalidate_range_start(), _end()
(virt/kvm/kvm_main.c); zap_huge_pmd() (mm/huge_memory.c). Left out: a split under the guest, which
begins with an invalidation as well, and the shadow page tables.
"""

from model.language import *
from model.programs.kernel.pages import Kernel, page_counts

pages = names("HEAD", "TAIL", null="NONE")
HEAD, TAIL, NONE = pages


@program(
    steps_max=200,
    tail_to_head=Patch(3),
    get_page=Patch(5),
    rcu_asserted=Patch(6),
    retry=Switch(default=True),
    mmu_locked=Switch(default=True),
)
def kvm_adjust(p):
    """KVM exchanges a pin of the tail for one of the head while the host unmaps the page."""
    p.rcu(grace_periods_max=0)
    kernel = Kernel(tail_to_head=p.tail_to_head, rcu_asserted=p.rcu_asserted)
    mm = page_counts(p, pages, kernel, init={HEAD: 1}, huge=(HEAD, TAIL), allocated=True)
    count, flags, buddy, refs = mm.count, mm.flags, mm.buddy, mm.refs
    get_page, get_page_unless_zero, put_page = mm.get_page, mm.get_page_unless_zero, mm.put_page
    pmd = p.shared("pmd", boolean, init=1)
    notifier_seq = p.shared("notifier_seq", uint(2))
    notifier_count = p.shared("notifier_count", uint(1))
    page_table_lock = p.spinlock("page_table_lock")
    mmu_lock = p.spinlock("mmu_lock")

    def pin_tail():
        """get_user_pages(): false where nothing is mapped any more."""
        spin_lock(page_table_lock)
        if READ_ONCE(pmd) == 0:
            assert pmd == 0, "a mapped page is not pinned"
            spin_unlock(page_table_lock)
            return False
        get_page(TAIL)
        refs[TAIL] += 1
        refs[HEAD] += 1
        spin_unlock(page_table_lock)
        return True

    def mmu_notifier_retry(seq):
        if READ_ONCE(notifier_count):
            assert notifier_count == 1, "a fault is repeated without an invalidation"
            return True
        smp_rmb()
        if READ_ONCE(notifier_seq) != seq:
            assert notifier_seq != seq, "a fault is repeated without an invalidation"
            return True
        return False

    def transparent_hugepage_adjust():
        """The page that is to be mapped: HEAD, with the reference that TAIL had."""
        if READ_ONCE(flags[TAIL]) == 0:  # !PageTransCompound()
            assert flags[TAIL] == 0, "a huge page is mapped as a single page"
            return TAIL
        with atomic("the pin of the tail is not needed any more"):
            refs[TAIL] -= 1
            refs[HEAD] -= 1
        put_page(TAIL)  # kvm_release_pfn_clean()
        if p.get_page:
            atomic_inc(count[HEAD])
        elif not get_page_unless_zero(HEAD):
            assert False, "BUG() in transparent_hugepage_adjust()"
        refs[HEAD] += 1
        return HEAD

    @p.thread()
    def tdp_page_fault():
        seq = READ_ONCE(notifier_seq)
        smp_rmb()
        pinned = pin_tail()
        if not pinned:
            return
        if p.mmu_locked:
            spin_lock(mmu_lock)
        page = TAIL
        if p.retry:
            stale = mmu_notifier_retry(seq)
            if not stale:
                page = transparent_hugepage_adjust()
        else:
            page = transparent_hugepage_adjust()
        if p.mmu_locked:
            spin_unlock(mmu_lock)
        with atomic("use the page"):
            assert buddy[page] == 0, "page used after it was freed"
            refs[HEAD] -= 1
            refs[TAIL] -= page == TAIL
        put_page(page)

    @p.thread()
    def unmap():
        spin_lock(mmu_lock)  # invalidate_range_start()
        WRITE_ONCE(notifier_count, 1)
        spin_unlock(mmu_lock)
        spin_lock(page_table_lock)  # zap_huge_pmd()
        WRITE_ONCE(pmd, 0)
        spin_unlock(page_table_lock)
        refs[HEAD] -= 1
        put_page(HEAD)
        spin_lock(mmu_lock)  # invalidate_range_end()
        WRITE_ONCE(notifier_seq, 1)
        WRITE_ONCE(notifier_count, 0)
        spin_unlock(mmu_lock)

    @p.at_end
    def no_page_is_lost():
        assert buddy[HEAD] == 1 and buddy[TAIL] == 1, "page leaked"
