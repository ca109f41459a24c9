"""Blocks of states that are branching bisimilar, and sequences that two states have in common."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from model.partition import SILENT, Graph, refined
from model.sequences import same_sequences

A, B, C = 1, 2, 3

Step = tuple[int, int, int]


def graph_of(seen: list[int], *steps: Step) -> Graph:
    columns = np.array(steps, np.int64).reshape(-1, 3).T
    return Graph(np.array(seen, np.int64), *columns)


def by_hand(seen: list[int], steps: list[Step]) -> set[tuple[int, int]]:
    """The same, from the definition: every pair that nothing tells apart, until none goes away."""
    states = range(len(seen))
    alike = {(p, q) for p in states for q in states if seen[p] == seen[q]}

    def silently(q: int, p: int) -> set[int]:
        """All that q can become without leaving what is taken for p."""
        found, waiting = {q}, [q]
        while waiting:
            state = waiting.pop()
            for source, action, target in steps:
                known = source != state or action != SILENT or target in found
                if not known and (p, target) in alike:
                    found.add(target)
                    waiting.append(target)
        return found

    def follows(p: int, q: int) -> bool:
        for source, action, target in steps:
            if source != p or (action == SILENT and (target, q) in alike):
                continue
            reached = silently(q, p)
            if not any(s in reached and a == action and (target, t) in alike for s, a, t in steps):
                return False
        return True

    while gone := {(p, q) for p, q in alike if not follows(p, q) or not follows(q, p)}:
        alike -= gone
    return alike


@given(
    st.lists(st.integers(0, 1), min_size=1, max_size=6).flatmap(
        lambda seen: st.tuples(
            st.just(seen),
            st.lists(
                st.tuples(
                    st.integers(0, len(seen) - 1),
                    st.integers(0, 2),
                    st.integers(0, len(seen) - 1),
                ),
                max_size=14,
            ),
        )
    )
)
def test_blocks_are_those_of_the_definition(drawn: tuple[list[int], list[Step]]) -> None:
    seen, steps = drawn
    blocks = refined(graph_of(seen, *steps)).tolist()
    states = range(len(seen))
    same = {(p, q) for p in states for q in states if blocks[p] == blocks[q]}
    assert same == by_hand(seen, steps)


def test_more_than_a_word_of_what_comes_next_is_told_apart() -> None:
    """A block whose states can go to 130 others; one of them lacks the last."""
    others = range(2, 132)
    steps = [(0, A, other) for other in others] + [(1, A, other) for other in others[:-1]]
    blocks = refined(graph_of([0, 0, *others], *steps))
    assert blocks[0] != blocks[1]


def test_when_a_choice_is_made_is_no_part_of_a_sequence() -> None:
    """a(b + c) and ab + ac: not bisimilar, with the same sequences."""
    graph = graph_of(
        [0] * 8, (0, A, 1), (1, B, 2), (1, C, 2), (3, A, 4), (3, A, 5), (4, B, 2), (5, C, 2)
    )
    blocks = refined(graph)
    first, second = int(blocks[0]), int(blocks[3])
    assert first != second
    assert same_sequences(graph.quotient(blocks), first, second)


def test_what_only_one_of_them_can_show_is_found() -> None:
    graph = graph_of([0] * 6, (0, A, 1), (1, B, 2), (3, SILENT, 4), (4, A, 5))
    blocks = refined(graph)
    assert not same_sequences(graph.quotient(blocks), int(blocks[0]), int(blocks[3]))
