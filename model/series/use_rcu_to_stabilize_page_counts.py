"""The series "Use RCU to stabilize page counts", Michel Lespinasse, linux-mm, 19 August 2011.

A speculative reference may be taken on any page until a grace period has passed since the page was
allocated. Patches 1 to 6 see to it that whoever takes one is a reader, 7 and 8 have a huge page
remember when it was allocated, and with 9 a split waits until a grace period has passed since then.

Leaving a patch out leaves out what it changes in functions that were there before. What it adds is
there in any case: 8 would not compile without 7, nor 9 without 8.

Where a program asks whether counts are stable (`stable_counts`, patch 9), it is the next owner of
the page who counts on its count, as the split of patch 9 does.

What comes out, in our model of v3.1 under sequential consistency; tests hold to it:

- Patch 9, alone or with the others, does not close the race of `thp_split`. Of its 42 signatures
  it closes six, those where a lookup puts its stale reference after the split. For the others
  v3.1's own put is enough, since it lowers two counters where the get raised one.
- Where that put drops exactly what the get took (a kernel that never was), patch 9 closes all that
  is left, but for a lookup that is no reader, whom the assertion of patch 6 shows. A put that drops
  it in two accesses, counter first, is not enough: the header of `thp_split` says why.
- The first hunk of patch 2 opens a race, from there on to the end: get_page() under lru_lock takes
  a page whose last user waits for that lock. get_page_unless_zero() there would have closed what
  the patch is for. The second hunk is right.
- Leaving out 1, 4, 5 or the second hunk of 2 violates the assertion of patch 6, and nothing behind
  it: they close no race. Leaving out 2 or 3 leaves counts that are not stable behind it.
- Patch 3 is not enough for stable counts (`put_compound_page`, `ksm_split`), as their headers say.
- Nothing in the series helps against who comes by page number (`hwpoison`, `memory_hotplug`).
- Patch 7 is wrong on purpose, and 9 without 8 frees bad pages.
"""

from model.programs.compound_cookie import compound_cookie
from model.programs.deactivate_page import deactivate_page
from model.programs.find_get_page import find_get_page
from model.programs.folio_split import folio_split
from model.programs.get_ksm_page import get_ksm_page
from model.programs.gp_cookie import gp_cookie
from model.programs.hwpoison import hwpoison
from model.programs.isolate_lru_page import isolate_lru_page
from model.programs.ksm_split import ksm_split
from model.programs.kvm_adjust import kvm_adjust
from model.programs.memcg_move_parent import memcg_move_parent
from model.programs.memcg_present_pte import memcg_present_pte
from model.programs.memory_hotplug import memory_hotplug
from model.programs.migration_entry_wait import migration_entry_wait
from model.programs.put_compound_page import put_compound_page
from model.programs.remove_mapping import remove_mapping
from model.programs.thp_split import thp_split
from model.series.declare import Series, SeriesPatch, Variant

ON = "on"
ASSERTED = (
    thp_split,
    find_get_page,
    migration_entry_wait,
    memcg_move_parent,
    memcg_present_pte,
    put_compound_page,
    ksm_split,
    deactivate_page,
    kvm_adjust,
    isolate_lru_page,
    hwpoison,
    memory_hotplug,
    get_ksm_page,
)
COUNTED_ON = (
    find_get_page,
    migration_entry_wait,
    memcg_move_parent,
    memcg_present_pte,
    put_compound_page,
    ksm_split,
    deactivate_page,
    isolate_lru_page,
    hwpoison,
    folio_split,
    get_ksm_page,
)

USE_RCU_TO_STABILIZE_PAGE_COUNTS = Series(
    "use-rcu-to-stabilize-page-counts",
    "Use RCU to stabilize page counts",
    programs=(
        thp_split,
        # A put that drops exactly what the get took: what is left is the race of patch 9's text.
        Variant(thp_split, {"put": "raw_atomic", "free_check": "off"}),
        # The same where one lookup does not take part.
        Variant(thp_split, {"put": "raw_atomic", "free_check": "off", "lookup_rcu": "off"}),
        # What upstream did instead.
        Variant(thp_split, {"design": "70b50f94"}),
        find_get_page,
        Variant(find_get_page, {"remove": "truncate"}),
        remove_mapping,
        migration_entry_wait,
        memcg_move_parent,
        Variant(memcg_move_parent, {"unless_zero": ON}),
        memcg_present_pte,
        put_compound_page,
        Variant(put_compound_page, {"recheck": ON}),
        ksm_split,
        Variant(ksm_split, {"recheck": ON}),
        deactivate_page,
        kvm_adjust,
        isolate_lru_page,
        hwpoison,
        Variant(hwpoison, {"head": "retested", "recheck": ON}),
        memory_hotplug,
        gp_cookie,
        Variant(gp_cookie, {"cookie": "polled"}),
        compound_cookie,
        folio_split,
        get_ksm_page,
    ),
    patches=(
        SeriesPatch(
            1,
            "mm: rcu read lock for getting reference on pages in migration_entry_wait()",
            {migration_entry_wait: {"reader": ON}},
        ),
        SeriesPatch(
            2,
            "mm: avoid calling get_page_unless_zero() when charging cgroups",
            {memcg_move_parent: {"get_under_lock": ON}, memcg_present_pte: {"get_page": ON}},
        ),
        SeriesPatch(
            3,
            "mm: rcu read lock when getting from tail to head page",
            {
                source: {"tail_to_head": ON}
                for source in (thp_split, put_compound_page, ksm_split, kvm_adjust, memory_hotplug)
            },
        ),
        SeriesPatch(
            4, "mm: use get_page in deactivate_page()", {deactivate_page: {"get_page": ON}}
        ),
        SeriesPatch(
            5,
            "kvm: use get_page instead of get_page_unless_zero",
            {kvm_adjust: {"get_page": ON}},
        ),
        SeriesPatch(
            6,
            "mm: assert that get_page_unless_zero() callers hold the rcu lock",
            {source: {"rcu_asserted": ON} for source in ASSERTED},
            asserts="VM_BUG_ON(!rcu_read_lock_held())",
        ),
        SeriesPatch(
            7,
            "rcu: rcu_get_gp_cookie() / rcu_gp_cookie_elapsed() stand-ins",
            {gp_cookie: {"cookies": ON}},
        ),
        SeriesPatch(
            8,
            "mm: add API for setting a grace period cookie on compound pages",
            {compound_cookie: {"clear_at_free": ON}},
        ),
        SeriesPatch(
            9,
            "mm: make sure tail page counts are stable before splitting THP pages",
            {
                thp_split: {"gp_cookie": ON},
                compound_cookie: {"set_cookie": ON},
                **{source: {"stable_counts": ON} for source in COUNTED_ON},
            },
        ),
    ),
)
