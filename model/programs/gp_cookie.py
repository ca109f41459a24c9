"""A cookie says whether a grace period has passed since it was taken.

Result: ok
Result: violation (cookies=on): page in use after a grace period
Result: ok (cookies=on, cookie=polled)
Result: ok (cookies=on, cookie=polled, readers=2, wrap=on)
Result: violation (cookies=on, cookie=polled, reader=off): page in use after a grace period
Result: violation (cookies=on, cookie=never): cookie never elapses

Readers may be using PAGE when it is taken out of its slot. Whoever took it out waits until none of
them is, as split_huge_page() of patch 9 does: without cookies by synchronize_rcu(), with them
(cookies, patch 7) by asking whether the cookie has elapsed, and if not, by synchronize_rcu() and
asking again.

Patch 7's cookie is a stand-in: it says that a grace period has passed, but for every 16th call. So
it is wrong at the first call already, which is what the patch says of itself: it tests the callers,
not the memory. `polled` is the real one, get_state_synchronize_rcu() and
poll_state_synchronize_rcu() since 3.15 and 5.13; it stays right where the sequence wraps around
(wrap=on). An implementation that always answers false (never) is wrong too: its callers wait for
ever.

Sources: rcu_get_gp_cookie(), rcu_gp_cookie_elapsed() of the series (include/linux/rcupdate.h);
rcu_seq_snap(), rcu_seq_done_exact() (kernel/rcu/rcu.h, v6.14). A wait for ever is a fourth attempt
here, though each attempt waits for a grace period.
"""

from model.language import *

pages = names("PAGE", null="NONE")
PAGE, NONE = pages


@program(
    steps_max=200,
    readers=Param(1, 3, default=1),
    cookies=Patch(7),
    cookie=Option("stand_in", "polled", "never"),
    reader=Switch(default=True),
    wrap=Switch(default=False),
)
def gp_cookie(p):
    """One waits for the readers of a page by means of a grace-period cookie."""
    rcu = p.rcu(grace_periods_max=1, gp_seq_init=-4 if p.wrap else 0)
    slot = p.shared("slot", pages, init=PAGE)
    if p.cookies and p.cookie == "stand_in":
        calls = p.shared("calls", uint(4, wrapping=True))
    using = p.ghost_array("using", p.readers, boolean)

    def get_gp_cookie():
        if p.cookie == "polled":
            return rcu_get_gp_cookie()
        none: rcu.cookie = 0
        return none

    def gp_cookie_elapsed(cookie):
        if p.cookie == "never":
            return False
        if p.cookie == "stand_in":
            call = atomic_inc_return(calls)
            return call != 0
        return rcu_gp_cookie_elapsed(cookie)

    @p.thread(instances=p.readers)
    def read():
        if p.reader:
            rcu_read_lock()
        page = rcu_dereference(slot)
        using[ME] = page == PAGE
        with atomic("use the page"):
            using[ME] = 0
        if p.reader:
            rcu_read_unlock()

    @p.thread()
    def take_out():
        rcu_assign_pointer(slot, NONE)
        if p.cookies:
            cookie = get_gp_cookie()
            elapsed = gp_cookie_elapsed(cookie)
            attempts: uint(2) = 0
            while not elapsed:
                synchronize_rcu()
                assert attempts < 3, "cookie never elapses"
                attempts += 1
                elapsed = gp_cookie_elapsed(cookie)
        else:
            synchronize_rcu()
        with atomic("nobody uses the page"):
            assert not any(using[n] for n in range(p.readers)), "page in use after a grace period"
