"""The programs and the series that come with gracefuzz, by name."""

from __future__ import annotations

from collections.abc import Mapping

from model.language.declare import ProgramSource
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
from model.programs.races.compound_head import compound_head
from model.programs.races.do_swap_page import do_swap_page
from model.programs.races.ep_remove_mutex_unlock import ep_remove_mutex_unlock
from model.programs.races.find_get_pages import find_get_pages
from model.programs.races.folio_isolate_lru import folio_isolate_lru
from model.programs.races.free_pages_speculative import free_pages_speculative
from model.programs.races.get_page_tail import get_page_tail
from model.programs.races.get_state_synchronize_rcu_full import get_state_synchronize_rcu_full
from model.programs.races.gup_fast_collapse import gup_fast_collapse
from model.programs.races.ip_set_init_comment import ip_set_init_comment
from model.programs.races.lock_vma_under_rcu import lock_vma_under_rcu
from model.programs.races.mqueue_pipelined_send import mqueue_pipelined_send
from model.programs.races.page_uptodate import page_uptodate
from model.programs.races.prep_compound_gigantic_page import prep_compound_gigantic_page
from model.programs.races.radix_tree_shrink import radix_tree_shrink
from model.programs.races.smp_call_function_many import smp_call_function_many
from model.programs.races.try_get_compound_head import try_get_compound_head
from model.programs.races.usb_kill_urb import usb_kill_urb
from model.programs.races.vgic_put_irq import vgic_put_irq
from model.programs.remove_mapping import remove_mapping
from model.programs.thp_scenario import thp_scenario
from model.programs.thp_split import thp_split
from model.series import Series
from model.series.use_rcu_to_stabilize_page_counts import USE_RCU_TO_STABILIZE_PAGE_COUNTS

_SERIES = (
    thp_split,
    thp_scenario,
    find_get_page,
    remove_mapping,
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
    gp_cookie,
    compound_cookie,
    folio_split,
    get_ksm_page,
)

_RACES = (
    compound_head,
    do_swap_page,
    ep_remove_mutex_unlock,
    find_get_pages,
    folio_isolate_lru,
    free_pages_speculative,
    get_page_tail,
    get_state_synchronize_rcu_full,
    gup_fast_collapse,
    ip_set_init_comment,
    lock_vma_under_rcu,
    mqueue_pipelined_send,
    page_uptodate,
    prep_compound_gigantic_page,
    radix_tree_shrink,
    smp_call_function_many,
    try_get_compound_head,
    usb_kill_urb,
    vgic_put_irq,
)

PROGRAMS: Mapping[str, ProgramSource] = {source.name: source for source in (*_SERIES, *_RACES)}
"""The programs of the series "Use RCU to stabilize page counts", and real races."""

SERIES: Mapping[str, Series] = {
    series.name: series for series in (USE_RCU_TO_STABILIZE_PAGE_COUNTS,)
}
"""The series that come with gracefuzz."""
