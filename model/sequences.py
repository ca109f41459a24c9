"""Whether two states of a graph begin the same sequences of what is seen.

All that can be reached by the same sequence is followed at once, from both: sets of states, which
are told apart where one of them can show what the other cannot (the subset construction, after
Rabin and Scott, IBM J. Res. Dev. 3(2), 1959, in pairs). Of states that are blocks of a bisimulation
equal sets need no more looking at.
"""

from __future__ import annotations

from collections import defaultdict

from model.partition import SILENT, Graph

PAIRS_MAX = 4_000

States = frozenset[int]
Shown = tuple[int, int]
"""An action, and what is seen after it."""


def same_sequences(graph: Graph, first: int, second: int) -> bool:
    """True where the sequences are the same; False also where that takes more than PAIRS_MAX pairs.

    The graph is one of blocks: no two states of it are bisimilar.
    """
    if graph.seen[first] != graph.seen[second]:
        return False
    steps = _Steps(graph)
    begin = steps.silently({first}), steps.silently({second})
    met, waiting = {begin}, [begin]
    while waiting:
        ours, theirs = waiting.pop()
        after, others = steps.after(ours), steps.after(theirs)
        if after.keys() != others.keys():
            return False
        for shown, states in after.items():
            pair = states, others[shown]
            if states != others[shown] and pair not in met:
                met.add(pair)
                waiting.append(pair)
        if len(met) > PAIRS_MAX:
            return False
    return True


class _Steps:
    """The steps of each state: those that nobody sees, and the others by what they show."""

    def __init__(self, graph: Graph) -> None:
        self.silent: dict[int, set[int]] = defaultdict(set)
        self.shown: dict[int, set[tuple[Shown, int]]] = defaultdict(set)
        seen = graph.seen.tolist()
        columns = graph.sources.tolist(), graph.actions.tolist(), graph.targets.tolist()
        for source, action, target in zip(*columns, strict=True):
            if action == SILENT and seen[source] == seen[target]:
                self.silent[source].add(target)
            else:
                self.shown[source].add(((action, seen[target]), target))

    def silently(self, states: set[int]) -> States:
        """These states, and those to which steps lead that nobody sees."""
        found, waiting = set(states), list(states)
        while waiting:
            for state in self.silent.get(waiting.pop(), ()):
                if state not in found:
                    found.add(state)
                    waiting.append(state)
        return frozenset(found)

    def after(self, states: States) -> dict[Shown, States]:
        """What can be seen next, and the states that can be reached by it."""
        made: dict[Shown, set[int]] = defaultdict(set)
        for state in states:
            for shown, target in self.shown.get(state, ()):
                made[shown].add(target)
        return {shown: self.silently(targets) for shown, targets in made.items()}
