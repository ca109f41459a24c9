"""What makes circuits smaller changes no value, counted over all inputs."""

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from model.circuit.code_sets import CodeSets
from model.circuit.factor import factor
from model.circuit.netlist import INPUT, Netlist
from model.circuit.sweep import sweep
from tests.unit.model.circuit.truth_tables import truth_tables

INPUTS = 5
LITERAL = st.integers(0, 400)
RECIPES = st.lists(st.tuples(st.sampled_from(["and", "xor", "mux"]), LITERAL, LITERAL, LITERAL))


def built(recipe) -> tuple[Netlist, list[int], list[int]]:
    """A netlist, its inputs, and every line made, from operands counted backwards."""
    net = Netlist()
    inputs = [net.input() for _ in range(INPUTS)]
    lines = list(inputs)
    for kind, *operands in recipe:
        a, b, c = (lines[-1 - (x >> 1) % len(lines)] ^ (x & 1) for x in operands)
        lines.append({"and": net.and_(a, b), "xor": net.xor(a, b), "mux": net.mux(a, b, c)}[kind])
    return net, inputs, lines


@pytest.mark.parametrize("smaller", [sweep, factor])
@given(recipe=RECIPES, outputs=st.lists(LITERAL, min_size=1, max_size=8))
@settings(max_examples=300)
def test_a_circuit_made_smaller_computes_the_same(smaller, recipe, outputs):
    net, inputs, lines = built(recipe)
    wanted = [lines[-1 - (x >> 1) % len(lines)] ^ (x & 1) for x in outputs]
    made, new = smaller(net, wanted)
    renamed = [new[literal & ~1] ^ (literal & 1) for literal in wanted]
    after = truth_tables(made, [new[literal] for literal in inputs], renamed)
    assert after == truth_tables(net, inputs, wanted)


def gates(net: Netlist) -> int:
    return sum(kind != INPUT for kind, _, _ in net.gates)


def test_equal_lines_of_different_structure_become_one():
    net = Netlist()
    a, b, c = (net.input() for _ in range(3))
    first = net.or_(net.and_(a, b), net.and_(a, c))
    second = net.and_(a, net.or_(b, c))
    _, new = sweep(net, [first, second])
    assert new[first & ~1] ^ (first & 1) == new[second & ~1] ^ (second & 1)


def test_a_common_factor_is_asked_once():
    net = Netlist()
    a, *others = (net.input() for _ in range(5))
    line = net.any(net.and_(a, other) for other in others)
    assert gates(factor(net, [line])[0]) == 4 < gates(net)


def test_products_share_their_common_pair():
    net = Netlist()
    a, b, c, d = (net.input() for _ in range(4))
    lines = [net.and_(net.and_(a, c), b), net.and_(net.and_(a, d), b)]
    assert gates(factor(net, lines)[0]) == 3 < gates(net)


CODES = st.sets(st.integers(0, 15), min_size=2)


@given(codes=CODES, questions=st.lists(st.tuples(CODES, CODES), min_size=1, max_size=6))
def test_lines_of_code_sets_tell_wanted_codes_from_the_others_asked_about(codes, questions):
    net = Netlist()
    bits = [net.input() for _ in range(4)]
    sets = CodeSets(net, bits, codes)
    for wanted, among in questions:
        for around in (codes, codes & (among | wanted)):
            line = sets.line(wanted & codes, around)
            (table,) = truth_tables(net, bits, [line])
            assert {code for code in around if table >> code & 1} == wanted & codes
