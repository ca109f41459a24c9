"""Circuits to LLVM IR: a netlist as straight-line vector code, and the loop that runs a block.

Values carry a polarity instead of being negated: AND of two complemented values is an OR stored
complemented, and so on, so that hardly any instruction is spent on negation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import llvmlite.ir as ll

from model.circuit.block_circuit import BlockCircuit
from model.circuit.netlist import AND, FALSE, INPUT, TRUE, Netlist

i64 = ll.IntType(64)


class GateEmitter:
    """Emits the gates of a netlist on demand. `load` gives the value of an input gate."""

    def __init__(
        self,
        net: Netlist,
        builder: ll.IRBuilder,
        vector: ll.VectorType,
        load: Callable[[int], ll.Value],
    ) -> None:
        self.net, self.builder, self.vector, self.load = net, builder, vector, load
        self.ones = ll.Constant(vector, [2**64 - 1] * vector.count)
        self.zero = ll.Constant(vector, [0] * vector.count)
        self.values: dict[int, tuple[ll.Value, int]] = {}

    def literal(self, literal: int) -> ll.Value:
        """The value of a literal, whatever its polarity."""
        if literal in (FALSE, TRUE):
            return self.ones if literal == TRUE else self.zero
        value, flipped = self.gate(literal >> 1)
        return self.builder.xor(value, self.ones) if flipped ^ (literal & 1) else value

    def gate(self, gate: int) -> tuple[ll.Value, int]:
        """The value of a gate, and whether it is stored complemented; emits its operands first."""
        stack = [gate]
        while stack:
            top = stack[-1]
            if top in self.values:
                stack.pop()
                continue
            kind, left, right = self.net.gates[top]
            missing = (
                []
                if kind == INPUT
                else [g for g in (right >> 1, left >> 1) if g not in self.values]
            )
            if missing:
                stack += missing
            else:
                self.values[top] = self._emit(top)
        return self.values[gate]

    def _emit(self, gate: int) -> tuple[ll.Value, int]:
        kind, left, right = self.net.gates[gate]
        if kind == INPUT:
            return self.load(gate), 0
        (a, flip_a), (b, flip_b) = self.values[left >> 1], self.values[right >> 1]
        flip_a, flip_b = flip_a ^ (left & 1), flip_b ^ (right & 1)
        if kind != AND:
            return self.builder.xor(a, b), flip_a ^ flip_b
        if flip_a and flip_b:
            return self.builder.or_(a, b), 1
        if flip_a or flip_b:
            plain, inverted = (b, a) if flip_a else (a, b)
            return self.builder.and_(plain, self.builder.xor(inverted, self.ones)), 0
        return self.builder.and_(a, b), 0


def emit_planes(
    net: Netlist, name: str, inputs: Sequence[int], outputs: Sequence[int], *, lanes: int
) -> str:
    """LLVM IR of a function (inputs, outputs, chunks): planes of each chunk of lanes lie together.

    Inputs are literals of input gates, or FALSE for a plane that nobody reads.
    """
    vector = ll.VectorType(i64, lanes // 64)
    module = ll.Module(name)
    pointer = vector.as_pointer()
    function = ll.Function(module, ll.FunctionType(ll.VoidType(), [pointer, pointer, i64]), name)
    for argument in function.args[:2]:
        argument.add_attribute("noalias")
    entry, loop, done = (function.append_basic_block(name) for name in ("entry", "loop", "done"))
    ll.IRBuilder(entry).branch(loop)
    b = ll.IRBuilder(loop)
    number = b.phi(i64)
    number.add_incoming(ll.Constant(i64, 0), entry)
    source = b.gep(function.args[0], [b.mul(number, ll.Constant(i64, len(inputs)))])
    target = b.gep(function.args[1], [b.mul(number, ll.Constant(i64, len(outputs)))])
    position = {literal >> 1: k for k, literal in enumerate(inputs) if literal != FALSE}

    def load(gate: int) -> ll.Value:
        place = b.gep(source, [ll.Constant(i64, position[gate])])
        return b.load(place, align=8 * vector.count)

    gates = GateEmitter(net, b, vector, load)
    for k, literal in enumerate(outputs):
        b.store(
            gates.literal(literal), b.gep(target, [ll.Constant(i64, k)]), align=8 * vector.count
        )
    after = b.add(number, ll.Constant(i64, 1))
    number.add_incoming(after, loop)
    b.cbranch(b.icmp_unsigned("<", after, function.args[2]), loop, done)
    ll.IRBuilder(done).ret_void()
    return str(module)


class Sfc64Emitter:
    """The generator of random_planes.py, on vectors; the caller keeps its four words."""

    def __init__(
        self, builder: ll.IRBuilder, vector: ll.VectorType, state: Sequence[ll.Value]
    ) -> None:
        self.builder, self.vector, self.state = builder, vector, list(state)

    def _splat(self, number: int) -> ll.Constant:
        return ll.Constant(self.vector, [number] * self.vector.count)

    def next(self) -> ll.Value:
        """The next random plane."""
        b, splat = self.builder, self._splat
        x, y, z, counter = self.state
        result = b.add(b.add(x, y), counter)
        rotated = b.or_(b.shl(z, splat(24)), b.lshr(z, splat(40)))
        self.state = [
            b.xor(y, b.lshr(y, splat(11))),
            b.add(z, b.shl(z, splat(3))),
            b.add(rotated, result),
            b.add(counter, splat(1)),
        ]
        return result


def emit_block(circuit: BlockCircuit, *, lanes: int) -> str:
    """LLVM IR of `block`, which runs the passes of one chunk of `lanes` lanes (a multiple of 64).

    block(state, generators, first, last, restart_until, counts, hits, hits_max, record)
        -> passes done

    `state` holds two copies of the kept planes, of which pass i reads copy i & 1 and writes the
    other; `generators` four vectors; `counts` two vectors: executions ended and steps executed, per
    lane word. Each pass with a hit appends to `hits` its number (a vector) and the code planes.
    Lanes that end from pass `restart_until` on are late: they count no more, and when all are, the
    block is done. `record`, unless null, receives the record lines of every pass.
    """
    words = lanes // 64
    vector = ll.VectorType(i64, words)
    module = ll.Module("block")
    pointer = vector.as_pointer()
    kind = ll.FunctionType(i64, [pointer, pointer, i64, i64, i64, pointer, pointer, i64, pointer])
    function = ll.Function(module, kind, "block")
    for argument in function.args:
        if isinstance(argument.type, ll.PointerType):
            argument.add_attribute("noalias")
    _BlockEmitter(circuit, module, function, vector).emit()
    return str(module)


class _BlockEmitter:
    """One function under construction."""

    def __init__(
        self, circuit: BlockCircuit, module: ll.Module, function: ll.Function, vector: ll.VectorType
    ) -> None:
        self.circuit, self.module, self.function, self.vector = circuit, module, function, vector
        (self.state, self.generators, self.first, self.last, self.restart_until,
         self.counts, self.hits, self.hits_max, self.record) = function.args  # fmt: skip
        self.blocks = {
            name: function.append_basic_block(name)
            for name in ("entry", "loop", "hit", "quiet", "draining", "next", "done")
        }

    def emit(self) -> None:
        """Fill the function."""
        b = ll.IRBuilder(self.blocks["entry"])
        seeds = [self._load(b, self.generators, k) for k in range(4)]
        b.branch(self.blocks["loop"])
        b.position_at_end(self.blocks["loop"])
        self.number = b.phi(i64, "pass")
        self.found = b.phi(i64, "found")
        words = [b.phi(self.vector) for _ in range(4)]
        self.number.add_incoming(self.first, self.blocks["entry"])
        self.found.add_incoming(ll.Constant(i64, 0), self.blocks["entry"])
        for word, seed in zip(words, seeds, strict=True):
            word.add_incoming(seed, self.blocks["entry"])
        self.random = Sfc64Emitter(b, self.vector, words)
        gates = self._gates(b)
        late, found = self._outputs(b, gates)
        # A pass takes what it asked for, also where no gate depends on the last of it.
        while len(self.drawn) < len(self.circuit.random):
            self.drawn.append(self.random.next())
        after = b.add(self.number, ll.Constant(i64, 1))
        b.cbranch(
            b.icmp_unsigned(">=", self.number, self.restart_until),
            self.blocks["draining"],
            self.blocks["next"],
        )
        b.position_at_end(self.blocks["draining"])
        waiting = self._any(b, b.xor(late, gates.ones))
        b.cbranch(waiting, self.blocks["next"], self.blocks["done"])
        b.position_at_end(self.blocks["next"])
        going = b.and_(
            b.icmp_unsigned("<", after, self.last), b.icmp_unsigned("<", found, self.hits_max)
        )
        b.cbranch(going, self.blocks["loop"], self.blocks["done"])
        self.number.add_incoming(after, self.blocks["next"])
        self.found.add_incoming(found, self.blocks["next"])
        for word, fresh in zip(words, self.random.state, strict=True):
            word.add_incoming(fresh, self.blocks["next"])
        b.position_at_end(self.blocks["done"])
        for k, word in enumerate(self.random.state):
            self._store(b, word, self.generators, k)
        b.store(found, b.bitcast(self._at(b, self.counts, 2), i64.as_pointer()))
        b.ret(after)

    def _gates(self, b: ll.IRBuilder) -> GateEmitter:
        """The emitter over its inputs: kept planes, random planes, whether no lane restarts."""
        circuit = self.circuit
        kept = {literal >> 1: k for k, literal in enumerate(circuit.kept) if literal != FALSE}
        random = {literal >> 1: k for k, literal in enumerate(circuit.random)}
        planes = self.drawn = list[ll.Value]()
        odd = b.and_(self.number, ll.Constant(i64, 1))
        size = ll.Constant(i64, len(circuit.kept))
        self.source = b.gep(self.state, [b.mul(odd, size)])
        self.target = b.gep(self.state, [b.mul(b.xor(odd, ll.Constant(i64, 1)), size)])

        def load(gate: int) -> ll.Value:
            if gate in kept:
                return self._load(b, self.source, kept[gate])
            if gate in random:
                while len(planes) <= random[gate]:
                    planes.append(self.random.next())
                return planes[random[gate]]
            draining = b.icmp_unsigned(">=", self.number, self.restart_until)
            return b.select(draining, gates.ones, gates.zero)

        gates = GateEmitter(circuit.net, b, self.vector, load)
        return gates

    def _outputs(self, b: ll.IRBuilder, gates: GateEmitter) -> tuple[ll.Value, ll.Value]:
        """Record, next planes, counts and hits of one pass; gives the late plane and all hits."""
        circuit = self.circuit
        for literal in circuit.record:
            gates.literal(literal)
        for k, literal in enumerate(circuit.next):
            if circuit.kept[k] != FALSE:
                self._store(b, gates.literal(literal), self.target, k)
        for k, literal in enumerate((circuit.ended, circuit.stepped)):
            count = b.call(self._intrinsic("ctpop"), [gates.literal(literal)])
            self._store(b, b.add(self._load(b, self.counts, k), count), self.counts, k)
        code = [gates.literal(literal) for literal in circuit.code]
        lines = [gates.literal(literal) for literal in circuit.record]
        late, union = gates.literal(circuit.late), gates.zero
        for plane in code:
            union = b.or_(union, plane)
        recording = self.function.append_basic_block("recording")
        judging = self.function.append_basic_block("judging")
        b.cbranch(
            b.icmp_unsigned("!=", b.ptrtoint(self.record, i64), ll.Constant(i64, 0)),
            recording,
            judging,
        )
        b.position_at_end(recording)
        row = b.gep(
            self.record, [b.mul(b.sub(self.number, self.first), ll.Constant(i64, len(lines)))]
        )
        for k, line in enumerate(lines):
            self._store(b, line, row, k)
        b.branch(judging)
        b.position_at_end(judging)
        b.cbranch(self._any(b, union), self.blocks["hit"], self.blocks["quiet"])
        b.position_at_end(self.blocks["hit"])
        row = b.gep(self.hits, [b.mul(self.found, ll.Constant(i64, 1 + len(code)))])
        b.store(self.number, b.bitcast(row, i64.as_pointer()))
        for k, plane in enumerate(code):
            self._store(b, plane, row, 1 + k)
        more = b.add(self.found, ll.Constant(i64, 1))
        b.branch(self.blocks["quiet"])
        b.position_at_end(self.blocks["quiet"])
        found = b.phi(i64)
        found.add_incoming(self.found, judging)
        found.add_incoming(more, self.blocks["hit"])
        return late, found

    def _any(self, b: ll.IRBuilder, value: ll.Value) -> ll.Value:
        whole = b.call(self._intrinsic("vector.reduce.or", i64), [value])
        return b.icmp_unsigned("!=", whole, ll.Constant(i64, 0))

    def _intrinsic(self, name: str, result: ll.Type | None = None) -> ll.Function:
        full = f"llvm.{name}.v{self.vector.count}i64"
        if full in self.module.globals:
            return self.module.globals[full]
        return ll.Function(self.module, ll.FunctionType(result or self.vector, [self.vector]), full)

    @staticmethod
    def _at(b: ll.IRBuilder, base: ll.Value, k: int) -> ll.Value:
        return b.gep(base, [ll.Constant(i64, k)])

    def _load(self, b: ll.IRBuilder, base: ll.Value, k: int) -> ll.Value:
        return b.load(self._at(b, base, k), align=8 * self.vector.count)

    def _store(self, b: ll.IRBuilder, value: ll.Value, base: ll.Value, k: int) -> None:
        b.store(value, self._at(b, base, k), align=8 * self.vector.count)
