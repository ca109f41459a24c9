"""The control flow of one body, built forwards, and cut into steps.

A location is a node before which a thread can be preempted. Everything that follows it up to the
next location is executed with it, so that local computation costs no step.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field, replace
from typing import Literal

from model.expressions import Const, Expr, Local
from model.language.source import SourceFunction
from model.liveness import NONE, Live, live_before, used
from model.program import END, Access, Goto, If, Label, Op, Step, Switch


@dataclass(eq=False)
class WayBack:
    """How a subroutine returns: by the local that holds the caller's number, one of `numbers`."""

    caller: str
    numbers: list[int] = field(default_factory=list)


@dataclass(eq=False)
class Node:
    """A node under construction; a choice is a location too, and `ops` are plain operations.

    `resumes` is where a call of a subroutine comes back to; `back` marks the nodes of its way back;
    `rounds`, at the head of a counted loop, is how often its test can hold, and `members` are the
    nodes (by identity) of its body.
    """

    kind: Literal["location", "choice", "ops", "branch", "yield"]
    origin: ast.AST
    function: SourceFunction
    text: str = ""
    ops: list[Op] = field(default_factory=list)
    accesses: list[Access] = field(default_factory=list)
    guard: Expr | None = None
    may_end: bool = False
    test: Expr | None = None
    next: Node | None = None
    orelse: Node | None = None
    resumes: Node | None = None
    rounds: int | None = None
    members: frozenset[int] = frozenset()
    back: WayBack | None = None


Edge = tuple[Node, Literal["next", "orelse"]]


class Graph:
    """Nodes with the dangling edges to which the next node will be attached."""

    def __init__(self) -> None:
        self.entry = Node("ops", ast.Pass(), None)  # type: ignore[arg-type]
        self.dangling: list[Edge] = [(self.entry, "next")]

    def emit(self, node: Node) -> Node:
        """Attach a node to all dangling edges; its own `next` dangles."""
        self.attach(node)
        self.dangling = [(node, "next")]
        return node

    def attach(self, node: Node) -> None:
        """Point all dangling edges to a node that exists (a loop)."""
        for source, edge in self.dangling:
            setattr(source, edge, node)
        self.dangling = []

    def fold_diamond(self, branch: Node) -> None:
        """Turn a branch whose arms are plain operations that meet again into one operation."""
        arms = [_linear(branch, "next"), _linear(branch, "orelse")]
        ends = {(id(arm[1][0]), arm[1][1]) for arm in arms if arm is not None}
        if None in arms or ends != {(id(node), edge) for node, edge in self.dangling}:
            return
        then, orelse = (arm[0] for arm in arms if arm is not None)
        assert branch.test is not None
        branch.ops = [If(branch.test, tuple(_ops(then)), tuple(_ops(orelse)))]
        branch.accesses += [access for node in (*then, *orelse) for access in node.accesses]
        branch.kind, branch.test, branch.next, branch.orelse = "ops", None, None, None
        self.dangling = [(branch, "next")]


def locals_read_first(nodes: list[Node]) -> dict[int, Live]:
    """For each node (by identity): the locals read from here on before they are assigned."""
    live: dict[int, Live] = {id(node): NONE for node in nodes}
    changed = True
    while changed:
        changed = False
        for node in reversed(nodes):
            # What follows a subroutine is looked at where it is called from.
            following = (node.resumes,) if node.back else (node.next, node.orelse, node.resumes)
            after = NONE.union(*(live.get(id(other), NONE) for other in following))
            tested = used(node.test) if node.test is not None else NONE
            guarded = used(node.guard) if node.guard is not None else NONE
            found = live_before(tuple(node.ops), after | tested, {}) | guarded
            if found != live[id(node)]:
                live[id(node)], changed = found, True
    return live


def _ops(nodes: list[Node]) -> list[Op]:
    return [op for node in nodes for op in node.ops]


def _linear(source: Node, edge: Literal["next", "orelse"]) -> tuple[list[Node], Edge] | None:
    """The plain nodes from an edge to the first dangling edge; None if there are others."""
    chain: list[Node] = []
    node: Node | None = getattr(source, edge)
    while node is not None:
        if node.kind != "ops" or node in chain:
            return None
        chain.append(node)
        node = node.next
    return chain, ((chain[-1], "next") if chain else (source, edge))


@dataclass(frozen=True, slots=True)
class Path:
    """The nodes that a step has come through; and for each head of a counted loop, how often."""

    nodes: frozenset[int] = frozenset()
    rounds: tuple[tuple[int, int], ...] = ()

    def round(self, head: Node) -> tuple[int, Path]:
        """How many rounds are done when this head is reached, and the path of one more."""
        done = dict(self.rounds).get(id(head), 0)
        others = [(of, n) for of, n in self.rounds if of != id(head) and of not in head.members]
        return done, Path(self.nodes - head.members, (*others, (id(head), done + 1)))


class StepCutter:
    """Numbers the locations of a finished graph and makes a step of each."""

    def __init__(self, body: str, file: str, graph: Graph) -> None:
        self.body, self.file, self.graph = body, file, graph
        self.order: list[Node] = []
        self.number: dict[int, int] = {}
        self.texts: dict[str, int] = {}

    def cut(self) -> tuple[tuple[Op, ...], tuple[Step, ...]]:
        """The entry operations and the steps, in order of discovery."""
        entry = self._tree(self.graph.entry, Path(), choosing=False, yields=False, into=[])
        steps: list[Step] = []
        while len(steps) < len(self.order):
            steps.append(self._step(self.order[len(steps)]))
        return entry, tuple(steps)

    def _step(self, node: Node) -> Step:
        used = [node]
        rest = self._tree(
            node.next, Path(), choosing=node.kind == "choice", yields=False, into=used
        )
        accessing = [n for n in used if n.kind == "location"]
        text = accessing[0].text if node.kind == "choice" and len(accessing) == 1 else node.text
        ordinal = self.texts.get(text, 0)
        self.texts[text] = ordinal + 1
        line: int = node.origin.lineno  # type: ignore[attr-defined]
        accesses = tuple(dict.fromkeys(access for n in used for access in n.accesses))
        label = Label(self.body, text, ordinal)
        name = node.function.name_seen_from(self.file)
        return Step(label, node.guard, node.may_end, (*node.ops, *rest), accesses, name, line)

    def _goto(self, node: Node, *, yields: bool) -> Goto:
        if id(node) not in self.number:
            self.number[id(node)] = len(self.order)
            self.order.append(node)
        return Goto(self.number[id(node)], yields)

    def _tree(
        self,
        node: Node | None,
        path: Path,
        *,
        choosing: bool,
        yields: bool,
        into: list[Node],
    ) -> tuple[Op, ...]:
        """The operations from a node to the next locations; `into` collects what is executed."""
        if node is None:
            return (Goto(END, yields),)
        if node.kind in ("location", "choice"):
            if not choosing or node.guard is not None:
                return (self._goto(node, yields=yields),)
            into.append(node)
            still = node.kind == "choice"
            return (
                *node.ops,
                *self._tree(node.next, path, choosing=still, yields=yields, into=into),
            )
        if node.rounds is not None:
            return self._round(node, path, choosing=choosing, yields=yields, into=into)
        if id(node) in path.nodes:
            raise node.function.error(
                node.origin,
                "a loop without a shared access",
                "it would never end or never be preempted: use `for … in range(…)`, or access"
                " something shared",
            )
        path = replace(path, nodes=path.nodes | {id(node)})
        if node.kind != "ops" or node.ops:
            into.append(node)
        if node.back is not None:
            return self._switch(node, path, choosing=choosing, yields=yields, into=into)
        if node.kind == "branch":
            assert node.test is not None and not isinstance(node.test, Const)
            then = self._tree(node.next, path, choosing=choosing, yields=yields, into=into)
            orelse = self._tree(node.orelse, path, choosing=choosing, yields=yields, into=into)
            if then == orelse:
                return (*node.ops, *then)
            return (*node.ops, If(node.test, then, orelse))
        yields = yields or node.kind == "yield"
        return (
            *node.ops,
            *self._tree(node.next, path, choosing=choosing, yields=yields, into=into),
        )

    def _round(
        self, node: Node, path: Path, *, choosing: bool, yields: bool, into: list[Node]
    ) -> tuple[Op, ...]:
        """One more round of a counted loop within a step; each starts with the path before it."""
        assert node.rounds is not None and node.test is not None
        done, path = path.round(node)
        if done == node.rounds:
            return self._tree(node.orelse, path, choosing=choosing, yields=yields, into=into)
        then = self._tree(node.next, path, choosing=choosing, yields=yields, into=into)
        orelse = self._tree(node.orelse, path, choosing=choosing, yields=yields, into=into)
        return then if then == orelse else (If(node.test, then, orelse),)

    def _switch(
        self, node: Node, path: Path, *, choosing: bool, yields: bool, into: list[Node]
    ) -> tuple[Op, ...]:
        """The way back to every caller: the branches that follow a subroutine's end, as one."""
        back, onward = node.back, node.next
        assert back is not None
        arms = []
        for number in back.numbers:
            if onward is None or onward.back is not back:
                target, onward = onward, None
            else:
                target, onward = onward.next, onward.orelse
            ops = self._tree(target, path, choosing=choosing, yields=yields, into=into)
            arms.append((number, ops))
        return (*node.ops, Switch(Local(back.caller), tuple(arms)))
