"""A thin layer over llvmlite's builder: functions over integers and arrays that read like loops.

`Value` is an integer of 64 bits (or a vector of them, or a truth) with operators; `Array` is a
pointer that is indexed; `Variable` is what changes. What this makes needs LLVM's own passes
(`compile_ir(..., optimized=True)`), which circuits do not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import llvmlite.ir as ll

u8, u32, i64 = ll.IntType(8), ll.IntType(32), ll.IntType(64)


class Value:
    """An operand; Python integers beside it become constants of its type."""

    def __init__(self, code: Function, raw: Any) -> None:
        self.code, self.raw = code, raw

    def _with(self, operation: str, other: Value | int) -> Value:
        return Value(self.code, getattr(self.code.b, operation)(self.raw, self._raw(other)))

    def _raw(self, other: Value | int) -> Any:
        kind = self.raw.type
        if isinstance(other, int):
            vector = isinstance(kind, ll.VectorType)
            return ll.Constant(kind, [other] * kind.count if vector else other)
        if isinstance(kind, ll.VectorType) and not isinstance(other.raw.type, ll.VectorType):
            return self.code.splat(other, kind)
        return other.raw

    def _compare(self, operation: str, other: Value | int) -> Value:
        return Value(self.code, self.code.b.icmp_unsigned(operation, self.raw, self._raw(other)))

    def __add__(self, other: Value | int) -> Value:
        return self._with("add", other)

    def __sub__(self, other: Value | int) -> Value:
        return self._with("sub", other)

    def __mul__(self, other: Value | int) -> Value:
        return self._with("mul", other)

    def __and__(self, other: Value | int) -> Value:
        return self._with("and_", other)

    def __or__(self, other: Value | int) -> Value:
        return self._with("or_", other)

    def __xor__(self, other: Value | int) -> Value:
        return self._with("xor", other)

    def __lshift__(self, other: Value | int) -> Value:
        return self._with("shl", other)

    def __rshift__(self, other: Value | int) -> Value:
        return self._with("lshr", other)

    def __lt__(self, other: Value | int) -> Value:
        return self._compare("<", other)

    def is_(self, other: Value | int) -> Value:
        """The truth of equality."""
        return self._compare("==", other)

    def is_not(self, other: Value | int) -> Value:
        """The truth of inequality."""
        return self._compare("!=", other)

    def number(self) -> Value:
        """A truth, or a shorter integer, as an integer of 64 bits."""
        return Value(self.code, self.code.b.zext(self.raw, i64))

    def trailing_zeros(self) -> Value:
        """The position of the lowest bit that is set; undefined for 0."""
        return Value(self.code, self.code.b.cttz(self.raw, ll.Constant(ll.IntType(1), 1)))

    def bits(self) -> Value:
        """A vector of truths as an integer, the first one lowest."""
        b, count = self.code.b, self.raw.type.count
        return Value(self.code, b.bitcast(self.raw, ll.IntType(count))).number()

    def at_most(self, bound: int) -> Value:
        """The smaller of this and a bound."""
        return (self < bound).choose(self, bound)

    def choose(self, then: Value | int, orelse: Value | int) -> Value:
        """`then` where this truth holds, else `orelse`, both of 64 bits."""
        number = Value(self.code, ll.Constant(i64, 0))
        return Value(
            self.code, self.code.b.select(self.raw, number._raw(then), number._raw(orelse))
        )


class Array:
    """Elements of one type, one after the other; integers are widened to 64 bits when read."""

    def __init__(self, code: Function, pointer: Any, element: ll.Type) -> None:
        self.code, self.pointer, self.element = code, pointer, element

    def _place(self, index: Value | int) -> Any:
        raw = index.raw if isinstance(index, Value) else ll.Constant(i64, index)
        return self.code.b.gep(self.pointer, [raw])

    def __getitem__(self, index: Value | int) -> Value:
        loaded = self.code.b.load(self._place(index))
        narrow = isinstance(self.element, ll.IntType) and self.element.width < 64
        value = Value(self.code, loaded)
        return value.number() if narrow else value

    def __setitem__(self, index: Value | int, value: Value | int) -> None:
        raw = value.raw if isinstance(value, Value) else ll.Constant(i64, value)
        if isinstance(self.element, ll.IntType) and self.element.width < 64:
            raw = self.code.b.trunc(raw, self.element)
        self.code.b.store(raw, self._place(index))

    def at(self, index: Value | int, element: ll.Type | None = None) -> Array:
        """The array that begins at an index, as one of another type where that is given."""
        kind = element or self.element
        pointer = self.code.b.bitcast(self._place(index), kind.as_pointer())
        return Array(self.code, pointer, kind)

    def prefetch(self, index: Value | int) -> None:
        """Ask for the cache line of an element, to be read or written soon."""
        pointer = self.code.b.bitcast(self._place(index), u8.as_pointer())
        hint = [ll.Constant(u32, number) for number in (0, 3, 1)]
        self.code.b.call(self.code.module.prefetch, [pointer, *hint])


class Variable:
    """An integer of 64 bits that changes."""

    def __init__(self, code: Function, first: Value | int) -> None:
        self.code = code
        with code.b.goto_entry_block():
            self._slot = code.b.alloca(i64)
        self.set(first)

    @property
    def now(self) -> Value:
        """Its value here."""
        return Value(self.code, self.code.b.load(self._slot))

    def set(self, value: Value | int) -> None:
        """Change it."""
        raw = value.raw if isinstance(value, Value) else ll.Constant(i64, value)
        self.code.b.store(raw, self._slot)

    def add(self, value: Value | int) -> None:
        """Add to it."""
        self.set(self.now + value)


class Module:
    """LLVM IR under construction; its functions may call each other."""

    def __init__(self, name: str) -> None:
        self.raw = ll.Module(name)
        kind = ll.FunctionType(ll.VoidType(), [u8.as_pointer(), u32, u32, u32])
        self.prefetch = ll.Function(self.raw, kind, "llvm.prefetch.p0i8")

    def __str__(self) -> str:
        return str(self.raw)


class Function:
    """One function: integers (i64) and arrays (a pointer type) in, an integer out."""

    def __init__(self, module: Module, name: str, arguments: Sequence[ll.Type]) -> None:
        self.module = module
        self.raw = ll.Function(module.raw, ll.FunctionType(i64, list(arguments)), name)
        self.b = ll.IRBuilder(self.raw.append_basic_block("entry"))
        body = self.raw.append_basic_block("body")
        self.b.branch(body)
        self.b.position_at_end(body)
        # Allocations go before the branch, wherever they are asked for.
        self.entry = self.raw.entry_basic_block

    def integer(self, argument: int) -> Value:
        """An argument that is an integer."""
        return Value(self, self.raw.args[argument])

    def array(self, argument: int) -> Array:
        """An argument that is an array."""
        raw = self.raw.args[argument]
        return Array(self, raw, raw.type.pointee)

    def constant(self, number: int) -> Value:
        """A number."""
        return Value(self, ll.Constant(i64, number))

    def variable(self, first: Value | int) -> Variable:
        """A variable."""
        return Variable(self, first)

    def room(self, size: int) -> Array:
        """An array of integers of 64 bits that lives as long as the call."""
        with self.b.goto_entry_block():
            array = self.b.alloca(i64, size)
        return Array(self, array, i64)

    def splat(self, value: Value, kind: ll.VectorType) -> Any:
        """A vector of which every element is the lowest bits of a value."""
        narrow = self.b.trunc(value.raw, kind.element)
        only = self.b.insert_element(ll.Constant(kind, ll.Undefined), narrow, ll.Constant(u32, 0))
        zeros = ll.Constant(ll.VectorType(u32, kind.count), [0] * kind.count)
        return self.b.shuffle_vector(only, only, zeros)

    def call(self, function: Function, *arguments: Value | Array | int) -> Value:
        """Call a function of the module."""
        return Value(self, self.b.call(function.raw, [self._argument(a) for a in arguments]))

    def call_address(self, address: Value, *arguments: Value | Array | int) -> None:
        """Call machine code that returns nothing at an address."""
        raw = [self._argument(a) for a in arguments]
        kind = ll.FunctionType(ll.VoidType(), [r.type for r in raw])
        self.b.call(self.b.inttoptr(address.raw, kind.as_pointer()), raw)

    @staticmethod
    def _argument(argument: Value | Array | int) -> Any:
        if isinstance(argument, Array):
            return argument.pointer
        return argument.raw if isinstance(argument, Value) else ll.Constant(i64, argument)

    def result(self, value: Value | int) -> None:
        """Return."""
        self.b.ret(self._argument(value))

    @contextmanager
    def if_(self, truth: Value) -> Iterator[None]:
        """What is executed where a truth holds."""
        with self.b.if_then(truth.raw):
            yield

    @contextmanager
    def while_(self, truth: Callable[[], Value]) -> Iterator[None]:
        """What is repeated as long as a truth, asked before each turn, holds."""
        test, turn, after = (self.raw.append_basic_block(n) for n in ("test", "turn", "after"))
        self.b.branch(test)
        self.b.position_at_end(test)
        self.b.cbranch(truth().raw, turn, after)
        self.b.position_at_end(turn)
        yield
        self.b.branch(test)
        self.b.position_at_end(after)

    @contextmanager
    def for_range(
        self, stop: Value | int, *, start: Value | int = 0, step: int = 1
    ) -> Iterator[Value]:
        """The numbers from `start` below `stop`."""
        number = self.variable(start)
        with self.while_(lambda: number.now < stop):
            yield number.now
            number.add(step)

    @contextmanager
    def bits_of(self, word: Value) -> Iterator[Value]:
        """The positions of the bits that are set in a word, from the lowest."""
        rest = self.variable(word)
        with self.while_(lambda: rest.now.is_not(0)):
            bit = rest.now.trailing_zeros()
            rest.set(rest.now & (rest.now - 1))
            yield bit
