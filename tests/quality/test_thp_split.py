"""The race of thp_split is found within a stated budget and comes down to exactly its story."""

from dataclasses import replace
from itertools import groupby

from model.circuit.block import Engine
from model.explore import explore
from model.expressions import Binary, Local, Var
from model.interpreter import Trace
from model.minimize import PROVED, minimize
from model.program import Assign, Outcome, Program, Step
from model.programs.thp_split import REFERENCE, thp_split

BLOCKS_MAX = 100
"""About 14 million schedules. The story told here is met about every 20 blocks."""

L, R, G = "find_get_page", "reclaim_and_allocate", "get_user_pages"

# In our model of v3.1: no split takes part, and the cookie of patch 9 would change nothing.
STORY = [
    (
        L,
        [
            "rcu_read_lock()",
            "page = rcu_dereference(slot)",  # TAIL, still in the page cache
        ],
    ),
    (
        R,
        [
            "page_freeze_refs(TAIL, 2)",  # freezes TAIL
            "WRITE_ONCE(slot, NONE)",
            "free_hot_cold_page(page)",
            "__rmqueue(): take HEAD and TAIL",
            "atomic_read(count[HEAD]) != 0",
            "atomic_read(count[TAIL]) != 0",
            "atomic_set(count[HEAD], 1)",  # HEAD: 1, held by the mapping to come
            "set_bit(PG_head, flags[HEAD])",
            "set_bit(PG_tail, flags[TAIL])",
            "WRITE_ONCE(first_page, HEAD)",
            "spin_lock(page_table_lock)",
            "WRITE_ONCE(mapcount, 1)",
            "WRITE_ONCE(pmd, PMD_HUGE)",
            "spin_unlock(page_table_lock)",
        ],
    ),
    (
        G,
        [
            "wait_event(READ_ONCE(pmd) != PMD_NONE, may_end_here=True)",
            "spin_lock(page_table_lock)",
            "entry = READ_ONCE(pmd)",
            "atomic_inc(count[page])",  # TAIL: 1
            "test_bit(PG_tail, flags[page])",
            "head = READ_ONCE(first_page)",
            "atomic_inc(count[head])",  # HEAD: 2
            "spin_unlock(page_table_lock)",
            "use the pinned page",
            "READ_ONCE(flags[page]) != 0",  # begins put_page(TAIL)
            "test_bit(PG_tail, flags[page])",
            "head = READ_ONCE(first_page)",
            "test_bit(PG_tail, flags[page])",
            "get_page_unless_zero(head)",  # HEAD: 3, pinned while it is looked at
            "test_bit(PG_head, flags[head])",
        ],
    ),
    (
        L,
        [
            "page_cache_get_speculative(page)",  # TAIL: 2, the bogus reference: one counter
            "READ_ONCE(slot) == page",  # no more
            "READ_ONCE(flags[page]) != 0",  # begins put_page(TAIL), which lowers two
            "test_bit(PG_tail, flags[page])",
            "head = READ_ONCE(first_page)",
            "test_bit(PG_tail, flags[page])",
            "get_page_unless_zero(head)",  # HEAD: 4
            "test_bit(PG_head, flags[head])",
            "spin_lock(compound_lock)",
            "test_bit(PG_tail, flags[page])",
            "atomic_dec(count[head])",  # HEAD: 3
            "atomic_dec(count[page])",  # TAIL: 1
            "spin_unlock(compound_lock)",
            "atomic_dec_and_test(count[head])",  # HEAD: 2, one less than is held
            "page = rcu_dereference(slot)",
            "rcu_read_unlock()",
        ],
    ),
    (
        G,
        [
            "spin_lock(compound_lock)",
            "test_bit(PG_tail, flags[page])",
            "atomic_dec(count[head])",  # HEAD: 1
            "atomic_dec(count[page])",  # TAIL: 0
            "spin_unlock(compound_lock)",
            "atomic_dec_and_test(count[head])",  # HEAD: 0
            "test_bit(PG_head, flags[head])",
            "atomic_read(count[TAIL]) != 0",
            "__free_pages_ok(HEAD)",  # while the pmd still maps it
        ],
    ),
]


def first_trace(program: Program, *, body: str, sentence: str) -> Trace:
    """The first failing execution with this sentence whose last step is of this body."""
    engine = Engine(program)
    for block in range(BLOCKS_MAX):
        hits = engine.run_block(root_seed=1, block=block).hits
        wanted = tuple(hit for hit in hits if program.sites[hit.site].sentence == sentence)
        for trace in engine.recover(wanted, root_seed=1, block=block):
            if trace.events[-1].label.body == body:
                return trace
    raise AssertionError(f"not found in {BLOCKS_MAX} blocks")


def told(trace: Trace) -> list[tuple[str, list[str]]]:
    steps = [(trace.program.threads[event.thread].name, event.label.text) for event in trace.events]
    return [
        (name, [text for _, text in part])
        for name, part in groupby(steps, key=lambda step: step[0])
    ]


def without_speculative_reference(program: Program) -> Program:
    """The program whose lookup raises only the count of the page that is in its slot."""
    still = Binary("==", Var("slot"), Local("page"))
    number = next(n for n, body in enumerate(program.bodies) if body.name == L)
    lookup = program.bodies[number]

    def at_once(step: Step) -> Step:
        if step.label.text != "page_cache_get_speculative(page)":
            return step
        taken = next(op for op in step.ops if isinstance(op, Assign))
        only_still = replace(taken, value=Binary("and", taken.value, still))
        return replace(step, ops=tuple(only_still if op is taken else op for op in step.ops))

    changed = replace(lookup, steps=tuple(map(at_once, lookup.steps)))
    assert changed != lookup
    return replace(
        program, bodies=(*program.bodies[:number], changed, *program.bodies[number + 1 :])
    )


def test_finds_the_tail_race_and_minimizes_it_to_exactly_its_story():
    program = thp_split.compile(**REFERENCE)
    failing = first_trace(program, body=G, sentence="huge page freed while referenced")
    minimal = minimize(program, failing)
    assert told(minimal.trace) == STORY
    assert (minimal.preemptions, minimal.switches, minimal.threads, minimal.steps) == (2, 4, 3, 56)
    assert set(minimal.proof.values()) == {PROVED}


def test_any_failure_is_found_within_five_blocks():
    engine = Engine(thp_split.compile(**REFERENCE))
    results = [engine.run_block(root_seed=1, block=block) for block in range(5)]
    assert sum(result.outcomes[Outcome.VIOLATION] for result in results) > 0


def test_without_the_speculative_reference_nothing_fails():
    program = without_speculative_reference(thp_split.compile(**REFERENCE))
    engine = Engine(program)
    results = [engine.run_block(root_seed=1, block=block) for block in range(BLOCKS_MAX)]
    failing = (Outcome.VIOLATION, Outcome.DEADLOCK)
    assert not any(result.outcomes[outcome] for result in results for outcome in failing)
    explored = explore(program, states_max=3_000_000)
    assert explored.exhausted and not explored.sites
