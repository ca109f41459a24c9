"""Words and netlists compute what integers and truth values do, counted over all small operands."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from model.circuit.netlist import FALSE, TRUE, Netlist
from model.circuit.words import Word, Words
from model.expressions import OPERATIONS, operation_interval
from tests.unit.model.circuit.truth_tables import truth_tables

INTERVALS = ((0, 1), (0, 5), (0, 7), (-4, 3), (-3, -1), (-8, 7))


def case_value(case: int, first: int, width: int, *, signed: bool) -> int:
    value = case >> first & ((1 << width) - 1)
    return value - (1 << width) if signed and value >> (width - 1) else value


def operand(net: Netlist, bounds: tuple[int, int]) -> tuple[Word, list[int]]:
    """A word for values within bounds, and its inputs, the sign last where there is one."""
    low, high = bounds
    width = max(high.bit_length() if high >= 0 else 0, (~low).bit_length() if low < 0 else 0)
    bits = [net.input() for _ in range(width)]
    sign = [net.input()] if low < 0 else []
    return Word(tuple(bits), sign[0] if sign else FALSE), [*bits, *sign]


def expect(word: Word, net: Netlist, inputs: list[int], expected: dict[int, int]) -> None:
    """The word has the expected value in each of the given cases."""
    *tables, sign = truth_tables(net, inputs, [*word.bits, word.sign])
    for case, value in expected.items():
        found = sum((table >> case & 1) << q for q, table in enumerate(tables))
        assert found - ((sign >> case & 1) << len(tables)) == value


def cases(bounds, widths):
    """Every case whose operands are within their bounds, with the operands."""
    for case in range(1 << sum(widths)):
        values, first = [], 0
        for (low, _), width in zip(bounds, widths, strict=True):
            values.append(case_value(case, first, width, signed=low < 0))
            first += width
        if all(low <= v <= high for v, (low, high) in zip(values, bounds, strict=True)):
            yield case, values


@pytest.mark.parametrize("a", INTERVALS)
@pytest.mark.parametrize("b", INTERVALS)
@pytest.mark.parametrize("op", ["+", "-", "&", "|", "^", "==", "<"])
def test_operations_on_words_are_those_on_integers(op, a, b):
    net = Netlist()
    words = Words(net)
    (left, first), (right, second) = operand(net, a), operand(net, b)
    made = {
        "+": lambda: words.add(left, right),
        "-": lambda: words.subtract(left, right),
        "==": lambda: Word((words.equal(left, right),)),
        "<": lambda: Word((words.less(left, right),)),
    }.get(op, lambda: words.bitwise(op, left, right))()
    expected = {c: OPERATIONS[op](x, y) for c, (x, y) in cases((a, b), (len(first), len(second)))}
    expect(made, net, [*first, *second], expected)
    fitted = words.fit(made, operation_interval(op, a, b))
    expect(fitted, net, [*first, *second], expected)


@pytest.mark.parametrize("a", INTERVALS)
@pytest.mark.parametrize("op", ["*", "<<", ">>"])
@pytest.mark.parametrize("number", [-3, -1, 0, 1, 2, 5])
def test_scaling_and_shifting_words_is_that_of_integers(op, a, number):
    if op != "*" and number < 0:
        return
    net = Netlist()
    words = Words(net)
    word, inputs = operand(net, a)
    made = (
        words.scale(word, number)
        if op == "*"
        else words.shift(word, number if op == "<<" else -number)
    )
    expected = {c: OPERATIONS[op](x, number) for c, (x,) in cases((a,), (len(inputs),))}
    expect(made, net, inputs, expected)
    expect(words.fit(made, operation_interval(op, a, (number, number))), net, inputs, expected)


@given(st.sampled_from(sorted(OPERATIONS)), st.tuples(*[st.integers(-9, 9)] * 4), st.data())
def test_intervals_hold_every_result(op, ends, data):
    a, b = tuple(sorted(ends[:2])), tuple(sorted(ends[2:]))
    if op in ("<<", ">>"):
        b = (abs(b[0]),) * 2
    if op == "*":
        b = (b[0],) * 2
    x, y = data.draw(st.integers(*a)), data.draw(st.integers(*b))
    low, high = operation_interval(op, a, b)
    assert low <= OPERATIONS[op](x, y) <= high


GATES = st.recursive(
    st.integers(0, 3).map(lambda k: ("input", k)) | st.just(("constant", 0)),
    lambda inner: st.tuples(
        st.sampled_from(["and", "or", "xor", "mux", "not"]), inner, inner, inner
    ),
    max_leaves=12,
)


@given(GATES)
def test_folding_gates_changes_no_value(tree):
    net = Netlist()
    inputs = [net.input() for _ in range(4)]

    def build(node) -> int:
        match node:
            case ("input", k):
                return inputs[k]
            case ("constant", _):
                return TRUE
            case ("not", a, _, _):
                return build(a) ^ 1
            case ("and", a, b, _):
                return net.and_(build(a), build(b))
            case ("or", a, b, _):
                return net.or_(build(a), build(b))
            case ("xor", a, b, _):
                return net.xor(build(a), build(b))
            case (_, a, b, c):
                return net.mux(build(a), build(b), build(c))

    def value(node, case: int) -> int:
        match node:
            case ("input", k):
                return case >> k & 1
            case ("constant", _):
                return 1
            case ("not", a, _, _):
                return 1 - value(a, case)
            case ("and", a, b, _):
                return value(a, case) & value(b, case)
            case ("or", a, b, _):
                return value(a, case) | value(b, case)
            case ("xor", a, b, _):
                return value(a, case) ^ value(b, case)
            case (_, a, b, c):
                return value(b, case) if value(a, case) else value(c, case)

    (table,) = truth_tables(net, inputs, [build(tree)])
    assert [table >> case & 1 for case in range(16)] == [value(tree, case) for case in range(16)]
