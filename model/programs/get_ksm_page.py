"""KSM keeps the number of a page, and no reference on it: a keyhole reference.

Result: ok
Result: ok (rcu_asserted=on, stable_counts=on)
Result: violation (recheck=off): somebody else's page taken for the node's
Result: ok (first_look=off)
Result: ok (reader=off)
Result: violation (reader=off, stable_counts=on): count not stable
Result: violation (reader=off, rcu_asserted=on): VM_BUG_ON(!rcu_read_lock_held())

PAGE is a KSM page, whose mapping says of which node; its last user lets it go, which clears the
mapping, and somebody else is given it. KSM looks at the mapping, takes a reference unless the count
is 0, and looks at the mapping again.

This was right before the series, and patch 6 (rcu_asserted) finds it so: the reader covers both
looks and the put, and its comment says that it is there for the sake of the page count protocol; it
is needed for nothing else (reader=off, and the same with stable_counts). The second look is needed
(recheck=off); the first spares the reference only (first_look=off).

Sources, all of v3.1: get_ksm_page() (mm/ksm.c), free_pages_prepare() (mm/page_alloc.c). Left out:
the stable tree. In v6.14 the reference is tried again while the count is frozen.
"""

from model.language import *
from model.programs.kernel.pages import Kernel, page_counts

pages = names("PAGE", null="NONE")
PAGE, NONE = pages


@program(
    steps_max=200,
    lookups=Param(1, 3, default=1),
    rcu_asserted=Patch(6),
    stable_counts=Patch(9),
    reader=Switch(default=True),
    first_look=Switch(default=True),
    recheck=Switch(default=True),
)
def get_ksm_page(p):
    """KSM comes back to a page by its number while the last user lets it go."""
    p.rcu(grace_periods_max=1)
    kernel = Kernel(rcu_asserted=p.rcu_asserted, stable_counts=p.stable_counts)
    mm = page_counts(p, pages, kernel, init={PAGE: 1}, anon=[PAGE])
    buddy, refs, reused, mapping = mm.buddy, mm.refs, mm.reused, mm.mapping
    get_page_unless_zero, put_page = mm.get_page_unless_zero, mm.put_page
    own_page = mm.own_page

    def look_up():
        """True with a reference on the page of the node; false where it is stale."""
        if p.first_look:
            if READ_ONCE(mapping[PAGE]) == 0:
                return False
        if not get_page_unless_zero(PAGE):
            return False
        if p.recheck:
            if READ_ONCE(mapping[PAGE]) == 0:
                put_page(PAGE)
                return False
        return True

    @p.thread(instances=p.lookups)
    def ksmd():
        if p.reader:
            rcu_read_lock()
        found = look_up()
        refs[PAGE] += found and p.recheck
        if p.reader:
            rcu_read_unlock()
        if not found:
            assert refs[PAGE] == 0 or reused[PAGE] == 1, "a node is dropped whose page is in use"
        if found:
            with atomic("use the page"):
                assert buddy[PAGE] == 0, "page used after it was freed"
                assert reused[PAGE] == 0, "somebody else's page taken for the node's"
                refs[PAGE] -= p.recheck
            put_page(PAGE)

    @p.thread()
    def last_user():
        with atomic("use the page"):
            refs[PAGE] -= 1
        put_page(PAGE)

    @p.thread()
    def next_owner():
        own_page(PAGE)

    @p.at_end
    def no_page_is_lost():
        assert buddy[PAGE] == 1, "page leaked"
