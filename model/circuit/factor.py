"""A circuit again, with fewer gates: factors of sums taken out, pairs that many products share.

Conjunctions that nothing else reads are joined into products of many literals. `a & b | a & c`
becomes `a & (b | c)`, and the pair of literals that most products contain becomes a gate,
again and again (Brayton and McMullen 1982, on single literals and pairs).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from heapq import heapify, heappop, heappush
from itertools import combinations

from model.circuit.netlist import AND, INPUT, TRUE, XOR, Netlist

PRODUCT_MAX = 40


def factor(net: Netlist, outputs: Iterable[int]) -> tuple[Netlist, dict[int, int]]:
    """A netlist of what the outputs need, and the new literal of every old even literal in it.

    Every input is kept, in order.
    """
    return _Factoring(net, list(outputs)).copy()


class _Factoring:
    """Gates of an old netlist as products of many literals; new ones get numbers after the old."""

    def __init__(self, old: Netlist, outputs: list[int]) -> None:
        self.old, self.outputs = old, outputs
        self.readers = Counter(literal >> 1 for literal in outputs)
        self.order = self._needed()
        self.products: dict[int, list[int]] = {}
        self.number = len(old.gates)

    def copy(self) -> tuple[Netlist, dict[int, int]]:
        """As `factor` says."""
        for gate in self.order:
            if self.old.gates[gate][0] == AND:
                self.products[gate] = self._product(gate)
        roots = {literal >> 1 for literal in self.outputs}
        for gate in self.order:
            kind, left, right = self.old.gates[gate]
            if kind == XOR:
                roots |= {left >> 1, right >> 1}
            elif gate in self.products:
                roots |= {literal >> 1 for literal in self.products[gate]}
        self.products = {gate: p for gate, p in self.products.items() if gate in roots}
        for gate in list(self.products):
            self.products[gate] = self._factored(self.products[gate])
        self._share_pairs()
        return self._build()

    def _needed(self) -> list[int]:
        """The gates that the outputs need, operands first; counts who reads each."""
        needed, stack = set[int](), list(self.readers)
        while stack:
            gate = stack.pop()
            if gate not in needed:
                needed.add(gate)
                kind, left, right = self.old.gates[gate]
                if kind != INPUT:
                    self.readers.update((left >> 1, right >> 1))
                    stack += (left >> 1, right >> 1)
        return sorted(needed)

    def _product(self, gate: int) -> list[int]:
        """The literals of a conjunction, with those of conjunctions that only it reads."""
        literals: list[int] = []
        for literal in self.old.gates[gate][1:]:
            inner = self.products.get(literal >> 1)
            if inner and not literal & 1 and self.readers[literal >> 1] == 1:
                literals += inner
            else:
                literals.append(literal)
        return list(dict.fromkeys(literals))

    def _factored(self, product: list[int]) -> list[int]:
        """A product of which the negated products share no literal any more."""
        sums = {
            literal: self.products[literal >> 1]
            for literal in product
            if literal & 1 and literal >> 1 in self.products and self.readers[literal >> 1] == 1
        }
        product = list(product)
        while True:
            counts = Counter(literal for cube in sums.values() for literal in cube)
            common, times = max(counts.items(), key=lambda c: (c[1], -c[0]), default=(0, 0))
            if times < 2:
                return product
            sharing = [term for term, cube in sums.items() if common in cube]
            rests = []
            for term in sharing:
                product.remove(term)
                rests.append(self._new([x for x in sums.pop(term) if x != common]) ^ 1)
            inner = self._new(self._factored(rests)) ^ 1
            made = self._new([common, inner]) ^ 1
            product.append(made)
            if made & 1 and made >> 1 in self.products:
                sums[made] = self.products[made >> 1]

    def _new(self, product: list[int]) -> int:
        """The literal of a product, in a new gate where it has two literals or more."""
        if len(set(product)) < 2:
            return product[0] if product else TRUE
        gate, self.number = self.number, self.number + 1
        self.products[gate] = list(dict.fromkeys(product))
        self.readers[gate] = 1
        return 2 * gate

    def _share_pairs(self) -> None:
        """Take out the pair of literals that most products have, while two have one."""
        holders: dict[tuple[int, int], set[int]] = defaultdict(set)
        for gate, product in self.products.items():
            if len(product) <= PRODUCT_MAX:
                product.sort()
                for pair in combinations(product, 2):
                    holders[pair].add(gate)
        heap = [(-len(gates), pair) for pair, gates in holders.items() if len(gates) > 1]
        heapify(heap)
        while heap:
            count, pair = heappop(heap)
            gates = sorted(g for g in holders[pair] if set(pair) <= set(self.products[g]))
            if len(gates) < 2:
                continue
            if len(gates) < -count:
                heappush(heap, (-len(gates), pair))
                continue
            made = self._new(list(pair))
            for gate in gates:
                product = [x for x in self.products[gate] if x not in pair]
                for other in product:
                    key = (other, made)
                    holders[key].add(gate)
                    if len(holders[key]) == 2:
                        heappush(heap, (-2, key))
                self.products[gate] = [*product, made]

    def _build(self) -> tuple[Netlist, dict[int, int]]:
        net, new = Netlist(), {0: 0}
        for gate, (kind, _, _) in enumerate(self.old.gates):
            if gate and kind == INPUT:
                new[2 * gate] = net.input()
        for root in sorted({literal >> 1 for literal in self.outputs}):
            stack = [root]
            while stack:
                gate = stack[-1]
                if 2 * gate in new:
                    stack.pop()
                    continue
                operands = self.products.get(gate) or self.old.gates[gate][1:]
                missing = [x >> 1 for x in operands if x & ~1 not in new]
                if missing:
                    stack += missing
                    continue
                literals = [new[x & ~1] ^ (x & 1) for x in operands]
                new[2 * gate] = net.all(literals) if gate in self.products else net.xor(*literals)
        return net, new
